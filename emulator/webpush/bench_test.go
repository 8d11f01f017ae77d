package webpush_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"peal/emulator/webpush"
)

// BenchmarkPush is the server's own cost of one push, without the network.
func BenchmarkPush(b *testing.B) {
	for name, opt := range map[string]webpush.Options{
		"decrypted":   {},
		"one in 1000": {DecryptOneIn: 1000},
	} {
		b.Run(name, func(b *testing.B) {
			opt.Origin = "http://push.example.com"
			emu := webpush.New(opt)
			key := newKey(b)
			sub, err := emu.Subscribe(public(key))
			if err != nil {
				b.Fatal(err)
			}
			body := seal(b, sub, declared, 0)
			own := &bench{key: key, url: opt.Origin, now: time.Now()}
			header := own.vapid()
			for b.Loop() {
				req := httptest.NewRequest(http.MethodPost, sub.Endpoint, bytes.NewReader(body))
				req.Header = http.Header{"Ttl": {"60"}, "Content-Encoding": {"aes128gcm"}, "Authorization": {header}}
				rec := httptest.NewRecorder()
				emu.ServeHTTP(rec, req)
				if rec.Code != http.StatusCreated {
					b.Fatal(rec.Code, rec.Body)
				}
			}
		})
	}
}
