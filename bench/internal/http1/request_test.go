package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRequestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw            string
		method, target, body string
		close, bad           bool
	}{
		{name: "post", raw: "POST /api/send-message HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", method: "POST", target: "/api/send-message", body: "{}"},
		{name: "chunked", raw: "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", method: "POST", target: "/p", body: "{}"},
		{name: "get", raw: "GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n", method: "GET", target: "/api/status"},
		{name: "close", raw: "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", method: "GET", target: "/", close: true},
		{name: "1.0", raw: "GET / HTTP/1.0\r\n\r\n", method: "GET", target: "/", close: true},
		{name: "no version", raw: "GET /\r\n\r\n", bad: true},
		{name: "spaces", raw: "GET / x HTTP/1.1\r\n\r\n", bad: true},
		{name: "HTTP/2", raw: "PRI * HTTP/2.0\r\n\r\n", bad: true},
		{name: "no colon", raw: "GET / HTTP/1.1\r\nnonsense\r\n\r\n", bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r Request
			err := r.Read(bufio.NewReader(strings.NewReader(tt.raw)))
			if tt.bad {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("got %v, want ErrMalformed", err)
				}
				return
			}
			if err != nil || string(r.Method) != tt.method || string(r.Target) != tt.target || string(r.Body) != tt.body || r.Close != tt.close {
				t.Errorf("got %q %q %q close=%v, %v", r.Method, r.Target, r.Body, r.Close, err)
			}
		})
	}
}

func FuzzRequestRead(f *testing.F) {
	f.Add([]byte("POST /api/send-message HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Request
		if err := r.Read(bufio.NewReader(bytes.NewReader(raw))); err != nil {
			return
		}
		std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(std.Body)
		if err != nil {
			return
		}
		if string(r.Method) != std.Method || !bytes.Equal(r.Body, body) {
			t.Errorf("got %s %q, net/http has %s %q", r.Method, r.Body, std.Method, body)
		}
	})
}
