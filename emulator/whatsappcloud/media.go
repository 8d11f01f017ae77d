package whatsappcloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// media is an uploaded or received file.
type media struct {
	id     string
	acc    *account
	number string
	mime   string
	data   []byte
	sha    string
	until  time.Time
	hash   string // of its URL
	urlTo  time.Time
}

const maxUpload = 100 << 20

// mediaLimit is the largest size of a type, 0 for a type that is not taken.
func mediaLimit(kind string) int {
	switch kind {
	case "image/jpeg", "image/png":
		return 5 << 20
	case "image/webp": // animated stickers; those at rest have 100 KB
		return 500 << 10
	case "video/mp4", "video/3gpp", "audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus":
		return 16 << 20
	case "text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return maxUpload
	}
	return 0
}

// uploadMedia serves POST /{number}/media.
func (s *Server) uploadMedia(req *request) reply {
	kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return s.refused(s.refuse(codeInvalid, "The body must be multipart/form-data."))
	}
	product, given := req.URL.Query().Get("messaging_product"), ""
	var data []byte
	file := false
	parts := multipart.NewReader(bytes.NewReader(req.body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		var value []byte
		if err == nil {
			value, err = io.ReadAll(part)
		}
		if err != nil {
			return s.refused(s.refuse(codeInvalid, "The multipart body is broken."))
		}
		switch part.FormName() {
		case "messaging_product":
			product = string(value)
		case "type":
			given = string(value)
		case "file":
			file, data = true, value
			if given == "" {
				given = part.Header.Get("Content-Type")
			}
		}
	}
	given, _, _ = strings.Cut(given, ";")
	given = strings.TrimSpace(given)
	limit := mediaLimit(given)
	switch {
	case product != "whatsapp":
		return s.refused(s.problem(wrong(codeInvalid, "(#100) The parameter messaging_product is required.")))
	case !file:
		return s.refused(s.problem(wrong(codeInvalid, "(#100) The parameter file is required.")))
	case limit == 0:
		return s.refused(s.problem(wrong(codeInvalid, "(#100) Param file must be a file with one of the supported types. Received file of type '%s'.", given)))
	case len(data) == 0 || len(data) > limit:
		return s.refused(s.problem(wrong(codeInvalid, "(#100) Param file has %d bytes, at most %d are allowed for %s", len(data), limit, given)))
	}
	return jsonReply(http.StatusOK, object{"id": s.addMedia(req.acc, req.num.ID, given, data)})
}

// addMedia keeps a file for the account.
func (s *Server) addMedia(a *account, number, kind string, data []byte) string {
	sum := sha256.Sum256(data)
	m := &media{acc: a, number: number, mime: kind, data: data, sha: hex.EncodeToString(sum[:]), until: s.opt.Clock().Add(s.opt.MediaTTL)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	m.id = strconv.FormatUint(s.serial, 10)
	s.media[m.id] = m
	return m.id
}

// found returns media that are there for this account (and number, if named).
func (s *Server) found(req *request, id, number string) *media {
	m := s.media[id]
	if m == nil || m.acc != req.acc || number != "" && number != m.number || !s.opt.Clock().Before(m.until) {
		return nil
	}
	return m
}

// mediaInfo serves GET /{media}.
func (s *Server) mediaInfo(req *request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.found(req, req.id, req.URL.Query().Get("phone_number_id"))
	if m == nil {
		return s.refusedLocked(noObject(req, req.id))
	}
	s.serial++
	m.hash, m.urlTo = scramble(s.serial), s.opt.Clock().Add(s.opt.MediaURLTTL)
	at := url.URL{Scheme: "http", Host: req.Host, Path: "/whatsapp_business/attachments/"}
	if req.TLS != nil {
		at.Scheme = "https"
	}
	at.RawQuery = url.Values{"mid": {m.id}, "ext": {strconv.FormatInt(m.urlTo.Unix(), 10)}, "hash": {m.hash}}.Encode()
	return jsonReply(http.StatusOK, object{
		"messaging_product": "whatsapp", "url": at.String(), "mime_type": m.mime, "sha256": m.sha, "file_size": len(m.data), "id": m.id,
	})
}

// deleteMedia serves DELETE /{media}.
func (s *Server) deleteMedia(req *request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found(req, req.id, req.URL.Query().Get("phone_number_id")) == nil {
		return s.refusedLocked(noObject(req, req.id))
	}
	delete(s.media, req.id)
	return done()
}

// refusedLocked is refused for callers who hold mu.
func (s *Server) refusedLocked(r *refusal) reply {
	s.serial++
	rep := jsonReply(r.HTTP, r.body("A"+scramble(s.serial)[:22])).as(outcomeRefused)
	rep.code = r.Code + 1
	return rep
}

// downloadMedia serves the URL that mediaInfo gave: with the token too, for
// 5 minutes, then 404.
func (s *Server) downloadMedia(req *request) reply {
	q := req.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.found(req, q.Get("mid"), "")
	if m == nil || m.hash == "" || q.Get("hash") != m.hash || !s.opt.Clock().Before(m.urlTo) {
		return reply{status: http.StatusNotFound, mime: "text/html; charset=utf-8", body: []byte("<html><body>Not Found</body></html>")}
	}
	return reply{status: http.StatusOK, mime: m.mime, body: m.data, header: map[string]string{
		"Content-Disposition": fmt.Sprintf("attachment; filename=%q", m.id),
	}}
}

// checkMedia checks the media a message names, wherever they stand. The caller
// holds mu.
func (s *Server) checkMedia(a *account, e *envelope) *refusal {
	if r := s.checkMediaOf(a, e.kind, e.content); r != nil {
		return r
	}
	return s.walkMedia(a, e.content)
}

func (s *Server) walkMedia(a *account, v any) *refusal {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if r := s.checkMediaOf(a, key, v[key]); r != nil {
				return r
			}
			if r := s.walkMedia(a, v[key]); r != nil {
				return r
			}
		}
	case []any:
		for _, x := range v {
			if r := s.walkMedia(a, x); r != nil {
				return r
			}
		}
	}
	return nil
}

func (s *Server) checkMediaOf(a *account, kind string, v any) *refusal {
	o, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	switch kind {
	case "image", "video", "audio", "document", "sticker":
	default:
		return nil
	}
	if id, ok := o["id"].(string); ok {
		m := s.media[id]
		switch {
		case m == nil || m.acc != a || !s.opt.Clock().Before(m.until):
			return s.refuse(codeInvalid, "Invalid media id: "+id)
		case !fits(kind, m):
			return s.refuse(131053, "Media of type "+m.mime+" cannot be sent as "+kind+".")
		}
	}
	if link, ok := o["link"].(string); ok && s.opt.LinkStatus != nil {
		if status := s.opt.LinkStatus(link); status < 200 || status > 299 {
			return s.refuse(131053, "Downloading media from weblink failed with http code "+strconv.Itoa(status))
		}
	}
	return nil
}

func fits(kind string, m *media) bool {
	switch kind {
	case "sticker":
		return m.mime == "image/webp"
	case "image":
		return m.mime == "image/jpeg" || m.mime == "image/png"
	case "document":
		return true
	}
	return strings.HasPrefix(m.mime, kind+"/")
}
