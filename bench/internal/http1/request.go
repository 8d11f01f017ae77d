package http1

import (
	"bufio"
	"bytes"
)

// Request is what a stand-in must know of a request; its slices are valid until the next Read.
type Request struct {
	Line   []byte // "POST /path HTTP/1.1"
	Method []byte
	Target []byte
	Body   []byte
	Close  bool // the client will not use the connection again
}

// Read reads the next request into the buffers that r already has. At the end of the stream before the first byte the
// error is io.EOF.
func (r *Request) Read(br *bufio.Reader) error {
	line, err := readLine(br)
	if err != nil {
		return err
	}
	r.Line = append(r.Line[:0], line...)
	first, last := bytes.IndexByte(r.Line, ' '), bytes.LastIndexByte(r.Line, ' ')
	if first <= 0 || last <= first+1 || bytes.IndexByte(r.Line[first+1:last], ' ') >= 0 {
		return malformed("request line %q", r.Line)
	}
	r.Method, r.Target = r.Line[:first], r.Line[first+1:last]
	version := string(r.Line[last+1:])
	if version != "HTTP/1.1" && version != "HTTP/1.0" {
		return malformed("request line %q", r.Line)
	}
	f, err := readHeaders(br)
	if err != nil {
		return err
	}
	if f.chunked && version == "HTTP/1.0" {
		return malformed("chunks in HTTP/1.0")
	}
	r.Close = f.close || version == "HTTP/1.0"
	r.Body, err = readBody(br, f, r.Body[:0])
	return err
}
