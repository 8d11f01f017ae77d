package whatsappcloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	listPage    = 200      // templates asked for in one call
	maxList     = 16 << 20 // what is read of such an answer
	listTimeout = 30 * time.Second
)

var (
	_ provider.Templater  = Kind{}
	_ provider.Cataloguer = (*client)(nil)
)

// Catalogue is that of the WhatsApp Business Account.
func (Kind) Catalogue(in *peal.Integration) (name, missing string) {
	set, err := parseSettings(in.Settings)
	if err != nil || set.WABAID == "" {
		return "", "set settings.whatsapp_cloud.waba_id, the WhatsApp Business Account's id: without it templates are not checked"
	}
	return in.BaseURL + "/" + set.WABAID, ""
}

// templateList is the answer of GET /{account}/message_templates.
type templateList struct {
	Data []struct {
		ID         string          `json:"id"`
		Name       string          `json:"name"`
		Language   string          `json:"language"`
		Category   string          `json:"category"`
		Status     string          `json:"status"`
		Format     string          `json:"parameter_format"`
		Components json.RawMessage `json:"components"`
		Reason     string          `json:"rejected_reason"`
		Quality    struct {
			Score string `json:"score"`
		} `json:"quality_score"`
	} `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		Next string `json:"next"`
	} `json:"paging"`
	Error *graphError `json:"error"`
}

// Templates lists a page of the account's templates.
func (c *client) Templates(ctx context.Context, cursor string) (page provider.TemplatePage, err error) {
	query := url.Values{
		"fields": {"id,name,language,category,status,parameter_format,components,quality_score,rejected_reason"},
		"limit":  {strconv.Itoa(listPage)},
	}
	if cursor != "" {
		query.Set("after", cursor)
	}
	var l templateList
	if err := c.list(ctx, "/"+c.set.GraphVersion+"/"+c.set.WABAID+"/message_templates", query, &l); err != nil {
		return page, err
	}
	for i := range l.Data {
		d := &l.Data[i]
		if d.Name == "" || len(d.Name) > maxTemplate || d.Language == "" || len(d.Language) > maxLanguage {
			continue
		}
		t := peal.Template{
			Name: d.Name, Language: d.Language, ProviderID: d.ID, Category: word(d.Category), Status: peal.TemplateStatus(word(d.Status)),
			Format: word(d.Format), Quality: word(d.Quality.Score), Reason: c.reason(d.Reason), Components: d.Components,
		}
		t.Status = cmp.Or(t.Status, peal.TemplateApproved) // who lists none is no reason not to send
		page.Templates = append(page.Templates, t)
	}
	if l.Paging.Next != "" {
		page.Next = l.Paging.Cursors.After
	}
	return page, nil
}

// list is get for long answers, of the account.
func (c *client) list(ctx context.Context, path string, query url.Values, l *templateList) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	res, err := c.transport.RoundTrip(c.request(http.MethodGet, path, query).WithContext(ctx))
	var r reply
	if err == nil {
		var body []byte
		r.status, r.header = res.StatusCode, res.Header
		body, err = wire.ReadAll(nil, res.Body, maxList)
		_ = res.Body.Close() // read, or given up
		if err == nil && !decode(body, l) || errors.Is(err, wire.ErrTooLong) {
			err, r.broken = nil, errNotJSON
		}
	}
	return c.verdict(ctx, &r, err, func() *graphError { return l.Error })
}

// reason is the provider's word on a template's status; NONE is none.
func (c *client) reason(s string) string {
	if s = c.scrub.Clean(s); strings.EqualFold(s, "none") {
		return ""
	}
	return s
}

// templateWord is what an error code says of the message's template.
func templateWord(code int, reason string) peal.TemplateWord {
	var status peal.TemplateStatus
	switch code {
	case 132001:
		status = peal.TemplateMissing
	case 132015:
		status = peal.TemplatePaused
	case 132016:
		status = peal.TemplateDisabled
	case 132000, 132005, 132007, 132012, 132068, 132069:
		status = peal.TemplateBroken
	default:
		return peal.TemplateWord{}
	}
	return peal.TemplateWord{Status: status, Code: codeText(code), Reason: reason}
}

// templateNews is what changed of a template.
type templateNews struct {
	ID          number `json:"message_template_id"`
	Name        string `json:"message_template_name"`
	Language    string `json:"message_template_language"`
	Category    string `json:"message_template_category"`
	NewCategory string `json:"new_category"`
	NewQuality  string `json:"new_quality_score"`
	Reason      string `json:"reason"`
	Other       struct {
		Title string `json:"title"`
	} `json:"other_info"`
	Rejection struct {
		Reason string `json:"reason"`
	} `json:"rejection_info"`
}

// template adds news of a template.
func (p *parser) template(field, event string, n *templateNews, at time.Time) {
	s := &peal.TemplateState{
		Name: n.Name, Language: strings.ReplaceAll(n.Language, "-", "_"), Quality: word(n.NewQuality), At: at,
		Category: cmp.Or(word(n.NewCategory), word(n.Category)),
	}
	if len(s.Name) > maxTemplate || len(s.Language) > maxLanguage {
		return
	}
	if n.ID.set {
		s.ProviderID = codeText(n.ID.value)
	}
	if field == "message_template_status_update" {
		s.Status = statusOf(event, n.Other.Title)
		if r := wire.NewScrubber(nil).Clean(cmp.Or(n.Rejection.Reason, n.Reason)); !strings.EqualFold(r, "none") {
			s.Reason = r
		}
	}
	if s.Name == "" || s.Language == "" {
		s = &peal.TemplateState{} // of some template
	}
	p.facts = append(p.facts, provider.Fact{Template: s})
}

// statusOf is the status that an event brings; empty when it does not say: then the catalogue is read.
func statusOf(event, title string) peal.TemplateStatus {
	switch event {
	case "REINSTATED":
		return peal.TemplateApproved
	case "APPROVED", "PENDING", "IN_APPEAL", "PAUSED", "REJECTED", "DISABLED", "PENDING_DELETION", "DELETED", "ARCHIVED":
		return peal.TemplateStatus(word(event))
	}
	switch title {
	case "FIRST_PAUSE", "SECOND_PAUSE", "RATE_LIMITING_PAUSE":
		return peal.TemplatePaused
	case "UNPAUSE":
		return peal.TemplateApproved
	case "DISABLED":
		return peal.TemplateDisabled
	default: // it may be sent as before, such as FLAGGED
		return ""
	}
}
