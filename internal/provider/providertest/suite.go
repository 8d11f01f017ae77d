// Package providertest is the suite that every kind of provider must pass.
//
// It talks HTTP to a stand-in for the provider, usually its emulator, and holds what the pipeline relies on: the class
// of each outcome, that a send is one call, that an outcome gives nothing away, and that no webhook breaks the parser.
// What only one vendor does (its payloads, its codes, its shapes) belongs in the kind's own tests.
package providertest

import (
	"net/http"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// Suite is what the tests need to know of a kind.
type Suite struct {
	Kind provider.Kind
	// Integration makes the settings of an account that the server knows.
	Integration func(baseURL string) *peal.Integration
	// Message is one that the provider takes. Its recipient is a phone number, or it has a device.
	Message provider.Message
	// Device makes the message's device, where it depends on the server's address. Optional.
	Device func(baseURL string) *peal.Device
	// Start makes a stand-in that takes every message. It cleans up by t.Cleanup.
	Start func(t *testing.T) Server
	// Sign gives a webhook the header that proves it by the integration's secret.
	Sign func(in *peal.Integration, header http.Header, body []byte)
	// Webhooks are bodies that each hold at least one fact.
	Webhooks map[string][]byte
	// NoWebhooks says that the provider has none: Sign and Webhooks are not needed, and every webhook is refused.
	NoWebhooks bool
	// NoSession says that an account has no session that could be offline.
	NoSession bool
	// TLS serves HTTP/2 over TLS, by a certificate that the integration's CA names; and every base URL is a https one.
	TLS bool
	// Connections are how many calls in a row use, those for tokens included. Default 1.
	Connections int
	// NoBaseURL says that integrations have no base URL: each device brings the one that is called. A URL that leads to an
	// address that is not to be called is then the device's fault.
	NoBaseURL bool
	// AnyAnswer says that a status of 2xx is all that an acceptance needs.
	AnyAnswer bool
	// Statuses take the place of the suite's own table, where the vendor gives statuses a meaning of its own.
	Statuses []Status
}

// Status says what a bare HTTP status comes to.
type Status struct {
	Status     int
	RetryAfter string // the header
	Class      peal.Class
	Wait       time.Duration
	Pause      peal.PauseCode
	Calls      int // default 1
}

// Server is a stand-in for the provider.
type Server interface {
	http.Handler
	// BasePath is the path of the API, such as "/api".
	BasePath() string
	// IsSend tells calls that send a message from others.
	IsSend(r *http.Request) bool
	// Taken is how many messages it has taken.
	Taken() int
	// Fail makes every further call fail so, until the next Fail.
	Fail(t *testing.T, f Failure)
}

// Failure is a way in which calls fail. The zero value is none.
type Failure struct {
	Mode       Mode
	Status     int    // ModeStatus: the HTTP status
	RetryAfter string // ModeStatus: the header of that name; the body is to name no other time
	Text       string // ModeRefuse: what the provider says about it
	Everywhere bool   // not sends only, but every call
}

// Mode is a sort of failure.
type Mode string

// The modes. Unless it says that the message is taken, it is not.
const (
	ModeNone       Mode = ""
	ModeStatus     Mode = "status"      // answers Status
	ModeRefuse     Mode = "refuse"      // refuses the message for good, in the vendor's shape, with Text as its words
	ModeDropBefore Mode = "drop_before" // closes the connection
	ModeDropAfter  Mode = "drop_after"  // takes the message and closes the connection
	ModeHold       Mode = "hold"        // does not answer until the caller has gone
	ModeGarbage    Mode = "garbage"     // takes the message and answers 200 with what nobody can read
	ModeOffline    Mode = "offline"     // says that the account is not connected, everywhere; only for kinds that have that
)

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	if s.Kind == nil || s.Integration == nil || s.Start == nil || !s.NoWebhooks && (s.Sign == nil || len(s.Webhooks) == 0) {
		t.Fatal("the suite is not whole: it needs a kind, an integration, a server, and at least one webhook")
	}
	ran := 0
	for _, c := range []struct {
		name string
		test func(*testing.T, *Suite)
	}{
		{"Kind", testKind},
		{"Devices", testDevices},
		{"Open", testOpen},
		{"Accepted", testAccepted},
		{"Statuses", testStatuses},
		{"Lost", testLost},
		{"NeverWritten", testNeverWritten},
		{"Context", testContext},
		{"Discretion", testDiscretion},
		{"Reuse", testReuse},
		{"Concurrent", testConcurrent},
		{"Close", testClose},
		{"Offline", testOffline},
		{"Lookup", testLookup},
		{"Preview", testPreview},
		{"Validate", testValidate},
		{"Webhooks", testWebhooks},
		{"WebhookSecret", testWebhookSecret},
		{"WebhookJunk", testWebhookJunk},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, &s)
			ran++
		})
	}
	if ran == 0 && !t.Failed() {
		t.Fatal("the suite ran no case")
	}
}
