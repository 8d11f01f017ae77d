package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"peal/api"
)

// ladderOf reads what --ladder says: a rung each, or all of them as JSON; nil for nothing.
func ladderOf(flags []string) (ladder []api.Rung, err error) {
	if len(flags) == 1 && strings.HasPrefix(strings.TrimSpace(flags[0]), "[") {
		if err := strictJSON(flags[0], &ladder); err != nil {
			return nil, usagef("--ladder: %w", err)
		}
		return ladder, nil
	}
	for _, flag := range flags {
		var r api.Rung
		if strings.HasPrefix(strings.TrimSpace(flag), "{") {
			if err := strictJSON(flag, &r); err != nil {
				return nil, usagef("--ladder: %w", err)
			}
		} else if r, err = rungOf(flag); err != nil {
			return nil, err
		}
		ladder = append(ladder, r)
	}
	return ladder, nil
}

func strictJSON(s string, v any) error {
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err //nolint:wrapcheck // it says what is wrong with the JSON
	}
	if d.More() {
		return errors.New("there is something after the JSON")
	}
	return nil
}

// rungOf reads a rung: a channel, or the name of an integration, and what else there is of it.
func rungOf(s string) (r api.Rung, err error) {
	name, rest, more := strings.Cut(s, ",")
	switch {
	case name == "push" || name == "whatsapp":
		r.Channel = name
	case name == "" || strings.Contains(name, "="):
		return r, usagef("--ladder: %q; begin with a channel or the name of an integration, such as whatsapp,after=5m", s)
	default:
		r.Integration = name
	}
	into := map[string]*string{"after": &r.After, "unless": &r.Unless, "integration": &r.Integration}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(part, "=")
		field := into[key]
		if field == nil || *field != "" || value == "" {
			return r, usagef("--ladder: %q; give after=DURATION, unless=delivered or read, integration=NAME, each once, parted by commas", part)
		}
		*field = value
	}
	return r, nil
}

// ownWords tells whether every rung has a content of its own.
func ownWords(ladder []api.Rung) bool {
	return len(ladder) > 0 && !slices.ContainsFunc(ladder, func(r api.Rung) bool { return r.Content == nil })
}

// climb follows a ladder until one of its deliveries is where it should be, or all have ended without that.
func (w *waiter) climb(ctx context.Context, a *api.Accepted) error {
	seen := make([]int, len(a.Deliveries))
	for {
		over := true
		var last *api.Delivery
		for i := range a.Deliveries {
			d, err := w.cl.Delivery(ctx, a.Deliveries[i].ID)
			if err != nil {
				return err
			}
			for ; seen[i] < len(d.Timeline); seen[i]++ {
				if w.quiet {
					continue
				}
				e := &d.Timeline[seen[i]]
				if err := w.t.printf("%s  rung %d  %s\n", clockTime(e.At), *a.Deliveries[i].Rung, clean(eventText(e))); err != nil {
					return err
				}
			}
			if reached(d, w.until) {
				return nil
			}
			if over = over && ended(d.Status); ended(d.Status) && d.Status != "canceled" {
				last = d
			}
		}
		switch {
		case over && last != nil:
			return fmt.Errorf("no rung is %s; the last %s: %s", w.until, last.Status, reason(last.ErrorCode, last.ErrorReason))
		case over:
			return fmt.Errorf("no rung is %s: the notification was canceled", w.until)
		}
		if err := pause(ctx, waitEvery); err != nil {
			return fmt.Errorf("no rung is %s after %v; look later with: peal log --notification %s", w.until, w.timeout, a.ID)
		}
	}
}
