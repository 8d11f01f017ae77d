package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// rungs are the requests that one with a ladder is of: one for each rung, as if it were all.
func rungs(req *api.NotificationRequest) []*api.NotificationRequest {
	all := make([]*api.NotificationRequest, len(req.Ladder))
	for i := range req.Ladder {
		one, r := *req, &req.Ladder[i]
		one.Ladder, one.Channel, one.Integration = nil, r.Channel, r.Integration
		if r.Content != nil {
			one.Content = *r.Content
		}
		all[i] = &one
	}
	return all
}

// planLadder plans the deliveries of all rungs. Which of them go is decided later, by receipts and the time.
func (p *Planner) planLadder(ctx context.Context, n *peal.Notification, req *api.NotificationRequest, looked *pipeline.Looked) ([]planned, error) {
	var all []planned
	pushes := false
	turn := n.CreatedAt
	if n.SendAt.After(turn) {
		turn = n.SendAt
	}
	before, nobody := false, true // whether all of the rung before are skipped, and of all rungs before
	for i, one := range rungs(req) {
		w, err := p.way(n.TenantID, one)
		if err != nil {
			return nil, onRung(err, i)
		}
		var rung []planned
		if pushes = pushes || w.push; w.push {
			rung, err = p.planPush(n, one, w.in, looked.Devices[n.UserID])
		} else {
			rung = []planned{{in: w.in}}
			one.Recipient.Platform = "" // it chooses among devices
			err = p.planPhone(ctx, n, one, w.in, looked, &rung[0].Delivery)
		}
		if err != nil {
			return nil, onRung(err, i)
		}
		place := peal.Rung{Number: i}
		if i > 0 {
			if !before {
				turn = turn.Add(duration(req.Ladder[i].After))
			}
			if !nobody {
				place.Unless = peal.Delivered
				if req.Ladder[i].Unless == string(peal.Read) {
					place.Unless = peal.Read
				}
			}
		}
		place.At = turn
		if err := onLadder(n, one, rung, place); err != nil {
			return nil, err
		}
		before = allSkipped(rung)
		nobody = nobody && before
		all = append(all, rung...)
	}
	if req.Recipient.Platform != "" && !pushes {
		return nil, bad("recipient.platform", "unsupported", "only pushes go to devices, and no rung is one; leave it out")
	}
	return all, nil
}

// minHandOver is how long even what is now or never may take to its push service.
const minHandOver = time.Minute

// onLadder puts planned deliveries on their rung. What no push service is to keep for longer is not handed over later
// either, by the turn of its rung.
func onLadder(n *peal.Notification, req *api.NotificationRequest, rung []planned, place peal.Rung) (err error) {
	for i := range rung {
		d, at := &rung[i].Delivery, place
		d.Rung = &at
		if place.Number > 0 {
			// The same recipient may be on several rungs, over the same integration.
			if d.ID, err = peal.DeliveryID(n.ID, d.IntegrationID, fmt.Sprintf("%s\x00rung %d", d.Recipient, place.Number)); err != nil {
				return err
			}
		}
		if d.Status != peal.Queued {
			continue
		}
		if place.At.After(n.CreatedAt) {
			d.DueAt = place.At
		}
		if p := req.Content.Push; p != nil && p.TTL != nil && n.ExpiresAt.IsZero() {
			d.ExpiresAt = place.At.Add(max(duration(*p.TTL), minHandOver))
		}
	}
	return nil
}

// duration is one that accept has checked.
func duration(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}

func allSkipped(rung []planned) bool {
	for i := range rung {
		if rung[i].Status != peal.Skipped {
			return false
		}
	}
	return true
}

// onRung says of an error which rung it is of.
func onRung(err error, i int) error {
	var pe *peal.Error
	if !errors.As(err, &pe) {
		return err
	}
	for n := range pe.Fields {
		if f := &pe.Fields[n]; !strings.HasPrefix(f.Path, "recipient") {
			f.Path = fmt.Sprintf("ladder[%d].%s", i, f.Path)
		}
	}
	return err
}
