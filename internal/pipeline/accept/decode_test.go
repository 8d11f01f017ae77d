package accept

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
)

// noon is the clock of these tests.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// explained fails the test unless the error says its kind, and of every wrong field the place, a code and the mend.
func explained(t *testing.T, err error, kinds ...peal.Kind) *peal.Error {
	t.Helper()
	var pe *peal.Error
	if !errors.As(err, &pe) {
		t.Fatalf("%v (%T) is no *peal.Error", err, err)
	}
	known := false
	for _, k := range append(kinds, peal.Invalid) {
		known = known || pe.Kind == k
	}
	if !known || pe.Message == "" {
		t.Errorf("error of kind %q with message %q", pe.Kind, pe.Message)
	}
	if pe.Kind == peal.Invalid && len(pe.Fields) == 0 {
		t.Errorf("an invalid request without a field that is wrong: %v", pe)
	}
	for _, f := range pe.Fields {
		if f.Path == "" || f.Code == "" || f.Message == "" || !utf8.ValidString(f.Path+f.Code+f.Message) {
			t.Errorf("a field that is wrong is told as %+q", f)
		}
		if len(f.Path) > 2000 || len(f.Message) > 2000 {
			t.Errorf("the caller's own text comes back at length: %.100q", f)
		}
	}
	return pe
}

// one is a body with a good recipient and this besides.
func one(more string) string {
	return `{"recipient":{"phone":"+919812345678"},` + more + `}`
}

// goodBodies are requests that decode.
func goodBodies() []string {
	return []string{
		one(`"content":{"text":"hello"}`),
		`{"recipient":{"user_id":"u-1"},"channel":"whatsapp","content":{"text":"\u00e9\ud83d\ude00 \\ \" \n"}}`,
		one(`"integration":"main","content":{"image":{"url":"https://example.org/a.png","caption":"c","view_once":true}}`),
		one(`"content":{"document":{"url":"https://example.org/a.pdf","filename":"a.pdf"},"reply_to":"m-1"}`),
		one(`"content":{"location":{"latitude":-33.8688,"longitude":151.2093,"name":"Sydney"}}`),
		one(`"content":{"location":{"latitude":-0.0,"longitude":1e-7}}`),
		one(`"content":{"contact":{"name":"N","phone":"+14155550100"}}`),
		one(`"content":{"poll":{"question":"q?","options":["a","b"],"multi_select":true},"mentions":["+14155550100"]}`),
		one(`"content":{"audio":{"url":"https://example.org/a.ogg"}}`),
		one(`"content":{"sticker":{"url":"https://example.org/a.webp"}}`),
		one(`"content":{"video":{"url":"https://example.org/a.mp4"}}`),
		one(`"content":{"text":""},"event":{"type":"order.shipped","occurred_at":"2026-11-21T11:59:59.123456789+05:30"}`),
		one(`"content":{"text":"x"},"ttl":"10m","send_at":"2026-11-22T00:00:00Z"`),
		one(`"content":{"text":"x"},"expires_at":"2026-12-01T00:00:00-03:00"`),
		one(`"content":{"text":"x"},"metadata":{"b":1.50,"a":[1e3,null,{"z":"<&>"}],"big":12345678901234567890}`),
		"  \t\n" + one(`"content":{"text":"x"}`) + "\n ",
		`{}`, `{"recipient":{},"content":{}}`, `{"content":{"text":null},"ttl":"","metadata":null,"event":null}`,
	}
}

// badBodies are requests that do not, with the kind of their error and the place that it names.
func badBodies() map[string]struct {
	kind peal.Kind
	path string
	code string
} {
	type e = struct {
		kind peal.Kind
		path string
		code string
	}
	return map[string]e{
		``:                                   {kind: Malformed},
		`{`:                                  {kind: Malformed},
		`nope`:                               {kind: Malformed},
		one(`"content":{"text":"a"}`) + `{}`: {kind: Malformed},
		one(`"content":{"text":"a"}`) + ` x`: {kind: Malformed},
		one(`"content":{"text":"` + "\xff" + `"}`): {kind: Malformed},
		one(`"content":{"text":"\ud800"}`):         {kind: Malformed},
		`{"recipient":}`:                           {kind: Malformed},
		strings.Repeat(`[`, 20_000):                {peal.Invalid, "body", "type"},
		`[]`:                                       {peal.Invalid, "body", "type"},
		`"text"`:                                   {peal.Invalid, "body", "type"},
		`17`:                                       {peal.Invalid, "body", "type"},
		one(`"content":{"text":"a"},"contnet":{}`):                           {peal.Invalid, "contnet", "unknown"},
		one(`"content":{"text":"a","txt":"b"}`):                              {peal.Invalid, "content.txt", "unknown"},
		`{"":1}`:                                                             {peal.Invalid, `""`, "unknown"},
		one(`"content":{"":1}`):                                              {peal.Invalid, `content.""`, "unknown"},
		one(`"Content":{"text":"a"}`):                                        {peal.Invalid, "Content", "unknown"},
		one(`"content":{"text":"a","text":"b"}`):                             {peal.Invalid, "content.text", "duplicate"},
		one(`"recipient":{"phone":"+14155550100"},"content":{"text":"a"}`):   {peal.Invalid, "recipient", "duplicate"},
		one(`"content":{"text":17}`):                                         {peal.Invalid, "content.text", "type"},
		one(`"content":"hello"`):                                             {peal.Invalid, "content", "type"},
		one(`"content":{"poll":{"question":"q","options":["a",2]}}`):         {peal.Invalid, "content.poll.options[1]", "type"},
		one(`"content":{"image":{"url":"u","view_once":"yes"}}`):             {peal.Invalid, "content.image.view_once", "type"},
		one(`"content":{"location":{"latitude":"north"}}`):                   {peal.Invalid, "content.location.latitude", "type"},
		one(`"content":{"text":"a"},"send_at":"tomorrow"`):                   {peal.Invalid, "send_at", "type"},
		one(`"content":{"text":"a"},"send_at":1763719200`):                   {peal.Invalid, "send_at", "type"},
		one(`"content":{"text":"a"},"event":{"type":"t","occurred_at":"x"}`): {peal.Invalid, "event.occurred_at", "type"},
		one(`"content":{"text":"a"},"metadata":{"a":1,"a":2}`):               {peal.Invalid, "metadata.a", "duplicate"},
		one(`"content":{"text":"a"},"idempotency_key":"k"`):                  {peal.Invalid, "idempotency_key", "misplaced"},
		one(`"` + strings.Repeat("x", 5000) + `":1`):                         {peal.Invalid, strings.Repeat("x", 64) + "…", "unknown"},
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range badBodies() {
		_, err := Decode([]byte(body))
		if err == nil {
			t.Errorf("%.80s: decoded", body)
			continue
		}
		pe := explained(t, err, Malformed)
		if pe.Kind != want.kind || (want.path != "" && (len(pe.Fields) != 1 || pe.Fields[0].Path != want.path || pe.Fields[0].Code != want.code)) {
			t.Errorf("%.80s: %+v; want kind %s at %s, %s", body, pe, want.kind, want.path, want.code)
		}
	}
}

func TestDecodeTakes(t *testing.T) {
	t.Parallel()
	for _, body := range goodBodies() {
		if _, err := Decode([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTheHashIsOfWhatIsSaid(t *testing.T) {
	t.Parallel()
	hash := func(body string) [32]byte {
		t.Helper()
		req, err := Decode([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		h, err := bodyHash(req)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return h
	}
	base := hash(one(`"content":{"text":"hello"},"metadata":{"a":1,"b":[1,2]}`))
	for _, same := range []string{
		` { "metadata" : {"b":[1, 2],"a":1.0} , "content":{"text":"\u0068ello"},"recipient":{"phone":"+919812345678"} } `,
		one(`"content":{"text":"hello"},"metadata":{"b":[1,2],"a":1},"ttl":"","event":null`),
	} {
		if hash(same) != base {
			t.Errorf("%s: another hash, though it says the same", same)
		}
	}
	for _, other := range []string{
		one(`"content":{"text":"hello "},"metadata":{"a":1,"b":[1,2]}`),
		one(`"content":{"text":"hello"},"metadata":{"a":1,"b":[2,1]}`),
		one(`"content":{"text":"hello"}`),
		one(`"content":{"text":"hello"},"metadata":{"a":1,"b":[1,2]},"ttl":"10m"`),
	} {
		if hash(other) == base {
			t.Errorf("%s: the same hash, though it says something else", other)
		}
	}
}

func TestDecodeBatch(t *testing.T) {
	t.Parallel()
	good := one(`"content":{"text":"a"},"idempotency_key":"k-1"`)
	items, err := DecodeBatch([]byte(`{"notifications":[` + good + `,` + one(`"content":{"txt":"a"}`) + `,17,` + one(`"x":1,"x":2`) + `,` + good + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != 5 {
		t.Fatalf("%d items", len(items))
	}
	for i, item := range items {
		if bad := i > 0 && i < 4; bad != (item.Err != nil) || bad == (item.Request != nil) {
			t.Errorf("item %d is %+v", i, item)
		} else if bad {
			explained(t, item.Err)
		} else if item.Key != "k-1" {
			t.Errorf("item %d has the key %q", i, item.Key)
		}
	}
	for body, kind := range map[string]peal.Kind{
		`{"notifications":[]}`:   peal.Invalid,
		`{}`:                     peal.Invalid,
		`[]`:                     peal.Invalid,
		`{"notifications":{}}`:   peal.Invalid,
		`{"notifications":null}`: peal.Invalid,
		`{"notifications":[` + good + `],"notifications":[` + good + `]}`:  peal.Invalid,
		`{"notifications":[` + good + `],"more":1}`:                        peal.Invalid,
		`{"notifications":[` + good + `]`:                                  Malformed,
		`{"notifications":[` + good + `,]}`:                                Malformed,
		`{"notifications":[` + strings.Repeat(`{},`, MaxBatch) + `{}]}`:    peal.Invalid,
		`{"notifications":[{"a":` + "\xff" + `}]}`:                         Malformed,
		`{"notifications":[` + good + ` ` + good + `]}`:                    Malformed,
		`{"notifications":[` + good + `]}}`:                                Malformed,
		`{"notifications":[` + strings.Repeat(`{},`, MaxBatch) + `{},oops`: peal.Invalid, // what is beyond is not read
	} {
		items, err := DecodeBatch([]byte(body))
		if err == nil {
			t.Errorf("%.80s: decoded to %d items", body, len(items))
			continue
		}
		if pe := explained(t, err, Malformed); pe.Kind != kind {
			t.Errorf("%.80s: %v; want kind %s", body, pe, kind)
		}
	}
}

// holds checks what must be so of every request that was decoded.
func holds(t *testing.T, req *api.NotificationRequest) {
	t.Helper()
	hash, err := bodyHash(req)
	if err != nil {
		t.Fatalf("it cannot be hashed: %v", err)
	}
	raw, err := json.Marshal(req)
	if err != nil {
		t.Fatalf("it cannot be written again: %v", err)
	}
	again, err := Decode(raw)
	if err != nil {
		t.Fatalf("written again it does not decode: %v\n%s", err, raw)
	}
	if h, err := bodyHash(again); err != nil || h != hash {
		t.Fatalf("written again it has another hash (%v)\n%s", err, raw)
	}
	s := New(Config{})
	n, err := s.check(req, "key", noon())
	if err != nil {
		explained(t, err)
		return
	}
	if !n.SendAt.IsZero() && (n.SendAt.Before(noon()) || n.SendAt.After(noon().Add(MaxAhead))) {
		t.Errorf("send_at %s was taken", n.SendAt)
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(noon()) {
		t.Errorf("expires_at %s was taken", n.ExpiresAt)
	}
	if n.Phone == "" && n.UserID == "" {
		t.Error("a notification to nobody was taken")
	}
	if len(n.Metadata) > 0 && !json.Valid(n.Metadata) {
		t.Errorf("metadata %q was taken", n.Metadata)
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range goodBodies() {
		f.Add([]byte(body))
	}
	for body := range badBodies() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Decode(body)
		if err != nil {
			explained(t, err, Malformed)
			return
		}
		holds(t, req)
	})
}

func FuzzDecodeBatch(f *testing.F) {
	for _, body := range goodBodies() {
		f.Add([]byte(`{"notifications":[` + body + `]}`))
		f.Add([]byte(`{"notifications":[{},` + strings.TrimSuffix(strings.TrimSpace(body), "}") + `,"idempotency_key":"k"}]}`))
	}
	for body := range badBodies() {
		f.Add([]byte(`{"notifications":[` + body + `,{}]}`))
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := DecodeBatch(body)
		if err != nil {
			explained(t, err, Malformed)
			return
		}
		if len(items) == 0 || len(items) > MaxBatch {
			t.Fatalf("a batch of %d items", len(items))
		}
		for i, item := range items {
			switch {
			case (item.Err == nil) == (item.Request == nil):
				t.Fatalf("item %d has neither or both: %+v", i, item)
			case item.Err != nil:
				explained(t, item.Err, Malformed)
			default:
				req := *item.Request
				req.IdempotencyKey = ""
				holds(t, &req)
			}
		}
	})
}

func ExampleDecode() {
	_, err := Decode([]byte(`{"recipient":{"phone":"+919812345678"},"content":{"txt":"hello"}}`))
	fmt.Println(err)
	// Output: invalid_request: the request is not right; content.txt: there is no such field; check its name and place
}
