package wasender_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/emulator/wasender"
)

// BenchmarkSend is a send over loopback, client included.
func BenchmarkSend(b *testing.B) {
	emu := wasender.New(wasender.Options{Script: &wasender.Script{}})
	defer emu.Close()
	srv := httptest.NewServer(emu)
	defer srv.Close()
	body := `{"to":"+4915112345678","text":"` + strings.Repeat("x", 900) + `"}`
	for b.Loop() {
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/api/send-message", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+wasender.DefaultAPIKey)
		r.Header.Set("Content-Type", "application/json")
		resp, err := srv.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status, err)
		}
		if err := resp.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
