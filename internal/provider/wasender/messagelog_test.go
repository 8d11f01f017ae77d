package wasender

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

const testToken = "account-token-5"

// openAccount makes a client that may read the log of session 501.
func openAccount(t *testing.T, answer string) *client {
	t.Helper()
	in := testIntegration("http://log.test/api")
	in.Credentials[accountToken], in.Credentials[sessionID] = testToken, "501"
	c, err := Kind{}.Open(in, logEnv(func(r *http.Request) string {
		if r.Method != http.MethodGet || r.URL.Path != "/api/whatsapp-sessions/501/message-logs" ||
			r.URL.Query().Get("page") != "2" || r.Header.Get("Authorization") != "Bearer "+testToken {
			t.Errorf("got %s %s", r.Method, r.URL)
		}
		return answer
	}))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*client)
}

// logEnv is that of a client whose every request is answered by the function.
func logEnv(answer logServer) provider.Env { return provider.Env{Transport: answer} }

// logServer answers every request by the function, with status 200.
type logServer func(*http.Request) string

func (f logServer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(r)))}, nil
}

// documentedLog is the example of the documentation, as its second page of three.
const documentedLog = `{"success":true,"data":{"current_page":2,"data":[
{"id":"1001","whatsapp_session_id":"501","to":"+155501001234","content":"{\"text\":\"This is a sample message.\"}","status":"sent","failed_reason":null,"created_at":"2023-10-27 10:30:15","updated_at":"2023-10-27 10:30:17"},
{"id":"1002","whatsapp_session_id":"502","to":"+4455501005678","content":"{\"text\":\"Hello!\"}","status":"in_progress","failed_reason":null,"created_at":"2023-10-27 10:32:45","updated_at":"2023-10-27 10:32:48"},
{"id":"1003","whatsapp_session_id":"503","to":"+5255501009876","content":"{\"text\":\"Just a test.\"}","status":"failed","failed_reason":"invalid WhatsApp number","created_at":"2023-10-27 10:35:01","updated_at":"2023-10-27 10:35:02"},
{"id":"1004","whatsapp_session_id":"503","to":null,"content":null,"status":"sent","failed_reason":null,"created_at":"2023-10-27 10:36:00","updated_at":"2023-10-27 10:36:00"}
],"first_page_url":"/x?page=1","last_page":3,"next_page_url":"/x?page=3","per_page":4,"total":11}}`

func TestReadLog(t *testing.T) {
	t.Parallel()
	at := time.Date(2023, 10, 27, 10, 30, 15, 0, time.UTC)
	text := func(s string) string { return (&client{}).Print(&api.Content{Text: &s}) }
	one := []provider.LogEntry{{ID: "7", To: testPhone, Print: text("x"), At: at, Status: peal.Sent}}
	page := func(entry string) string {
		return `{"success":true,"data":{"current_page":2,"last_page":2,"data":[` + entry + `]}}`
	}
	for name, c := range map[string]struct {
		body string
		want provider.LogPage
	}{
		"documented": {documentedLog, provider.LogPage{Entries: []provider.LogEntry{
			{ID: "1001", To: "+155501001234", Print: text("This is a sample message."), At: at, Status: peal.Sent},
			{ID: "1002", To: "+4455501005678", Print: text("Hello!"), At: at.Add(150 * time.Second)},
			{ID: "1003", To: "+5255501009876", Print: text("Just a test."), At: at.Add(286 * time.Second), Status: peal.Failed},
			{ID: "1004", At: at.Add(345 * time.Second), Status: peal.Sent}, // logging was off
		}}},
		"the last page": {page(""), provider.LogPage{Last: true}},
		"numbers, and content as an object": {
			page(`{"id":7,"to":"919812345678","content":{"text":"x"},"status":"sent","created_at":"2023-10-27T10:30:15.000000Z","new":{}}`),
			provider.LogPage{Entries: one, Last: true},
		},
		"the whole body as content, and a JID": {
			page(`{"id":"7","to":"919812345678@s.whatsapp.net","content":"{\"to\":\"+919812345678\",\"text\":\" x\\r\\n\",\"imageUrl\":null}","status":"SENT","created_at":1698402615}`),
			provider.LogPage{Entries: one, Last: true},
		},
		"as a resource collection": {
			`{"data":[{"id":"7","to":"+919812345678","content":"{\"text\":\"x\"}","status":"sent","created_at":"2023-10-27 10:30:15"}],"meta":{"current_page":2,"last_page":"2"}}`,
			provider.LogPage{Entries: one, Last: true},
		},
		"nothing that is understood": {
			page(`{"id":{},"to":"12@lid","content":"hello","status":"odd","created_at":"yesterday"},{"to":["x"],"content":"{}"}`),
			provider.LogPage{Entries: []provider.LogEntry{{}, {}}, Last: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := openAccount(t, c.body).ReadLog(t.Context(), 2)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestReadLogFails(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON": `<html>`, "no page": `{"success":true,"data":{"data":[]}}`, "another page": `{"data":{"current_page":1,"last_page":2,"data":[]}}`,
		"no list": `{"data":{"current_page":2,"last_page":2,"data":{}}}`, "an entry that is none": `{"data":{"current_page":2,"last_page":2,"data":[7]}}`,
		"refused": `{"success":false,"message":"no"}`,
	} {
		_, err := openAccount(t, body).ReadLog(t.Context(), 2)
		var e *provider.Error
		if !errors.As(err, &e) || e.Class != peal.ClassTemporary {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := openAt(t, "http://log.test/api", logServer(func(*http.Request) string {
		t.Error("asked without a token")
		return ""
	}))
	_, err := plain.ReadLog(t.Context(), 1)
	var e *provider.Error
	if !errors.As(err, &e) || e.Class != peal.ClassPermanent || e.Code != codeNoToken {
		t.Errorf("without a token: %v", err)
	}
}

// TestPrint: what says the same has the same fingerprint, and what does not has another.
func TestPrint(t *testing.T) {
	t.Parallel()
	c := &client{}
	hello, padded, bye := "hello\nyou", " hello\r\nyou ", "bye"
	lat, long := 12.5, -3.25
	image := func(caption string) *api.Content {
		return &api.Content{Image: &api.Media{URL: "https://x.example/i.png", Caption: caption}}
	}
	prints := map[string]string{}
	for name, content := range map[string]*api.Content{
		"text": {Text: &hello}, "another text": {Text: &bye}, "an answer": {Text: &hello, ReplyTo: "7"}, "an image": image(""), "a caption": image("hello"),
		"a place": {Location: &api.Location{Latitude: &lat, Longitude: &long}},
		"a poll":  {Poll: &api.Poll{Question: "hello", Options: []string{"a", "b"}}}, "another poll": {Poll: &api.Poll{Question: "hello", Options: []string{"b", "a"}}},
	} {
		p := c.Print(content)
		if other, ok := prints[p]; ok || p == "" {
			t.Errorf("%s has the fingerprint of %q", name, other)
		}
		prints[p] = name
	}
	if c.Print(&api.Content{Text: &padded}) != c.Print(&api.Content{Text: &hello}) {
		t.Error("space around a text makes another of it")
	}
	if p := c.Print(&api.Content{}); p != "" {
		t.Errorf("nothing has the fingerprint %q", p)
	}
}

func TestOpenWithTheAccount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ token, session, wrong string }{
		"both":               {testToken, "501", ""},
		"neither":            {"", "", ""},
		"token alone":        {testToken, "", "credentials.session_id"},
		"session alone":      {"", "501", "credentials.personal_access_token"},
		"token with a break": {"a\nb", "501", "credentials.personal_access_token"},
		"session as a path":  {testToken, "501/../x", "credentials.session_id"},
	} {
		in := testIntegration("http://log.test/api")
		in.Credentials[accountToken], in.Credentials[sessionID] = c.token, c.session
		_, err := Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport})
		var e *peal.Error
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.wrong != "" && (!errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Path != c.wrong):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadLog: a page is read or refused, whatever it is.
func FuzzReadLog(f *testing.F) {
	f.Add(documentedLog)
	f.Add(`{"data":[{"id":1,"to":"x@lid","content":"{\"text\":1}","created_at":1e300}],"meta":{"current_page":"2","last_page":9e99}}`)
	f.Add(`{"data":{"current_page":2,"last_page":2,"data":[{"content":"\"\""},{"content":"{\"to\":1}"},null,[]]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		in := testIntegration("http://log.test/api")
		in.Credentials[accountToken], in.Credentials[sessionID] = testToken, "501"
		c, err := Kind{}.Open(in, logEnv(func(*http.Request) string { return body }))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.(*client).ReadLog(t.Context(), 2)
		for _, e := range p.Entries {
			if err != nil || e.To != "" && !e164(e.To) {
				t.Errorf("%v: %+v", err, e)
			}
		}
	})
}
