package wasender

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
)

func validateURL(errs fieldErrors, field string, raw json.RawMessage) {
	text := requiredString(errs, field, raw)
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs.add(field, "must be a valid URL.")
	}
}

func validateContact(errs fieldErrors, raw json.RawMessage) {
	var c fields
	if json.Unmarshal(raw, &c) != nil {
		errs.add("contact", "must be an object.")
		return
	}
	requiredString(errs, "contact.name", c["name"])
	phone := requiredString(errs, "contact.phone", c["phone"])
	// The documented example has a plus; a bare number is taken too (chosen).
	if phone != "" && !digits(strings.TrimPrefix(phone, "+"), 5, 15) {
		errs.add("contact.phone", "must be a phone number.")
	}
}

func validateLocation(errs fieldErrors, raw json.RawMessage) {
	var l fields
	if json.Unmarshal(raw, &l) != nil {
		errs.add("location", "must be an object.")
		return
	}
	degrees(errs, "location.latitude", l["latitude"], 90)
	degrees(errs, "location.longitude", l["longitude"], 180)
	optionalString(errs, "location.name", l["name"], 0)
	optionalString(errs, "location.address", l["address"], 0)
}

// degrees takes a number or a numeric string, as the npm package's types do.
func degrees(errs fieldErrors, field string, raw json.RawMessage, most float64) {
	if isNull(raw) {
		errs.add(field, "is required.")
		return
	}
	v, err := strconv.ParseFloat(string(bytes.Trim(raw, `"`)), 64)
	switch {
	case err != nil || math.IsNaN(v):
		errs.add(field, "must be a number.")
	case math.Abs(v) > most:
		limit := strconv.Itoa(int(most))
		errs.add(field, "must be between -"+limit+" and "+limit+".")
	}
}

func validatePoll(errs fieldErrors, raw json.RawMessage) {
	var p fields
	if json.Unmarshal(raw, &p) != nil {
		errs.add("poll", "must be an object.")
		return
	}
	requiredString(errs, "poll.question", p["question"])
	if !isNull(p["multiSelect"]) && !isBool(p["multiSelect"]) {
		errs.add("poll.multiSelect", "must be true or false.")
	}
	if isNull(p["options"]) {
		errs.add("poll.options", "is required.")
		return
	}
	var options []json.RawMessage
	if json.Unmarshal(p["options"], &options) != nil {
		errs.add("poll.options", "must be an array.")
		return
	}
	if len(options) < 2 {
		errs.add("poll.options", "must have at least 2 items.")
	}
	for i, o := range options {
		requiredString(errs, "poll.options."+strconv.Itoa(i), o)
	}
}

// validRecipient: E.164, ...@g.us or ...@newsletter.
func validRecipient(to string) bool {
	if id, ok := strings.CutSuffix(to, "@g.us"); ok {
		// Old group ids are creator-time.
		creator, at, old := strings.Cut(id, "-")
		return digits(creator, 1, 32) && (!old || digits(at, 1, 32))
	}
	if id, ok := strings.CutSuffix(to, "@newsletter"); ok {
		return digits(id, 1, 32)
	}
	number, plus := strings.CutPrefix(to, "+")
	return plus && digits(number, 7, 15) && number[0] != '0'
}

func validMention(who string) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(who, "+"), "@")
	return digits(number, 5, 32)
}

func digits(s string, from, to int) bool {
	if len(s) < from || len(s) > to {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
