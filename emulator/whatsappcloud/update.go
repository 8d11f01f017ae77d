package whatsappcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// PlayPreference posts that a user stopped or resumed marketing messages
// (value "stop" or "resume"), and keeps to it: 131050.
func (s *Server) PlayPreference(numberID, who, value string) error {
	if value != "stop" && value != "resume" {
		return fmt.Errorf("value: %q is none of stop, resume", value)
	}
	s.mu.Lock()
	n, err := s.numberOrFirst(numberID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.withUser(n.acc.ID, who, func(a *account, u *user) error {
		u.Stopped = value == "stop"
		item := object{
			"detail": "User requested to " + value + " marketing messages", "category": "marketing_messages", "value": value,
			"timestamp": s.opt.Clock().Unix(), "user_id": u.UserID,
		}
		if phone := u.shown(false); phone != "" {
			item["wa_id"] = phone
		}
		s.postChange(a, change{
			field: "user_preferences", number: n, kind: "user_preferences", item: item, contacts: []any{u.contact(false, true)},
		})
		return nil
	})
}

// PlayQuality changes a number's quality and the account's tier ("" leaves
// them), and posts phone_number_quality_update. event is Meta's: FLAGGED,
// UNFLAGGED, ONBOARDING, UPGRADE, DOWNGRADE, THROUGHPUT_UPGRADE.
func (s *Server) PlayQuality(numberID, event, quality string, tier Tier) error {
	var old Tier
	s.mu.Lock()
	n, err := s.numberOrFirst(numberID)
	if err == nil {
		old = n.acc.Tier
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if quality != "" {
		if err := s.UpdateNumber(n.ID, func(n *Number) { n.Quality = quality }); err != nil {
			return err
		}
	}
	if tier == "" {
		tier = old
	}
	if err := s.UpdateAccount(n.acc.ID, func(a *Account) { a.Tier = tier }); err != nil {
		return err
	}
	value := object{"display_phone_number": n.Phone, "event": event, "current_limit": tier, "max_daily_conversations_per_business": tier}
	if tier != old {
		value["old_limit"] = old
	}
	s.postChange(n.acc, change{field: "phone_number_quality_update", value: value})
	return nil
}

// PlayAccountUpdate changes whether the account is locked, and posts
// account_update with the event ("ACCOUNT_RESTRICTION", "DISABLED_UPDATE",
// "ACCOUNT_VIOLATION", "ACCOUNT_DELETED") and more fields of its value.
func (s *Server) PlayAccountUpdate(accountID, event string, locked bool, more map[string]any) error {
	if err := s.UpdateAccount(accountID, func(a *Account) { a.Locked = locked }); err != nil {
		return err
	}
	value := object{"event": event}
	maps.Copy(value, more)
	return s.PlayChange(accountID, "account_update", value)
}

// PlayChange posts any field with any value: account_alerts,
// business_capability_update and what comes.
func (s *Server) PlayChange(accountID, field string, value map[string]any) error {
	if field == "" {
		return errors.New("field: is required")
	}
	if _, err := json.Marshal(value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	s.mu.Lock()
	a, err := s.accountOrFirst(accountID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.postChange(a, change{field: field, value: value})
	return nil
}

// PostWebhook posts any bytes to the account's URL, signed: broken JSON, a body
// of another shape, a body of 3 MB.
func (s *Server) PostWebhook(accountID string, body []byte) error {
	s.mu.Lock()
	a, err := s.accountOrFirst(accountID)
	none := err == nil && a.WebhookURL == ""
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case none:
		return errors.New("webhook_url: the account has none")
	case len(body) == 0:
		return errors.New("body: is empty")
	}
	s.postChange(a, change{raw: body})
	return nil
}
