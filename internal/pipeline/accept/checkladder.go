package accept

import (
	"encoding/json"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Bounds of a ladder.
const (
	minRungs = 2
	maxRungs = 5
	maxAfter = 7 * 24 * time.Hour
	minAfter = time.Second // schedules go by whole seconds
)

// ladder checks a notification's ladder, and gives what is kept of it: all but the contents, which the deliveries have.
func (c *checker) ladder(req *api.NotificationRequest, n *peal.Notification, now time.Time) json.RawMessage {
	if req.Ladder == nil {
		return nil
	}
	for _, name := range []struct{ path, value string }{{"channel", req.Channel}, {"integration", req.Integration}} {
		if name.value != "" {
			c.bad(name.path, "conflict", "the rungs of the ladder say over what it goes; leave it out")
		}
	}
	if req.Recipient.Audience != nil {
		c.bad("recipient.audience", "conflict", "a ladder is for one recipient; leave one of the two out")
	}
	if len(req.Ladder) < minRungs || len(req.Ladder) > maxRungs {
		c.bad("ladder", "out_of_range", "give %d to %d rungs, not %d", minRungs, maxRungs, len(req.Ladder))
	}
	own := len(req.Content.Kinds()) == 0 // each rung is to have one
	for i := range req.Ladder {
		own = own && req.Ladder[i].Content != nil
	}
	if !own {
		c.content(&req.Content)
	}
	turn := now
	if !n.SendAt.IsZero() {
		turn = n.SendAt
	}
	kept := make([]api.Rung, len(req.Ladder))
	for i := range req.Ladder {
		r := &req.Ladder[i]
		before := len(c.fields)
		if turn = turn.Add(c.rung(req, r, i)); !n.ExpiresAt.IsZero() && !turn.Before(n.ExpiresAt) && len(c.fields) == before {
			c.bad(rungPath(i, "after"), "out_of_range", "its turn would come when the notification has expired, at %s; wait less, or give a longer ttl",
				n.ExpiresAt.Format(time.RFC3339))
		}
		kept[i] = *r
		kept[i].Content = nil
	}
	raw, err := json.Marshal(kept)
	if err != nil { // it was read from JSON
		c.bad("ladder", "invalid", "it cannot be written as JSON again")
	}
	return raw
}

func rungPath(i int, field string) string { return fmt.Sprintf("ladder[%d].%s", i, field) }

// rung checks one rung, and tells how long after the one before its turn comes.
func (c *checker) rung(req *api.NotificationRequest, r *api.Rung, i int) (after time.Duration) {
	before := len(c.fields)
	c.channel(r.Channel)
	if r.Content != nil {
		c.content(r.Content)
	}
	for n := range c.fields[before:] {
		c.fields[before+n].Path = rungPath(i, c.fields[before+n].Path)
	}
	if r.Channel == "" && r.Integration == "" {
		c.bad(rungPath(i, "channel"), "required", "say over what this rung goes: give channel or integration")
	}
	content := &req.Content
	if r.Content != nil {
		content = r.Content
	}
	if (r.Channel == peal.ChannelPush || content.Push != nil && r.Integration == "") && req.Recipient.UserID == "" && req.Recipient.Audience == nil {
		c.bad("recipient.user_id", "required", "rung %d goes to the devices of a user; give their id", i)
	}
	if i == 0 {
		if r.After != "" {
			c.bad(rungPath(i, "after"), "conflict", "the first rung goes at once, or at send_at; leave it out")
		}
		if r.Unless != "" {
			c.bad(rungPath(i, "unless"), "conflict", "nothing goes before the first rung; leave it out")
		}
		return 0
	}
	if r.Unless != "" && r.Unless != string(peal.Delivered) && r.Unless != string(peal.Read) {
		c.bad(rungPath(i, "unless"), "invalid", "there is no receipt %.40q; give delivered or read", r.Unless)
	}
	after, err := time.ParseDuration(r.After)
	switch {
	case r.After == "":
		c.bad(rungPath(i, "after"), "required", "say how long after the rung before its turn comes, such as 5m")
	case err != nil, after < minAfter, after > maxAfter:
		c.bad(rungPath(i, "after"), "invalid", "give a duration from 1s to 168h (7 days), such as 5m")
		return 0
	}
	return after
}
