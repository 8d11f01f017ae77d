package fcm_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/emulator/fcm"
)

// BenchmarkSend is a send of about 1 kB without a network: the handler alone.
func BenchmarkSend(b *testing.B) {
	emu := fcm.New(fcm.Options{Limits: fcm.NoLimits()})
	defer emu.Close()
	phone, err := emu.Register(fcm.Device{Project: "demo"})
	if err != nil {
		b.Fatal(err)
	}
	bearer := "Bearer " + emu.IssueToken("demo")
	body := `{"message":{"token":"` + phone.Token + `","notification":{"title":"Order","body":"It is on its way"},"data":{"text":"` +
		strings.Repeat("x", 700) + `"},"android":{"priority":"HIGH","ttl":"3600s","notification":{"channelId":"orders"}}}}`
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPost, "/v1/projects/demo/messages:send", strings.NewReader(body))
			r.Header.Set("Authorization", bearer)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			emu.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}
