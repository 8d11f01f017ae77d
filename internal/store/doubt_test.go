package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// TestDoubtInPlace: in records that have gone back in time, too, what may have been sent since becomes uncertain, and
// nothing else changes.
func TestDoubtInPlace(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func(func() time.Time) *Store) {
		ctx, now := t.Context(), time.Now()
		s := open(time.Now)
		ids := accepted(t, s, doubtStep+10, func(i int, d *peal.Delivery) { // more than one step
			switch i {
			case 1:
				d.DueAt = now.Add(-time.Minute)
			case 2:
				d.DueAt = now.Add(time.Hour)
			case 5:
				d.IntegrationID = "push"
			case 6:
				d.Status = peal.Skipped
			}
		})
		err := s.write(ctx, func(x *tx) error { // 3 is being sent; 4 is put back to the end of a pause, which may have ended early
			return errors.Join(x.exec(`UPDATE communications_log SET status = 'sending', attempts = 1 WHERE delivery_id = ?`, ids[3]),
				x.exec(`UPDATE communications_log SET due_at = ?, put_back = 1 WHERE delivery_id = ?`, now.Add(time.Hour).UnixMicro(), ids[4]),
				x.exec(`UPDATE communications_log SET status = 'uncertain', attempts = 1 WHERE delivery_id = ?`, ids[7]))
		})
		if err != nil {
			t.Fatal(err)
		}
		d := Doubt{Now: now, Before: now.Add(time.Hour), Harmless: []string{"push"}}
		want := Doubted{InDoubt: doubtStep + 6, Harmless: 1}
		if r, err := s.InDoubt(ctx, d); err != nil || r != want {
			t.Errorf("counted are %+v, %v; want %+v", r, err, want)
		}
		early := d
		early.Before = now.Add(-time.Hour)
		if r, err := s.Doubt(ctx, early); err != nil || r != (Doubted{}) {
			t.Errorf("of what was accepted an hour ago: %+v, %v", r, err)
		}
		if n := count(t, s.reads, `SELECT COUNT(*) FROM communications_log WHERE error_code IS NOT NULL`); n != 0 {
			t.Errorf("counting has changed %d", n)
		}
		if r, err := s.Doubt(ctx, d); err != nil || r != want {
			t.Errorf("set in doubt are %+v, %v; want %+v", r, err, want)
		}
		d.Now = now.Add(time.Minute)
		if r, err := s.Doubt(ctx, d); err != nil || r != (Doubted{Harmless: 1}) {
			t.Errorf("a second time %+v, %v", r, err)
		}
		for i, want := range []peal.Status{"uncertain", "uncertain", "queued", "uncertain", "uncertain", "queued", "skipped", "uncertain", "uncertain"} {
			row, events, err := s.Delivery(ctx, "acme", ids[i])
			if err != nil {
				t.Fatal(err)
			}
			doubted, told := want == "uncertain" && i != 7, 0 // that one was before
			for _, e := range events {
				if e.Type == peal.EventRestored && e.Status == peal.Uncertain && e.Code == peal.CodeRestored && e.At.Equal(now.Truncate(time.Microsecond)) {
					told++
				}
			}
			if row.Status != want || (row.ErrorCode == peal.CodeRestored) != doubted || (told == 1) != doubted || doubted && (row.Attempts != 1 || !row.DueAt.IsZero()) {
				t.Errorf("delivery %d is %+v, told %d times; want %s", i, row, told, want)
			}
		}
		doubted := fmt.Sprintf(`SELECT COUNT(*) FROM communications_log WHERE in_flight = 1 AND put_back IS NULL AND check_at = %d`, now.UnixMicro())
		if n := count(t, s.reads, doubted); n != int(want.InDoubt) {
			t.Errorf("%d are looked for, want %d", n, want.InDoubt)
		}
	})
}

// TestDoubtEndsExpansions: an audience that may have been expanded since is not expanded again; one for later is.
func TestDoubtEndsExpansions(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func(func() time.Time) *Store) {
		ctx, now := t.Context(), time.Now()
		s := open(time.Now)
		ids := map[string]time.Time{peal.NewID(): {}, peal.NewID(): now.Add(-time.Minute), peal.NewID(): now.Add(time.Hour)}
		for id, due := range ids {
			_, err := s.Accept(ctx, []pipeline.Submission{{
				Notification: peal.Notification{TenantID: "acme", ID: id, SendAt: due, CreatedAt: now},
				Expansion:    &pipeline.Expansion{TenantID: "acme", NotificationID: id, Request: []byte(`{}`), DueAt: due, CreatedAt: now},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Doubt(ctx, Doubt{Now: now}); err != nil {
			t.Fatal(err)
		}
		for id, due := range ids {
			x, err := s.Expansion(ctx, "acme", id)
			if err != nil || (x.End == peal.ExpansionRestored) != !due.After(now) || (x.End == "") != due.After(now) {
				t.Errorf("due %s: %+v, %v", due, x, err)
			}
		}
	})
}
