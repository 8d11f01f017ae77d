package wasender

import (
	"encoding/json"
	"net/http"
	"strings"
)

// applySession sets the fields of the body. Fields that mean nothing here
// (proxy_url, always_online, ...) and unknown ones are ignored, as Laravel does.
func applySession(req *request, c *Session, create bool) (reply, bool) {
	var body fields
	if isJSON(req.Request) && json.Unmarshal(req.body, &body) != nil {
		return fail(http.StatusBadRequest, "The request body is not a JSON object."), false
	}
	errs := fieldErrors{}
	text := func(field string, into *string, required bool) {
		if raw, ok := body[field]; required || ok {
			var v string
			set := true
			if required {
				v = requiredString(errs, field, raw)
			} else {
				v, set = optionalString(errs, field, raw, 0)
				set = set || string(raw) == "null" // null clears
			}
			if set {
				*into = v
			}
		}
	}
	flag := func(field string, set func(bool)) {
		if raw := body[field]; isBool(raw) {
			set(string(raw) == "true")
		} else if !isNull(raw) {
			errs.add(field, "must be true or false.")
		}
	}
	_, named := body["name"]
	_, numbered := body["phone_number"]
	text("name", &c.Name, create || named)
	text("phone_number", &c.PhoneNumber, create || numbered)
	if (create || numbered) && errs["phone_number"] == nil &&
		(!validRecipient(c.PhoneNumber) || strings.Contains(c.PhoneNumber, "@")) {
		errs.add("phone_number", "must be a phone number in E.164 format.")
	}
	text("webhook_url", &c.WebhookURL, false)
	if c.WebhookURL != "" && body["webhook_url"] != nil {
		validateURL(errs, "webhook_url", body["webhook_url"])
	}
	flag("account_protection", func(v bool) { c.AccountProtection = v })
	flag("log_messages", func(v bool) { c.LogMessages = v })
	flag("webhook_enabled", func(v bool) { c.WebhookDisabled = !v })
	if raw, ok := body["webhook_events"]; ok {
		var events []string
		if json.Unmarshal(raw, &events) != nil {
			errs.add("webhook_events", "must be an array of strings.")
		}
		c.WebhookEvents = events
	}
	if len(errs) > 0 {
		return invalid(errs), false
	}
	return reply{}, true
}
