package fcm

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Failure is an error answer of the vendor.
type Failure string

// Failures of a send, as in the vendor's ErrorCode table, and the shapes beside
// it that have been seen.
const (
	// InvalidArgument is 400 with an FcmError only: the token is no token.
	InvalidArgument Failure = "invalid_argument"
	// BadRequest is 400 with fieldViolations: the body is wrong.
	BadRequest Failure = "bad_request"
	// TooBig is 400 with an FcmError only, as InvalidArgument; its text alone
	// says that it is about the message (firebase-admin-go#580).
	TooBig Failure = "too_big"
	// Unregistered is 404 with an FcmError: the device is gone.
	Unregistered Failure = "unregistered"
	// NotFound is 404 without an FcmError: there is no such project.
	NotFound Failure = "not_found"
	// SenderIDMismatch is 403 with an FcmError: the token is another project's.
	SenderIDMismatch Failure = "sender_id_mismatch"
	// PermissionDenied is 403 without an FcmError: the service account may not.
	PermissionDenied Failure = "permission_denied"
	// QuotaExceeded is 429 with an FcmError and a QuotaFailure of the project.
	QuotaExceeded Failure = "quota_exceeded"
	// ProjectQuota is 429 without an FcmError, with an ErrorInfo: so it has been
	// seen when a project had used up its minute (firebase-admin-go#719).
	ProjectQuota Failure = "project_quota"
	// DeviceQuota is 429 with a QuotaFailure of the device.
	DeviceQuota Failure = "device_quota"
	// TopicQuota is 429 with a QuotaFailure of a topic.
	TopicQuota Failure = "topic_quota"
	// Unavailable is 503.
	Unavailable Failure = "unavailable"
	// Internal is 500.
	Internal Failure = "internal"
	// ThirdPartyAuth is 401 with an FcmError: APNs or Web Push refuses the
	// project's own credential.
	ThirdPartyAuth Failure = "third_party_auth"
	// Unauthenticated is 401 without an FcmError: the access token is no good.
	Unauthenticated Failure = "unauthenticated"
	// Unspecified is an FcmError UNSPECIFIED_ERROR, 500 unless told otherwise.
	Unspecified Failure = "unspecified"
	// NoDetails is an error body with nothing but code, message and status, 503
	// unless told otherwise.
	NoDetails Failure = "no_details"
	// HTML is a front end's error page, 502 unless told otherwise.
	HTML Failure = "html"
	// Empty has no body, 503 unless told otherwise.
	Empty Failure = "empty"

	// Those of the token endpoint.

	// InvalidGrant is 400: the key is revoked, or the clock is wrong.
	InvalidGrant Failure = "invalid_grant"
	// InternalFailure is 500.
	InternalFailure Failure = "internal_failure"
)

// row is how a failure is written.
type row struct {
	code    int
	status  string
	fcm     string // FcmError's errorCode
	message string
	quota   string // QuotaFailure's description
	reason  string // ErrorInfo's
	body    string // instead of all that
	kind    string // of the body, JSON unless told
}

const notAuthenticated = " Expected OAuth 2 access token, login cookie or other valid authentication credential. " +
	"See https://developers.google.com/identity/sign-in/web/devconsole-project."

func failures() map[Failure]row {
	return map[Failure]row{
		InvalidArgument:  {code: 400, status: "INVALID_ARGUMENT", fcm: "INVALID_ARGUMENT", message: "The registration token is not a valid FCM registration token"},
		BadRequest:       {code: 400, status: "INVALID_ARGUMENT", message: "Request contains an invalid argument."},
		TooBig:           {code: 400, status: "INVALID_ARGUMENT", fcm: "INVALID_ARGUMENT", message: "Android message is too big"},
		Unregistered:     {code: 404, status: "NOT_FOUND", fcm: "UNREGISTERED", message: "Requested entity was not found."},
		NotFound:         {code: 404, status: "NOT_FOUND", message: "Requested entity was not found."},
		SenderIDMismatch: {code: 403, status: "PERMISSION_DENIED", fcm: "SENDER_ID_MISMATCH", message: "SenderId mismatch"},
		PermissionDenied: {code: 403, status: "PERMISSION_DENIED", reason: "IAM_PERMISSION_DENIED", message: "Permission 'cloudmessaging.messages.create' denied on resource (or it may not exist)."},
		QuotaExceeded:    {code: 429, status: "RESOURCE_EXHAUSTED", fcm: "QUOTA_EXCEEDED", quota: "Message rate exceeded", message: "Message rate exceeded."},
		ProjectQuota:     {code: 429, status: "RESOURCE_EXHAUSTED", reason: "RATE_LIMIT_EXCEEDED", message: "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of service 'fcm.googleapis.com'."},
		DeviceQuota:      {code: 429, status: "RESOURCE_EXHAUSTED", fcm: "QUOTA_EXCEEDED", quota: "Device message rate exceeded", message: "Device message rate exceeded."},
		TopicQuota:       {code: 429, status: "RESOURCE_EXHAUSTED", fcm: "QUOTA_EXCEEDED", quota: "Topic message rate exceeded", message: "Topic message rate exceeded."},
		Unavailable:      {code: 503, status: "UNAVAILABLE", fcm: "UNAVAILABLE", message: "The service is currently unavailable."},
		Internal:         {code: 500, status: "INTERNAL", fcm: "INTERNAL", message: "Internal error encountered."},
		ThirdPartyAuth:   {code: 401, status: "UNAUTHENTICATED", fcm: "THIRD_PARTY_AUTH_ERROR", message: "Auth error from APNS or Web Push Service"},
		Unauthenticated:  {code: 401, status: "UNAUTHENTICATED", reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED", message: "Request had invalid authentication credentials." + notAuthenticated},
		Unspecified:      {code: 500, status: "UNKNOWN", fcm: "UNSPECIFIED_ERROR", message: "An unknown error occurred."},
		NoDetails:        {code: 503, status: "UNAVAILABLE", message: "The service is currently unavailable."},
		HTML:             {code: 502, kind: "text/html; charset=UTF-8", body: htmlPage("502", "The server encountered a temporary error and could not complete your request.")},
		Empty:            {code: 503, kind: "text/html; charset=UTF-8"},
		InvalidGrant:     {code: 400, body: `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`},
		InternalFailure:  {code: 500, body: `{"error":"internal_failure","error_description":"Internal error."}`},
	}
}

func htmlPage(code, text string) string {
	return "<!DOCTYPE html>\n<html lang=en>\n  <title>Error " + code + "</title>\n  <p><b>" + code + ".</b> <ins>That’s an error.</ins>\n  <p>" + text + "\n"
}

// failureNames lists what there is, for error texts.
func failureNames() string {
	names := slices.Sorted(maps.Keys(failures()))
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return strings.Join(list, ", ")
}

// object is a JSON object of an answer; keys are written in sorted order.
type object = map[string]any

// about is whom a failure speaks of.
type about struct {
	project, address, topic string
	violations              []violation
	message                 string // instead of the failure's own
	status                  int    // the same
}

// fail writes a failure. What the vendor's pages do not print is chosen: the
// subjects of a QuotaFailure above all.
func (s *Server) fail(f Failure, a about) reply {
	r := s.failures[f]
	code := r.code
	if a.status != 0 {
		code = a.status
	}
	rep := reply{status: code, failure: f, kind: r.kind}
	switch {
	case r.body != "":
		rep.body = []byte(r.body)
		return rep
	case r.status == "":
		return rep
	}
	if a.message != "" {
		r.message = a.message
	}
	body := object{"code": code, "message": r.message, "status": r.status}
	if d := details(f, r, a); len(d) > 0 {
		body["details"] = d
	}
	rep.body = jsonOf(object{"error": body})
	return rep
}

func details(f Failure, r row, a about) []object {
	var list []object
	add := func(typ string, o object) {
		o["@type"] = "type.googleapis.com/" + typ
		list = append(list, o)
	}
	if r.reason != "" {
		info := object{"service": "fcm.googleapis.com", "consumer": "projects/" + a.project}
		if f == ProjectQuota {
			info["quota_limit"], info["quota_metric"], info["quota_unit"] = "SendsPerMinutePerProject", "fcm.googleapis.com/send_requests", "1/min/{project}"
		}
		add("google.rpc.ErrorInfo", object{"reason": r.reason, "domain": "googleapis.com", "metadata": info})
	}
	if r.fcm != "" {
		add("google.firebase.fcm.v1.FcmError", object{"errorCode": r.fcm})
	}
	if r.quota != "" {
		subject := "project:" + a.project
		if f == DeviceQuota {
			subject = "device:" + a.address
		}
		if f == TopicQuota {
			subject = "topic:" + a.topic
		}
		add("google.rpc.QuotaFailure", object{"violations": []object{{"subject": subject, "description": r.quota}}})
	}
	if f == BadRequest {
		if a.violations == nil {
			a.violations = []violation{{"message", r.message}}
		}
		add("google.rpc.BadRequest", object{"fieldViolations": a.violations})
	}
	return list
}

// badRequest refuses a body. Fields that FCM itself looks at, rather than the
// JSON parser before it, come with an FcmError too.
func (s *Server) badRequest(byFCM bool, bad ...violation) reply {
	texts := make([]string, len(bad))
	for i, v := range bad {
		texts[i] = v.Description
	}
	r := s.failures[BadRequest]
	if byFCM {
		r.fcm = "INVALID_ARGUMENT"
	}
	a := about{violations: bad}
	return reply{status: http.StatusBadRequest, failure: BadRequest, body: jsonOf(object{"error": object{
		"code": http.StatusBadRequest, "message": strings.Join(texts, "\n"), "status": r.status, "details": details(BadRequest, r, a),
	}})}
}

func jsonOf(v any) []byte {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // only our own types come here
		return []byte(`{"error":{"code":500,"message":"Internal error encountered.","status":"INTERNAL"}}`)
	}
	return append(body, '\n')
}
