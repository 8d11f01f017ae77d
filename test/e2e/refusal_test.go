package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/api"
)

// wrong is a request in which one thing is wrong, and what the answer says of it.
type wrong struct {
	name       string
	body       string // PHONE stands for a good number
	path, code string // of the one field that is told
}

// with is a good request of a text with more members.
func with(more string) string {
	return `{"recipient":{"phone":"PHONE"},"integration":"wa","content":{"text":"hi"},` + more + `}`
}

// saying is a good request but for its content.
func saying(content string) string {
	return `{"recipient":{"phone":"PHONE"},"integration":"wa","content":` + content + `}`
}

// reaching is a good request but for its recipient.
func reaching(recipient string) string {
	return `{"recipient":` + recipient + `,"integration":"wa","content":{"text":"hi"}}`
}

func at(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }

func options(n int) string { return `"` + strings.Join(slices.Repeat([]string{"o"}, n), `","`) + `"` }

const day = 24 * time.Hour

func wrongRecipients() []wrong {
	return []wrong{
		{"no recipient", `{"integration":"wa","content":{"text":"hi"}}`, "recipient", "required"},
		{"recipient without any", reaching(`{}`), "recipient", "required"},
		{"recipient is a text", reaching(`"+919812345678"`), "recipient", "type"},
		{"phone without plus", reaching(`{"phone":"919812345678"}`), "recipient.phone", "invalid"},
		{"phone with spaces", reaching(`{"phone":"+91 98123 45678"}`), "recipient.phone", "invalid"},
		{"phone of no country", reaching(`{"phone":"+9991234567890"}`), "recipient.phone", "invalid"},
		{"phone too short", reaching(`{"phone":"+9198"}`), "recipient.phone", "invalid"},
		{"phone too long", reaching(`{"phone":"+121255512345"}`), "recipient.phone", "invalid"},
		{"phone is a number", reaching(`{"phone":919812345678}`), "recipient.phone", "type"},
		{"user_id too long", reaching(`{"user_id":"` + strings.Repeat("u", 129) + `"}`), "recipient.user_id", "invalid"},
		{"user_id with a line break", reaching(`{"user_id":"a\nb"}`), "recipient.user_id", "invalid"},
		{"unknown in recipient", reaching(`{"phone":"PHONE","mail":"a@b.c"}`), "recipient.mail", "unknown"},
	}
}

func wrongMembers() []wrong {
	return []wrong{
		{"unknown channel", with(`"channel":"sms"`), "channel", "invalid"},
		{"unknown integration", `{"recipient":{"phone":"PHONE"},"integration":"nope","content":{"text":"hi"}}`, "integration", "not_found"},
		{"unknown field", with(`"urgency":1`), "urgency", "unknown"},
		{"field twice", with(`"integration":"wa"`), "integration", "duplicate"},
		{"field in other case", with(`"TTL":"1h"`), "TTL", "unknown"},
		{"event without type", with(`"event":{"occurred_at":"2026-11-21T09:30:00Z"}`), "event.type", "invalid"},
		{"event type too long", with(`"event":{"type":"` + strings.Repeat("e", 129) + `","occurred_at":"2026-11-21T09:30:00Z"}`), "event.type", "invalid"},
		{"event without time", with(`"event":{"type":"order.shipped"}`), "event.occurred_at", "required"},
		{"event time is no time", with(`"event":{"type":"order.shipped","occurred_at":"yesterday"}`), "event.occurred_at", "type"},
		{"event time of no year", with(`"event":{"type":"t","occurred_at":"9999-12-31T23:30:00-01:00"}`), "event.occurred_at", "out_of_range"},
		{"event type with a bell", with(`"event":{"type":"\u0007","occurred_at":"2026-11-21T09:30:00Z"}`), "event.type", "invalid"},
		{"unknown in event", with(`"event":{"type":"t","occurred_at":"2026-11-21T09:30:00Z","id":1}`), "event.id", "unknown"},
		{"ttl is no duration", with(`"ttl":"soon"`), "ttl", "invalid"},
		{"ttl too short", with(`"ttl":"10ms"`), "ttl", "invalid"},
		{"ttl too long", with(`"ttl":"1441h"`), "ttl", "invalid"},
		{"ttl is a number", with(`"ttl":600`), "ttl", "type"},
		{"ttl and expires_at", with(`"ttl":"1h","expires_at":"` + at(time.Hour) + `"`), "ttl", "conflict"},
		{"expires_at is over", with(`"expires_at":"` + at(-time.Hour) + `"`), "expires_at", "out_of_range"},
		{"expires_at before send_at", with(`"send_at":"` + at(2*time.Hour) + `","expires_at":"` + at(time.Hour) + `"`), "expires_at", "out_of_range"},
		{"expires_at too far", with(`"expires_at":"` + at(61*day) + `"`), "expires_at", "out_of_range"},
		{"expires_at is no time", with(`"expires_at":"tomorrow"`), "expires_at", "type"},
		{"send_at too far", with(`"send_at":"` + at(31*day) + `"`), "send_at", "out_of_range"},
		{"send_at is no time", with(`"send_at":1764000000`), "send_at", "type"},
		{"metadata is a list", with(`"metadata":[1]`), "metadata", "type"},
		{"metadata too long", with(`"metadata":{"a":"` + strings.Repeat("m", 4096) + `"}`), "metadata", "too_long"},
		{"key in the body of a single one", with(`"idempotency_key":"k"`), "idempotency_key", "misplaced"},
	}
}

func wrongContents() []wrong {
	const url = `"url":"https://files.example.com/a"`
	long := strings.Repeat("x", 4097)
	return []wrong{
		{"no content", `{"recipient":{"phone":"PHONE"},"integration":"wa"}`, "content", "required"},
		{"empty content", saying(`{}`), "content", "required"},
		{"two kinds", saying(`{"text":"hi","sticker":{` + url + `}}`), "content", "ambiguous"},
		{"unknown kind", saying(`{"fax":"hi"}`), "content.fax", "unknown"},
		{"empty text", saying(`{"text":" "}`), "content.text", "required"},
		{"text too long", saying(`{"text":"` + long + `"}`), "content.text", "too_long"},
		{"text with a zero", saying(`{"text":"a\u0000b"}`), "content.text", "invalid"},
		{"text is a number", saying(`{"text":1}`), "content.text", "type"},
		{"image without url", saying(`{"image":{}}`), "content.image.url", "required"},
		{"image url is none", saying(`{"image":{"url":"cat.png"}}`), "content.image.url", "invalid"},
		{"image url of a file", saying(`{"image":{"url":"file:///etc/passwd"}}`), "content.image.url", "invalid"},
		{"image caption too long", saying(`{"image":{` + url + `,"caption":"` + long + `"}}`), "content.image.caption", "too_long"},
		{"image view_once is a text", saying(`{"image":{` + url + `,"view_once":"yes"}}`), "content.image.view_once", "type"},
		{"video url with password", saying(`{"video":{"url":"https://u:p@files.example.com/a"}}`), "content.video.url", "invalid"},
		{"video caption too long", saying(`{"video":{` + url + `,"caption":"` + long + `"}}`), "content.video.caption", "too_long"},
		{"document url too long", saying(`{"document":{"url":"https://files.example.com/` + long + `"}}`), "content.document.url", "too_long"},
		{"document filename too long", saying(`{"document":{` + url + `,"filename":"` + long[:256] + `"}}`), "content.document.filename", "too_long"},
		{"document caption too long", saying(`{"document":{` + url + `,"caption":"` + long + `"}}`), "content.document.caption", "too_long"},
		{"audio without url", saying(`{"audio":{"view_once":true}}`), "content.audio.url", "required"},
		{"audio with caption", saying(`{"audio":{` + url + `,"caption":"c"}}`), "content.audio.caption", "unknown"},
		{"sticker url is none", saying(`{"sticker":{"url":"//"}}`), "content.sticker.url", "invalid"},
		{"contact without name", saying(`{"contact":{"phone":"+919812345678"}}`), "content.contact.name", "required"},
		{"contact name too long", saying(`{"contact":{"name":"` + long[:257] + `","phone":"+919812345678"}}`), "content.contact.name", "too_long"},
		{"contact phone is none", saying(`{"contact":{"name":"Raju","phone":"call me"}}`), "content.contact.phone", "invalid"},
		{"latitude out of the world", saying(`{"location":{"latitude":91,"longitude":0}}`), "content.location.latitude", "out_of_range"},
		{"longitude out of the world", saying(`{"location":{"latitude":0,"longitude":-181}}`), "content.location.longitude", "out_of_range"},
		{"no latitude", saying(`{"location":{"longitude":0}}`), "content.location.latitude", "required"},
		{"longitude is null", saying(`{"location":{"latitude":0,"longitude":null}}`), "content.location.longitude", "required"},
		{"location name too long", saying(`{"location":{"latitude":0,"longitude":0,"name":"` + long[:257] + `"}}`), "content.location.name", "too_long"},
		{"location address too long", saying(`{"location":{"latitude":0,"longitude":0,"address":"` + long[:1025] + `"}}`), "content.location.address", "too_long"},
		{"latitude is a text", saying(`{"location":{"latitude":"12.9","longitude":0}}`), "content.location.latitude", "type"},
		{"poll without question", saying(`{"poll":{"question":"","options":["a","b"]}}`), "content.poll.question", "required"},
		{"poll question too long", saying(`{"poll":{"question":"` + long[:256] + `","options":["a","b"]}}`), "content.poll.question", "too_long"},
		{"poll with one option", saying(`{"poll":{"question":"?","options":["a"]}}`), "content.poll.options", "out_of_range"},
		{"poll with 13 options", saying(`{"poll":{"question":"?","options":[` + options(13) + `]}}`), "content.poll.options", "out_of_range"},
		{"poll with an empty option", saying(`{"poll":{"question":"?","options":["a",""]}}`), "content.poll.options[1]", "required"},
		{"poll option is a number", saying(`{"poll":{"question":"?","options":["a",2]}}`), "content.poll.options[1]", "type"},
		{"mention is no number", saying(`{"text":"hi","mentions":["+919812345678","Raju"]}`), "content.mentions[1]", "invalid"},
		{"51 mentions", saying(`{"text":"hi","mentions":[` + options(51) + `]}`), "content.mentions", "too_long"},
		{"reply to no id", saying(`{"text":"hi","reply_to":"abc"}`), "content.reply_to", "invalid"},
	}
}

// TestRefusals: whatever is wrong with a request, the caller is told the field, a stable code and what to do, in a
// single request as in a batch, and nothing is sent.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, tt := range slices.Concat(wrongRecipients(), wrongMembers(), wrongContents()) {
		to := phone()
		body := strings.ReplaceAll(tt.body, "PHONE", to)
		a := w.do(t, http.MethodPost, post, w.key, body)
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
			continue
		}
		checkProblem(t, tt, a.problem(t))
		if tt.code == "misplaced" {
			continue // its place is a batch
		}
		a = w.do(t, http.MethodPost, post+"/batch", w.key, `{"notifications":[`+body+`]}`)
		var res api.BatchResponse
		a.decode(t, &res)
		if a.status != http.StatusAccepted || res.Accepted != 0 || res.Refused != 1 || res.Results[0].Status != 422 {
			t.Errorf("%s in a batch: %d %s", tt.name, a.status, a.body)
			continue
		}
		checkProblem(t, tt, *res.Results[0].Error)
	}
	if n := w.emu.Counts().Arrived; n != 0 {
		t.Errorf("%d were sent", n)
	}
}

func checkProblem(t *testing.T, tt wrong, p api.Problem) {
	t.Helper()
	if p.Code != api.CodeInvalidRequest || len(p.Errors) != 1 {
		t.Errorf("%s: %+v", tt.name, p)
		return
	}
	if e := p.Errors[0]; e.Path != tt.path || e.Code != tt.code || e.Message == "" {
		t.Errorf("%s: told %s is %s (%s), want %s is %s", tt.name, e.Path, e.Code, e.Message, tt.path, tt.code)
	}
}

// TestAllThatIsWrong: a request with several mistakes is told all of them at once.
func TestAllThatIsWrong(t *testing.T) {
	t.Parallel()
	w := silent(t)
	a := w.do(t, http.MethodPost, post, w.key, `{"recipient":{"phone":"1"},"channel":"sms","content":{},"ttl":"x","metadata":7}`)
	var paths []string
	for _, e := range a.problem(t).Errors {
		paths = append(paths, e.Path)
	}
	if got := fmt.Sprint(paths); got != "[recipient.phone channel content ttl metadata]" {
		t.Errorf("told of %s", got)
	}
}

// TestNoJSON: what is no JSON is a 400 that says where it ends to be; what is too large is a 413.
func TestNoJSON(t *testing.T) {
	t.Parallel()
	w := silent(t)
	good := body(phone(), "hi")
	for _, bad := range []string{"", "{", good[:len(good)-1], good + "x", good + good, "recipient=1", `{"recipient":{"phone":'x'}}`, "\xff\xfe", strings.Replace(good, "hi", "\xff", 1)} {
		for path, body := range map[string]string{post: bad, post + "/batch": `{"notifications":[` + good + "," + bad + "]}"} {
			if a := w.do(t, http.MethodPost, path, w.key, body); a.status != http.StatusBadRequest || a.problem(t).Code != api.CodeMalformedJSON {
				t.Errorf("POST %s %.300q: %d %s", path, body, a.status, a.body)
			}
		}
	}
	for _, bad := range []string{`[]`, `"text"`, `17`, `null`, `{"notifications":{}}`, `{"notifications":null}`, `{"items":[]}`, `{"notifications":[` + good + `],"notifications":[` + good + `]}`} {
		for _, path := range []string{post, post + "/batch"} {
			if a := w.do(t, http.MethodPost, path, w.key, bad); a.status != http.StatusUnprocessableEntity || a.problem(t).Code != api.CodeInvalidRequest {
				t.Errorf("POST %s %s: %d %s", path, bad, a.status, a.body)
			}
		}
	}
	for path, size := range map[string]int{post: 1 << 20, post + "/batch": 8 << 20, "/v1/keys": 256 << 10} {
		a := w.do(t, http.MethodPost, path, w.key, `{"a":"`+strings.Repeat("x", size)+`"}`)
		if p := a.problem(t); a.status != http.StatusRequestEntityTooLarge || p.Code != api.CodeBodyTooLarge || p.Detail == "" {
			t.Errorf("POST %s of over %d bytes: %d %.300s", path, size, a.status, a.body)
		}
	}
}

// TestForm: a curl -d calls its body a form; it is JSON all the same.
func TestForm(t *testing.T) {
	t.Parallel()
	w := silent(t)
	a := w.do(t, http.MethodPost, post, w.key, body(phone(), "hi"), "Content-Type", "application/x-www-form-urlencoded")
	if a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.do(t, http.MethodPost, "/v1/keys", w.key, `{"name":"k","scopes":["read"]}`, "Content-Type", "application/x-www-form-urlencoded")
	if a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}
