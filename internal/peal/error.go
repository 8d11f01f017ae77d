package peal

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what sort of mistake an error is, for whoever has to answer a caller.
type Kind string

// The kinds. Their texts are the codes of the HTTP API (api.Codes).
const (
	Invalid             Kind = "invalid_request"
	NotFound            Kind = "not_found"
	Conflict            Kind = "conflict"
	NotCancelable       Kind = "not_cancelable"
	NotDeadLetter       Kind = "not_a_dead_letter"
	NotUncertain        Kind = "not_uncertain"
	TooLate             Kind = "expired"
	IdempotencyConflict Kind = "idempotency_conflict"
	RateLimited         Kind = "rate_limited"
	QuotaExceeded       Kind = "quota_exceeded"
	Overloaded          Kind = "overloaded"
	Unavailable         Kind = "unavailable"
	ProviderFailed      Kind = "provider_failed"
	Internal            Kind = "internal"
)

// Field is what is wrong with one field of a request, and the mend.
type Field struct {
	Path    string
	Code    string
	Message string
}

// Error is an error with a kind. Message is for the caller; Err, if any, is for the log only.
type Error struct {
	Kind       Kind
	Message    string
	Fields     []Field
	RetryAfter time.Duration // when to come again, of RateLimited and QuotaExceeded; 0: not said
	Err        error
}

// Error tells the message, and the cause.
func (e *Error) Error() string {
	s := string(e.Kind) + ": " + e.Message
	for _, f := range e.Fields {
		s += "; " + f.Path + ": " + f.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrHandedOver is in an error of a write that was handed over, and nobody knows yet whether it will happen.
var ErrHandedOver = errors.New("handed over, and not answered")

// Errorf makes an Error without a cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// KindOf tells an error's kind; what has none is Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
