package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const sqlStillSent = `SELECT EXISTS (SELECT 1 FROM communications_log WHERE tenant_id = ? AND delivery_id = ? AND status = 'sent')`

// NoteStuck writes into the timelines of deliveries that are still sent that looking them up did not help.
func (s *Store) NoteStuck(ctx context.Context, rows []pipeline.Stuck) error {
	all := slices.SortedFunc(slices.Values(rows), func(a, b pipeline.Stuck) int { return cmp.Compare(a.DeliveryID, b.DeliveryID) })
	return s.write(ctx, func(t *tx) error {
		for i := range all {
			still, err := t.exists(sqlStillSent, all[i].TenantID, all[i].DeliveryID)
			if err == nil && still {
				err = putEvent(t, &peal.Event{
					DeliveryID: all[i].DeliveryID, At: s.now(), Type: peal.EventReconciled, Status: peal.Sent, Code: peal.CodeNoReceipt, Detail: all[i].Detail,
				})
			}
			if err != nil {
				return fmt.Errorf("note that no receipt has come: %w", err)
			}
		}
		return nil
	})
}
