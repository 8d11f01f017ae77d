package explain

import (
	"strconv"
	"time"

	"peal/internal/peal"
)

func itoa(n int) string { return strconv.Itoa(n) }

// noticed is how long a wait is at least that is a step of its own.
const noticed = 50 * time.Millisecond

// timeline tells of each fact in the order in which Peal learned them.
func (t *teller) timeline() {
	status := peal.Queued
	last := t.d.From() // when it was last decided that it may go
	for i := range t.Events {
		e := &t.Events[i]
		switch e.Type {
		case peal.EventQueued:
		case peal.EventAttempt:
			t.waited(e, last)
			t.attempted(e)
			last = e.At
		case peal.EventReceipt:
			t.receipt(e, status)
		case peal.EventKey:
			t.add(e.At, stageTrack, "the message is known by its key", t.book.rule("message_key"), nil, e.Detail)
		case peal.EventReconciled:
			t.reconciled(e)
		default:
			t.told(e)
		}
		if e.Type == peal.EventReceipt {
			status, _ = status.After(e.Status)
		} else if e.Status != "" {
			status = e.Status
		}
	}
}

// waited is what an attempt had waited for.
func (t *teller) waited(e *peal.Event, last time.Time) {
	began := e.At.Add(-e.Took)
	waited := min(e.Waited, max(0, began.Sub(last))) // of what was put back again and again only the end is known
	if e.WaitedFor == "" || waited < noticed {
		return
	}
	in := facts{"waited_ms": waited.Milliseconds()}
	if t.Integration != nil {
		switch e.WaitedFor {
		case peal.WaitLimit:
			in["limit"] = limitText(t.Integration.Limit)
		case peal.WaitPlace:
			in["concurrency"] = t.Integration.Concurrency
		case peal.CodeRecipientLimit:
			in["recipient_limit"] = limitText(t.Integration.RecipientLimit)
		default: // nothing more is known of it
		}
	}
	t.add(began, stageSend, "waited "+elapsed(waited), t.book.rule(string(e.WaitedFor)), in, "")
}

func (t *teller) attempted(e *peal.Event) {
	in := facts{"attempt": e.Attempt, "class": string(e.Class), "code": e.Code, "took_ms": e.Took.Milliseconds()}
	if t.Integration != nil {
		in["max_attempts"] = t.Integration.MaxAttempts
	}
	decision, rule := string(e.Status), "attempt_"+string(e.Class)
	switch {
	case peal.WaitsForTemplate(e.Code) && e.Status == peal.Queued:
		decision, rule = "back into the queue; it waits for its template", "template"
	case e.Class == peal.ClassThrottled:
		decision = "back into the queue, throttled"
	case e.Class == peal.ClassIntegration:
		decision = "back into the queue; the integration pauses"
	case e.Status == peal.Queued:
		decision = "to be tried again"
	}
	t.add(e.At, stageSend, decision, t.book.rule(rule), in, e.Detail)
	if e.Status == peal.Failed && (e.Class == peal.ClassTemporary || e.Class == peal.ClassUnknown) {
		t.add(e.At, stageSend, "a dead letter", t.book.rule("out_of_attempts"), facts{"attempts": e.Attempt, "max_attempts": in["max_attempts"]}, "")
	}
}

func (t *teller) receipt(e *peal.Event, before peal.Status) {
	next, flagged := before.After(e.Status)
	rule := "receipt"
	switch {
	case flagged:
		rule = peal.FlagReceiptAfterEnd
	case e.Code == peal.CodeClient:
		rule = "client_receipt"
	}
	decision := string(next)
	if next == before {
		decision = "says " + string(e.Status) + "; it stays " + string(before)
	}
	in := facts{"says": string(e.Status), "code": e.Code, "occurred_at": e.OccurredAt}
	t.add(e.At, stageTrack, decision, t.book.rule(rule), in, e.Detail)
}

func (t *teller) reconciled(e *peal.Event) {
	var decision string
	rule := "reconcile"
	switch e.Status {
	case peal.Queued:
		decision = "not taken by the provider; back into the queue"
	case peal.Uncertain:
		decision = "not found out; it stays uncertain"
	default:
		decision = "found: " + string(e.Status)
		if e.Status == peal.Sent && e.Code == peal.CodeNoReceipt {
			decision, rule = "looked up in vain; it stays sent", e.Code
		}
	}
	t.add(e.At, stageTrack, decision, t.book.rule(rule), facts{"code": e.Code, "occurred_at": e.OccurredAt}, e.Detail)
}

// told is about everything else: what a person did, an end, and what this package knows no more of than its name.
func (t *teller) told(e *peal.Event) {
	in := facts{"code": e.Code, "occurred_at": e.OccurredAt}
	decision, stage, rule := string(e.Type), stageTrack, t.book.rule(e.Code, string(e.Type))
	switch e.Type {
	case peal.EventSkipped:
		decision, stage = "skipped", stageSend
		if !e.At.After(t.d.CreatedAt) {
			stage = stageRoute
		}
		in = facts{"user_id": t.d.UserID, "recipient": t.d.Recipient}
	case peal.EventHeld:
		decision, stage, rule = "waits for its template", stageSend, t.book.rule("template")
	case peal.EventCanceled:
		decision, stage, rule = "canceled", stagePerson, t.book.rule(e.Code, "cancel")
		if e.Code == peal.CodeLadderSatisfied {
			stage = stageTrack
		} else if e.Code != "" { // it was Peal itself
			stage = stageRoute
		}
	case peal.EventLadder:
		decision = "its turn came"
		if e.Code == peal.CodeLadderDue {
			stage = stageSend
		}
	case peal.EventExpired:
		decision, stage, rule = "expired", stageSend, t.book.rule("expires_at")
		in = facts{"expires_at": t.d.ExpiresAt}
	case peal.EventFellBack:
		decision, rule = "queued again, with its fallback template", t.book.rule("fell_back")
	case peal.EventRedriven:
		decision, stage, rule = "queued again", stagePerson, t.book.rule("redrive")
	case peal.EventDiscarded:
		decision, stage, rule = "let go of", stagePerson, t.book.rule("discard")
	case peal.EventResolved:
		decision, stage, rule = "resolved as "+string(e.Status), stagePerson, t.book.rule("resolve")
	case peal.EventRestored:
		decision, rule = "restored from a backup as "+string(e.Status), t.book.rule("restored")
	default: // its name has to do
	}
	t.add(e.At, stage, decision, rule, in, e.Detail)
}
