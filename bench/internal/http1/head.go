// Package http1 reads just enough HTTP/1.1 for a load generator and a provider stand-in: heads, Content-Length and
// chunked bodies, into buffers that are used again and again. What it does not understand it refuses.
package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Limits of what is read; the stand-in and Peal stay far below them.
const (
	maxHeaders = 100
	maxBody    = 16 << 20
)

// ErrMalformed is the kind of every error that is not of the connection itself.
var ErrMalformed = errors.New("malformed HTTP/1.1 message")

// framing is what the headers say about the body and the connection.
type framing struct {
	length  int // -1: no Content-Length
	chunked bool
	close   bool
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// readLine returns the next line without its line end; it is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, malformed("a line of more than %d bytes", br.Size())
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		return nil, malformed("a control character in a line")
	}
	return line, nil
}

// readHeaders reads to the empty line.
func readHeaders(br *bufio.Reader) (framing, error) {
	f := framing{length: -1}
	for range maxHeaders {
		line, err := readLine(br)
		if err != nil {
			return f, noEOF(err)
		}
		if len(line) == 0 {
			if f.chunked && f.length >= 0 {
				return f, malformed("both Content-Length and Transfer-Encoding")
			}
			return f, nil
		}
		if err := f.header(line); err != nil {
			return f, err
		}
	}
	return f, malformed("more than %d headers", maxHeaders)
}

func (f *framing) header(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !token(line[:colon]) {
		return malformed("header line %q", line)
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	// The length of the name decides nearly every header without a comparison.
	switch len(name) {
	case len("Connection"):
		if equalFold(name, "Connection") && equalFold(value, "close") {
			f.close = true
		}
	case len("Content-Length"):
		if equalFold(name, "Content-Length") {
			return f.setLength(value)
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "Transfer-Encoding") {
			if f.chunked || !equalFold(value, "chunked") {
				return malformed("transfer encoding %q", value)
			}
			f.chunked = true
		}
	}
	return nil
}

func (f *framing) setLength(value []byte) error {
	n, ok := number(value, 10)
	if !ok || n > maxBody {
		return malformed("Content-Length %q", value)
	}
	if f.length >= 0 && f.length != n {
		return malformed("two Content-Lengths")
	}
	f.length = n
	return nil
}

// readBody appends the body that f describes to dst.
func readBody(br *bufio.Reader, f framing, dst []byte) ([]byte, error) {
	if f.chunked {
		return readChunked(br, dst)
	}
	if f.length > 0 {
		return readN(br, f.length, dst)
	}
	return dst, nil
}

func readN(br *bufio.Reader, n int, dst []byte) ([]byte, error) {
	if len(dst)+n > maxBody {
		return dst, malformed("a body of more than %d bytes", maxBody)
	}
	// A stated length is not yet a sent one, so a large buffer grows as its bytes come.
	for n > 0 {
		step := min(n, 1<<20)
		start := len(dst)
		if cap(dst)-start < step {
			grown := make([]byte, start, 2*start+step)
			copy(grown, dst)
			dst = grown
		}
		dst = dst[:start+step]
		if _, err := io.ReadFull(br, dst[start:]); err != nil {
			return dst[:start], noEOF(err)
		}
		n -= step
	}
	return dst, nil
}

func readChunked(br *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		line, err := readLine(br)
		if err != nil {
			return dst, noEOF(err)
		}
		if semi := bytes.IndexByte(line, ';'); semi >= 0 {
			line = line[:semi]
		}
		n, ok := number(bytes.TrimRight(line, " \t"), 16)
		if !ok {
			return dst, malformed("chunk size %q", line)
		}
		if n == 0 {
			_, err := readHeaders(br) // trailers
			return dst, err
		}
		if dst, err = readN(br, n, dst); err != nil {
			return dst, err
		}
		if line, err = readLine(br); err != nil {
			return dst, noEOF(err)
		}
		if len(line) != 0 {
			return dst, malformed("no line end after a chunk")
		}
	}
}

// number reads digits only: no sign, no space, no prefix.
func number(digits []byte, base int) (int, bool) {
	if len(digits) == 0 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		d := 0
		switch {
		case c >= '0' && c <= '9':
			d = int(c - '0')
		case base == 16 && c|0x20 >= 'a' && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		default:
			return 0, false
		}
		if n > (math.MaxInt32-d)/base {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}

// token says whether a header name has only characters that one may have.
func token(name []byte) bool {
	for _, c := range name {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '-', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+.^_`|~", c) < 0:
			return false
		}
	}
	return true
}

// equalFold compares ASCII without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		x, y := b[i], s[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// noEOF turns an end in the middle of a message into the error for that.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
