package main

import (
	"strings"
	"time"
)

// shortTime is t in local time, as short as it is clear.
func (t *term) shortTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at, now := at.Local(), t.now()
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	case at.Year() == now.Year():
		return at.Format("Jan _2 15:04")
	}
	return at.Format("2006-01-02 15:04")
}

// longTime is t in local time, whole.
func longTime(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05.000 MST")
}

// clockTime is t as a tick of a moment ago.
func clockTime(at time.Time) string { return at.Local().Format("15:04:05.000") }

// when is a point in time as a user writes it: RFC 3339, a local date with or without a time, or a duration from
// now. What a duration means, ago or ahead, is the flag's.
type when struct {
	at  time.Time
	dur time.Duration
}

// UnmarshalText reads a when.
func (w *when) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	*w = when{}
	if d, err := time.ParseDuration(s); err == nil {
		w.dur = d
		if d <= 0 {
			return usagef("the duration %s must be more than 0", s)
		}
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		w.at = at
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			w.at = at
			return nil
		}
	}
	return usagef("%q is no time; write it like 2026-01-31T15:04:05Z, \"2026-01-31 15:04\" (local), or 90m (so long ago, or from now)", s)
}

// ago is the time meant when a duration looks back from now; zero when unset.
func (w when) ago(now time.Time) time.Time {
	if w.dur != 0 {
		return now.Add(-w.dur)
	}
	return w.at
}

// ahead is the time meant when a duration looks forward from now; nil when unset.
func (w when) ahead(now time.Time) *time.Time {
	at := w.at
	if w.dur != 0 {
		at = now.Add(w.dur)
	}
	if at.IsZero() {
		return nil
	}
	return &at
}

// orNil is nil for the zero time.
func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
