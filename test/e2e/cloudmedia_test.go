package e2e_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/whatsappcloud"
)

// TestCloudMedia: a file is uploaded once, whichever way, and sent by its id; what the provider does not take is refused.
func TestCloudMedia(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent", "delivered"))
	data := bytes.Repeat([]byte("\x89PNG\r\n--"), 40_000)
	upload := func(kind string, fresh bool, data []byte) (*api.UploadedMedia, error) {
		return w.peal.UploadMedia(t.Context(), "cloud", client.Upload{Type: kind, Name: "a.png", Data: bytes.NewReader(data), Fresh: fresh})
	}
	first, err := upload("image/png", false, data)
	if err != nil || first.MediaID == "" || first.Size != int64(len(data)) || first.Reused || first.ExpiresAt.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	part, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="b.png"`}, "Content-Type": {"image/png"},
	})
	if err == nil {
		_, err = part.Write(data)
	}
	if err != nil || parts.Close() != nil {
		t.Fatal(err)
	}
	a := w.do(t, "POST", "/v1/integrations/cloud/media", w.key, form.String(), "Content-Type", parts.FormDataContentType())
	if a.status != 200 || !strings.Contains(string(a.body), `"media_id":"`+first.MediaID+`"`) || !strings.Contains(string(a.body), `"reused":true`) {
		t.Errorf("as a form: %d %s", a.status, a.body)
	}
	if again, err := upload("image/png", true, data); err != nil || again.MediaID == first.MediaID || again.SHA256 != first.SHA256 {
		t.Errorf("afresh: %+v, %v", again, err)
	}
	to := phone()
	_, id := w.send(t, c.over(to, api.Content{Image: &api.Media{MediaID: first.MediaID, Caption: "c"}}))
	d := w.reaches(t, id, "delivered", "failed")
	m, _ := c.Message(d.MessageID)
	if d.Status != "delivered" || !strings.Contains(string(m.Body), `"image":{"id":"`+first.MediaID+`","caption":"c"}`) {
		t.Errorf("%+v: %s", d, m.Body)
	}

	// A file that Meta cannot get is tried three times, whatever the integration's attempts are.
	fault := whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131053, Via: whatsappcloud.ViaAnswer, Every: true}
	if _, err := c.AddFault(fault); err != nil {
		t.Fatal(err)
	}
	_, broken := w.send(t, c.over(phone(), api.Content{Image: &api.Media{URL: "https://example.com/a.png"}}))
	if d := w.reaches(t, broken, "failed"); d.ErrorCode != "131053" || d.Attempts != 3 || !d.DeadLetter {
		t.Errorf("%+v", d)
	}
	c.ClearFaults()

	for name, k := range map[string]struct {
		kind   string
		size   int
		status int
		path   string
	}{
		"a type that is not taken": {"image/gif", 10, 422, "type"}, "no type": {"", 10, 422, "Content-Type"},
		"too large": {"image/webp", 500<<10 + 1, 413, ""}, "nothing": {"image/png", 0, 422, "file"},
	} {
		_, err := upload(k.kind, false, make([]byte, k.size))
		p := problemOf(err)
		if p == nil || p.Status != k.status || (k.path != "" && p.Errors[0].Path != k.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.peal.UploadMedia(t.Context(), "wa", client.Upload{Type: "image/png", Data: bytes.NewReader(data)})
	if p := problemOf(err); p == nil || p.Status != 422 || !strings.Contains(p.Error(), "wasender") {
		t.Errorf("over a provider that keeps no files: %v", err)
	}
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131016, Route: "media"}); err != nil {
		t.Fatal(err)
	}
	_, err = upload("image/png", true, data)
	if p := problemOf(err); p == nil || p.Status != 502 || !strings.Contains(p.Detail, "131016") {
		t.Errorf("while Meta is busy: %v", err)
	}
}

// TestCloudRead: who wrote is told that it was read, and that an answer is being written.
func TestCloudRead(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent"))
	id, err := c.PlayInbound(whatsappcloud.Inbound{From: strings.TrimPrefix(phone(), "+"), Text: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.peal.MarkRead(t.Context(), "cloud", api.ReadRequest{MessageID: id, Typing: true}); err != nil {
		t.Fatal(err)
	}
	if read, typing := c.InboundState(id); !read || !typing {
		t.Errorf("read %v, typing %v", read, typing)
	}
	later, err := c.PlayInbound(whatsappcloud.Inbound{From: strings.TrimPrefix(phone(), "+"), Text: "hello again"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message that came in is marked as read by our id", func() error {
		page, err := w.peal.InboundPage(t.Context(), client.InboundQuery{})
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if m.MessageID == later {
				return w.peal.ReadInbound(t.Context(), m.ID, false)
			}
		}
		return errors.New("it has not come")
	})
	if read, typing := c.InboundState(later); !read || typing {
		t.Errorf("by our id: read %v, typing %v", read, typing)
	}
	err = w.peal.MarkRead(t.Context(), "cloud", api.ReadRequest{MessageID: "wamid.unknown0"})
	if p := problemOf(err); p == nil || p.Status != 422 || p.Errors[0].Path != "message_id" {
		t.Errorf("of one that never came: %v", err)
	}
	err = w.peal.MarkRead(t.Context(), "wa", api.ReadRequest{MessageID: id})
	if p := problemOf(err); p == nil || p.Status != 422 || p.Errors[0].Path != "id" {
		t.Errorf("over a provider that cannot be told: %v", err)
	}
}
