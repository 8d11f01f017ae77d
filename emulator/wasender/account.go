package wasender

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// sessionView is a session as the vendor shows it. Details also have the key
// and the webhook secret.
type sessionView struct {
	ID                int64     `json:"id"`
	Name              string    `json:"name"`
	PhoneNumber       string    `json:"phone_number"`
	Status            State     `json:"status"`
	AccountProtection bool      `json:"account_protection"`
	LogMessages       bool      `json:"log_messages"`
	WebhookURL        *string   `json:"webhook_url"`
	WebhookEnabled    bool      `json:"webhook_enabled"`
	WebhookEvents     []string  `json:"webhook_events"`
	APIKey            string    `json:"api_key,omitempty"`
	WebhookSecret     string    `json:"webhook_secret,omitempty"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
}

func viewOf(c *Session, details bool) sessionView {
	v := sessionView{
		ID: c.ID, Name: c.Name, PhoneNumber: c.PhoneNumber, Status: c.State,
		AccountProtection: c.AccountProtection, LogMessages: c.LogMessages,
		WebhookEnabled: !c.WebhookDisabled, WebhookEvents: c.WebhookEvents,
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
	if c.WebhookURL != "" {
		v.WebhookURL = &c.WebhookURL
	}
	if details {
		v.APIKey, v.WebhookSecret = c.APIKey, c.WebhookSecret
	}
	return v
}

// named returns the session of the path.
func (s *Server) named(req *request) (Session, reply, bool) {
	if id, ok := req.number(0); ok {
		if c, found := s.Session(id); found {
			return c, reply{}, true
		}
	}
	return Session{}, fail(http.StatusNotFound, "WhatsApp session not found."), false // text chosen
}

func (s *Server) listSessions(*request) reply {
	views := []sessionView{}
	for _, c := range s.Sessions() {
		views = append(views, viewOf(&c, false))
	}
	return success(http.StatusOK, views)
}

func (s *Server) getSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	return success(http.StatusOK, viewOf(&c, true))
}

// createSession: name and phone_number are required, the rest has defaults
// (chosen). The session starts disconnected, on a paid plan.
func (s *Server) createSession(req *request) reply {
	c := Session{Plan: PlanPaid, State: StateDisconnected}
	if rep, ok := applySession(req, &c, true); !ok {
		return rep
	}
	c, err := s.AddSession(c)
	if err != nil {
		return fail(http.StatusUnprocessableEntity, err.Error())
	}
	return success(http.StatusCreated, viewOf(&c, true))
}

func (s *Server) updateSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	if rep, ok := applySession(req, &c, false); !ok {
		return rep
	}
	c, err := s.UpdateSession(c.ID, func(x *Session) { _, _ = applySession(req, x, false) })
	if err != nil {
		return fail(http.StatusUnprocessableEntity, err.Error())
	}
	return success(http.StatusOK, viewOf(&c, true))
}

func (s *Server) deleteSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	if s.RemoveSession(c.ID) != nil {
		return fail(http.StatusNotFound, "WhatsApp session not found.")
	}
	return success(http.StatusOK, nil)
}

// qrText is the QR string; its form follows the documented example.
func qrText(c *Session) string {
	return fmt.Sprintf("2@%s,%d", keyID(c.ID+c.UpdatedAt.UnixMilli()), c.ID)
}

func (s *Server) setState(c Session, state State) (Session, error) {
	return s.UpdateSession(c.ID, func(x *Session) { x.State = state })
}

// connectSession asks for a scan; SetState(id, StateConnected) is the phone
// that scans. The answer's status is in upper case, as documented.
func (s *Server) connectSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	if c.State == StateConnected {
		return success(http.StatusOK, object{"status": "CONNECTED", "message": "Session is already connected."})
	}
	c, err := s.setState(c, StateNeedScan)
	if err != nil {
		return fail(http.StatusNotFound, "WhatsApp session not found.")
	}
	qr := object{"qr": qrText(&c), "session_id": strconv.FormatInt(c.ID, 10)}
	s.postLater(&c, eventQR, writeEvent(eventQR, qr, &c, Shape{}, false, false, s.opt.Now()))
	return success(http.StatusOK, object{"status": "NEED_SCAN", "qrCode": qrText(&c)})
}

func (s *Server) qrCode(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	if c.State != StateNeedScan {
		return fail(http.StatusBadRequest, "The session is not waiting for a scan.") // chosen
	}
	return success(http.StatusOK, object{"qrCode": qrText(&c)})
}

func (s *Server) disconnectSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	c, err := s.setState(c, StateDisconnected)
	if err != nil {
		return fail(http.StatusNotFound, "WhatsApp session not found.")
	}
	return success(http.StatusOK, object{"status": string(c.State), "message": "WhatsApp session disconnected."})
}

// restartSession brings a connected session down and up; any other only tries
// to connect (chosen).
func (s *Server) restartSession(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	states := []State{StateConnecting}
	if c.State == StateConnected {
		states = append(states, StateConnected)
	}
	for _, state := range states {
		var err error
		if c, err = s.setState(c, state); err != nil {
			return fail(http.StatusNotFound, "WhatsApp session not found.")
		}
	}
	return done("WhatsApp session restarted.", object{"status": string(c.State)})
}

// regenerateKey has an answer of its own, without data.
func (s *Server) regenerateKey(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	c, err := s.UpdateSession(c.ID, func(x *Session) { x.APIKey = newKey() })
	if err != nil {
		return fail(http.StatusNotFound, "WhatsApp session not found.")
	}
	return jsonReply(http.StatusOK, object{"success": true, "api_key": c.APIKey})
}
