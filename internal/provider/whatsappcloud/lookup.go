package whatsappcloud

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// askTimeout bounds a call that sends nothing.
const askTimeout = 5 * time.Second

// history is the answer of GET /{number}/message_history.
type history struct {
	Data []struct {
		MessageID string `json:"message_id"`
		Events    struct {
			Data []struct {
				Status string `json:"delivery_status"`
				At     number `json:"timestamp"`
				Error  string `json:"error_description"`
			} `json:"data"`
		} `json:"events"`
	} `json:"data"`
	Error *graphError `json:"error"`
}

// Lookup asks for the message's history; of its statuses the furthest counts.
func (c *client) Lookup(ctx context.Context, messageID string) (peal.Evidence, error) {
	none := &provider.Error{Class: peal.ClassPermanent, Code: codeNotFound, Err: errors.New("the provider does not know the message")}
	if !isID(messageID) || c.set.PhoneNumberID == "" {
		return peal.Evidence{}, none
	}
	var h history
	err := c.get(ctx, "/message_history", url.Values{
		"message_id": {messageID}, "fields": {"id,message_id,events{delivery_status,error_description,timestamp}"},
	}, &h, func() *graphError { return h.Error })
	if err != nil {
		return peal.Evidence{}, err
	}
	ev := peal.Evidence{MessageID: messageID, MessageKey: messageID}
	for _, d := range h.Data {
		if d.MessageID != messageID {
			continue
		}
		for _, e := range d.Events.Data {
			s, known := parseStatus(e.Status)
			if !known || ev.Status != "" && s.Rank() <= ev.Status.Rank() && s != peal.Failed {
				continue
			}
			if s == peal.Failed && ev.Status.Rank() >= peal.Delivered.Rank() {
				continue // it arrived
			}
			ev.Status, ev.At = s, unix(e.At)
			if s == peal.Failed {
				ev.Code, ev.Reason = codeFailed, c.scrub.Clean(e.Error)
			}
		}
		return ev, nil
	}
	return peal.Evidence{}, none
}

// numberAnswer is a number as Graph shows it.
type numberAnswer struct {
	Status string `json:"status"`
	Health struct {
		CanSend string `json:"can_send_message"`
	} `json:"health_status"`
	Error *graphError `json:"error"`
}

// Probe asks for the number's state. A gateway is not asked: it need not have that.
func (c *client) Probe(ctx context.Context) provider.Health {
	if c.set.MessagesPath != "" {
		return provider.Health{OK: true}
	}
	var n numberAnswer
	err := c.get(ctx, "", url.Values{"fields": {"status,health_status"}}, &n, func() *graphError { return n.Error })
	if err != nil {
		return provider.Health{Reason: err.Error()}
	}
	h := provider.Health{OK: true, State: word(n.Status), Reason: versionWarning(c.set.GraphVersion, time.Now())}
	switch {
	case n.Health.CanSend == "BLOCKED":
		h.OK, h.Reason = false, "Meta says that the number cannot send"
	case n.Health.CanSend == "" && h.State != "connected" && h.State != "":
		h.OK, h.Reason = false, "the number is "+h.State
	}
	return h
}

// word reads a state; empty when it is no single word of letters.
func word(s string) string {
	s = strings.ToLower(s)
	if len(s) > 32 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return s
}

// get asks for something of the number.
func (c *client) get(ctx context.Context, edge string, query url.Values, into any, said func() *graphError) error {
	return c.getPath(ctx, c.path(edge), query, into, said)
}

func (c *client) getPath(ctx context.Context, path string, query url.Values, into any, said func() *graphError) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return c.ask(ctx, c.request(http.MethodGet, path, query), into, said)
}

// ask makes a call that sends no message.
func (c *client) ask(ctx context.Context, req *http.Request, into any, said func() *graphError) error {
	r, err := c.call(req.WithContext(ctx), into)
	return c.verdict(ctx, &r, err, said)
}

// verdict is the error of a call that asks for something; nil where it was answered.
func (c *client) verdict(ctx context.Context, r *reply, err error, said func() *graphError) error {
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
	if e := said(); r.broken == nil && e != nil && e.Code.set {
		m := e.meaning(r.status)
		return &provider.Error{
			Class: m.class, Code: codeText(e.Code.value), RetryAfter: cmp.Or(usageWait(r.header), m.wait),
			Err: errors.New(c.scrub.Clean(e.words())),
		}
	}
	if r.status/100 == 2 && r.broken == nil {
		return nil
	}
	if r.status/100 == 2 {
		return &provider.Error{Class: peal.ClassTemporary, Code: codeBadAnswer, Err: errNotJSON}
	}
	out := judgeStatus(r)
	if out.Class == peal.ClassUnknown { // asking twice does no harm
		out.Class = peal.ClassTemporary
	}
	return &provider.Error{Class: out.Class, Code: out.Code, RetryAfter: out.RetryAfter, Err: errors.New(out.Reason)}
}
