package route

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// Why a push is skipped.
const (
	ReasonNoDevice      = "no_device"      // the user has none that is meant
	ReasonNoIntegration = "no_integration" // no integration of the tenant's reaches the device
)

// retiredLately is how long a device that was retired is still told of: the sender wonders why it stays silent. After
// that it is one that the user no longer has.
const retiredLately = 7 * 24 * time.Hour

// planned is a delivery with what it goes to.
type planned struct {
	peal.Delivery

	device *peal.Device      // nil: there is none
	in     *peal.Integration // nil: there is none
}

func deliveries(all []planned) []peal.Delivery {
	out := make([]peal.Delivery, len(all))
	for i := range all {
		out[i] = all[i].Delivery
	}
	return out
}

// Look looks up at once what the requests of a call need: the devices of all users whom they are to reach on them, and what
// the others want.
func (p *Planner) Look(ctx context.Context, tenantID string, reqs []*api.NotificationRequest) (*pipeline.Looked, error) {
	devices, err := p.lookDevices(ctx, tenantID, reqs)
	if err != nil {
		return nil, err
	}
	looked := &pipeline.Looked{Devices: devices}
	return looked, p.askPeople(ctx, tenantID, reqs, looked)
}

func (p *Planner) lookDevices(ctx context.Context, tenantID string, reqs []*api.NotificationRequest) (map[string][]peal.Device, error) {
	if !slices.ContainsFunc(p.Integrations.OfTenant(tenantID), isPush) {
		return nil, nil
	}
	var users []string
	for _, req := range reqs {
		if id := req.Recipient.UserID; id != "" && p.pushes(tenantID, req) {
			users = append(users, id)
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	slices.Sort(users)
	found, err := p.Devices.DevicesOf(ctx, tenantID, slices.Compact(users))
	if err != nil {
		return nil, fmt.Errorf("find the users' devices: %w", err)
	}
	of := make(map[string][]peal.Device, len(users))
	for i := range found {
		of[found[i].UserID] = append(of[found[i].UserID], found[i])
	}
	return of, nil
}

// pushes tells whether a request, or a rung of its ladder, goes to devices.
func (p *Planner) pushes(tenantID string, req *api.NotificationRequest) bool {
	if req.Ladder != nil {
		return slices.ContainsFunc(rungs(req), func(one *api.NotificationRequest) bool { return p.pushes(tenantID, one) })
	}
	w, err := p.way(tenantID, req)
	return err == nil && w.push
}

// planPush plans a delivery for each of the devices that are meant; over one integration only, where it is named.
func (p *Planner) planPush(n *peal.Notification, req *api.NotificationRequest, only *peal.Integration, devices []peal.Device) ([]planned, error) {
	content, err := pushContent(&req.Content)
	if err != nil {
		return nil, err
	}
	if n.UserID == "" {
		return nil, bad("recipient.user_id", "required", "a push goes to the devices of a user; give their id")
	}
	payload, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("write content: %w", err)
	}
	var all []planned
	for i := range devices {
		d := &devices[i]
		if req.Recipient.Platform != "" && d.Platform != req.Recipient.Platform {
			continue
		}
		if d.State == peal.DeviceRetired && n.CreatedAt.Sub(d.RetiredAt) > retiredLately {
			continue
		}
		in := provider.ForDevice(p.Integrations.OfTenant(n.TenantID), p.Integrations.Kind, d)
		if only != nil && (in == nil || in.ID != only.ID) {
			continue
		}
		one, err := planDevice(n, payload, d, in)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return p.planNobody(n, req, payload, only)
	}
	return all, p.checkPush(involved(all), &req.Content, content)
}

// involved are the integrations that deliveries go over.
func involved(all []planned) (over []*peal.Integration) {
	for i := range all {
		if all[i].Status == peal.Queued && !slices.Contains(over, all[i].in) {
			over = append(over, all[i].in)
		}
	}
	return over
}

// planDevice plans what goes to one device, or why nothing does.
func planDevice(n *peal.Notification, payload []byte, d *peal.Device, in *peal.Integration) (planned, error) {
	one := planned{Delivery: row(n, payload), device: d, in: in}
	one.Channel, one.Recipient, one.UserID = peal.ChannelPush, d.ID, d.UserID
	if in != nil {
		one.IntegrationID = in.ID
	}
	switch {
	case d.State == peal.DeviceRetired:
		skip(&one.Delivery, peal.SkipDeviceRetired, "the device was retired ("+d.RetiredReason+"); it is sent to when its app registers it again")
	case d.Permission == peal.Denied:
		skip(&one.Delivery, peal.SkipPermissionDenied, "the device may not show notifications, by its own word")
	case in == nil:
		skip(&one.Delivery, ReasonNoIntegration, fmt.Sprintf("no integration reaches devices of kind %s and app %q; make one, or add the app to its settings", d.Kind, d.AppID))
	}
	var err error
	one.ID, err = peal.DeliveryID(n.ID, one.IntegrationID, d.ID)
	return one, err
}

// planNobody is the one row of a push that reaches nobody.
func (p *Planner) planNobody(n *peal.Notification, req *api.NotificationRequest, payload []byte, only *peal.Integration) ([]planned, error) {
	one := planned{Delivery: row(n, payload), in: only}
	one.Channel = peal.ChannelPush
	if only != nil {
		one.IntegrationID = only.ID
	}
	which := "device"
	if req.Recipient.Platform != "" {
		which += " of platform " + req.Recipient.Platform
	}
	if only != nil {
		which += " that goes over the integration " + only.Name
	}
	skip(&one.Delivery, ReasonNoDevice, "the user has no "+which+"; apps register theirs with PUT /v1/users/{id}/devices/{installation_id}")
	var err error
	one.ID, err = peal.DeliveryID(n.ID, one.IntegrationID, "")
	return []planned{one}, err
}

// checkPush asks every kind of provider that is involved whether it can take the content.
func (p *Planner) checkPush(over []*peal.Integration, asked, content *api.Content) error {
	var seen []string
	var fields []peal.Field
	for _, in := range over {
		if slices.Contains(seen, in.Kind) {
			continue
		}
		seen = append(seen, in.Kind)
		if kind, ok := p.Integrations.Kind(in.Kind); ok {
			fields = append(fields, kind.CheckContent(content)...)
		}
	}
	if asked.Push == nil { // it said text
		for i := range fields {
			if rest, ok := strings.CutPrefix(fields[i].Path, "push.body"); ok {
				fields[i].Path = "text" + rest
			}
		}
	}
	return refused(fields)
}

// pushContent is what is said on devices; a text is short for a push with that body.
func pushContent(c *api.Content) (*api.Content, error) {
	switch {
	case len(c.Mentions) > 0:
		return nil, bad("content.mentions", "unsupported", "a push mentions nobody; leave it out")
	case c.FallbackTemplate != nil:
		return nil, bad("content.fallback_template", "unsupported", "a push has no window that closes; leave it out")
	case c.ReplyTo != "":
		return nil, bad("content.reply_to", "unsupported", "a push answers nothing; leave it out")
	case c.Push != nil:
		return c, nil
	case c.Text != nil && strings.TrimSpace(*c.Text) == "":
		return nil, bad("content.text", "required", "give at least one character that is not a space")
	case c.Text != nil:
		return &api.Content{Push: &api.Push{Body: *c.Text}}, nil
	}
	return nil, bad("content", "unsupported", "devices take push or text; give one of these, or send over another channel")
}
