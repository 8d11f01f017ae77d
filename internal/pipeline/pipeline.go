package pipeline

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"peal/internal/peal"
)

// Streams.
const (
	Deliveries = "DELIVERIES" // jobs: work queue, one per delivery
	Callbacks  = "WEBHOOKS"   // raw webhooks, synced before the webhook is answered, and kept for long after they are folded
)

// OldCallbacks is the stream of versions that did not keep webhooks. What waits in it moves over at the start.
const OldCallbacks = "CALLBACKS"

// Subjects of the streams.
const (
	DeliverSubjects  = "deliver.>"
	LaterSubjects    = "later.>"
	CallbackSubjects = "callback.>"
)

// MaxMessage is how large a message may get, in bytes: a webhook of the largest size in base64, with what is kept beside
// it, sealed.
const MaxMessage = 5 << 20

// Partition is the only one while an integration has a single queue.
const Partition = 0

// DeliverSubject is where the job of a delivery stands. One message per subject: a second job is refused.
func DeliverSubject(integrationID string, partition int, lane peal.Priority, deliveryID string) string {
	return "deliver." + integrationID + "." + strconv.Itoa(partition) + "." + lane.String() + "." + deliveryID
}

// DeliverFilter matches all jobs of one lane of an integration's partition.
func DeliverFilter(integrationID string, partition int, lane peal.Priority) string {
	return DeliverSubject(integrationID, partition, lane, "*")
}

// DeliverAll matches all jobs of an integration.
func DeliverAll(integrationID string) string { return "deliver." + integrationID + ".>" }

// OldDeliverSubjects matches the jobs of versions that had no lanes. Their rows get new jobs from the ledger.
const OldDeliverSubjects = "deliver.*.*.*"

// LaterSubject is where a job waits for its time.
func LaterSubject(deliveryID string) string { return "later." + deliveryID }

// CallbackSubject is where an integration's webhooks are kept.
func CallbackSubject(integrationID string) string { return "callback." + integrationID }

// DeliveryOf takes the delivery's id from a subject that DeliverSubject or LaterSubject made.
func DeliveryOf(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// Job is a hint that a delivery is to be sent: now, or when it is due.
type Job struct {
	IntegrationID string
	DeliveryID    string
	Priority      peal.Priority
	Due           time.Time // zero or past: now
	Anew          bool      // of one that is due later: it takes the place of the schedule that stands, if one does
}

// Submission is what accept hands to the records: a notification with its planned deliveries.
type Submission struct {
	Notification peal.Notification
	Deliveries   []peal.Delivery
	Expansion    *Expansion // of a notification to an audience, whose deliveries come later
	Key          string     // idempotency key within the tenant; empty: none
	BodyHash     [32]byte   // of the request in canonical form
	Answer       []byte     // what the first request is answered, and every repeat
}

// Jobs are those that a submission asks for.
func (s *Submission) Jobs() []Job { return jobsOf(s.Deliveries) }

func jobsOf(deliveries []peal.Delivery) []Job {
	jobs := make([]Job, 0, len(deliveries))
	for i := range deliveries {
		if d := &deliveries[i]; d.Status == peal.Queued {
			jobs = append(jobs, Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID, Priority: d.Priority, Due: d.DueAt})
		}
	}
	return jobs
}

// Verdict is what the records made of a submission.
type Verdict struct {
	Answer   []byte // the first answer to this key, byte for byte
	Replayed bool   // an earlier request had the same key and body; nothing was written
	Conflict bool   // an earlier request had the same key and another body; nothing was written
}

// Claimed is what became of the deliveries that send asked for.
type Claimed struct {
	Ready []peal.Delivery // now Sending, and nobody else's
	Rest  []peal.Delivery // as they are: not due yet, expired, done, canceled, or found in Sending
}

// InFlight is a row that ought to have a job.
type InFlight struct {
	TenantID      string
	IntegrationID string
	DeliveryID    string
	Priority      peal.Priority
	Status        peal.Status
	DueAt         time.Time
	ExpiresAt     time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Place is where a walk over the rows in flight has come to, in the order of integration and delivery.
type Place struct{ IntegrationID, DeliveryID string }

// Callback is a webhook as it came in.
type Callback struct {
	IntegrationID string
	ReceivedAt    time.Time
	Header        http.Header
	Body          []byte
}

// Held is a webhook that the records keep, sealed, since the broker was away when it came.
type Held struct {
	ID            string
	IntegrationID string
	ReceivedAt    time.Time
	Folded        bool // it only waits for the broker, which keeps it with the others
	Body          []byte
}

// Kept is a webhook of the archive, sealed.
type Kept struct {
	Seq           uint64 // its place in the archive
	Part          int    // which of those that were kept together there, from 1; 0: it is alone
	IntegrationID string
	At            time.Time // when it came into the archive
	Body          []byte
}

// Archive is what is kept of webhooks.
type Archive struct {
	First, Last uint64 // places of the oldest and the newest
	Folded      uint64 // the place up to which all are folded in
	Count       uint64
	Bytes       uint64
}

// Unkeyed is a sent delivery that is to be looked up at its provider.
type Unkeyed struct {
	TenantID   string
	DeliveryID string
	MessageID  string
	Status     peal.Status
	SentAt     time.Time
	CheckAt    time.Time
}

// Stuck is a sent delivery of which no receipt has come, and what looking it up came to.
type Stuck struct {
	TenantID   string
	DeliveryID string
	Detail     string
}

// Lost is an uncertain delivery that is to be looked for in its account's log. Its call was made between From and To.
type Lost struct {
	TenantID      string
	IntegrationID string
	DeliveryID    string
	Recipient     string
	Payload       json.RawMessage
	Priority      peal.Priority
	Attempts      int
	Round         int
	From, To      time.Time
}

// Told is a delivery that was called for, as it concerns others that are looked for.
type Told struct {
	DeliveryID string
	MessageID  string // empty when no answer told it
	Recipient  string
	Payload    json.RawMessage
	SentAt     time.Time
}

// Finding is what looking for a lost delivery came to.
type Finding struct {
	Lost

	Next      peal.Status // Sent, Failed, or Queued when it surely is not there; empty: nobody can tell
	MessageID string      // for Sent and Failed, where it is certain
	Code      string      // for Failed
	Detail    string      // what was found, for the timeline
	At        time.Time   // when the provider took it, by its log
	Check     time.Time   // for none: when to look again; for Sent: when to look it up. Zero: never
}

// Reconciled is what findings changed.
type Reconciled struct {
	Moved []peal.Moved
	Jobs  []Job
}

// Message is one message of a stream, to be acknowledged when its work is on disk.
type Message interface {
	Subject() string
	Data() []byte
	Ack() error // it is done; the stream may forget it
	Nak() error // it is not done; give it to somebody, soon
}

// Feed is a flow of messages. Stop ends it and gives back what was not taken from C; C is closed then.
type Feed struct {
	C    <-chan Message
	Stop func()
}
