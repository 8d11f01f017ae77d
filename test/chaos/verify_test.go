package chaos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/emulator/wasender"
	"peal/internal/peal"
)

// examples is how many of the same complaint are told in full.
const examples = 5

// verify holds what was promised against the records, and the records against what the provider took.
func verify(t *testing.T, w *world, l *load, rows []row) {
	t.Helper()
	taken := map[string]int{}
	for _, m := range w.emu.Messages(wasender.Query{}) {
		taken[m.To]++
	}
	verifyRows(t, w, rows, taken)
	verifyPromises(t, w, l, rows)
	verifyTicks(t, w)
	verifyLimit(t, w, rows)
	verifyLogs(w)
	verifyAudit(t, w)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.wrong {
		t.Error(text)
	}
}

// complaints gathers rows of which the same is wrong.
type complaints map[string][]row

func (c complaints) tell(t *testing.T, w *world) {
	t.Helper()
	for what, rows := range c {
		var text strings.Builder
		for i := range rows[:min(examples, len(rows))] {
			fmt.Fprintf(&text, "\n  %s", example(t, w, rows[i]))
		}
		w.broken("%d deliveries: %s%s", len(rows), what, text.String())
	}
}

// verifyRows: each has ended, went out once, and says what the provider says.
func verifyRows(t *testing.T, w *world, rows []row, taken map[string]int) {
	t.Helper()
	wrong := complaints{}
	statuses, doubts, known := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, r := range rows {
		statuses[r.integration+" "+string(r.status)]++
		if known[r.to] {
			wrong["another has the same recipient"] = append(wrong["another has the same recipient"], r)
		}
		known[r.to] = true
		what := ""
		switch times, out := taken[r.to], r.status.Rank() >= peal.Sent.Rank(); {
		case times > 1:
			what = fmt.Sprintf("the provider took it %d times", times)
		case out && times == 0:
			what = "the provider never took it"
		case !out && r.status != peal.Uncertain && times == 1:
			what = "the provider took it, and the row does not say so"
		case !out && r.status != peal.Uncertain:
			what = "it did not end as it should"
		}
		if what != "" {
			wrong[what] = append(wrong[what], r)
		}
		if r.status == peal.Uncertain {
			doubts[r.integration+" "+doubt(taken[r.to], w.emu.calls[r.to])]++
		}
	}
	for to, n := range taken {
		if !known[to] {
			w.broken("the provider took %d messages to %s, and there is no row of it", n, to)
		}
	}
	wrong.tell(t, w)
	t.Logf("%d rows: %v", len(rows), statuses)
	t.Logf("the uncertain ones: %v", doubts)
}

// doubt says what really became of an uncertain delivery.
func doubt(taken, called int) string {
	switch {
	case taken > 0:
		return "taken"
	case called > 0:
		return "called for, not taken"
	}
	return "never called for"
}

// verifyPromises: what was accepted is there once, and nothing is there that was not.
func verifyPromises(t *testing.T, w *world, l *load, rows []row) {
	t.Helper()
	byNotification := map[string][]row{}
	for _, r := range rows {
		byNotification[r.notification] = append(byNotification[r.notification], r)
	}
	notifications := query(t, w, pgx.RowTo[string], `SELECT notification_id FROM notifications`)
	if len(notifications) != len(l.accepted) || len(rows) != len(l.accepted) {
		w.broken("%d notifications were accepted; the records have %d, and %d deliveries", len(l.accepted), len(notifications), len(rows))
	}
	wrong := complaints{}
	for id, to := range l.accepted {
		switch ds := byNotification[id]; {
		case len(ds) != 1:
			w.broken("notification %s to %s was accepted and has %d deliveries", id, to, len(ds))
		case ds[0].to != to:
			wrong["it was accepted for somebody else"] = append(wrong["it was accepted for somebody else"], ds[0])
		}
	}
	for id, ds := range byNotification {
		if l.accepted[id] == "" {
			wrong["nobody was told that it is accepted"] = append(wrong["nobody was told that it is accepted"], ds...)
		}
	}
	wrong.tell(t, w)
}

// verifyTicks: the rows say what the best of their events says, and no attempt takes back what was known.
func verifyTicks(t *testing.T, w *world) {
	t.Helper()
	const ranked = `array_position(ARRAY['sent', 'delivered', 'read'], `
	back := query(t, w, pgx.RowTo[string], `SELECT l.delivery_id FROM communications_log l JOIN (
		SELECT delivery_id, max(`+ranked+`status)) AS best FROM delivery_events GROUP BY delivery_id) e USING (delivery_id)
		WHERE e.best > coalesce(`+ranked+`l.status), 0)`)
	if len(back) > 0 {
		all := readRows(t, w)
		wrong := complaints{}
		for _, r := range all {
			if slices.Contains(back, r.id) {
				wrong["its events know of more than its row"] = append(wrong["its events know of more than its row"], r)
			}
		}
		wrong.tell(t, w)
	}
}

// verifyLimit: in no second did more calls arrive than Peal was allowed.
func verifyLimit(t *testing.T, w *world, rows []row) {
	t.Helper()
	id := w.emu.account(limited).ID
	arrived, refused := w.emu.MaxArrivedInWindow(id, time.Second), w.emu.Counts().Sessions[id].RateLimited
	t.Logf("the limit of %d: at most %d calls arrived within a second; the provider refuses beyond %d, and refused %d", allowed, arrived, refusing, refused)
	if arrived > allowed || refused > 0 {
		w.broken("%d calls arrived within a second; allowed are %d; the provider refused %d; these calls:%s", arrived, allowed, refused, w.told(rows))
	}
}

// told lists the calls of the busiest second, with what the nodes say of them.
func (w *world) told(rows []row) string {
	var text strings.Builder
	ids := map[string]string{}
	for _, r := range rows {
		ids[r.to] = r.id
	}
	for _, c := range w.emu.busiest(limited) {
		fmt.Fprintf(&text, "\n  %10.4fs %s %s", c.at.Sub(w.began).Seconds(), c.at.UTC().Format("15:04:05.000000"), c.to)
		for _, n := range w.nodes {
			for _, line := range n.lines(ids[c.to], 3) {
				if _, said, ok := strings.Cut(line, `"attempt"`); ok {
					fmt.Fprintf(&text, "  %s attempt%s", line[:min(50, len(line))], said)
				}
			}
		}
	}
	return text.String()
}

// verifyLogs: nothing has panicked.
func verifyLogs(w *world) {
	for _, n := range w.nodes {
		for _, sign := range []string{"DATA RACE", "panic", "goroutine 1 ["} {
			if found := n.lines(sign, 3); len(found) > 0 {
				w.broken("the log says %q:\n%s", sign, strings.Join(found, "\n"))
			}
		}
	}
}
