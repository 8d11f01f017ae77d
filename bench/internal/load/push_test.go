package load

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"peal/bench/internal/tally"
)

func TestPushRequests(t *testing.T) {
	t.Parallel()
	ta := tally.New(3, 0, 100)
	ta.Among(10)
	type one struct {
		Recipient struct {
			UserID   string `json:"user_id"`
			Audience *struct{ All bool }
		}
		Channel string
		Content struct{ Push struct{ Title, Body string } }
	}
	body := func(raw []byte) []byte { return raw[bytes.Index(raw, []byte("\r\n\r\n"))+4:] }
	mark := func(n one) (run, seq int) {
		t.Helper()
		run, seq, ok := tally.FindMarker([]byte(n.Content.Push.Body))
		if !ok || n.Channel != "push" || n.Content.Push.Title == "" {
			t.Fatalf("%+v", n)
		}
		return run, seq
	}
	var single one
	raw := body(Push("a", "k", 3).number(ta, 25, 7))
	if err := json.Unmarshal(raw, &single); err != nil || len(raw) != itemSize {
		t.Fatalf("%d bytes, %v: %s", len(raw), err, raw)
	}
	if run, seq := mark(single); run != 3 || seq != 25 || single.Recipient.UserID != "user-00000005" {
		t.Errorf("run %d, number %d, to %s", run, seq, single.Recipient.UserID)
	}
	var batch struct{ Notifications []one }
	if err := json.Unmarshal(body(PushBatch("a", "k", 3, 12).number(ta, 30, 7)), &batch); err != nil || len(batch.Notifications) != 12 {
		t.Fatalf("%d, %v", len(batch.Notifications), err)
	}
	if _, seq := mark(batch.Notifications[11]); seq != 41 || batch.Notifications[11].Recipient.UserID != "user-00000001" {
		t.Errorf("number %d, to %+v", seq, batch.Notifications[11].Recipient)
	}
	var all one
	if err := json.Unmarshal(body(FanOut("a", "k", 3).raw), &all); err != nil {
		t.Fatal(err)
	}
	if run, seq := mark(all); run != 3 || seq != tally.Everybody || all.Recipient.Audience == nil || !all.Recipient.Audience.All {
		t.Errorf("run %d, number %d, to %+v", run, seq, all.Recipient)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	raw := string(Register("a", "k", "apns").number(tally.New(1, 0, 100), 42, 7))
	if !strings.HasPrefix(raw, "PUT /v1/users/user-00000042/devices/device-00000042 HTTP/1.1\r\n") || !strings.Contains(raw, `"token":"`+TokenPrefix+`00000042"`) {
		t.Error(raw)
	}
	if n := len(TokenPrefix) + tally.PhoneDigits; n != 64 {
		t.Errorf("tokens of %d digits", n)
	}
}
