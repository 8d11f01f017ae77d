package whatsappcloud

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

var _ provider.MediaReader = (*client)(nil)

// fileAnswer is where a file is.
type fileAnswer struct {
	URL   string      `json:"url"`
	Mime  string      `json:"mime_type"`
	Error *graphError `json:"error"`
}

// codeNoObject is how Graph says that a thing is not there, or not for this token.
const codeNoObject = 100

// mediaHosts are Meta's: below them, files are where it says. No other host is shown the token.
func mediaHosts() []string { return []string{"fbsbx.com", "facebook.com", "fbcdn.net", "whatsapp.net"} }

// Media asks where a file is, and begins to fetch it from there. The address is good for minutes only, so it is asked anew
// each time.
func (c *client) Media(ctx context.Context, m *peal.Inbound) (*provider.Media, error) {
	if m.MediaID == "" || strings.ContainsFunc(m.MediaID, notHeader) {
		return nil, &provider.Error{Class: peal.ClassPermanent, Code: codeNotFound, Err: errors.New("the message has no file")}
	}
	path, query := "/"+c.set.GraphVersion+"/"+m.MediaID, url.Values{}
	if c.set.MessagesPath != "" { // a gateway's
		path = "/" + m.MediaID
	} else {
		query.Set("phone_number_id", c.set.PhoneNumberID)
	}
	var f fileAnswer
	err := c.getPath(ctx, path, query, &f, func() *graphError { return f.Error })
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Code == codeText(codeNoObject) {
		e.Class = peal.ClassPermanent
	}
	if err != nil {
		return nil, err
	}
	at, err := c.fileAt(f.URL)
	if err != nil {
		return nil, &provider.Error{Class: peal.ClassTemporary, Code: codeBadAnswer, Err: err}
	}
	req := &http.Request{Method: http.MethodGet, URL: at, Host: at.Host, Header: c.header.Clone(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	req.Header.Set("Accept", "*/*")
	return wire.Fetch(ctx, c.transport, req, f.Mime)
}

// fileAt checks that an address is one that may be shown the token.
func (c *client) fileAt(s string) (*url.URL, error) {
	at, err := url.Parse(s)
	if err != nil || at.Host == "" || at.User != nil || at.Opaque != "" {
		return nil, errors.New("the provider named no address of the file")
	}
	if c.set.MessagesPath != "" { // a gateway names Meta's address, and has the file below its own
		at.Scheme, at.Host = c.base.Scheme, c.base.Host
		return at, nil
	}
	if at.Scheme == c.base.Scheme && at.Host == c.base.Host {
		return at, nil
	}
	host := strings.ToLower(at.Hostname())
	if at.Scheme == "https" && (at.Port() == "" || at.Port() == "443") {
		for _, of := range mediaHosts() {
			if host == of || strings.HasSuffix(host, "."+of) {
				return at, nil
			}
		}
	}
	return nil, errors.New("the provider named an address of the file that is not its own")
}
