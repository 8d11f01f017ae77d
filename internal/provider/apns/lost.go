package apns

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"peal/internal/peal"
	"peal/internal/provider/wire"
)

// net/http does not export its HTTP/2 errors. These texts are those of Go 1.26; a test makes each of them happen, so a
// Go that words them otherwise is noticed. Were one not recognized, a push would count as unknown: never as refused.
const (
	textGoAway      = "http2: Transport received Server's graceful shutdown GOAWAY" // our stream is above the last processed
	textGoAwayFirst = "http2: Transport received GOAWAY from server ErrCode:"       // the same, of a connection's first stream
	textUnusable    = "http2: client conn not usable"                               // no stream was begun
	textNoConn      = "http2: client conn could not be established"                 // the same
	textGoAwayLost  = "http2: server sent GOAWAY and closed the connection"         // our stream was begun, and not answered
)

const (
	codeGoAway  = "goaway"
	codeRefused = "refused_stream"
)

// streamError is how the errors of single streams can be looked into: net/http's converts itself into any struct with
// these fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error " + strconv.Itoa(int(e.Code)) }

const refusedStream = 7 // REFUSED_STREAM (RFC 9113, 7): not processed

// ofStream tells whether an error concerns one stream, and leaves its connection well.
func ofStream(err error) bool {
	var s streamError
	return errors.As(err, &s)
}

// lost is the outcome of a call without an answer, and tells whether the push was provably not processed.
func lost(ctx context.Context, err error, written bool) (out peal.Outcome, unprocessed bool) {
	var s streamError
	text := err.Error()
	switch {
	case errors.As(err, &s) && s.Code == refusedStream:
		return peal.Outcome{Class: peal.ClassTemporary, Code: codeRefused, Reason: "Apple refused the stream and processed nothing"}, true
	case text == textGoAway, strings.HasPrefix(text, textGoAwayFirst), text == textUnusable, text == textNoConn:
		return peal.Outcome{Class: peal.ClassTemporary, Code: codeGoAway, Reason: "Apple closed the connection before it processed the push"}, true
	case written && strings.HasPrefix(text, textGoAwayLost):
		out = peal.Outcome{Class: peal.ClassUnknown, Code: codeGoAway, Reason: "Apple closed the connection and did not answer"}
		if reason := goAwayReason(text); reason != "" {
			out.Reason += " (" + reason + ")"
		}
		return out, false
	default:
		return wire.Fault(ctx, err, written), !written
	}
}

// goAwayReason finds Apple's reason, which is in the debug data.
func goAwayReason(text string) string {
	_, quoted, found := strings.Cut(text, "debug=")
	if !found {
		return ""
	}
	debug, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	reason, _ := parseBody([]byte(debug))
	return reason
}
