package whatsappcloud

import (
	"net/http"
	"strconv"
	"strings"
)

// messageHistory serves GET /{number}/message_history?message_id=.
func (s *Server) messageHistory(req *request) reply {
	id := req.URL.Query().Get("message_id")
	s.mu.Lock()
	var found []Message
	s.store.newest(func(m *Message) bool {
		if m.Number == req.num.ID && (id == "" || m.ID == id) {
			found = append(found, m.copy())
		}
		return id == "" || len(found) == 0
	})
	app := req.acc.AppID
	s.mu.Unlock()
	items, paging, refused := page(s, req, found, 100)
	if refused != nil {
		return s.refused(refused)
	}
	data := []any{}
	for i := range items {
		o, refused := s.pick(req, historyNode(&items[i], app), "WhatsAppMessageHistory", "message_id", "events")
		if refused != nil {
			return s.refused(refused)
		}
		data = append(data, o)
	}
	return jsonReply(http.StatusOK, object{"data": data, "paging": paging})
}

func historyNode(m *Message, app string) object {
	// An id of digits, the same each time.
	id := strconv.FormatInt(m.TakenAt.UnixNano(), 10)
	events := []any{}
	for i, h := range m.History {
		e := object{
			"id": id + strconv.Itoa(i), "delivery_status": strings.ToUpper(h.Status), "webhook_update_state": h.Webhook,
			"timestamp": h.At.Unix(), "application": object{"id": app},
		}
		if h.Status == StatusPlayed {
			e["delivery_status"] = "READ" // the description knows no PLAYED
		}
		if h.URL != "" {
			e["webhook_uri"] = h.URL
		}
		if h.Error != "" {
			e["error_description"] = h.Error
		}
		events = append(events, e)
	}
	return object{"id": id, "message_id": m.ID, "events": object{"data": events}}
}
