// Package explain tells why a delivery is as it is: every decision about it in order, each with its rule and what it was
// decided by, and what happens next. It only puts into words what the records and the integration say.
package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Input is what there is to explain by.
type Input struct {
	peal.Explained

	Integration *peal.Integration  // nil: it was deleted
	Queue       *api.QueueEstimate // nil: it does not wait, or nothing is known
	Now         time.Time
}

// teller puts one delivery into words.
type teller struct {
	Input

	book  book
	d     *peal.Delivery
	steps []api.ExplainStep
}

// Explain tells why a delivery is as it is.
func Explain(in Input) api.Explanation {
	t := &teller{Input: in, book: newBook()}
	t.d = &t.Delivery
	t.accepted()
	t.routed()
	t.timeline()
	slices.SortStableFunc(t.steps, func(a, b api.ExplainStep) int { return a.At.Compare(b.At) })
	return api.Explanation{
		DeliveryID: t.d.ID, NotificationID: t.d.NotificationID, Status: string(t.d.Status), Steps: t.steps, Next: t.next(),
	}
}

// facts are an input, without what is not known.
type facts map[string]any

func (f facts) clean() map[string]any {
	for k, v := range f {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(f, k)
			}
		case time.Time:
			if f[k] = v.UTC(); v.IsZero() {
				delete(f, k)
			}
		case int64:
			if v == 0 {
				delete(f, k)
			}
		case int:
			if v == 0 {
				delete(f, k)
			}
		case nil:
			delete(f, k)
		}
	}
	if len(f) == 0 {
		return nil
	}
	return f
}

func (t *teller) add(at time.Time, stage, decision string, r Rule, input facts, detail string) {
	t.steps = append(t.steps, api.ExplainStep{
		At: at.UTC(), Stage: stage, Decision: decision, Rule: r.Name, Why: r.Why, Docs: r.Docs, Input: input.clean(), Detail: detail,
	})
}

// The stages of steps.
const (
	stageAccept = "accept"
	stageRoute  = "route"
	stageSend   = "send"
	stageTrack  = "track"
	stagePerson = "person"
)

func (t *teller) accepted() {
	n := &t.Notification
	at := n.CreatedAt
	if at.IsZero() {
		at = t.d.CreatedAt
	}
	var audience any
	if !n.CreatedAt.IsZero() && n.Phone == "" && n.UserID == "" && t.d.UserID != "" {
		audience = true
	}
	t.add(at, stageAccept, "accepted", t.book.rule("accepted"), facts{
		"priority": t.d.Priority.String(), "send_at": n.SendAt, "expires_at": t.d.ExpiresAt, "phone": n.Phone, "user_id": n.UserID,
		"audience": audience, "event": n.EventType, "event_at": n.EventAt,
	}, "")
	if r := &t.Replays; r.Count > 0 {
		kind, key, _ := strings.Cut(r.Key, ":")
		rule, in := "idempotency_key", facts{"key": key, "times": r.Count}
		if kind == "event" {
			rule, in = "event_key", facts{"event": n.EventType, "event_at": n.EventAt, "times": r.Count}
		}
		t.add(r.Last, stageAccept, "replayed: the first answer was given again", t.book.rule(rule), in, "")
	}
}

// routed tells over which integration it goes and to whom. Of what was skipped then, the timeline's first event tells.
func (t *teller) routed() {
	rule, to := "integration", facts{"integration_id": t.d.IntegrationID, "channel": t.d.Channel}
	name := t.d.IntegrationID
	if in := t.Integration; in != nil {
		name = in.Name
		to["integration"], to["kind"] = in.Name, in.Kind
	}
	if t.d.Channel == peal.ChannelPush {
		rule = "device"
		to["device"], to["user_id"] = t.d.Recipient, t.d.UserID
	} else {
		to["recipient"] = t.d.Recipient
	}
	if name == "" || t.d.Recipient == "" { // nobody to reach, or nothing to reach them over
		return
	}
	at := t.d.CreatedAt
	if t.d.Channel != peal.ChannelPush && t.Notification.UserID != "" && t.Notification.Phone == "" {
		t.add(at, stageRoute, "to "+t.d.Recipient, t.book.rule("user_phone"), facts{"user_id": t.Notification.UserID}, "")
	}
	t.add(at, stageRoute, "over "+name, t.book.rule(rule), to, "")
	if r := t.d.Rung; r != nil {
		in := facts{"rung": itoa(r.Number), "unless": string(r.Unless)}
		if r.Number > 0 {
			in["turn_at"] = r.At
		}
		t.add(at, stageRoute, "on rung "+itoa(r.Number)+" of the ladder", t.book.rule("ladder"), in, "")
	}
	if send := t.Notification.SendAt; send.After(t.d.CreatedAt) {
		t.add(at, stageRoute, "waits for its time", t.book.rule("send_at"), facts{"send_at": send}, "")
	}
}

// elapsed is a duration for people.
func elapsed(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

func limitText(l peal.Limit) string {
	if l.Rate <= 0 {
		return ""
	}
	return strings.TrimSuffix(itoa(l.Rate)+" in "+cmp.Or(l.Period, time.Second).String(), "m0s")
}
