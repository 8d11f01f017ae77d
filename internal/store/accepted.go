package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"peal/internal/pipeline"
)

// tally counts what a transaction accepts: what the audit later holds the rows to.
type tally map[tallyKey]*tallied

type tallyKey struct {
	tenantID string
	hour     int64 // since 1970, in the notification's id
}

type tallied struct{ notifications, deliveries int64 }

func (c tally) add(sub *pipeline.Submission) {
	k := tallyKey{sub.Notification.TenantID, hourOf(sub.Notification.ID, sub.Notification.CreatedAt)}
	if c[k] == nil {
		c[k] = &tallied{}
	}
	c[k].notifications++
	c[k].deliveries += int64(len(sub.Deliveries))
}

// sorted are the keys in one order for all, so that nobody waits in a circle.
func (c tally) sorted() []tallyKey {
	keys := make([]tallyKey, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b tallyKey) int {
		return cmp.Or(cmp.Compare(a.tenantID, b.tenantID), cmp.Compare(a.hour, b.hour))
	})
	return keys
}

const sqlCountAccepted = `INSERT INTO accepted (tenant_id, hour, node_id, notifications, deliveries) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (tenant_id, hour, node_id) DO UPDATE SET notifications = accepted.notifications + excluded.notifications,
	deliveries = accepted.deliveries + excluded.deliveries`

func (c tally) write(t *tx) error {
	for _, k := range c.sorted() {
		if err := t.exec(sqlCountAccepted, k.tenantID, k.hour, t.node, c[k].notifications, c[k].deliveries); err != nil {
			return fmt.Errorf("count what was accepted: %w", err)
		}
	}
	return nil
}

// hourOf is the hour, since 1970, of the time in a UUIDv7; of the other time where the id has none.
func hourOf(id string, otherwise time.Time) int64 {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return otherwise.Unix() / 3600
	}
	ms := int64(u[0])<<40 | int64(u[1])<<32 | int64(u[2])<<24 | int64(u[3])<<16 | int64(u[4])<<8 | int64(u[5])
	return ms / time.Hour.Milliseconds()
}
