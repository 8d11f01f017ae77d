package whatsappcloud

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// page cuts a list by limit, after and before, with Meta's paging object.
func page[T any](s *Server, req *request, items []T, most int) ([]T, object, *refusal) {
	query := req.URL.Query()
	limit := 25
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, nil, s.refuse(codeInvalid, "Param limit must be a positive whole number.")
		}
		limit = min(n, most)
	}
	from := 0
	if text := query.Get("after"); text != "" {
		n, ok := cursorOf(text)
		if !ok {
			return nil, nil, s.refuse(codeInvalid, "Param after is not a cursor of this list.")
		}
		from = min(n+1, len(items))
	}
	to := min(from+limit, len(items))
	if text := query.Get("before"); text != "" {
		n, ok := cursorOf(text)
		if !ok {
			return nil, nil, s.refuse(codeInvalid, "Param before is not a cursor of this list.")
		}
		to = min(n, len(items))
		from = max(0, to-limit)
	}
	paging := object{}
	if from < to {
		paging["cursors"] = object{"before": cursor(from), "after": cursor(to - 1)}
	}
	link := func(name, at string) string {
		u := *req.URL
		u.Scheme, u.Host = "http", req.Host
		if req.TLS != nil {
			u.Scheme = "https"
		}
		q := u.Query()
		q.Del("after")
		q.Del("before")
		q.Set(name, at)
		u.RawQuery = q.Encode()
		return u.String()
	}
	if to < len(items) {
		paging["next"] = link("after", cursor(to-1))
	}
	if from > 0 {
		paging["previous"] = link("before", cursor(from))
	}
	return items[from:to], paging, nil
}

func cursor(i int) string { return base64.RawURLEncoding.EncodeToString([]byte("c" + strconv.Itoa(i))) }

func cursorOf(text string) (int, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 2 || raw[0] != 'c' {
		return 0, false
	}
	n, err := strconv.Atoi(string(raw[1:]))
	return n, err == nil && n >= 0
}

// pick keeps the asked fields of an object. Nested ones ("events{a,b}") stay whole.
func (s *Server) pick(req *request, all object, node string, def ...string) (object, *refusal) {
	names := def
	if text := req.URL.Query().Get("fields"); text != "" {
		names = splitFields(text)
	}
	out := object{"id": all["id"]}
	for _, name := range names {
		v, ok := all[name]
		if !ok {
			return nil, graph(http.StatusBadRequest, codeInvalid, 0, "OAuthException",
				"(#100) Tried accessing nonexisting field ("+name+") on node type ("+node+")")
		}
		if v != nil {
			out[name] = v
		}
	}
	return out, nil
}

func splitFields(text string) []string {
	var names []string
	depth, start := 0, 0
	add := func(to int) {
		name, _, _ := strings.Cut(text[start:to], "{")
		name, _, _ = strings.Cut(name, ".")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	for i, r := range text {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case r == ',' && depth == 0:
			add(i)
			start = i + 1
		}
	}
	add(len(text))
	return names
}

// listTemplates serves GET /{account}/message_templates.
func (s *Server) listTemplates(req *request) reply {
	query := req.URL.Query()
	s.mu.Lock()
	var found []Template
	for _, t := range req.acc.catalogue {
		match := func(name, v string) bool { return query.Get(name) == "" || strings.EqualFold(query.Get(name), v) }
		if match("name", t.Name) && match("language", t.Language) && match("category", t.Category) && match("status", t.Status) {
			found = append(found, *t)
		}
	}
	s.mu.Unlock()
	items, paging, refused := page(s, req, found, 1000)
	if refused != nil {
		return s.refused(refused)
	}
	data := []any{}
	for _, t := range items {
		all := object{
			"id": t.ID, "name": t.Name, "language": t.Language, "status": t.Status, "category": t.Category,
			"components": t.Components, "parameter_format": t.Format,
			"quality_score": object{"score": t.Quality, "date": req.now.Unix()}, "rejected_reason": nil,
		}
		if t.Status == "REJECTED" {
			all["rejected_reason"] = t.Reason
		}
		o, refused := s.pick(req, all, "WhatsAppBusinessHSM", "name", "parameter_format", "components", "language", "status", "category", "id")
		if refused != nil {
			return s.refused(refused)
		}
		data = append(data, o)
	}
	return jsonReply(http.StatusOK, object{"data": data, "paging": paging})
}

// createTemplate serves POST /{account}/message_templates: PENDING until
// PutTemplate says otherwise.
func (s *Server) createTemplate(req *request) reply {
	var t Template
	if err := req.decode(&t, false); err != nil {
		return s.refused(s.refuse(codeInvalid, err.Error()))
	}
	t.ID, t.Status = "", "PENDING"
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, _ := req.acc.template(t.Name, t.Language); old != nil {
		r := s.refuse(codeInvalid, "There is already content in this language for this template.")
		r.subcode = 2388024
		return s.refusedLocked(r)
	}
	if _, err := req.acc.putTemplate(t); err != nil {
		return s.refusedLocked(s.refuse(codeInvalid, err.Error()))
	}
	now, _ := req.acc.template(t.Name, t.Language)
	return jsonReply(http.StatusOK, object{"id": now.ID, "status": now.Status, "category": now.Category})
}

// Templates lists the catalogue of an account ("" is the first).
func (s *Server) Templates(account string) []Template {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.accountOrFirst(account)
	if err != nil {
		return nil
	}
	list := make([]Template, 0, len(a.catalogue))
	for _, t := range a.catalogue {
		list = append(list, *t)
	}
	return list
}

// PutTemplate adds a template to an account ("" is the first) or changes the
// one of its name and language, and posts message_template_status_update when
// the status is another (or new), message_template_quality_update for quality.
func (s *Server) PutTemplate(accountID string, t Template) error {
	s.mu.Lock()
	a, err := s.accountOrFirst(accountID)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	old, err := a.putTemplate(t)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	now, _ := a.template(t.Name, t.Language)
	t = *now
	s.mu.Unlock()
	id, _ := strconv.ParseInt(t.ID, 10, 64) // an id of the caller's own may be no number
	base := func() object {
		return object{"message_template_id": id, "message_template_name": t.Name, "message_template_language": t.Language}
	}
	if t.Status != old.Status {
		v := base()
		v["event"], v["reason"], v["message_template_category"] = t.Status, "NONE", t.Category
		if t.Reason != "" {
			v["reason"] = t.Reason
		}
		if t.Status == "DISABLED" {
			v["disable_info"] = object{"disable_date": strconv.FormatInt(s.opt.Clock().Unix(), 10)}
		}
		s.postChange(a, change{field: "message_template_status_update", value: v})
	}
	if old.Quality != "" && t.Quality != old.Quality {
		v := base()
		v["previous_quality_score"], v["new_quality_score"] = old.Quality, t.Quality
		s.postChange(a, change{field: "message_template_quality_update", value: v})
	}
	return nil
}

// RemoveTemplate takes a template out of the catalogue.
func (s *Server) RemoveTemplate(accountID, name, language string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.accountOrFirst(accountID)
	if err != nil {
		return err
	}
	a.catalogue = slices.DeleteFunc(a.catalogue, func(t *Template) bool { return t.Name == name && t.Language == language })
	return nil
}
