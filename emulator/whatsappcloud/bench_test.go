package whatsappcloud_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/emulator/whatsappcloud"
)

// BenchmarkSend is a send over loopback, client included.
func BenchmarkSend(b *testing.B) {
	emu := whatsappcloud.New(whatsappcloud.Options{
		Script: &whatsappcloud.Script{}, WindowsOpen: true, Limits: whatsappcloud.Limits{PairBurst: -1},
		Accounts: []whatsappcloud.Account{{Numbers: []whatsappcloud.Number{{Throughput: -1}}}},
	})
	defer emu.Close()
	srv := httptest.NewServer(emu)
	defer srv.Close()
	body := `{"messaging_product":"whatsapp","to":"` + phone + `","type":"text","text":{"body":"` + strings.Repeat("x", 900) + `"}}`
	for b.Loop() {
		r, err := http.NewRequest(http.MethodPost, srv.URL+messages, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
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

// FuzzSend: no body breaks the emulator, and what it takes is kept whole.
func FuzzSend(f *testing.F) {
	for _, rest := range kindsOfMessage() {
		f.Add(`{"messaging_product":"whatsapp","to":"` + phone + `",` + rest + `}`)
	}
	f.Add(`{"messaging_product":"whatsapp","status":"read","message_id":"wamid.1234","typing_indicator":{"type":"text"}}`)
	f.Add(`{"to":[],"type":{},"text":null}`)
	emu := whatsappcloud.New(whatsappcloud.Options{
		Script: &whatsappcloud.Script{}, WindowsOpen: true, KeepMessages: 100,
		Accounts: []whatsappcloud.Account{{Templates: []whatsappcloud.Template{orderPaid()}}},
	})
	f.Cleanup(emu.Close)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, messages, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		emu.ServeHTTP(w, r)
		if w.Code != 200 && !strings.Contains(w.Body.String(), `"fbtrace_id"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == 200 && !strings.Contains(w.Body.String(), "success") && string(emu.Messages(whatsappcloud.Query{Limit: 1})[0].Body) != strings.TrimSpace(body) {
			t.Fatal("another body was kept")
		}
	})
}
