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

// logEntry is one row of message-logs; the vendor prints none, so its fields
// are chosen.
type logEntry struct {
	ID        int64           `json:"id"`
	MsgID     int64           `json:"msgId"`
	To        string          `json:"to"`
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Content   json.RawMessage `json:"content"`
	Status    string          `json:"status"` // sent, failed or in_progress
	CreatedAt time.Time       `json:"created_at"`
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

// messageLogs lists messages taken while log_messages was on, newest first.
// Paging follows Laravel: 15 a page unless told, 100 at most.
func (s *Server) messageLogs(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	query := req.URL.Query()
	page, size, errs := paging(query)
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
		if m.SessionID != c.ID || !m.Logged || status != "" && logStatus(m) != status {
			return true
		}
		if total++; total > (page-1)*size && len(list) < size {
			list = append(list, logEntry{
				ID: m.MsgID, MsgID: m.MsgID, To: m.To, Type: m.Kind, Text: m.Text, Content: m.Body,
				Status: logStatus(m), CreatedAt: m.TakenAt.UTC(),
			})
		}
		return true
	})
	s.mu.Unlock()
	return paged(list, page, size, total)
}

// sessionLogs lists the session's state changes, newest first.
func (s *Server) sessionLogs(req *request) reply {
	c, rep, ok := s.named(req)
	if !ok {
		return rep
	}
	page, size, errs := paging(req.URL.Query())
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

func paging(query url.Values) (page, size int, errs fieldErrors) {
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
	return number("page", 1, 1_000_000), number("per_page", 15, 100), errs
}
