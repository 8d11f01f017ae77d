package wasender

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// connected is the only state of a session in which it sends.
const connected = "connected"

// info is the answer of GET /messages/{msgId}/info.
type info struct {
	Success json.RawMessage `json:"success"`
	Message json.RawMessage `json:"message"`
	Retry   json.RawMessage `json:"retry_after"`
	Data    struct {
		Key struct {
			ID json.RawMessage `json:"id"`
		} `json:"key"`
		Status           json.RawMessage `json:"status"`
		MessageTimestamp json.RawMessage `json:"messageTimestamp"`
	} `json:"data"`
}

// Lookup asks for the message's state and its WhatsApp key, by which webhooks name it.
func (c *client) Lookup(ctx context.Context, messageID string) (peal.Evidence, error) {
	if !pathSafe(messageID) {
		return peal.Evidence{}, &provider.Error{Class: peal.ClassPermanent, Code: codeNotFound, Err: errors.New("no id of this provider")}
	}
	var a info
	if err := c.get(ctx, "/messages/"+messageID+"/info", &a, &a.Retry); err != nil {
		return peal.Evidence{}, err
	}
	if isFalse(a.Success) {
		return peal.Evidence{}, &provider.Error{
			Class: peal.ClassTemporary, Code: codeRejected, Err: errors.New("the provider refused the look-up without a documented reason"),
		}
	}
	status, known := parseStatus(a.Data.Status)
	key := asID(a.Data.Key.ID)
	if !known && key == "" {
		return peal.Evidence{}, badAnswer()
	}
	ev := peal.Evidence{MessageID: messageID, MessageKey: key, Status: status}
	if status == peal.Failed {
		ev.Code, ev.Reason = codeProviderError, reasonProviderError
	}
	// messageTimestamp is when the message was sent; of when it arrived or was read the answer says nothing.
	if status == peal.Sent || status == "" {
		ev.At = asTime(a.Data.MessageTimestamp)
	}
	return ev, nil
}

// pathSafe tells ids that can stand in a path as they are.
func pathSafe(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '-'
	})
}

// stateAnswer is the body of GET /status, with the envelope of the provider's other answers or without.
type stateAnswer struct {
	Status json.RawMessage `json:"status"`
	Data   struct {
		Status json.RawMessage `json:"status"`
	} `json:"data"`
	Retry json.RawMessage `json:"retry_after"`
}

// Probe asks for the session's state.
func (c *client) Probe(ctx context.Context) provider.Health {
	state, err := c.state(ctx)
	if err != nil {
		return provider.Health{Reason: err.Error()}
	}
	return health(state)
}

// health is what a session's state means.
func health(state string) provider.Health {
	if state == connected {
		return provider.Health{OK: true, State: state}
	}
	return provider.Health{State: state, Reason: "the session is " + state}
}

// state asks for the session's state, in lower case.
func (c *client) state(ctx context.Context) (string, *provider.Error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var a stateAnswer
	if err := c.get(ctx, "/status", &a, &a.Retry); err != nil {
		return "", err
	}
	for _, raw := range []json.RawMessage{a.Status, a.Data.Status} {
		if s := sessionState(raw); s != "" {
			return s, nil
		}
	}
	return "", badAnswer()
}

// sessionState reads the word for a session's state; empty when it is no single word of letters.
func sessionState(raw json.RawMessage) string {
	s := strings.ToLower(strings.TrimSpace(asString(raw)))
	if len(s) > 32 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return s
}

// get asks for something. Its errors carry no words of the provider.
func (c *client) get(ctx context.Context, path string, into any, wait *json.RawMessage) *provider.Error {
	return c.ask(ctx, c.request(http.MethodGet, path), maxAnswer, into, wait)
}

// ask is get with a request of another sort.
func (c *client) ask(ctx context.Context, req *http.Request, most int, into any, wait *json.RawMessage) *provider.Error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	r, err := c.callFor(req.WithContext(ctx), most, into)
	if err == nil && r.status/100 == 2 && r.broken != nil && !errors.Is(r.broken, errNotJSON) {
		err = r.broken
	}
	if err != nil {
		code, reason := wire.Diagnose(ctx, err)
		class := peal.ClassTemporary
		if code == wire.CodeGuard {
			class = peal.ClassIntegration
		}
		return &provider.Error{Class: class, Code: code, Err: errors.New(reason)}
	}
	if r.status/100 == 2 {
		if r.broken != nil {
			return badAnswer()
		}
		return nil
	}
	return refused(&r, *wait)
}

// refused is the error of an answer that is not 2xx.
func refused(r *reply, body json.RawMessage) *provider.Error {
	e := &provider.Error{
		Class: peal.ClassTemporary, Code: statusCode(r.status), Err: errors.New("the provider answered " + wire.StatusText(r.status)),
	}
	switch s := r.status; {
	case s >= 300 && s < 400:
		e.Class, e.Code = peal.ClassIntegration, codeRedirect
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusPaymentRequired:
		e.Class = peal.ClassIntegration
	case s == http.StatusTooManyRequests:
		e.Class, e.RetryAfter = peal.ClassThrottled, throttleWait(r.header, body)
	case notThere(s):
		e.Class, e.Code = peal.ClassPermanent, codeNotFound
	case s == http.StatusBadRequest, s == http.StatusUnprocessableEntity:
		e.Class = peal.ClassPermanent
	case s >= 500:
		e.RetryAfter = retryAfter(r.header, body)
	}
	return e
}

// badAnswer is the error of an answer that cannot be understood.
func badAnswer() *provider.Error {
	return &provider.Error{Class: peal.ClassTemporary, Code: codeBadAnswer, Err: errNotJSON}
}
