package whatsappcloud_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// TestUpload: a file is uploaded, at Meta and through a gateway, and messages of each kind name it by its id.
func TestUpload(t *testing.T) {
	t.Parallel()
	gateway := func(in *peal.Integration) {
		in.Settings = []byte(`{"whatsapp_cloud":{"messages_path":"/v1/messages","auth_header":"D360-API-KEY"}}`)
		in.Credentials["access_token"] = emulator.DefaultAPIKey
	}
	for name, change := range map[string]func(*peal.Integration){"meta": func(*peal.Integration) {}, "gateway": gateway} {
		emu, c := open(t, emulator.Options{Gateway: &emulator.Gateway{Path: "/v1"}}, change)
		up := c.(provider.Uploader)
		upload := func(kind string) string {
			t.Helper()
			data := bytes.Repeat([]byte("a\r\n--x"), 10_000)
			got, err := up.Upload(t.Context(), &provider.File{Type: kind, Name: "a \"b\"\r\n.png", Size: int64(len(data)), Data: bytes.NewReader(data)})
			if err != nil || got.ID == "" || time.Until(got.ExpiresAt) < 29*24*time.Hour {
				t.Fatalf("%s: %s: got %+v, %v", name, kind, got, err)
			}
			return got.ID
		}
		png := upload("image/png")
		for _, k := range []struct {
			content api.Content
			body    string
		}{
			{api.Content{Image: &api.Media{MediaID: png, Caption: "c"}}, `"image":{"id":"` + png + `","caption":"c"}`},
			{api.Content{Video: &api.Media{MediaID: upload("video/mp4")}}, `"video":{"id":"`},
			{api.Content{Audio: &api.Audio{MediaID: upload("audio/ogg")}}, `"audio":{"id":"`},
			{api.Content{Sticker: &api.Sticker{MediaID: upload("image/webp")}}, `"sticker":{"id":"`},
			{api.Content{Document: &api.Document{MediaID: upload("application/pdf"), Filename: "a.pdf"}}, `"filename":"a.pdf"}`},
			{api.Content{Interactive: &api.Interactive{Header: &api.InteractiveHeader{Image: &api.Media{MediaID: png}}, Body: "b", Buttons: []api.ReplyButton{{ID: "1", Title: "a"}}}}, `"image":{"id":"` + png + `"}`},
		} {
			if fields := (whatsappcloud.Kind{}).CheckContent(&k.content); len(fields) > 0 {
				t.Errorf("%s: %+v", name, fields)
			}
			out := c.Send(t.Context(), saying(phone, k.content))
			m, _ := emu.Message(out.MessageID)
			if out.Class != peal.ClassAccepted || !strings.Contains(string(m.Body), k.body) {
				t.Errorf("%s: %+v: %s", name, out, m.Body)
			}
		}
	}
}

// TestUploadRefused: what Meta says of a file it does not take is told as it is of a message.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{})
	try := func(kind string) *provider.Error {
		t.Helper()
		_, err := c.(provider.Uploader).Upload(t.Context(), &provider.File{Type: kind, Name: "a", Size: 1, Data: strings.NewReader("a")})
		var e *provider.Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		return e
	}
	if e := try("image/gif"); e.Class != peal.ClassPermanent || e.Code != "100" {
		t.Errorf("of a type that is not taken: %+v", e)
	}
	for code, class := range map[int]peal.Class{190: peal.ClassIntegration, 131016: peal.ClassTemporary, 4: peal.ClassThrottled} {
		emu.ClearFaults()
		if _, err := emu.AddFault(emulator.Fault{Kind: emulator.FaultError, Code: code, Route: "*"}); err != nil {
			t.Fatal(err)
		}
		if e := try("image/png"); e.Class != class {
			t.Errorf("%d: %+v", code, e)
		}
	}
	for _, m := range []api.Media{{URL: file, MediaID: "1"}, {MediaID: "wamid.1"}} {
		if fields := (whatsappcloud.Kind{}).CheckContent(&api.Content{Image: &m}); len(fields) != 1 {
			t.Errorf("%+v: %+v", m, fields)
		}
	}
}

// TestMarkRead marks a message as read, with and without the sign that an answer is being written.
func TestMarkRead(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{})
	r := c.(provider.Reader)
	for _, typing := range []bool{false, true} {
		id, err := emu.PlayInbound(emulator.Inbound{From: phone, Text: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.MarkRead(t.Context(), id, typing); err != nil {
			t.Fatal(err)
		}
		if read, shown := emu.InboundState(id); !read || shown != typing {
			t.Errorf("read %v, typing %v; want %v", read, shown, typing)
		}
	}
	var e *provider.Error
	if err := r.MarkRead(t.Context(), "wamid.unknown0", false); !errors.As(err, &e) || e.Class != peal.ClassPermanent {
		t.Errorf("of one that never came: %v", err)
	}
}
