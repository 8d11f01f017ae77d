package wasender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

var _ provider.MediaReader = (*client)(nil)

const codeNoMedia = "not_found"

// decrypted is the answer of POST /decrypt-media: the file is at an address that anybody may fetch it from, for a while.
type decrypted struct {
	URL  json.RawMessage `json:"publicUrl"`
	Data struct {
		URL json.RawMessage `json:"publicUrl"`
	} `json:"data"`
}

// Media has the provider decrypt a file, and begins to fetch it. The token is not shown to where it is.
func (c *client) Media(ctx context.Context, m *peal.Inbound) (*provider.Media, error) {
	gone := &provider.Error{Class: peal.ClassPermanent, Code: codeNoMedia, Err: errors.New("the message has no file that can be fetched")}
	if m.MediaID == "" || len(m.Content) == 0 {
		return nil, gone
	}
	body, err := json.Marshal(map[string]any{"data": map[string]any{"messages": map[string]any{
		"key": map[string]any{"id": m.MediaID}, "message": m.Content,
	}}})
	if err != nil {
		return nil, gone
	}
	actx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req := c.request(http.MethodPost, "/decrypt-media").WithContext(actx)
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	var d decrypted
	r, err := c.call(req, &d)
	if err != nil {
		code, reason := wire.Diagnose(actx, err)
		return nil, &provider.Error{Class: peal.ClassTemporary, Code: code, Err: errors.New(reason)}
	}
	if r.status/100 != 2 {
		class := peal.ClassTemporary
		if r.status == http.StatusNotFound || r.status == http.StatusUnprocessableEntity || r.status == http.StatusBadRequest {
			class = peal.ClassPermanent
		}
		return nil, &provider.Error{Class: class, Code: codeNoMedia, Err: errors.New("the provider answered " + wire.StatusText(r.status))}
	}
	at := asString(d.URL)
	if at == "" {
		at = asString(d.Data.URL)
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != c.base.Scheme || u.Host != c.base.Host) {
		return nil, &provider.Error{Class: peal.ClassTemporary, Code: "bad_answer", Err: errors.New("the provider named no https address of the file")}
	}
	return wire.Fetch(ctx, c.transport, &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {"peal"}}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, m.MediaType)
}
