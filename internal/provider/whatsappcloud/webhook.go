package whatsappcloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// signature is the header of a webhook that proves its body.
const signature = "X-Hub-Signature-256"

// maxFacts is how many facts one body may hold: about as many statuses as fit into the 3 MB that Meta sends at most.
const maxFacts = 20_000

// maxChallenge bounds what the handshake repeats; Meta's are of some ten digits.
const maxChallenge = 256

// codeFailed is the code of a failure that Meta gives none for.
const codeFailed = "provider_error"

var (
	errNoWebhook = errors.New("whatsappcloud: the webhook's body is no JSON object")
	errTooMany   = errors.New("whatsappcloud: the webhook's body holds too many facts")
)

// CheckWebhook compares the header with the HMAC of the bytes as they came: Meta signs what it sends, escapes included.
func (Kind) CheckWebhook(in *peal.Integration, header http.Header, body []byte) bool {
	secret := in.Credentials[appSecret]
	sum, found := strings.CutPrefix(header.Get(signature), "sha256=")
	got, err := hex.DecodeString(sum)
	if secret == "" || !found || err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // never fails
	return hmac.Equal(mac.Sum(nil), got)
}

// VerifyToken is what is to be given to Meta beside the webhook's address.
func (Kind) VerifyToken(in *peal.Integration) string { return in.Credentials[verifyToken] }

// Handshake gives Meta's challenge back if it names the verify token.
func (k Kind) Handshake(in *peal.Integration, query url.Values) (string, bool) {
	want, got := k.VerifyToken(in), query.Get("hub.verify_token")
	if want == "" || got == "" || query.Get("hub.mode") != "subscribe" {
		return "", false
	}
	w, g := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)) // so that it takes the same time whatever their lengths
	challenge := query.Get("hub.challenge")
	if subtle.ConstantTimeCompare(w[:], g[:]) != 1 || len(challenge) > maxChallenge {
		return "", false
	}
	return challenge, true
}

// hook is the body of a webhook.
type hook struct {
	Entry []struct {
		At      number `json:"time"`
		Changes []struct {
			Field string `json:"field"`
			Value value  `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

// value is what changed. Which of the fields are there depends on the field.
type value struct {
	Statuses    []status          `json:"statuses"` // of messages
	Messages    []json.RawMessage `json:"messages"`
	Contacts    []person          `json:"contacts"`
	Preferences []preference      `json:"user_preferences"` // of user_preferences
	Ban         struct {
		State banState `json:"waba_ban_state"`
	} `json:"ban_info"` // of account_update
	Event string `json:"event"` // of what changed its state

	templateNews
	numberNews
}

// banState is a word, or a list that begins with one.
type banState string

// UnmarshalJSON never fails.
func (w *banState) UnmarshalJSON(b []byte) error {
	var one string
	var many []string
	if json.Unmarshal(b, &one) == nil {
		*w = banState(one)
	} else if json.Unmarshal(b, &many) == nil && len(many) > 0 {
		*w = banState(many[0])
	}
	return nil
}

// status is what became of a message of ours.
type status struct {
	ID       string       `json:"id"`
	Status   string       `json:"status"`
	At       number       `json:"timestamp"`
	Callback string       `json:"biz_opaque_callback_data"`
	To       string       `json:"recipient_id"`
	ToUserID string       `json:"recipient_user_id"`
	Errors   []graphError `json:"errors"`
}

// ParseWebhook reads a webhook: entries of changes, of statuses, inbound messages, preferences, templates and numbers, in any
// number. What comes new is no fact.
func (Kind) ParseWebhook(_ http.Header, body []byte) ([]provider.Fact, error) {
	var h hook
	if !decode(body, &h) {
		return nil, errNoWebhook
	}
	var p parser
	for i := range h.Entry {
		for j := range h.Entry[i].Changes {
			c := &h.Entry[i].Changes[j]
			switch c.Field {
			case "messages":
				for k := range c.Value.Statuses {
					p.status(&c.Value.Statuses[k])
				}
				for _, raw := range c.Value.Messages {
					p.message(raw, c.Value.Contacts)
				}
			case "user_preferences":
				for k := range c.Value.Preferences {
					p.preference(&c.Value.Preferences[k])
				}
			case "account_update":
				if p.ban(string(c.Value.Ban.State)) {
					continue
				}
				p.number(c.Field, c.Value.Event, &c.Value.numberNews, unix(h.Entry[i].At))
			case "message_template_status_update", "message_template_quality_update", "template_category_update",
				"message_template_components_update":
				p.template(c.Field, c.Value.Event, &c.Value.templateNews, unix(h.Entry[i].At))
			case "phone_number_quality_update", "account_alerts", "business_capability_update":
				p.number(c.Field, c.Value.Event, &c.Value.numberNews, unix(h.Entry[i].At))
			}
			if len(p.facts) > maxFacts {
				return nil, errTooMany
			}
		}
	}
	return p.facts, nil
}

// parser collects facts.
type parser struct {
	facts  []provider.Fact
	paused bool
	unsure bool // the catalogue of templates is to be read
}

// status adds what was seen of a message. It is known by our own id, which came back, else by Meta's.
func (p *parser) status(s *status) {
	seen, known := parseStatus(s.Status)
	if !known {
		return
	}
	e := peal.Evidence{Status: seen, At: unix(s.At)}
	if isID(s.ID) {
		e.MessageID = s.ID
	}
	if isDeliveryID(s.Callback) {
		e.DeliveryID = s.Callback
	}
	if seen == peal.Failed {
		p.failed(&e, s.Errors)
	}
	if e.Code == codeStopped {
		p.stopped(s)
	}
	if e.MessageID != "" || e.DeliveryID != "" {
		p.facts = append(p.facts, provider.Fact{Evidence: &e})
	}
}

// failed says why a message failed.
//
// Meta tells some errors twice: it refuses the send, and then reports that a message failed whose id nobody was told. By our
// own id that would end a delivery which waits for its next try. So of an error after which we try again only Meta's id
// counts: it is known if the message was taken.
func (p *parser) failed(e *peal.Evidence, all []graphError) {
	e.Code, e.Reason = codeFailed, "the provider reports that the message failed"
	if len(all) == 0 {
		return
	}
	first := &all[0]
	if first.Code.set {
		e.Code = codeText(first.Code.value)
	}
	e.Reason = wire.NewScrubber(nil).Clean(first.words())
	if w := templateWord(first.Code.value, ""); w.Status != "" && !p.unsure {
		p.unsure = true
		p.facts = append(p.facts, provider.Fact{Template: &peal.TemplateState{}})
	}
	m := first.meaning(http.StatusBadRequest)
	e.WindowClosed = m.closed
	if m.class != peal.ClassPermanent && e.MessageID != "" {
		e.DeliveryID = ""
	}
	if m.class == peal.ClassIntegration && !p.paused { // the next ones would fail, too
		p.paused = true
		p.facts = append(p.facts, provider.Fact{Session: &provider.Health{State: "failing with code " + e.Code, Reason: e.Reason}})
	}
}

// ban adds what Meta says of the account: it was disabled, or may go on. It is false when it says neither.
func (p *parser) ban(state string) bool {
	switch state {
	case "DISABLE":
		p.facts = append(p.facts, provider.Fact{Session: &provider.Health{State: "disabled", Reason: "Meta has disabled the account"}})
	case "REINSTATE":
		p.facts = append(p.facts, provider.Fact{Session: &provider.Health{OK: true, State: "reinstated"}})
	default:
		return false
	}
	return true
}

// isDeliveryID tells what can be an id of ours: others may send over the number, too, and have their own.
func isDeliveryID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if hexDigit := s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'; dash && s[i] != '-' || !dash && !hexDigit {
			return false
		}
	}
	return true
}

// parseStatus reads a message's status. What is played was read.
func parseStatus(s string) (peal.Status, bool) {
	switch strings.ToLower(s) {
	case "sent":
		return peal.Sent, true
	case "delivered":
		return peal.Delivered, true
	case "read", "played":
		return peal.Read, true
	case "failed":
		return peal.Failed, true
	default:
		return "", false
	}
}

// unix reads a time in seconds; zero for what can be none.
func unix(n number) time.Time {
	const year9999 = 253_370_764_800
	if !n.set || n.value <= 0 || n.value >= year9999 {
		return time.Time{}
	}
	return time.Unix(int64(n.value), 0).UTC()
}
