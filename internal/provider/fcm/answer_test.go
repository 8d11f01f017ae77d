package fcm

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"peal/internal/peal"
	"peal/internal/provider"
)

func judged(status int, body []byte) peal.Outcome {
	c := &client{scrub: newScrubber("the credential", &account{email: "sender@example.com"}), now: func() time.Time { return at }}
	m := &provider.Message{To: "installation-7", Device: &peal.Device{Address: "cXw4w9WgXcQ:APA91bSecret", Platform: "ios"}}
	return c.judge(m, &reply{status: status, header: http.Header{}, answer: parseAnswer(body)})
}

// FuzzAnswer: whatever comes back, there is an outcome, and it gives nothing away.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		"", "null", "[]", `{"name":"projects/demo/messages/0:1500415314455276%31bd1c9631bd1c96"}`, "<!DOCTYPE html>",
		`{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token"}]}]}}`,
		`{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"device:cXw4w9WgXcQ:APA91bSecret","description":"cXw4w9WgXcQ:APA91bSecret"}]}]}}`,
		`{"error":{"message":"for cXw4w9WgXcQ:APA91bSecret and installation-7 by the credential"}}`,
		`{"error":{"details":[7,null,{"@type":7,"fieldViolations":{},"violations":"x"}]}}`,
	} {
		for _, status := range []int{200, 400, 401, 404, 429, 503} {
			f.Add(status, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		out := judged(status, body)
		switch {
		case out.Class == peal.ClassAccepted:
			if out.MessageID == "" || status < 200 || status > 299 {
				t.Errorf("accepted: %+v", out)
			}
		case out.Class == "" || out.Code == "" || out.Reason == "" || strings.ContainsAny(out.Code, " \n") || len(out.Code) > 64:
			t.Errorf("not whole: %+v", out)
		case !utf8.ValidString(out.Reason) || utf8.RuneCountInString(out.Reason) > maxReason:
			t.Errorf("reason: %q", out.Reason)
		}
		for _, secret := range []string{"cXw4w9WgXcQ:APA91bSecret", "installation-7", "the credential"} {
			if strings.Contains(out.Reason, secret) || strings.Contains(out.Code, secret) {
				t.Errorf("it gives away %s: %+v", secret, out)
			}
		}
	})
}

func TestScrub(t *testing.T) {
	t.Parallel()
	s := newScrubber("the credential", &account{email: "sender@example.com"})
	for text, want := range map[string]string{
		"Permission 'cloudmessaging.messages.create' denied": "Permission 'cloudmessaging.messages.create' denied",
		"token cXw4w9WgXcQ:APA91bSecretSecretSecret is bad":  "token [token] is bad",
		"sender@example.com by the credential":               "*** by ***",
		"a\nb\x00c\xff":                                      "a b c\ufffd",
		strings.Repeat("no ", 200):                           strings.Repeat("no ", 99) + "no…",
	} {
		if got := s.clean(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
