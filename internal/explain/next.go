package explain

import (
	"strconv"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// next tells what happens next, and when.
func (t *teller) next() api.ExplainNext {
	switch t.d.Status {
	case peal.Queued:
		return t.queued()
	case peal.Sending:
		return t.will("the provider is being called; if no word of it comes it becomes uncertain", "turn", time.Time{}, facts{"since": t.d.UpdatedAt})
	case peal.Uncertain:
		return t.uncertain()
	case peal.Sent, peal.Delivered:
		if !t.CheckAt.IsZero() {
			return t.will("it is looked up at the provider, if no receipt comes first", "look_up", t.CheckAt, nil)
		}
		return t.will("whatever receipt comes is taken in; nothing else is to be done", "receipt", time.Time{}, nil)
	case peal.Failed:
		if !t.d.DeadAt.IsZero() {
			return t.will("it waits for a person, who re-drives it or lets go of it", "out_of_attempts", time.Time{}, facts{"code": t.d.ErrorCode})
		}
		return t.over("nothing: it has failed", t.d.ErrorCode)
	case peal.Skipped, peal.Canceled, peal.Expired:
		return t.over("nothing: it was "+endedAs(t.d.Status), t.d.ErrorCode)
	default:
		return t.over("nothing: it was "+string(t.d.Status), "")
	}
}

func endedAs(s peal.Status) string {
	if s == peal.Expired {
		return "not sent before its time was over"
	}
	return string(s)
}

func (t *teller) will(what, rule string, at time.Time, in facts) api.ExplainNext {
	r := t.book.rule(rule)
	n := api.ExplainNext{What: what, Rule: r.Name, Why: r.Why, Docs: r.Docs, Input: in.clean()}
	if !at.IsZero() {
		at = at.UTC()
		n.At = &at
	}
	return n
}

func (t *teller) over(what, code string) api.ExplainNext {
	n := t.will(what, "end", time.Time{}, facts{"code": code, "ended_at": t.d.EndedAt})
	n.Ended = true
	return n
}

// queued tells what one that waits is waiting for: the last of several things.
func (t *teller) queued() api.ExplainNext {
	in, due := t.Integration, t.d.DueAt
	switch {
	case t.d.Expired(t.Now):
		return t.will("it ends as expired", "expires_at", t.d.ExpiresAt, nil)
	case in == nil:
		return t.will("it is canceled: its integration was deleted", "cancel", time.Time{}, nil)
	case in.Paused(t.Now) && !in.Pause.Until.After(due) && !in.Pause.Until.IsZero() && due.After(t.Now):
		// the pause is over first
	case in.Paused(t.Now):
		return t.paused(in)
	}
	if due.After(t.Now) {
		return t.dueLater(due)
	}
	rule, what := "turn", "it goes out when its turn comes"
	f := facts{"expires_at": t.d.ExpiresAt}
	var at time.Time
	if q := t.Queue; q != nil {
		f["ahead"] = q.Ahead
		if q.Ahead > 0 {
			what = "it goes out after " + strconv.FormatInt(q.Ahead, 10) + " before it"
		}
		if q.ETA != nil {
			at = *q.ETA
		}
	}
	if in.Limit.Rate > 0 {
		rule = "limit"
		f["limit"] = limitText(in.Limit)
	}
	return t.will(what, rule, at, f)
}

// dueLater is about one that is not due yet.
func (t *teller) dueLater(due time.Time) api.ExplainNext {
	f := facts{"attempts": t.d.Attempts, "code": t.d.ErrorCode, "expires_at": t.d.ExpiresAt}
	if t.Integration != nil {
		f["max_attempts"] = t.Integration.MaxAttempts
	}
	switch {
	case t.d.Waits(t.Now):
		f["unless"] = string(t.d.Rung.Unless)
		return t.will("it goes out when its turn on the ladder comes, unless a receipt comes first; earlier, if the rung before ends without success", "ladder", due, f)
	case t.d.Attempts == t.d.Round && t.d.ErrorCode == "" || due.Equal(t.Notification.SendAt):
		return t.will("it goes out at its time", "send_at", due, f)
	case peal.WaitsForTemplate(t.d.ErrorCode):
		return t.will("it goes out when its template can be sent", "template", time.Time{}, f)
	case t.held():
		return t.will("it goes out when the wait is over", t.d.ErrorCode, due, f)
	case !t.d.ExpiresAt.IsZero() && !due.Before(t.d.ExpiresAt):
		return t.will("it ends as expired: the next attempt would come too late", "expires_at", t.d.ExpiresAt, f)
	default:
		return t.will("it is tried again", "retry", due, f)
	}
}

// held tells whether the row's code names what it waits for, rather than what its last attempt failed with.
func (t *teller) held() bool {
	for i := len(t.Events) - 1; i >= 0; i-- {
		if e := &t.Events[i]; e.Type == peal.EventAttempt {
			return e.Code != t.d.ErrorCode
		}
	}
	return t.d.ErrorCode != ""
}

func (t *teller) paused(in *peal.Integration) api.ExplainNext {
	p := in.Pause
	var what string
	switch p.Code {
	case peal.PauseManual:
		what = "it waits until a person resumes the integration"
	case peal.PauseSession:
		what = "it waits until the integration's session is connected; that is asked every 15 s"
	case peal.PauseThrottled:
		what = "it waits until the pause is over"
	default:
		what = "it waits until the integration is mended, changed or resumed"
	}
	return t.will(what, "pause", p.Until, facts{"code": string(p.Code), "reason": p.Reason, "since": p.Since, "expires_at": t.d.ExpiresAt})
}

func (t *teller) uncertain() api.ExplainNext {
	f := facts{"code": t.d.ErrorCode}
	switch {
	case !t.CheckAt.IsZero():
		return t.will("it is looked for in the provider's log", "reconcile", t.CheckAt, f)
	case t.Integration != nil && t.Integration.OnUnknown == peal.Hold:
		return t.will("a person says what became of it", "on_unknown_hold", time.Time{}, f)
	default:
		return t.will("a receipt, or a person, says what became of it", "on_unknown_reconcile", time.Time{}, f)
	}
}
