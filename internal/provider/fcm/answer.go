package fcm

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maxAnswer is what is read of an answer; none comes near.
const maxAnswer = 64 << 10

// maxID bounds the message ids that are taken.
const maxID = 256

// answer is what FCM says, as far as it is understood. What is of another shape than documented stays empty.
type answer struct {
	name       string   // of the message, when it was taken
	status     string   // google.rpc.Code in words
	message    string   // for people
	fcmCode    string   // of the FcmError detail: what decides, where there is one
	violations []string // the fields that are wrong
	device     bool     // the quota that ran out is the device's
}

// parseAnswer reads a body: an object, an error page, or nothing at all.
func parseAnswer(body []byte) *answer {
	a := &answer{}
	if len(bytes.TrimSpace(body)) == 0 {
		return a
	}
	var top struct {
		Name  json.RawMessage `json:"name"`
		Error struct {
			Status  json.RawMessage   `json:"status"`
			Message json.RawMessage   `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &top); err != nil {
		if _, ok := err.(*json.UnmarshalTypeError); !ok { //nolint:errorlint // json gives it bare
			return a
		}
	}
	a.name = messageID(text(top.Name))
	a.status, a.message = text(top.Error.Status), text(top.Error.Message)
	for _, d := range top.Error.Details {
		a.detail(d)
	}
	return a
}

// detail reads one of the error's details, by its type.
func (a *answer) detail(raw json.RawMessage) {
	var d struct {
		Type       json.RawMessage `json:"@type"`
		ErrorCode  json.RawMessage `json:"errorCode"`
		Fields     json.RawMessage `json:"fieldViolations"`
		Violations json.RawMessage `json:"violations"`
	}
	_ = json.Unmarshal(raw, &d) // what it cannot read stays empty
	_, name, _ := strings.Cut(text(d.Type), "/")
	switch name {
	case "google.firebase.fcm.v1.FcmError":
		a.fcmCode = text(d.ErrorCode)
	case "google.rpc.BadRequest":
		var list []struct {
			Field json.RawMessage `json:"field"`
		}
		_ = json.Unmarshal(d.Fields, &list)
		for _, v := range list {
			a.violations = append(a.violations, text(v.Field))
		}
	case "google.rpc.QuotaFailure":
		var list []struct {
			Subject     json.RawMessage `json:"subject"`
			Description json.RawMessage `json:"description"`
		}
		_ = json.Unmarshal(d.Violations, &list)
		for _, v := range list {
			subject, description := strings.ToLower(text(v.Subject)), strings.ToLower(text(v.Description))
			a.device = a.device || strings.HasPrefix(subject, "device") || strings.Contains(description, "device")
		}
	}
}

// badToken tells a refusal of the device's address from one of the message: FCM has one code for both.
func (a *answer) badToken() bool {
	for _, field := range a.violations {
		if field != "message.token" && field != "message.fid" {
			return false
		}
	}
	if len(a.violations) > 0 {
		return true
	}
	said := strings.ToLower(a.message)
	return strings.Contains(said, "registration token") || strings.Contains(said, "installation id")
}

// messageID is the last part of projects/…/messages/….
func messageID(name string) string {
	i := strings.LastIndexByte(name, '/')
	if id := name[i+1:]; i >= 0 && len(id) <= maxID && !strings.ContainsFunc(id, notToken) {
		return id
	}
	return ""
}

// text reads a JSON string; anything else is empty.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// codeWord is a word of the provider's as a code: letters, digits and _; anything else is not taken for one.
func codeWord(word, otherwise string) string {
	for i := range len(word) {
		c := word[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return otherwise
		}
	}
	if word == "" || len(word) > 64 {
		return otherwise
	}
	return word
}
