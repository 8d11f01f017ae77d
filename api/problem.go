package api

// ProblemType is the content type of every error (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is the body of every error answer (RFC 9457). Decide by Code: it never changes its meaning.
type Problem struct {
	Type      string       `json:"type" doc:"Where the code is explained"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Code      string       `json:"code" doc:"Stable; see the list in the docs"`
	Detail    string       `json:"detail,omitempty"`
	Errors    []FieldError `json:"errors,omitempty" doc:"What is wrong with which field"`
	RequestID string       `json:"request_id,omitempty"`
}

// FieldError tells what is wrong with one field and how to mend it.
type FieldError struct {
	Path    string `json:"path" example:"recipient.phone"`
	Code    string `json:"code" example:"invalid"`
	Message string `json:"message" doc:"What is wrong and what to do"`
}

// Error makes a Problem usable as a Go error.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	for _, f := range p.Errors {
		s += "; " + f.Path + ": " + f.Message
	}
	return s
}

// Codes of the errors that the API answers.
const (
	CodeMalformedJSON       = "malformed_json"
	CodeInvalidRequest      = "invalid_request"
	CodeBodyTooLarge        = "body_too_large"
	CodeUnauthorized        = "unauthorized"
	CodeForbidden           = "forbidden"
	CodeTenantDisabled      = "tenant_disabled"
	CodeNotFound            = "not_found"
	CodeMethodNotAllowed    = "method_not_allowed"
	CodeIdempotencyConflict = "idempotency_conflict"
	CodeConflict            = "conflict"
	CodeNotCancelable       = "not_cancelable"
	CodeNotDeadLetter       = "not_a_dead_letter"
	CodeExpired             = "expired"
	CodeNotUncertain        = "not_uncertain"
	CodeRateLimited         = "rate_limited"
	CodeQuotaExceeded       = "quota_exceeded"
	CodeTooManyStreams      = "too_many_streams"
	CodeOverloaded          = "overloaded"
	CodeUnavailable         = "unavailable"
	CodeProviderFailed      = "provider_failed"
	CodeInternal            = "internal"
)

// CodeInfo explains a code: the HTTP status it comes with, its title and what to do about it.
type CodeInfo struct {
	Code   string
	Status int
	Title  string
	Advice string
}

// Codes lists every code that the API can answer.
func Codes() []CodeInfo {
	return []CodeInfo{
		{CodeMalformedJSON, 400, "The body is not the JSON that was expected", "Send valid JSON with the documented fields and types; the detail names the place."},
		{CodeUnauthorized, 401, "The API key is missing or wrong", "Send Authorization: Bearer with a key that exists, is not revoked and has not expired."},
		{CodeForbidden, 403, "The API key may not do this", "Use a key with the scope that the detail names."},
		{CodeTenantDisabled, 403, "The tenant is disabled", "Ask the operator of the installation."},
		{CodeNotFound, 404, "There is no such thing", "Check the id; things of other tenants are not to be seen."},
		{CodeMethodNotAllowed, 405, "The path does not take this method", "See the Allow header."},
		{CodeConflict, 409, "It contradicts what is there", "The detail names what is in the way."},
		{CodeNotCancelable, 409, "It can no longer be canceled", "It was sent, is being sent, or has ended."},
		{CodeNotDeadLetter, 409, "It is not a dead letter", "Only deliveries that ran out of attempts can be re-driven or discarded."},
		{CodeNotUncertain, 409, "Its outcome is not uncertain", "Only deliveries in state uncertain can be resolved."},
		{CodeExpired, 409, "It has expired", "What has expired is never sent late; send a new notification."},
		{CodeBodyTooLarge, 413, "The body is too large", "The detail names the limit; split the batch or shorten the content."},
		{CodeInvalidRequest, 422, "A field is wrong", "errors names each field, what is wrong with it and the mend."},
		{CodeIdempotencyConflict, 422, "The idempotency key was used with another body", "Use a new key for a new notification, or repeat the first body exactly."},
		{CodeRateLimited, 429, "Too many notifications per second", "Slow down to the tenant's rate; try again after the seconds in Retry-After, with the same idempotency key."},
		{CodeQuotaExceeded, 429, "Too many deliveries wait", "The tenant's queue is full; try again after the seconds in Retry-After, with the same idempotency key."},
		{CodeProviderFailed, 502, "The provider did not do it", "The detail has its word; try again later."},
		{CodeTooManyStreams, 429, "Too many streams of events are open", "A tenant may have 100 on a node: close some, or share one."},
		{CodeOverloaded, 503, "Too much at once", "Try again after the seconds in Retry-After, with the same idempotency key."},
		{CodeUnavailable, 503, "It could not be kept safe", "Nothing was accepted. Try again after the seconds in Retry-After, with the same idempotency key."},
		{CodeInternal, 500, "Something went wrong in Peal", "Tell the operator the request_id; it is in the log."},
	}
}
