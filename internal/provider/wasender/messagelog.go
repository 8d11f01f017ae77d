package wasender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// logPageSize is how many entries of the log are asked for at once; the provider's default is 10.
const logPageSize = 100

var _ provider.LogReader = (*client)(nil)

// logAnswer is the body of GET /whatsapp-sessions/{id}/message-logs: Laravel's page, as documented inside data.
type logAnswer struct {
	Success json.RawMessage `json:"success"`
	Data    json.RawMessage `json:"data"`
	Meta    logPlace        `json:"meta"`
	Retry   json.RawMessage `json:"retry_after"`
}

type logPlace struct {
	Page json.RawMessage `json:"current_page"`
	Last json.RawMessage `json:"last_page"`
}

type logData struct {
	logPlace

	Data json.RawMessage `json:"data"`
}

// logLine is one entry, as documented; what the documentation does not name is not read.
type logLine struct {
	ID        json.RawMessage `json:"id"`
	To        json.RawMessage `json:"to"`
	Content   json.RawMessage `json:"content"`
	Status    json.RawMessage `json:"status"`
	CreatedAt json.RawMessage `json:"created_at"`
}

// ReadLog asks for a page of the session's message log. It needs the account's token: the session's key does not do.
func (c *client) ReadLog(ctx context.Context, page int) (provider.LogPage, error) {
	if c.account == nil {
		return provider.LogPage{}, &provider.Error{
			Class: peal.ClassPermanent, Code: codeNoToken, Err: errors.New("the integration has no personal_access_token and session_id"),
		}
	}
	req := c.request(http.MethodGet, "/whatsapp-sessions/"+c.session+"/message-logs")
	req.Header = c.account
	req.URL.RawQuery = "page=" + strconv.Itoa(page) + "&per_page=" + strconv.Itoa(logPageSize)
	var a logAnswer
	if err := c.ask(ctx, req, maxLogPage, &a, &a.Retry); err != nil {
		return provider.LogPage{}, err
	}
	if isFalse(a.Success) {
		return provider.LogPage{}, &provider.Error{
			Class: peal.ClassTemporary, Code: codeRejected, Err: errors.New("the provider refused its log without a documented reason"),
		}
	}
	lines, place := a.Data, a.Meta
	if isObject(a.Data) {
		var d logData
		if decode(a.Data, &d) != nil {
			return provider.LogPage{}, badAnswer()
		}
		lines, place = d.Data, d.logPlace
	}
	at, known := asNumber(place.Page)
	last, bounded := asNumber(place.Last)
	if !isList(lines) || !known || !bounded || at != float64(page) { // what page it is, and of how many, has to be certain
		return provider.LogPage{}, badAnswer()
	}
	out := provider.LogPage{Last: at >= last}
	for _, raw := range list(lines) {
		var l logLine
		if decode(raw, &l) != nil {
			return provider.LogPage{}, badAnswer()
		}
		out.Entries = append(out.Entries, l.entry())
	}
	return out, nil
}

func (l *logLine) entry() provider.LogEntry {
	e := provider.LogEntry{ID: asID(l.ID), To: asNumberOf(asString(l.To)), Print: printOf(l.Content), At: logTime(l.CreatedAt)}
	if s, known := parseStatus(l.Status); known {
		e.Status = s
	}
	return e
}

// asNumberOf gives the phone number of a recipient: a number, or a number's JID. Of other JIDs, and of lids, which are no
// numbers, it gives nothing.
func asNumberOf(to string) string {
	number, host, isJID := strings.Cut(strings.TrimSpace(to), "@")
	if isJID && host != "s.whatsapp.net" && host != "c.us" {
		return ""
	}
	number = "+" + strings.TrimPrefix(number, "+")
	if !e164(number) {
		return ""
	}
	return number
}

// logTime reads a time of the log: as documented, "2023-10-27 10:30:15" without a zone, which is taken for UTC; or with
// one; or a unix time.
func logTime(raw json.RawMessage) time.Time {
	text := asString(raw)
	for _, layout := range [...]string{time.DateTime, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return asTime(raw)
}

// Print is the fingerprint of what a send of the content says.
func (c *client) Print(content *api.Content) string {
	return printOf(appendPayload(nil, &provider.Message{Content: *content}))
}

// printOf is the fingerprint of a send's body, as JSON or, as the log has it, as JSON in a string. The order of fields
// makes no difference, nor whether the recipient is among them, nor space around texts. Empty when there is nothing to
// go by.
func printOf(raw json.RawMessage) string {
	if text := asString(raw); text != "" {
		raw = json.RawMessage(text)
	}
	var body map[string]any
	if !isObject(raw) || json.Unmarshal(raw, &body) != nil {
		return ""
	}
	delete(body, "to")
	for name, value := range body {
		switch v := value.(type) {
		case nil:
			delete(body, name)
		case string:
			body[name] = strings.TrimSpace(strings.ReplaceAll(v, "\r\n", "\n"))
		}
	}
	if len(body) == 0 {
		return ""
	}
	canonical, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
