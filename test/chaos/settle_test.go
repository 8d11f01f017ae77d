package chaos

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/emulator/wasender"
	"peal/internal/peal"
)

// settleTime is how long what is in flight may take to end when nothing is broken any more.
func settleTime() time.Duration { return 90*time.Second + *duration/3 }

// row is a delivery as the records say.
type row struct {
	id, notification, integration, to string
	status                            peal.Status
	code, messageID                   string
	attempts                          int
}

// settle waits until nothing is in flight and what Peal has taken of receipts shows, and gives all rows.
func settle(t *testing.T, w *world) []row {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTime())
	defer cancel()
	for _, n := range w.nodes {
		if err := n.up(ctx); err != nil {
			t.Fatal(err)
		}
	}
	db, err := pgx.Connect(ctx, w.pg.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // only read
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	for {
		var moving int
		if err := db.QueryRow(ctx, `SELECT count(*) FROM communications_log WHERE status IN ('queued', 'sending')`).Scan(&moving); err != nil {
			w.broken("it did not become quiet within %s", settleTime())
			break
		}
		if moving == 0 {
			break
		}
		<-again.C
	}
	if err := w.emu.Idle(ctx); err != nil {
		w.broken("the provider still posts webhooks %s after the last fault: %+v", settleTime(), w.emu.Counts().Webhooks)
	}
	for {
		rows := readRows(t, w)
		late := unfolded(w, rows)
		if len(late) == 0 {
			return rows
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			w.broken("receipts of %d messages were taken and do not show, such as %s", len(late), example(t, w, late[0]))
			return rows
		}
	}
}

func readRows(t *testing.T, w *world) []row {
	t.Helper()
	return query(t, w, func(r pgx.CollectableRow) (x row, err error) {
		err = r.Scan(&x.id, &x.notification, &x.integration, &x.to, &x.status, &x.code, &x.messageID, &x.attempts)
		return x, err
	}, `SELECT delivery_id, notification_id, i.name, recipient, status, coalesce(error_code, ''), coalesce(message_id, ''), attempts
		FROM communications_log l JOIN integrations i USING (integration_id) ORDER BY delivery_id`)
}

// query reads all rows of an answer.
func query[T any](t *testing.T, w *world, scan pgx.RowToFunc[T], sql string, args ...any) []T {
	t.Helper()
	db, err := pgx.Connect(t.Context(), w.pg.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // only read
	rows, err := db.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// unfolded are the rows of which Peal has taken a receipt that does not show. An uncertain one has no id that a receipt
// could be known by.
func unfolded(w *world, rows []row) (late []row) {
	want := map[string]int{} // by recipient
	w.door.mu.Lock()
	for _, m := range w.emu.Messages(wasender.Query{}) {
		want[m.To] = w.door.taken[m.KeyID]
	}
	w.door.mu.Unlock()
	ranks := []peal.Status{"", "", peal.Sent, peal.Delivered, peal.Read} // the provider's numbers
	for _, r := range rows {
		if status := want[r.to]; status > 0 && r.status != peal.Uncertain && slices.Index(ranks, r.status) < status {
			late = append(late, r)
		}
	}
	return late
}

// example tells all of a row: its events, and what the nodes have logged of it.
func example(t *testing.T, w *world, r row) string {
	t.Helper()
	text := fmt.Sprintf("%+v", r)
	events := query(t, w, func(r pgx.CollectableRow) (s string, err error) {
		err = r.Scan(&s)
		return s, err
	}, `SELECT to_timestamp(at / 1000000.0)::text || ' ' || type || ' ' || coalesce(status, '-') || ' attempt ' || coalesce(attempt::text, '-') || ' ' ||
		coalesce(class, '-') || ' ' || coalesce(code, '') || ' ' || coalesce(detail, '') FROM delivery_events WHERE delivery_id = $1 ORDER BY at`, r.id)
	for _, e := range events {
		text += "\n    event " + e
	}
	for _, n := range w.nodes {
		for _, line := range n.lines(r.id, 20) {
			text += "\n    " + line
		}
	}
	return text
}
