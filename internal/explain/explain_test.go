package explain

import (
	"os"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
)

const page = "../../docs/explain.md"

// table is how the page lists the rules.
func table() string {
	var b strings.Builder
	b.WriteString("| rule | says | |\n|---|---|---|\n")
	for _, r := range Rules() {
		file, _ := strings.CutPrefix(r.Docs, "docs/")
		b.WriteString("| `" + r.Name + "` | " + r.Why + " | [" + strings.TrimSuffix(strings.SplitN(file, "#", 2)[0], ".md") + "](" + file + ") |\n")
	}
	return b.String()
}

// TestThePageListsTheRules: set PEAL_UPDATE=1 to write it anew.
func TestThePageListsTheRules(t *testing.T) {
	t.Parallel()
	const begin = "| rule | says | |\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatal("the page has no table of rules")
	}
	want := before + table()
	if string(text) == want {
		return
	}
	if os.Getenv("PEAL_UPDATE") == "" {
		t.Fatal("the page lists other rules; run PEAL_UPDATE=1 go test ./internal/explain")
	}
	if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRulesAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules() {
		if r.Name == "" || r.Why == "" || !strings.HasPrefix(r.Docs, "docs/") || seen[r.Name] {
			t.Errorf("%+v", r)
		}
		seen[r.Name] = true
	}
	for _, c := range []peal.Class{
		peal.ClassAccepted, peal.ClassTemporary, peal.ClassThrottled, peal.ClassGone, peal.ClassPermanent, peal.ClassIntegration, peal.ClassUnknown,
	} {
		if !seen["attempt_"+string(c)] {
			t.Errorf("no rule for attempts of class %s", c)
		}
	}
	for _, w := range []string{string(peal.WaitTurn), string(peal.WaitLimit), string(peal.WaitPlace), string(peal.WaitPause), peal.CodeRecipientLimit, peal.CodeQuiet, peal.FlagReceiptAfterEnd} {
		if !seen[w] {
			t.Errorf("no rule for %s", w)
		}
	}
}

// TestNext: what happens next, by what the row and the integration say.
func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later, soon := now.Add(time.Hour), now.Add(time.Minute)
	in := func(change ...func(*peal.Integration)) *peal.Integration {
		i := &peal.Integration{Name: "wa", MaxAttempts: 5, OnUnknown: peal.Reconcile, Limit: peal.Limit{Rate: 45, Period: time.Second}}
		for _, c := range change {
			c(i)
		}
		return i
	}
	paused := func(code peal.PauseCode, until time.Time) *peal.Integration {
		return in(func(i *peal.Integration) { i.Pause = &peal.Pause{Code: code, Since: now, Until: until} })
	}
	attempt := peal.Event{Type: peal.EventAttempt, At: now, Status: peal.Queued, Attempt: 1, Class: peal.ClassTemporary, Code: "http_500"}
	for name, c := range map[string]struct {
		d      peal.Delivery
		in     *peal.Integration
		check  time.Time
		queue  *api.QueueEstimate
		events []peal.Event
		rule   string
		at     time.Time
	}{
		"its turn":      {peal.Delivery{Status: peal.Queued}, in(), time.Time{}, &api.QueueEstimate{Ahead: 90, ETA: &soon}, nil, "limit", soon},
		"nothing known": {peal.Delivery{Status: peal.Queued}, in(func(i *peal.Integration) { i.Limit = peal.Limit{} }), time.Time{}, nil, nil, "turn", time.Time{}},
		"its turn on a ladder": {
			peal.Delivery{Status: peal.Queued, DueAt: later, Rung: &peal.Rung{Number: 1, Unless: peal.Read, At: later}},
			in(), time.Time{}, nil, nil, "ladder", later,
		},
		"its time":            {peal.Delivery{Status: peal.Queued, DueAt: later}, in(), time.Time{}, nil, nil, "send_at", later},
		"a retry":             {peal.Delivery{Status: peal.Queued, DueAt: soon, Attempts: 1, ErrorCode: "http_500"}, in(), time.Time{}, nil, []peal.Event{attempt}, "retry", soon},
		"a retry too late":    {peal.Delivery{Status: peal.Queued, DueAt: soon, ExpiresAt: soon, Attempts: 1, ErrorCode: "http_500"}, in(), time.Time{}, nil, []peal.Event{attempt}, "expires_at", soon},
		"the recipient":       {peal.Delivery{Status: peal.Queued, DueAt: soon, Attempts: 1, ErrorCode: "recipient_limit"}, in(), time.Time{}, nil, []peal.Event{attempt}, "recipient_limit", soon},
		"a code of others":    {peal.Delivery{Status: peal.Queued, DueAt: soon, ErrorCode: "moon_phase"}, in(), time.Time{}, nil, nil, "moon_phase", soon},
		"a pause":             {peal.Delivery{Status: peal.Queued}, paused(peal.PauseCredentials, time.Time{}), time.Time{}, nil, nil, "pause", time.Time{}},
		"a pause with an end": {peal.Delivery{Status: peal.Queued, DueAt: soon}, paused(peal.PauseThrottled, later), time.Time{}, nil, nil, "pause", later},
		"longer than a pause": {peal.Delivery{Status: peal.Queued, DueAt: later}, paused(peal.PauseThrottled, soon), time.Time{}, nil, nil, "send_at", later},
		"deleted":             {peal.Delivery{Status: peal.Queued}, nil, time.Time{}, nil, nil, "cancel", time.Time{}},
		"over":                {peal.Delivery{Status: peal.Queued, ExpiresAt: now}, in(), time.Time{}, nil, nil, "expires_at", now},
		"the call":            {peal.Delivery{Status: peal.Sending}, in(), time.Time{}, nil, nil, "turn", time.Time{}},
		"a look for it":       {peal.Delivery{Status: peal.Uncertain}, in(), soon, nil, nil, "reconcile", soon},
		"evidence":            {peal.Delivery{Status: peal.Uncertain}, in(), time.Time{}, nil, nil, "on_unknown_reconcile", time.Time{}},
		"a look-up":           {peal.Delivery{Status: peal.Sent}, in(), soon, nil, nil, "look_up", soon},
		"a receipt":           {peal.Delivery{Status: peal.Delivered}, in(), time.Time{}, nil, nil, "receipt", time.Time{}},
		"a person":            {peal.Delivery{Status: peal.Failed, DeadAt: now}, in(), time.Time{}, nil, nil, "out_of_attempts", time.Time{}},
		"nothing":             {peal.Delivery{Status: peal.Failed, EndedAt: now}, in(), time.Time{}, nil, nil, "end", time.Time{}},
	} {
		x := Explain(Input{
			Explained: peal.Explained{Delivery: c.d, CheckAt: c.check, Events: c.events}, Integration: c.in, Queue: c.queue, Now: now,
		})
		at := time.Time{}
		if x.Next.At != nil {
			at = *x.Next.At
		}
		if x.Next.Rule != c.rule || !at.Equal(c.at) || x.Next.Ended != (c.rule == "end") {
			t.Errorf("%s: %+v, want %s at %v", name, x.Next, c.rule, c.at)
		}
	}
}

// TestWhatOthersWrite: facts and codes that this package does not know are told as they are.
func TestWhatOthersWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	x := Explain(Input{Explained: peal.Explained{Delivery: peal.Delivery{Status: peal.Skipped, CreatedAt: at}, Events: []peal.Event{
		{Type: peal.EventQueued, At: at},
		{Type: "moved_house", At: at.Add(time.Second), Code: "new_street", Detail: "number 9"},
		{Type: peal.EventSkipped, At: at.Add(2 * time.Second), Status: peal.Skipped, Code: "moon_phase"},
		{Type: peal.EventReceipt, At: at.Add(3 * time.Second), Status: peal.Delivered},
	}}})
	var got []string
	for _, s := range x.Steps {
		got = append(got, s.Stage+" "+s.Decision+" "+s.Rule)
	}
	want := "accept accepted accepted|track moved_house new_street|send skipped moon_phase|track delivered receipt_after_failure"
	if strings.Join(got, "|") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, "|"), want)
	}
}
