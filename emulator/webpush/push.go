package webpush

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxTopic is how long a Topic may be (RFC 8030, section 5.4).
const maxTopic = 32

// push is a request to an endpoint, as far as it has been read.
type push struct {
	sub     *subscription
	now     time.Time
	ttl     time.Duration
	urgency string
	topic   string
	body    []byte
	large   bool // more than MaxBody came
	header  http.Header
}

// headers reads and checks what comes before the body.
func (s *Server) headers(p *push) (reply, bool) {
	if rep, ok := s.readTTL(p); !ok {
		return rep, false
	}
	if rep, ok := s.authorise(p); !ok {
		return rep, false
	}
	switch values := p.header.Values("Urgency"); {
	case len(values) == 0:
		p.urgency = "normal"
	case len(values) == 1 && slices.Contains([]string{"very-low", "low", "normal", "high"}, values[0]):
		p.urgency = values[0]
	default:
		return refuse(http.StatusBadRequest, errnoHeader, "Urgency must be one of very-low, low, normal, high"), false
	}
	if values := p.header.Values("Topic"); len(values) > 0 {
		if len(values) > 1 || !validTopic(values[0]) {
			return refuse(http.StatusBadRequest, errnoTopic, "Topic must be 1 to 32 characters of the base64url alphabet"), false
		}
		p.topic = values[0]
	}
	return reply{}, true
}

func validTopic(topic string) bool {
	if topic == "" || len(topic) > maxTopic {
		return false
	}
	return !strings.ContainsFunc(topic, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// readTTL wants the header, as RFC 8030 does; ntfy neither wants nor heeds it.
func (s *Server) readTTL(p *push) (reply, bool) {
	if p.sub.ntfy {
		p.ttl = ntfyKeeps
		return reply{}, true
	}
	values := p.header.Values("TTL")
	if len(values) == 0 {
		return refuse(http.StatusBadRequest, errnoHeader, "Missing TTL header"), false
	}
	if len(values) > 1 || values[0] == "" || strings.Trim(values[0], "0123456789") != "" {
		return refuse(http.StatusBadRequest, errnoTTL, "TTL must be one whole number of seconds"), false
	}
	seconds, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || seconds > math.MaxInt64/int64(time.Second) {
		p.ttl = s.opt.MaxTTL // longer than anyone keeps: cut, not refused
		return reply{}, true
	}
	p.ttl = min(time.Duration(seconds)*time.Second, s.opt.MaxTTL)
	return reply{}, true
}

// authorise checks the VAPID token. A subscription made with a key takes no
// other; 401 is a token that is not good, 403 a good one of somebody else.
func (s *Server) authorise(p *push) (reply, bool) {
	values := p.header.Values("Authorization")
	if p.sub.ntfy && (p.sub.vapid == "" || len(values) == 0) {
		return reply{}, true
	}
	if len(values) != 1 {
		rep := refuse(http.StatusUnauthorized, errnoAuth, "Authorization must be given once")
		rep.outcome = outcomeUnauthorized
		return rep.with("WWW-Authenticate", "vapid"), false
	}
	c := s.tokens.read(values[0])
	if err := c.check(p.sub.origin, p.now, !s.opt.AllowNoSubject); err != nil {
		rep := refuse(http.StatusUnauthorized, errnoAuth, err.Error())
		rep.outcome = outcomeUnauthorized
		return rep.with("WWW-Authenticate", "vapid"), false
	}
	if c.key != p.sub.vapid {
		rep := refuse(http.StatusForbidden, errnoAuth, "the subscription was made with another VAPID key than k")
		rep.outcome = outcomeUnauthorized
		return rep, false
	}
	return reply{}, true
}

// read checks the body and decrypts it.
func (s *Server) read(p *push) (plaintext, reply, bool) {
	if p.large {
		rep := refuse(http.StatusRequestEntityTooLarge, errnoTooLarge, fmt.Sprintf("the body must have %d bytes at most", MaxBody))
		return plaintext{}, rep, false
	}
	if len(p.body) == 0 {
		if s.opt.AllowEmpty && !p.sub.ntfy {
			return plaintext{}, reply{}, true
		}
		return plaintext{}, refuse(http.StatusBadRequest, errnoCrypto, "the body must have 1 byte at least"), false
	}
	if encoding := p.header.Values("Content-Encoding"); len(encoding) != 1 || encoding[0] != "aes128gcm" {
		return plaintext{}, refuse(http.StatusBadRequest, errnoMissingKeys, "Content-Encoding must be aes128gcm"), false
	}
	h, err := readHeader(p.body)
	if err != nil {
		return plaintext{}, refuse(http.StatusBadRequest, errnoCrypto, err.Error()), false
	}
	if s.opt.DecryptOneIn > 1 && s.taken.Load()%int64(s.opt.DecryptOneIn) != 0 {
		return plaintext{padding: -1}, reply{}, true
	}
	plain, err := h.open(p.sub.key, p.sub.auth)
	if err != nil {
		return plaintext{}, refuse(http.StatusBadRequest, errnoCrypto, err.Error()), false
	}
	return plain, reply{}, true
}

// accept serves one push: checks, takes, answers.
func (s *Server) accept(p *push) (reply, []Shown) {
	if status := s.goneNow(p); status != 0 {
		errno := map[int]int{http.StatusNotFound: errnoExpired, http.StatusGone: errnoInvalid}[status]
		rep := refuse(status, errno, "the subscription is no more")
		rep.outcome = outcomeGone
		return rep, nil
	}
	if rep, ok := s.headers(p); !ok {
		return rep, nil
	}
	plain, rep, ok := s.read(p)
	broken := ""
	if !ok {
		if rep.status != http.StatusBadRequest || (!s.opt.Blind && !p.sub.ntfy) || len(p.body) == 0 {
			return rep, nil
		}
		broken = rep.why
	}
	m, shown := s.take(p, plain, broken)
	rep = reply{outcome: outcomeAccepted, message: m}
	if p.sub.ntfy {
		answer := jsonReply(http.StatusOK, map[string]any{
			"id": m.ID[:12], "time": p.now.Unix(), "expires": p.now.Add(ntfyKeeps).Unix(), "event": "message",
			"topic": strings.TrimPrefix(p.sub.path, "/"), "message": base64.StdEncoding.EncodeToString(p.body), "encoding": "base64",
		})
		rep.status, rep.header, rep.body = answer.status, answer.header, answer.body
		return rep, shown
	}
	rep.status = http.StatusCreated
	rep.header = map[string]string{
		"Location": p.sub.origin + "/message/" + m.ID,
		"TTL":      strconv.FormatInt(int64(p.ttl/time.Second), 10),
	}
	return rep, shown
}

func (s *Server) goneNow(p *push) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.sub.goneAt(p.now)
}

// discovery tells that this is a UnifiedPush server, as ntfy does.
func discovery() reply {
	return jsonReply(http.StatusOK, map[string]any{"unifiedpush": map[string]any{"version": 1}})
}
