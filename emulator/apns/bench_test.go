package apns_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"peal/emulator/apns"
)

// BenchmarkSend is a push over one connection of loopback, net/http's client included.
func BenchmarkSend(b *testing.B) {
	x := setup(b, apns.Options{})
	c := x.clientConn()
	body := `{"aps":{"alert":{"title":"Hello","body":"` + strings.Repeat("x", 900) + `"}}}`
	send := func() bool {
		r := x.request(saying(body))
		resp, err := c.RoundTrip(r)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	if !send() {
		b.Fatal("the first push was not taken")
	}
	var failed atomic.Int64
	b.SetParallelism(100)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !send() {
				failed.Add(1)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
	if n := failed.Load(); n > 0 {
		b.Errorf("%d pushes were not taken", n)
	}
}

// BenchmarkServer is the same with frames made once: what the server alone takes.
func BenchmarkServer(b *testing.B) {
	x := setup(b, apns.Options{})
	f := x.raw()
	body := `{"aps":{"alert":{"title":"Hello","body":"` + strings.Repeat("x", 900) + `"}}}`
	f.send(1, body)
	if got := f.answer(1); got != "200" {
		b.Fatal(got)
	}
	b.ReportAllocs()
	b.ResetTimer()
	f.blast(b.N, body)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
	if c := x.emu.Counts(); c.Accepted != int64(b.N)+1 {
		b.Errorf("%d of %d pushes were taken", c.Accepted, b.N+1)
	}
}
