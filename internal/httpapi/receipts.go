package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
)

// maxReports is how many reports of a client stand in one delivery's timeline; what goes on after that changes nothing.
const maxReports = 32

func (s *Server) receipts() {
	report := byUsers(op("report-receipts", http.MethodPost, "/v1/receipts", "Devices", "Report what a client saw of its deliveries"))
	report.DefaultStatus = http.StatusAccepted
	report.Description = "One receipt, or up to 100 in receipts. Each has its own answer. delivered and dismissed make a delivery delivered, " +
		"opened and action make it read. To report the same twice changes nothing."
	huma.Register(s.api, report, s.reportReceipts)
}

type (
	receiptsInput struct {
		Body struct {
			Receipts   []api.ClientReceipt `json:"receipts,omitempty" maxItems:"100"`
			DeliveryID string              `json:"delivery_id,omitempty" doc:"Of a single one, instead of receipts"`
			Type       string              `json:"type,omitempty" enum:"delivered,opened,dismissed,action"`
			Action     string              `json:"action,omitempty" maxLength:"64"`
			At         *time.Time          `json:"at,omitempty"`
		}
	}
	receiptsOutput struct{ Body api.ReceiptsResponse }
)

func (s *Server) reportReceipts(ctx context.Context, in *receiptsInput) (*receiptsOutput, error) {
	tenantID, userID, err := s.client(ctx, api.ScopeDevices)
	if err != nil {
		return nil, err
	}
	b, all := &in.Body, in.Body.Receipts
	switch bare := b.DeliveryID != "" || b.Type != "" || b.Action != "" || b.At != nil; {
	case bare && all != nil:
		err = newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "receipts", Code: "unknown", Message: "give either a single receipt or receipts"})
	case bare:
		all = []api.ClientReceipt{{DeliveryID: b.DeliveryID, Type: b.Type, Action: b.Action, At: b.At}}
	case len(all) == 0:
		err = newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "receipts", Code: "required", Message: "give 1 to 100 receipts"})
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	r := reporting{s: s, tenantID: tenantID, userID: userID, now: s.cfg.Now(), rows: map[string]*reported{}}
	out := &receiptsOutput{api.ReceiptsResponse{Results: make([]api.ReceiptResult, len(all))}}
	for i := range all {
		if out.Body.Results[i], err = r.take(ctx, &all[i]); err != nil {
			return nil, s.fail(ctx, err)
		}
	}
	if err := r.fold(ctx); err != nil {
		return nil, s.fail(ctx, err)
	}
	return out, nil
}

// reporting is one request's receipts on their way into the records.
type reporting struct {
	s                *Server
	tenantID, userID string // userID is empty where the tenant's own server reports
	now              time.Time

	rows     map[string]*reported
	evidence []peal.Evidence
	seen     []string // devices
}

// reported is a delivery, and what this request makes of it.
type reported struct {
	*peal.Delivery

	reports int // that its timeline has
}

// take turns a receipt into evidence, and answers it. It fails where the records cannot be read.
func (r *reporting) take(ctx context.Context, c *api.ClientReceipt) (api.ReceiptResult, error) {
	res := api.ReceiptResult{DeliveryID: c.DeliveryID}
	refuse := func(p *problem) (api.ReceiptResult, error) {
		res.Error = &r.s.fail(ctx, p).Problem
		return res, nil
	}
	seen, detail, f := meaning(c)
	if f != nil {
		return refuse(newProblem(api.CodeInvalidRequest, "", f...))
	}
	row, err := r.row(ctx, strings.ToLower(c.DeliveryID))
	if err != nil {
		return res, err
	}
	if row == nil {
		return refuse(newProblem(api.CodeNotFound, "there is no such push delivery of this user"))
	}
	next, _ := row.Status.After(seen)
	row.Status, res.Status = next, string(next)
	if row.reports++; row.reports > maxReports {
		return res, nil
	}
	r.evidence = append(r.evidence, peal.Evidence{
		TenantID: r.tenantID, IntegrationID: row.IntegrationID, DeliveryID: row.ID, Status: seen,
		Code: peal.CodeClient, Reason: detail, At: clamp(deref(c.At), row.CreatedAt, r.now),
	})
	return res, nil
}

// meaning is what a receipt says of its delivery.
func meaning(c *api.ClientReceipt) (seen peal.Status, detail string, f faults) {
	if c.DeliveryID == "" {
		f.bad("delivery_id", "required", "give the one that came with the notification, as peal_delivery_id or data.peal.delivery_id")
	}
	if c.Type != "action" && c.Action != "" {
		f.bad("action", "unknown", "only a receipt of type action has one; leave it out")
	}
	switch c.Type {
	case "delivered", "dismissed":
		return peal.Delivered, c.Type, f
	case "opened":
		return peal.Read, c.Type, f
	case "action":
		if c.Action == "" || strings.ContainsFunc(c.Action, unicode.IsControl) {
			f.bad("action", "required", "give the id of the button, without control characters")
		}
		return peal.Read, "action:" + c.Action, f
	default:
		f.bad("type", "required", "give one of delivered, opened, dismissed, action")
		return "", "", f
	}
}

// row gives the push delivery of that id, if it is the user's own; nil when it is not.
func (r *reporting) row(ctx context.Context, id string) (*reported, error) {
	if row, ok := r.rows[id]; ok {
		return row, nil
	}
	d, events, err := r.s.cfg.Deliveries.Delivery(ctx, r.tenantID, id)
	if err != nil && peal.KindOf(err) != peal.NotFound {
		return nil, err
	}
	var row *reported
	if err == nil && d.Channel == peal.ChannelPush && (r.userID == "" || d.UserID == r.userID) {
		row = &reported{Delivery: d}
		for i := range events {
			if events[i].Code == peal.CodeClient {
				row.reports++
			}
		}
		r.seen = append(r.seen, d.Recipient)
	}
	r.rows[id] = row
	return row, nil
}

// fold brings it all into the records.
func (r *reporting) fold(ctx context.Context) error {
	if len(r.evidence) == 0 {
		return nil
	}
	folded, err := r.s.cfg.Evidence.Fold(ctx, r.evidence)
	if err != nil {
		return err
	}
	for _, m := range folded.Moved {
		r.s.cfg.Metrics.Moved.WithLabelValues(m.IntegrationID, string(m.Status)).Inc()
	}
	if err := r.s.cfg.Devices.DevicesSeen(ctx, r.tenantID, r.seen, r.now); err != nil {
		r.s.cfg.Log.WarnContext(ctx, "it was not written that devices were heard of; what they reported was", "error", err)
	}
	return nil
}

// clamp brings a device's time to where it can have been: its clock may be off.
func clamp(t, from, to time.Time) time.Time {
	switch {
	case t.IsZero() || t.After(to):
		return to
	case t.Before(from):
		return from
	}
	return t
}
