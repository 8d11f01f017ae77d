package whatsappcloud

import (
	"net/http"
)

// node is a number as Graph shows it. nil fields are left out.
func (n *number) node() object {
	level := "STANDARD"
	if n.Throughput > 80 || n.Throughput < 0 {
		level = "HIGH"
	}
	status := "CONNECTED"
	switch {
	case n.acc.Locked:
		status = "BANNED"
	case n.Unregistered:
		status = "PENDING"
	case n.SpamLimited:
		status = "RESTRICTED"
	}
	name := "APPROVED"
	if n.NameMissing {
		name = "PENDING_REVIEW"
	}
	return object{
		"id": n.ID, "display_phone_number": n.Phone, "verified_name": n.Name, "quality_rating": n.Quality,
		"quality_score": object{"score": n.Quality}, "code_verification_status": "VERIFIED", "name_status": name, "status": status,
		"platform_type": "CLOUD_API", "account_mode": "LIVE", "is_official_business_account": false,
		"throughput":           object{"level": level},
		"messaging_limit_tier": string(n.acc.Tier),
		"whatsapp_business_manager_messaging_limit": string(n.acc.Tier),
		"webhook_configuration":                     object{"application": n.acc.WebhookURL},
		"health_status":                             object{"can_send_message": map[bool]string{true: "AVAILABLE", false: "BLOCKED"}[status == "CONNECTED"]},
		"username":                                  nil, "certificate": nil,
	}
}

func defaultNumberFields() []string {
	return []string{"verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput", "webhook_configuration"}
}

// getNumber serves GET /{number}.
func (s *Server) getNumber(req *request) reply {
	s.mu.Lock()
	all := req.num.node()
	s.mu.Unlock()
	o, refused := s.pick(req, all, "WhatsAppBusinessPhoneNumber", defaultNumberFields()...)
	if refused != nil {
		return s.refused(refused)
	}
	return jsonReply(http.StatusOK, o)
}

// listNumbers serves GET /{account}/phone_numbers.
func (s *Server) listNumbers(req *request) reply {
	s.mu.Lock()
	var found []object
	for _, id := range s.numberIDs {
		if n := s.numbers[id]; n.acc == req.acc {
			found = append(found, n.node())
		}
	}
	s.mu.Unlock()
	items, paging, refused := page(s, req, found, 100)
	if refused != nil {
		return s.refused(refused)
	}
	data := []any{}
	for _, all := range items {
		o, refused := s.pick(req, all, "WhatsAppBusinessPhoneNumber", defaultNumberFields()...)
		if refused != nil {
			return s.refused(refused)
		}
		data = append(data, o)
	}
	return jsonReply(http.StatusOK, object{"data": data, "paging": paging})
}
