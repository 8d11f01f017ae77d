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

var responses = []struct {
	name, raw string
	status    int
	body      string
	close     bool
	bad       bool
}{
	{name: "length", raw: "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello", status: 202, body: "hello"},
	{name: "case and space", raw: "HTTP/1.1 202 Accepted\r\ncontent-LENGTH:   5 \r\n\r\nhello", status: 202, body: "hello"},
	{name: "bare line ends", raw: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", status: 200, body: "ok"},
	{name: "no reason", raw: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200},
	{name: "chunked", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n", status: 200, body: "hello world"},
	{name: "continue first", raw: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
	{name: "no content", raw: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
	{name: "close", raw: "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", close: true},
	{name: "until the end", raw: "HTTP/1.1 200 OK\r\n\r\nall of it", status: 200, body: "all of it", close: true},
	{name: "1.0", raw: "HTTP/1.0 503 Oh\r\nContent-Length: 1\r\n\r\nx", status: 503, body: "x", close: true},
	{name: "cut body", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", bad: true},
	{name: "cut chunk", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", bad: true},
	{name: "chunk too long", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", bad: true},
	{name: "signed length", raw: "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", bad: true},
	{name: "huge length", raw: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", bad: true},
	{name: "two lengths", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", bad: true},
	{name: "length and chunked", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad: true},
	{name: "gzip", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", bad: true},
	{name: "folded", raw: "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", bad: true},
	{name: "other protocol", raw: "SSH-2.0-OpenSSH_9.7\r\n", bad: true},
	{name: "cut head", raw: "HTTP/1.1 200 OK\r\nContent-Le", bad: true},
	{name: "nothing", raw: "", bad: true},
}

func TestResponseRead(t *testing.T) {
	t.Parallel()
	for _, tt := range responses {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r Response
			err := r.Read(bufio.NewReader(strings.NewReader(tt.raw)))
			if tt.bad {
				if err == nil {
					t.Fatalf("read %+v, want an error", r)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != tt.status || string(r.Body) != tt.body || r.Close != tt.close {
				t.Errorf("got %d %q close=%v, want %d %q close=%v", r.Status, r.Body, r.Close, tt.status, tt.body, tt.close)
			}
		})
	}
}

func TestResponseReadTwice(t *testing.T) {
	t.Parallel()
	br := bufio.NewReader(strings.NewReader("HTTP/1.1 202 A\r\nContent-Length: 5\r\n\r\nfirst" +
		"HTTP/1.1 400 B\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"))
	var r Response
	for _, want := range []string{"first", "no"} {
		if err := r.Read(br); err != nil || string(r.Body) != want {
			t.Fatalf("got %q, %v, want %q", r.Body, err, want)
		}
	}
	if err := r.Read(br); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestResponseLongLine(t *testing.T) {
	t.Parallel()
	raw := "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 10_000) + "\r\n\r\n"
	var r Response
	if err := r.Read(bufio.NewReader(strings.NewReader(raw))); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want ErrMalformed", err)
	}
}

// Whatever the bytes: no panic, no endless loop, and where net/http reads an answer too, it is the same answer.
func FuzzResponseRead(f *testing.F) {
	for _, tt := range responses {
		f.Add([]byte(tt.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Response
		if err := r.Read(bufio.NewReader(bytes.NewReader(raw))); err != nil {
			return
		}
		std, err := readStd(raw)
		if err != nil {
			return
		}
		defer std.Body.Close()
		body, err := io.ReadAll(std.Body)
		if err != nil {
			return
		}
		if r.Status != std.StatusCode || !bytes.Equal(r.Body, body) {
			t.Errorf("got %d %q, net/http has %d %q", r.Status, r.Body, std.StatusCode, body)
		}
	})
}

// readStd reads the first final answer with net/http.
func readStd(raw []byte) (*http.Response, error) {
	br := bufio.NewReader(bytes.NewReader(raw))
	for {
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == 101 {
			return resp, err
		}
	}
}
