package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
)

// Contacts are people, and what they want.
type Contacts interface {
	Contacts(ctx context.Context, tenantID, id string) ([]peal.Contact, error)
	Consents(ctx context.Context, tenantID, channel string, ids []string) (map[string][]peal.Consent, error)
	PutConsents(ctx context.Context, words []peal.Consent) ([]peal.Consent, error)
	OptOuts(ctx context.Context, tenantID, channel string, after peal.Consent, limit int) ([]peal.Consent, error)
}

// window is how long after somebody wrote they may be sent what is no template.
const window = 24 * time.Hour

func (s *Server) contacts() {
	const tag = "Contacts"
	huma.Register(s.api, op("get-contact", http.MethodGet, "/v1/contacts/{contact}", tag, "What is known of somebody: when they last wrote, and what they want"), s.getContact)
	huma.Register(s.api, op("get-consents", http.MethodGet, "/v1/contacts/{contact}/consents", tag, "What somebody wants to be told"), s.getConsents)
	huma.Register(s.api, op("put-consents", http.MethodPut, "/v1/contacts/{contact}/consents", tag, "State what somebody wants to be told; the latest word counts"), s.putConsents)
	huma.Register(s.api, op("list-opt-outs", http.MethodGet, "/v1/opt-outs", tag, "Who has opted out, and of what"), s.listOptOuts)
	huma.Register(s.api, op("import-opt-outs", http.MethodPost, "/v1/opt-outs", tag, "Take over opt-outs from another system, up to 1,000 at once"), s.importOptOuts)
}

type (
	contactInput struct {
		Contact string `path:"contact" maxLength:"140" doc:"E.164, or a WhatsApp user id"`
	}
	putConsentsInput struct {
		Contact string `path:"contact" maxLength:"140" doc:"E.164, or a WhatsApp user id"`
		Body    api.ConsentsRequest
	}
	contactOutput  struct{ Body api.KnownContact }
	consentsOutput struct{ Body api.ConsentList }
)

// checkContact tells what is wrong with how somebody is named; empty when nothing is.
func checkContact(id string) string {
	if peal.IsWhatsAppUserID(id) {
		return ""
	}
	if msg := accept.CheckPhone(id); msg != "" {
		return msg + "; or a WhatsApp user id, such as US.13491208655302741918"
	}
	return ""
}

// of checks who may ask, and for whom.
func (s *Server) of(ctx context.Context, scope, contact string) (tenantID string, err error) {
	if tenantID, err = s.tenant(ctx, scope); err != nil {
		return "", err
	}
	var f faults
	if f.check("contact", checkContact(contact)); f != nil {
		return "", s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	return tenantID, nil
}

func (s *Server) getContact(ctx context.Context, in *contactInput) (*contactOutput, error) {
	tenantID, err := s.of(ctx, api.ScopeRead, in.Contact)
	if err != nil {
		return nil, err
	}
	known, err := s.cfg.Contacts.Contacts(ctx, tenantID, in.Contact)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	said, err := s.consentsOf(ctx, tenantID, in.Contact)
	if err != nil {
		return nil, err
	}
	out := &contactOutput{api.KnownContact{Accounts: make([]api.ContactAccount, len(known)), Consents: said}}
	identify(&out.Body, in.Contact)
	for i := range known {
		c := &known[i]
		identify(&out.Body, c.Other)
		if c.Name != "" {
			out.Body.Name = c.Name
		}
		account := api.ContactAccount{IntegrationID: c.IntegrationID, LastInboundAt: optional(c.LastInboundAt)}
		if of := s.cfg.Integrations.Find(tenantID, c.IntegrationID); of != nil && of.Window && s.cfg.Now().Before(c.LastInboundAt.Add(window)) {
			account.WindowUntil = optional(c.LastInboundAt.Add(window))
		}
		out.Body.Accounts[i] = account
	}
	return out, nil
}

func identify(c *api.KnownContact, id string) {
	if peal.IsWhatsAppUserID(id) {
		c.WhatsAppUserID = id
	} else if id != "" {
		c.Phone = id
	}
}

func (s *Server) consentsOf(ctx context.Context, tenantID, contact string) ([]api.Consent, error) {
	said, err := s.cfg.Contacts.Consents(ctx, tenantID, "", []string{contact})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return consentsOut(said[contact]), nil
}

func consentsOut(words []peal.Consent) []api.Consent {
	out := make([]api.Consent, len(words))
	for i := range words {
		out[i] = ConsentOf(&words[i])
	}
	return out
}

// ConsentOf is somebody's word as the API tells it.
func ConsentOf(c *peal.Consent) api.Consent {
	return api.Consent{Contact: c.Contact, Channel: c.Channel, Category: c.Category, State: string(c.State), Source: c.Source, At: c.At.UTC()}
}

func (s *Server) getConsents(ctx context.Context, in *contactInput) (*consentsOutput, error) {
	tenantID, err := s.of(ctx, api.ScopeRead, in.Contact)
	if err != nil {
		return nil, err
	}
	said, err := s.consentsOf(ctx, tenantID, in.Contact)
	if err != nil {
		return nil, err
	}
	return &consentsOutput{api.ConsentList{Consents: said}}, nil
}

func (s *Server) putConsents(ctx context.Context, in *putConsentsInput) (*consentsOutput, error) {
	tenantID, err := s.of(ctx, api.ScopeSend, in.Contact)
	if err != nil {
		return nil, err
	}
	var f faults
	words := make([]peal.Consent, len(in.Body.Consents))
	for i, c := range in.Body.Consents {
		words[i] = s.word(&f, fmt.Sprintf("consents[%d]", i), tenantID, api.OptOut{
			Contact: in.Contact, Channel: c.Channel, Category: c.Category, Source: orElse(c.Source, peal.ConsentByAPI), At: c.At,
		}, peal.ConsentState(c.State))
	}
	if f != nil {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	if _, err := s.cfg.Contacts.PutConsents(ctx, words); err != nil {
		return nil, s.fail(ctx, err)
	}
	said, err := s.consentsOf(ctx, tenantID, in.Contact)
	if err != nil {
		return nil, err
	}
	return &consentsOutput{api.ConsentList{Consents: said}}, nil
}

// word checks and translates one word of somebody's.
func (s *Server) word(f *faults, path, tenantID string, c api.OptOut, state peal.ConsentState) peal.Consent {
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	at := now
	if c.At != nil {
		if at = c.At.UTC().Truncate(time.Microsecond); !accept.CanTell(at) || at.After(now.Add(time.Minute)) {
			f.bad(path+".at", "out_of_range", "give a time that is over, such as %s", now.Format(time.RFC3339))
		}
		if at.After(now) { // by another clock: what they say next is later
			at = now
		}
	}
	return peal.Consent{
		TenantID: tenantID, Contact: c.Contact, Channel: orElse(c.Channel, peal.ChannelWhatsApp),
		Category: orElse(c.Category, peal.CategoryAll), State: state, Source: c.Source, At: at,
	}
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

type (
	optOutsInput struct {
		Page
		Channel string `query:"channel" enum:"whatsapp"`
	}
	optOutsOutput      struct{ Body api.OptOutPage }
	importOptOutsInput struct{ Body api.OptOutImport }
	importedOutput     struct{ Body api.OptOutImported }
)

func (s *Server) listOptOuts(ctx context.Context, in *optOutsInput) (*optOutsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	var after [3]string
	if in.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(in.Cursor)
		if err != nil || json.Unmarshal(raw, &after) != nil {
			return nil, s.fail(ctx, badCursor())
		}
	}
	all, err := s.cfg.Contacts.OptOuts(ctx, tenantID, in.Channel, peal.Consent{Contact: after[0], Channel: after[1], Category: after[2]}, in.Limit+1)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &optOutsOutput{}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		last := &all[len(all)-1]
		raw, err := json.Marshal([3]string{last.Contact, last.Channel, last.Category})
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString(raw)
	}
	out.Body.OptOuts = consentsOut(all)
	return out, nil
}

func (s *Server) importOptOuts(ctx context.Context, in *importOptOutsInput) (*importedOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err != nil {
		return nil, err
	}
	var f faults
	words := make([]peal.Consent, len(in.Body.OptOuts))
	for i, c := range in.Body.OptOuts {
		path := fmt.Sprintf("opt_outs[%d]", i)
		f.check(path+".contact", checkContact(c.Contact))
		c.Source = orElse(c.Source, peal.ConsentByImport)
		words[i] = s.word(&f, path, tenantID, c, peal.OptedOut)
	}
	if f != nil {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	changed, err := s.cfg.Contacts.PutConsents(ctx, words)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &importedOutput{api.OptOutImported{Accepted: len(words), Changed: len(changed)}}, nil
}
