package wire

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrTooLong says that an answer is longer than anybody would read.
var ErrTooLong = errors.New("provider: the answer is too long")

// ReadAll reads up to so many bytes behind b; a longer body is ErrTooLong.
func ReadAll(b []byte, r io.Reader, most int) ([]byte, error) {
	for {
		if len(b) > most {
			return b[:0], ErrTooLong
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):min(cap(b), most+1)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// OneLine makes a provider's words fit to be kept: without control characters, and no more characters than that.
func OneLine(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// StatusText is an HTTP status in words.
func StatusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return strconv.Itoa(status) + " " + text
	}
	return strconv.Itoa(status)
}

// RetryAfter is the wait that the header Retry-After asks for, in seconds or as a date; 0 when it asks for none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour // beyond that it is a mistake
	v := strings.TrimSpace(h.Get("Retry-After"))
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		if !(f > 0) { // no number, either
			return 0
		}
		return time.Duration(min(f, most.Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, min(t.Sub(now), most))
	}
	return 0
}

// StatusCode names the code of an HTTP status that the provider said nothing else about.
func StatusCode(status int) string { return "http_" + strconv.Itoa(status) }
