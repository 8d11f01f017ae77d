package whatsappcloud

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Via is how an error is told.
type Via string

// Ways of telling. Meta tells errors in the answer, by a "failed" status, or both.
const (
	ViaDefault Via = ""        // as the table says
	ViaAnswer  Via = "answer"  // the message is not taken
	ViaWebhook Via = "webhook" // taken with 200, then failed
	ViaBoth    Via = "both"    // refused, and a failed status for an id nobody was told
)

// ErrorRow is one row of Meta's error table. Numbers and titles are Meta's;
// HTTP is as older pages of Meta list it (sources conflict about 131056), and
// Via is chosen from what callers report.
type ErrorRow struct {
	Code      int    `json:"code"`
	HTTP      int    `json:"http"`
	Title     string `json:"title"`
	Details   string `json:"details"`
	Via       Via    `json:"via"`
	Transient bool   `json:"transient,omitempty"`
}

// Errors is the error table.
func Errors() []ErrorRow {
	const a, w = ViaAnswer, ViaWebhook
	return []ErrorRow{
		// Authorization.
		{0, 401, "AuthException", "We were unable to authenticate the app user.", a, false},
		{3, 500, "API Method", "Capability or permissions issue.", a, false},
		{10, 403, "Permission Denied", "Permission is either not granted or has been removed.", a, false},
		{190, 401, "Access token has expired", "Your access token has expired.", a, false},
		{200, 403, "API Permission", "Permission is either not granted or has been removed.", a, false},
		{299, 403, "API Permission", "Permission is either not granted or has been removed.", a, false},
		// Throttling.
		{4, 400, "API Too Many Calls", "The app has reached its API call rate limit.", a, false},
		{80007, 400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit.", a, false},
		{130429, 400, "Rate limit hit", "Cloud API message throughput has been reached.", a, false},
		{131048, 400, "Spam rate limit hit", "Message failed to send because there are restrictions on how many messages can be sent from this phone number.", a, false},
		{131056, 400, "(Business Account, Consumer Account) pair rate limit hit", "Too many messages sent from the sender phone number to the same recipient phone number in a short period of time.", a, false},
		{133016, 400, "Account register deregister rate limit exceeded", "Registration or Deregistration failed because there were too many attempts for this phone number in a short period of time.", a, false},
		// Integrity.
		{368, 403, "Temporarily blocked for policies violations", "The WhatsApp Business Account associated with the app has been restricted or disabled for violating a platform policy.", a, false},
		{130497, 403, "Business account is restricted from messaging users in this country.", "The WhatsApp Business Account is restricted from messaging to users in certain countries.", w, false},
		{131031, 403, "Account has been locked", "The WhatsApp Business Account associated with the app has been restricted or disabled for violating a platform policy.", a, false},
		{131063, 403, "Marketing messages are restricted", "The account is restricted from sending this kind of message.", a, false},
		// Sending.
		{1, 400, "API Unknown", "Invalid request or possible server error.", a, false},
		{2, 503, "API Service", "Temporary due to downtime or due to being overloaded.", a, true},
		{33, 400, "Parameter value is not valid", "The business phone number has been deleted.", a, false},
		{100, 400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters.", a, false},
		{130472, 400, "User's number is part of an experiment", "Message was not sent as part of an experiment.", w, false},
		{131000, 500, "Something went wrong", "Message failed to send due to an unknown error.", a, false},
		{131005, 403, "Access denied", "Permission is either not granted or has been removed.", a, false},
		{131008, 400, "Required parameter is missing", "The request is missing a required parameter.", a, false},
		{131009, 400, "Parameter value is not valid", "One or more parameter values are invalid.", a, false},
		{131016, 500, "Service unavailable", "A service is temporarily unavailable.", a, true},
		{131021, 400, "Recipient cannot be sender", "Sender and recipient phone number is the same.", a, false},
		{131026, 400, "Message undeliverable", "Unable to deliver message.", w, false},
		{131037, 400, "WhatsApp provided number needs display name approval before message can be sent.", "The 555 business phone number used to send the request does not have an approved display name.", a, false},
		{131042, 400, "Business eligibility payment issue", "There was an error related to your payment method.", w, false},
		{131045, 500, "Incorrect certificate", "Message failed to send due to a phone number registration error.", a, false},
		{131047, 400, "Re-engagement message", "More than 24 hours have passed since the recipient last replied to the sender number.", w, false},
		{131049, 400, "Meta chose not to deliver.", "This message was not delivered to maintain healthy ecosystem engagement.", w, false},
		{131050, 400, "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business", "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business", w, false},
		{131051, 400, "Unsupported message type", "Unsupported message type.", a, false},
		{131052, 400, "Media download error", "Unable to download the media sent by the user.", w, false},
		{131053, 400, "Media upload error", "Unable to upload the media used in the message.", w, false},
		{131057, 500, "Account in maintenance mode", "Business Account is in maintenance mode", a, true},
		{131062, 400, "Business-scoped User ID (BSUID) recipients are not supported for this message.", "Business-scoped User ID recipients are not supported for this message.", a, false},
		// Templates.
		{132000, 400, "Template Param Count Mismatch", "The number of variable parameter values included in the request did not match the number of variable parameters defined in the template.", a, false},
		{132001, 404, "Template does not exist", "The template does not exist in the specified language or the template has not been approved.", a, false},
		{132005, 400, "Template Hydrated Text Too Long", "Translated text is too long.", a, false},
		{132007, 400, "Template Format Character Policy Violated", "Template content violates a WhatsApp policy.", a, false},
		{132012, 400, "Template Parameter Format Mismatch", "Variable parameter values formatted incorrectly.", a, false},
		{132015, 400, "Template is Paused", "Template is paused due to low quality so it cannot be sent in a template message.", a, false},
		{132016, 400, "Template is Disabled", "Template has been paused too many times due to low quality and is now permanently disabled.", a, false},
		{132068, 400, "Flow is blocked", "Flow is in blocked state.", a, false},
		{132069, 400, "Flow is throttled", "Flow is in throttled state and 10 messages using this flow were already sent in the last hour.", a, false},
		{134101, 400, "Template is syncing", "The template is being synchronised; try again in up to 10 minutes.", a, true},
		// Registration.
		{133000, 500, "Incomplete Deregistration", "A previous deregistration attempt failed.", a, false},
		{133004, 503, "Server Temporarily Unavailable", "Server is temporarily unavailable.", a, true},
		{133005, 400, "Two step verification PIN Mismatch", "Two-step verification PIN incorrect.", a, false},
		{133006, 400, "Phone number re-verification needed", "Phone number needs to be verified before registering.", a, false},
		{133008, 400, "Too Many two step verification PIN Guesses", "Too many two-step verification PIN guesses for this phone number.", a, false},
		{133009, 400, "Two step verification PIN Guessed Too Fast", "Two-step verification PIN was entered too quickly.", a, false},
		{133010, 400, "Phone number Not Registered", "Phone number not registered on the WhatsApp Business Platform.", a, false},
		{133015, 400, "Please wait a few minutes before attempting to register this phone number", "The phone number you are attempting to register was recently deleted, and deletion has not yet completed.", a, false},
	}
}

// errorTable is Errors by code. 201 to 298 are like 200.
type errorTable map[int]ErrorRow

func newErrorTable(opt Options) errorTable {
	t := errorTable{}
	for _, row := range Errors() {
		t[row.Code] = row
	}
	for code := 201; code < 299; code++ {
		row := t[200]
		row.Code = code
		t[code] = row
	}
	for code, row := range t {
		if v := opt.Via[code]; v != ViaDefault {
			row.Via = v
		}
		if h := opt.HTTPStatus[code]; h != 0 {
			row.HTTP = h
		}
		t[code] = row
	}
	return t
}

// refusal is an error on its way to the caller or into a status.
type refusal struct {
	ErrorRow
	message string // instead of the title
	details string
	kind    string // OAuthException unless set
	subcode int
	plain   bool // an error of Graph itself, without error_data
}

func (s *Server) refuse(code int, details string) *refusal {
	row, ok := s.errors[code]
	if !ok {
		row = ErrorRow{Code: code, HTTP: http.StatusBadRequest, Title: "Unknown error", Via: ViaAnswer}
	}
	r := &refusal{ErrorRow: row, details: row.Details}
	if details != "" {
		r.details = details
	}
	r.plain = code < 1000 && code != 100 && code != 33 && code != 368
	return r
}

// graph is an error of Graph's own, in front of the WhatsApp API.
func graph(status, code, subcode int, kind, message string) *refusal {
	return &refusal{ErrorRow: ErrorRow{Code: code, HTTP: status}, message: message, kind: kind, subcode: subcode, plain: true}
}

// body is Meta's error body.
func (r *refusal) body(trace string) object {
	message, kind := r.message, r.kind
	if message == "" {
		message = "(#" + strconv.Itoa(r.Code) + ") " + r.Title
	}
	if kind == "" {
		kind = "OAuthException"
	}
	e := object{"message": message, "type": kind, "code": r.Code, "fbtrace_id": trace}
	if !r.plain {
		e["error_data"] = object{"messaging_product": "whatsapp", "details": r.details}
	}
	if r.subcode != 0 {
		e["error_subcode"] = r.subcode
	}
	if r.Transient {
		e["is_transient"] = true
	}
	return object{"error": e}
}

// inStatus is the error inside a failed status.
func (r *refusal) inStatus() object {
	return object{
		"code": r.Code, "title": r.Title, "message": r.Title,
		"error_data": object{"details": r.details},
		"href":       "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
	}
}

// magicPrefix is no country's code.
const magicPrefix = "999"

// MagicNumber is a recipient to whom every message fails with this code.
func MagicNumber(code int, via Via) string {
	way := map[Via]string{ViaAnswer: "1", ViaWebhook: "2", ViaBoth: "3"}[via]
	if way == "" {
		way = "0"
	}
	return fmt.Sprintf("%s%s%06d", magicPrefix, way, code)
}

// magic reads a magic number; the digits of a user id count too.
func magic(to string) (code int, via Via, ok bool) {
	if _, id, dotted := strings.Cut(to, "."); dotted {
		to = id
	}
	rest, found := strings.CutPrefix(to, magicPrefix)
	if !found || len(rest) != 7 || rest[0] > '3' {
		return 0, "", false
	}
	code, err := strconv.Atoi(rest[1:])
	if err != nil {
		return 0, "", false
	}
	return code, [...]Via{ViaDefault, ViaAnswer, ViaWebhook, ViaBoth}[rest[0]-'0'], true
}
