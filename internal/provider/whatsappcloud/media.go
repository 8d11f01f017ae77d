package whatsappcloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	mediaLife     = 30 * 24 * time.Hour // for which Meta keeps an uploaded file
	uploadTimeout = 5 * time.Minute
)

var (
	_ provider.MediaKind = Kind{}
	_ provider.Uploader  = (*client)(nil)
	_ provider.Reader    = (*client)(nil)
)

// maxFiles are the types of files that Meta takes, and how large they may be. A sticker that does not move has 100 KB; the
// file does not say in its type whether it does.
func maxFiles() map[string]int64 {
	const mb = 1 << 20
	return map[string]int64{
		"image/jpeg": 5 * mb, "image/png": 5 * mb, "image/webp": 500 << 10,
		"video/mp4": 16 * mb, "video/3gpp": 16 * mb,
		"audio/aac": 16 * mb, "audio/mp4": 16 * mb, "audio/mpeg": 16 * mb, "audio/amr": 16 * mb, "audio/ogg": 16 * mb, "audio/opus": 16 * mb,
		"text/plain": 100 * mb, "application/pdf": 100 * mb, "application/msword": 100 * mb, "application/vnd.ms-excel": 100 * mb,
		"application/vnd.ms-powerpoint":                                             100 * mb,
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   100 * mb,
		"application/vnd.openxmlformats-officedocument.presentationml.presentation": 100 * mb,
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         100 * mb,
	}
}

// MaxFile is how large a file of that type may be.
func (Kind) MaxFile(mediaType string) int64 { return maxFiles()[mediaType] }

// MediaTypes are those that Meta takes.
func (Kind) MediaTypes() []string { return slices.Sorted(maps.Keys(maxFiles())) }

// MediaScope is the number, or of a gateway its address: it finds the number by the key.
func (Kind) MediaScope(in *peal.Integration) string {
	set, err := parseSettings(in.Settings)
	if err != nil {
		return ""
	}
	return in.BaseURL + " " + set.MessagesPath + " " + set.PhoneNumberID
}

// mediaPath is where files are uploaded: beside the messages.
func (c *client) mediaPath() (string, bool) {
	if c.set.MessagesPath == "" {
		return c.path("/media"), true
	}
	before, ok := strings.CutSuffix(c.set.MessagesPath, "/messages")
	return before + "/media", ok
}

// Upload posts a file as a form. It is streamed.
func (c *client) Upload(ctx context.Context, f *provider.File) (provider.Uploaded, error) {
	path, ok := c.mediaPath()
	if !ok {
		return provider.Uploaded{}, &provider.Error{
			Class: peal.ClassPermanent, Code: "unsupported", Err: errors.New("messages_path does not end in /messages, so it is not known where files go"),
		}
	}
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	part := textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + fileName(f.Name) + `"`}, "Content-Type": {f.Type},
	}
	err := errors.Join(form.WriteField("messaging_product", "whatsapp"), form.WriteField("type", f.Type))
	if err == nil {
		_, err = form.CreatePart(part)
	}
	if err != nil { // into memory: that does not fail
		return provider.Uploaded{}, &provider.Error{Class: peal.ClassPermanent, Code: codeBadAnswer, Err: err}
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"

	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	req := c.request(http.MethodPost, path, nil)
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.ContentLength = int64(head.Len()) + f.Size + int64(len(tail))
	req.Body = io.NopCloser(io.MultiReader(&head, io.LimitReader(f.Data, f.Size), strings.NewReader(tail)))
	var a struct {
		ID    string      `json:"id"`
		Error *graphError `json:"error"`
	}
	if err := c.ask(ctx, req, &a, func() *graphError { return a.Error }); err != nil {
		return provider.Uploaded{}, err
	}
	if a.ID == "" || !digits(a.ID) {
		return provider.Uploaded{}, &provider.Error{Class: peal.ClassTemporary, Code: codeBadAnswer, Err: errors.New("the provider answered without the file's id")}
	}
	return provider.Uploaded{ID: a.ID, ExpiresAt: time.Now().Add(mediaLife)}, nil
}

// fileName is a name that fits into a header.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "file"
	}
	return s[:min(len(s), maxFilename)]
}

// MarkRead says that a message was read, and shows with typing that an answer is being written: for 25 seconds, or until it
// is there.
func (c *client) MarkRead(ctx context.Context, messageID string, typing bool) error {
	if !isID(messageID) {
		return &provider.Error{Class: peal.ClassPermanent, Code: codeNotFound, Err: errors.New("that is no message id")}
	}
	w := &writer{b: make([]byte, 0, 256)}
	w.open('{')
	w.field("messaging_product", "whatsapp")
	w.field("status", "read")
	w.field("message_id", messageID)
	if typing {
		w.object("typing_indicator", func() { w.field("type", "text") })
	}
	w.close('}')
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := c.send.WithContext(ctx)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(w.b)), int64(len(w.b))
	var a struct {
		Error *graphError `json:"error"`
	}
	return c.ask(ctx, req, &a, func() *graphError { return a.Error })
}
