package peal

import "time"

// Class says what an attempt came to, and thereby what happens next (docs/states.md).
type Class string

// The classes of outcomes.
const (
	ClassNone        Class = ""            // no call was made after all: back into the queue
	ClassAccepted    Class = "accepted"    // the provider took it: sent
	ClassTemporary   Class = "temporary"   // nothing was sent; try again later
	ClassThrottled   Class = "throttled"   // too fast: pause the integration, no attempt used up
	ClassGone        Class = "gone"        // the device is no more: failed, retire it
	ClassPermanent   Class = "permanent"   // this will never work: failed
	ClassIntegration Class = "integration" // the account is at fault: pause it, keep its jobs
	ClassUnknown     Class = "unknown"     // the request was written and no answer came: uncertain
)

// Outcome is what one attempt came to.
type Outcome struct {
	Class      Class
	MessageID  string        // the provider's id, when accepted
	Code       string        // stable short code: the provider's or ours
	Reason     string        // the provider's words, shortened, without secrets
	RetryAfter time.Duration // the provider's wish; 0 when it had none
	Took       time.Duration // how long the call took
	Pause      PauseCode     // for ClassThrottled and ClassIntegration: what the pause is called
	Quiet      string        // for ClassThrottled: whom alone it concerns, one of the client's groups or QuietRecipient; empty: all
	Growth     Growth        // for ClassThrottled with Quiet: how the waits grow where RetryAfter is 0; zero: as send's own do
	Ease       time.Duration // for ClassThrottled of all: for how long its limit is halved
	MaxTries   int           // for ClassTemporary: how many attempts are worth it at most; 0: the integration's
	Device     DeviceWord    // what it says of the device
	// WindowClosed: the recipient has not written in the last 24 hours, and it was no template.
	WindowClosed bool
	OptedOut     bool         // the recipient has opted out of marketing
	Template     TemplateWord // what it says of the message's template
}

// Growth is how waits grow that follow one another: Base, then Factor times as long each, up to Most.
type Growth struct {
	Base, Most time.Duration
	Factor     int
}

// QuietRecipient is the Outcome.Quiet that concerns the recipient of the message alone.
const QuietRecipient = "recipient"

// CodeInterrupted is the code of an attempt that ended with its process.
const CodeInterrupted = "interrupted"

// CodePoison is the code of a delivery that makes Peal's own code fail.
const CodePoison = "poison"

// CodeRecipientLimit is the code of a delivery that waits because its recipient was sent as much as its limit allows.
const CodeRecipientLimit = "recipient_limit"

// CodeQuiet is the code of a delivery that waits because its provider wants to be left in peace by its recipient's messages,
// or by those of one of its groups.
const CodeQuiet = "quiet"

// CodeRestored is the code of a delivery that may have been sent after the backup was made from which it came.
const CodeRestored = "restored"

// CodeNoReceipt is the code of a sent delivery of which no receipt has come, though it should have.
const CodeNoReceipt = "no_receipt"

// CodeClient is the code of what a client reported of its delivery: its app or its browser, not a provider.
const CodeClient = "client"

// Attempt is one finished call for a delivery, to be recorded.
type Attempt struct {
	TenantID      string
	DeliveryID    string
	IntegrationID string
	Number        int
	Priority      Priority // the lane that a retry waits in
	Ladder        bool     // its delivery may be one of a ladder, which goes by what becomes of it
	Outcome       Outcome
	At            time.Time
	Waited        time.Duration // since it might have been made
	WaitedFor     WaitFor

	// What send has decided by the outcome and the integration's policy:
	Next  Status    // Sent, Queued, Failed, Uncertain; or Skipped, of no call, when there was nobody to call for
	Due   time.Time // for Queued: not before
	Dead  bool      // for Failed: it ran out of attempts and is a dead letter
	Check time.Time // when to look it up at the provider if no receipt has come; zero for never
}

// Evidence is what a provider says of a delivery later: a receipt from a webhook, or the answer of a look-up.
type Evidence struct {
	TenantID      string
	IntegrationID string
	DeliveryID    string    // whose it is, where that is known: of a look-up. Then nothing else is compared
	MessageID     string    // the provider's id from its answer to the send, if the evidence carries it
	MessageKey    string    // the id that its webhooks use
	Status        Status    // Sent, Delivered, Read or Failed; empty when it only joins the two ids
	Code          string    // for Failed; CodeClient of a client's report
	Reason        string    // the provider's words; of a client's report what was done, such as opened
	At            time.Time // by the provider's clock; zero when it did not say
	Keyless       bool      // of a provider whose webhooks name messages by MessageID: there is no key to learn
	WindowClosed  bool      // of Failed: as of an Outcome
}
