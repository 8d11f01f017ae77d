package explain

// Rule is one rule by which Peal decides: its name is stable, programs may go by it.
type Rule struct {
	Name string
	Why  string // in a sentence
	Docs string // where it is documented
}

const (
	docsAPI     = "docs/api.md"
	docsStates  = "docs/states.md"
	docsClasses = "docs/states.md#what-an-attempt-comes-to"
	docsRetries = "docs/states.md#retries"
	docsDoubt   = "docs/states.md#uncertain"
	docsLost    = "docs/states.md#looking-for-a-lost-message"
	docsByHand  = "docs/states.md#by-hand"
	docsDead    = "docs/states.md#dead-letters"
	docsPauses  = "docs/states.md#pauses-of-an-integration"
	docsStuck   = "docs/states.md#sent-without-a-receipt"
	docsFlow    = "docs/flow.md"
	docsConsent = "docs/inbound.md#opting-out-and-in"
	docsWindow  = "docs/inbound.md#the-24-hour-window"
	docsLadders = "docs/ladders.md"
	docsPushes  = "docs/api.md#pushes"

	docsTemplates = "docs/providers/whatsapp_cloud.md#templates"
)

// Rules lists all rules that have a name here, in the order of a notification's life. A code that is not among them is
// told as it is: whoever adds a code of skips, failures or waits adds its line.
func Rules() []Rule { //nolint:funlen // it is a table
	return []Rule{
		{"accepted", "the request was right, and is on disk", docsAPI},
		{"idempotency_key", "a request with the same key and body within 24 hours is answered as the first was, and sends nothing", docsAPI},
		{"event_key", "without an idempotency key the recipient, the event's type and its time stand for one", docsAPI},
		{"integration", "it goes over the integration that the request names, else over the tenant's only one of the channel", docsAPI},
		{"device", "a push goes to each of the user's devices that its app registered, over the integration that serves its app", docsPushes},
		{"user_phone", "the user's phone number is the one that Peal was told last", docsAPI},

		{"no_phone", "no phone number is known of the user", docsAPI},
		{"no_device", "the user has no device that may be sent to", docsPushes},
		{"permission_denied", "the device may not show notifications, by its own word", docsPushes},
		{"device_retired", "its provider gave the device up; it is sent to when its app registers it again", docsPushes},
		{"device_gone", "the device was deleted after this was accepted", docsPushes},
		{"device_moved", "the device is another user's since this was accepted", docsPushes},
		{"device_changed", "the device has registered another way since, which the integration does not reach", docsPushes},
		{"opted_out", "the contact does not want messages of this kind", docsConsent},
		{"no_opt_in", "messages of this kind only go to who has asked for them", docsConsent},
		{"window_closed", "free text may only go within 24 hours of the contact's last message", docsWindow},
		{"fell_back", "refused outside of these 24 hours, it goes once more, as its fallback template", docsWindow},
		{"template", "the provider does not let the template be sent now: what is of it waits, the others go on", docsTemplates},
		{"ladder", "the notification names what to try one after the other, until a receipt comes", docsLadders},
		{"ladder_satisfied", "a receipt on another rung of the ladder made it needless", docsLadders},
		{"ladder_due", "no such receipt came on a rung before until its turn", docsLadders},
		{"ladder_ended", "its turn came early, since the rung before had ended without success", docsLadders},

		{"turn", "its job stood behind others, or was on its way through the queue", docsFlow},
		{"limit", "the integration's limit: so many sends in any window", docsFlow},
		{"place", "as many calls were in the air as the integration's concurrency allows", docsFlow},
		{"pause", "the integration was paused; what is accepted for it waits", docsPauses},
		{"recipient_limit", "the recipient's own limit; the others go on", docsFlow},
		{"quiet", "the provider wants this recipient, or its like, left in peace for a while", docsClasses},

		{"send_at", "it is not sent before its time", docsAPI},
		{"expires_at", "it is never sent after its time is over", docsRetries},
		{"attempt_accepted", "the provider took it; that it arrived is another matter", docsClasses},
		{"attempt_temporary", "a failure that passes: it is tried again later", docsClasses},
		{"attempt_throttled", "too fast for the provider: what it concerns waits, and no attempt is used up", docsClasses},
		{"attempt_gone", "the device is no more: it failed at once, and the device is retired", docsClasses},
		{"attempt_permanent", "the provider will never take this: it failed at once", docsClasses},
		{"attempt_integration", "the account is at fault, not the message: the integration pauses, and no attempt is used up", docsClasses},
		{"attempt_unknown", "the request was written and no answer came that can be read: it may have gone out", docsClasses},
		{"out_of_attempts", "the last attempt has failed: it is a dead letter, and waits for a person", docsDead},
		{"retry", "each wait is three times the one before, or what the provider asks for", docsRetries},

		{"receipt", "the provider says what became of it; states only move forward", docsStates},
		{"client_receipt", "the app or the browser says what became of it", docsPushes},
		{"receipt_after_failure", "proof that it arrived wins over a failure", docsStates},
		{"message_key", "the provider's webhooks name the message by another id; the two are joined now", docsFlow},
		{"reconcile", "what was lost without an answer is looked for in the provider's log", docsLost},
		{"on_unknown_hold", "on_unknown is hold: nobody is asked, a person decides", docsDoubt},
		{"on_unknown_reconcile", "on_unknown is reconcile: it is never sent again without evidence", docsDoubt},
		{"no_receipt", "receipt_timeout is over without a receipt: it was looked up at the provider, which did not help", docsStuck},
		{"look_up", "what has no receipt is looked up at the provider", docsFlow},

		{"redrive", "a dead letter was queued again, with as many attempts as a new one", docsDead},
		{"discard", "a dead letter was let go of; it stays failed", docsDead},
		{"resolve", "a person has found out what became of it", docsByHand},
		{"cancel", "it was canceled before it was sent", docsStates},
		{"restored", "the records went back to a backup, and what became of it since is not known", "docs/operating.md"},
		{"end", "it has come to an end; nothing happens to it any more", docsStates},
	}
}

// book finds rules by their names.
type book map[string]Rule

func newBook() book {
	b := book{}
	for _, r := range Rules() {
		b[r.Name] = r
	}
	return b
}

// rule gives the first of the names that is a rule's; else the first one stands for itself.
func (b book) rule(names ...string) Rule {
	for _, n := range names {
		if r, ok := b[n]; ok {
			return r
		}
	}
	for _, n := range names {
		if n != "" {
			return Rule{Name: n, Why: "the code says why", Docs: ""}
		}
	}
	return Rule{Name: "other", Why: "it is in the timeline"}
}
