package wasender

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// fieldErrors are Laravel's: field to texts. The texts follow Laravel's
// standard ones; the vendor prints only "The to field is required.".
type fieldErrors map[string][]string

func (e fieldErrors) add(field, text string) {
	e[field] = append(e[field], "The "+field+" field "+text)
}

func invalid(errs fieldErrors) reply {
	return jsonReply(http.StatusUnprocessableEntity, object{
		"success": false, "message": "Validation failed", "errors": errs,
	})
}

// contentFields are the fields that make a message of a kind.
func contentFields() [8]struct{ name, kind string } {
	return [8]struct{ name, kind string }{
		{"imageUrl", "image"},
		{"videoUrl", "video"},
		{"documentUrl", "document"},
		{"audioUrl", "audio"},
		{"stickerUrl", "sticker"},
		{"contact", "contact"},
		{"location", "location"},
		{"poll", "poll"},
	}
}

func validateSend(b fields) (sendTarget, fieldErrors) {
	errs := fieldErrors{}
	target := sendTarget{kind: "text"}
	target.to = requiredString(errs, "to", b["to"])
	if target.to != "" && !validRecipient(target.to) {
		errs.add("to", "must be a phone number in E.164 format, a group JID (...@g.us) or a channel JID (...@newsletter).")
	}
	target.text, _ = optionalString(errs, "text", b["text"], 0)
	validateContent(errs, b, &target)
	if _, ok := optionalString(errs, "fileName", b["fileName"], 255); ok && isNull(b["documentUrl"]) {
		errs.add("fileName", "is only allowed with documentUrl.") // chosen
	}
	validateExtras(errs, b, target.kind)
	return target, errs
}

func validateContent(errs fieldErrors, b fields, target *sendTarget) {
	var present []string
	for _, f := range contentFields() {
		raw := b[f.name]
		if isNull(raw) {
			continue
		}
		present = append(present, f.name)
		target.kind = f.kind
		switch f.kind {
		case "contact":
			validateContact(errs, raw)
		case "location":
			validateLocation(errs, raw)
		case "poll":
			validatePoll(errs, raw)
		default:
			validateURL(errs, f.name, raw)
		}
	}
	switch {
	case len(present) > 1:
		for _, name := range present {
			others := slices.DeleteFunc(slices.Clone(present), func(o string) bool { return o == name })
			errs.add(name, "prohibits "+strings.Join(others, " / ")+" from being present.")
		}
	case len(present) == 0 && target.text == "" && errs["text"] == nil:
		errs.add("text", "is required when none of imageUrl / videoUrl / documentUrl / audioUrl / stickerUrl / contact / location / poll are present.")
	case target.kind == "sticker" && target.text != "":
		// The npm package's types forbid text with a sticker.
		errs.add("text", "is prohibited when stickerUrl is present.")
	}
}

func validateExtras(errs fieldErrors, b fields, kind string) {
	if !isNull(b["viewOnce"]) {
		if !isBool(b["viewOnce"]) {
			errs.add("viewOnce", "must be true or false.")
		} else if kind != "image" && kind != "video" && kind != "audio" {
			errs.add("viewOnce", "is only allowed with imageUrl, videoUrl or audioUrl.")
		}
	}
	if !isNull(b["mentions"]) {
		var list []string
		if json.Unmarshal(b["mentions"], &list) != nil {
			errs.add("mentions", "must be an array of strings.")
		}
		for i, who := range list {
			if !validMention(who) {
				errs.add("mentions."+strconv.Itoa(i), "must be a phone number or a JID.")
			}
		}
	}
	if !isNull(b["replyTo"]) {
		// Whether the message exists is not checked (chosen).
		if id, err := strconv.ParseInt(string(b["replyTo"]), 10, 64); err != nil || id < 1 {
			errs.add("replyTo", "must be a positive integer.")
		}
	}
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

func isBool(raw json.RawMessage) bool {
	return string(raw) == "true" || string(raw) == "false"
}

func requiredString(errs fieldErrors, field string, raw json.RawMessage) string {
	text, ok := optionalString(errs, field, raw, 0)
	if !ok && errs[field] == nil || ok && text == "" {
		errs.add(field, "is required.")
	}
	return text
}

// optionalString is "" and false when the field is missing or not a string.
// most is in characters, 0 for no limit. White space around it does not count,
// as with Laravel's TrimStrings, but is kept.
func optionalString(errs fieldErrors, field string, raw json.RawMessage, most int) (string, bool) {
	if isNull(raw) {
		return "", false
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		errs.add(field, "must be a string.")
		return "", false
	}
	if most > 0 && len([]rune(text)) > most {
		errs.add(field, "must not be greater than "+strconv.Itoa(most)+" characters.")
	}
	if strings.TrimSpace(text) == "" {
		return "", true
	}
	return text, true
}
