package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
)

// Quotas tells how far tenants have used up their limits.
type Quotas interface {
	Standing(tenantID string) accept.Standing
	Forget(tenantID string)
}

// noQuotas limits nobody.
type noQuotas struct{}

func (noQuotas) Standing(string) accept.Standing { return accept.Standing{} }
func (noQuotas) Forget(string)                   {}

// rateHeaders tells a tenant how far it has used up its limits, if it has any: as draft-ietf-httpapi-ratelimit-headers-10
// says, and for the rate also by the three fields that its earlier versions had, which clients know.
func (s *Server) rateHeaders(h http.Header, tenantID string) {
	st := s.cfg.Quotas.Standing(tenantID)
	var policies, left []string
	if st.Rate > 0 {
		reset := seconds(st.RateReset)
		policies = append(policies, fmt.Sprintf(`"rate";q=%d;w=1`, st.Rate))
		left = append(left, fmt.Sprintf(`"rate";r=%d;t=%d`, st.RateLeft, reset))
		h.Set("Ratelimit-Limit", strconv.Itoa(st.Rate))
		h.Set("Ratelimit-Remaining", strconv.Itoa(st.RateLeft))
		h.Set("Ratelimit-Reset", strconv.Itoa(reset))
	}
	if st.Queued > 0 {
		policies = append(policies, fmt.Sprintf(`"queued";q=%d`, st.Queued))
		left = append(left, fmt.Sprintf(`"queued";r=%d`, st.QueuedLeft))
	}
	if policies != nil {
		h.Set("Ratelimit-Policy", strings.Join(policies, ", "))
		h.Set("Ratelimit", strings.Join(left, ", "))
	}
}

// describeRate puts the headers into the OpenAPI document.
func describeRate(o *huma.Operation) {
	text := &huma.Schema{Type: "string"}
	headers := map[string]*huma.Param{
		"RateLimit-Policy":    {Schema: text, Description: `The tenant's limits: "rate", notifications per second, and "queued", deliveries that may wait; only those that it has`},
		"RateLimit":           {Schema: text, Description: "What is left of them (r), and in how many seconds the rate is whole again (t)"},
		"RateLimit-Limit":     {Schema: text, Description: "The rate, as earlier drafts of the header had it"},
		"RateLimit-Remaining": {Schema: text, Description: "What is left of the rate"},
		"RateLimit-Reset":     {Schema: text, Description: "In how many seconds it is whole again"},
	}
	accepted := o.Responses["202"]
	if accepted.Headers == nil {
		accepted.Headers = map[string]*huma.Param{}
	}
	refused := &huma.Response{Description: "Over the tenant's limits", Content: o.Responses["default"].Content, Headers: map[string]*huma.Param{
		"Retry-After": {Schema: text, Description: "Seconds after which to try again"},
	}}
	for name, h := range headers {
		accepted.Headers[name], refused.Headers[name] = h, h
	}
	o.Responses["429"] = refused
}

func limitsOf(l peal.TenantLimits) *api.Limits {
	if l.Rate == nil && l.Queued == nil {
		return nil
	}
	return &api.Limits{Rate: l.Rate, Queued: l.Queued}
}
