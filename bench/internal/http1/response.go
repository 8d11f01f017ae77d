package http1

import (
	"bufio"
	"io"
)

// Response is an answer; Body is valid until the next Read.
type Response struct {
	Status int
	Body   []byte
	Close  bool // the server will close the connection
}

// Read reads the next final answer to a request other than HEAD, into the buffer that r already has. At the end of
// the stream before the first byte the error is io.EOF.
func (r *Response) Read(br *bufio.Reader) error {
	for {
		f, err := r.head(br)
		if err != nil {
			return err
		}
		if r.Status >= 100 && r.Status < 200 && r.Status != 101 {
			continue // 100 Continue, 103 Early Hints
		}
		r.Close = r.Close || f.close
		r.Body = r.Body[:0]
		switch {
		case r.Status == 101, r.Status == 204, r.Status == 304:
			return nil
		case !f.chunked && f.length < 0:
			r.Close = true
			r.Body, err = readToEnd(br, r.Body)
		default:
			r.Body, err = readBody(br, f, r.Body)
		}
		return err
	}
}

func (r *Response) head(br *bufio.Reader) (framing, error) {
	line, err := readLine(br)
	if err != nil {
		return framing{}, err
	}
	// HTTP/1.x SP 3 digits, then nothing or SP and a reason that nobody needs.
	const version = "HTTP/1."
	if len(line) < 12 || string(line[:len(version)]) != version || line[8] != ' ' ||
		(line[7] != '0' && line[7] != '1') || (len(line) > 12 && line[12] != ' ') {
		return framing{}, malformed("status line %q", line)
	}
	status, ok := number(line[9:12], 10)
	if !ok || status < 100 {
		return framing{}, malformed("status line %q", line)
	}
	r.Status = status
	r.Close = line[7] == '0'
	f, err := readHeaders(br)
	if err == nil && f.chunked && r.Close {
		err = malformed("chunks in HTTP/1.0")
	}
	return f, err
}

func readToEnd(br *bufio.Reader, dst []byte) ([]byte, error) {
	rest, err := io.ReadAll(io.LimitReader(br, maxBody+1))
	if err != nil {
		return dst, err
	}
	if len(rest) > maxBody {
		return dst, malformed("a body of more than %d bytes", maxBody)
	}
	return append(dst, rest...), nil
}
