package wasender

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

func newKey() string { return rand.Text() }

// logEntry is one row of message-logs, as the documentation prints it: ids and
// content are strings, times have neither zone nor fractions. That the id is
// the msgId of the send's answer, and the zone UTC, is chosen.
type logEntry struct {
	ID           string  `json:"id"`
	SessionID    string  `json:"whatsapp_session_id"`
	To           *string `json:"to"`      // null while log_messages was off
	Content      *string `json:"content"` // the send's body without "to"; null likewise
	Status       string  `json:"status"`  // sent, failed or in_progress
	FailedReason *string `json:"failed_reason"`
	CreatedAt    string  `json:"created_at"`
	UpdatedAt    string  `json:"updated_at"`
}

func logEntryOf(m *Message) logEntry {
	at := m.TakenAt.UTC().Format(time.DateTime)
	e := logEntry{
		ID: strconv.FormatInt(m.MsgID, 10), SessionID: strconv.FormatInt(m.SessionID, 10), Status: logStatus(m),
		CreatedAt: at, UpdatedAt: at,
	}
	if e.Status == "failed" {
		reason := "The message could not be sent." // chosen
		e.FailedReason = &reason
	}
	if !m.Logged {
		return e
	}
	var body fields
	if json.Unmarshal(m.Body, &body) == nil {
		delete(body, "to")
		if content, err := json.Marshal(body); err == nil {
			text := string(content)
			e.To, e.Content = &m.To, &text
		}
	}
	return e
}

func logStatus(m *Message) string {
	switch {
	case m.Status == StatusError:
		return "failed"
	case m.Status >= StatusSent:
		return "sent"
	}
	return "in_progress"
}

// messageLogs lists the session's messages, newest first (chosen); of those
// taken while log_messages was off without recipient and content. Paging
// follows the documentation: 10 a page unless told; 100 at most is chosen.
func (s *Server) messageLogs(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	query := req.URL.Query()
	page, size, errs := paging(query, 10)
	status := query.Get("status")
	if status != "" && !slices.Contains([]string{"sent", "failed", "in_progress"}, status) {
		errs["status"] = append(errs["status"], "The selected status is invalid.")
	}
	if len(errs) > 0 {
		return invalid(errs)
	}
	list, total := []logEntry{}, 0
	s.mu.Lock()
	s.store.newest(func(m *Message) bool {
		if m.SessionID != c.ID || status != "" && logStatus(m) != status {
			return true
		}
		if total++; total > (page-1)*size && len(list) < size {
			list = append(list, logEntryOf(m))
		}
		return true
	})
	s.mu.Unlock()
	last := max(1, (total+size-1)/size)
	var next *string
	if page < last {
		url := req.URL.Path + "?page=" + strconv.Itoa(page+1)
		next = &url
	}
	return success(http.StatusOK, object{
		"current_page": page, "data": list, "last_page": last, "next_page_url": next, "per_page": size, "total": total,
	})
}

// sessionLogs lists the session's state changes, newest first.
func (s *Server) sessionLogs(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	page, size, errs := paging(req.URL.Query(), 15)
	if len(errs) > 0 {
		return invalid(errs)
	}
	var logs []sessionLog
	s.mu.Lock()
	if x := s.sessions[c.ID]; x != nil {
		logs = slices.Clone(x.logs)
	}
	s.mu.Unlock()
	slices.Reverse(logs)
	from := min((page-1)*size, len(logs))
	to := min(from+size, len(logs))
	return paged(append([]sessionLog{}, logs[from:to]...), page, size, len(logs))
}

// paged is Laravel's resource collection.
func paged(data any, page, size, total int) reply {
	return jsonReply(http.StatusOK, object{
		"success": true,
		"data":    data,
		"meta": object{
			"current_page": page,
			"last_page":    max(1, (total+size-1)/size),
			"per_page":     size,
			"total":        total,
		},
	})
}

func paging(query url.Values, unset int) (page, size int, errs fieldErrors) {
	errs = fieldErrors{}
	number := func(field string, unset, most int) int {
		text := query.Get(field)
		if text == "" {
			return unset
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			errs.add(field, "must be between 1 and "+strconv.Itoa(most)+".")
		}
		return n
	}
	return number("page", 1, 1_000_000), number("per_page", unset, 100), errs
}
