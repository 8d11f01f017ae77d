package wasender

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxID bounds the ids that are taken from the provider.
const maxID = 128

// asString reads a JSON string; anything else is empty.
func asString(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// asID reads an id: a string, or a whole number, which is kept digit by digit. Empty when it is neither, or 0.
func asID(raw json.RawMessage) string {
	s := asString(raw)
	if s == "" {
		s = string(raw)
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return ""
			}
		}
	}
	if s == "0" || len(s) > maxID {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

// isTrue and isFalse read a boolean; what is none is neither.
func isTrue(raw json.RawMessage) bool  { return string(raw) == "true" }
func isFalse(raw json.RawMessage) bool { return string(raw) == "false" }

// asNumber reads a number, or a string that holds one.
func asNumber(raw json.RawMessage) (float64, bool) {
	s := asString(raw)
	if s == "" {
		s = string(raw)
	}
	return parseNumber(s)
}

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// asTime reads a unix time in seconds or milliseconds, as number or string. Zero when it is none.
func asTime(raw json.RawMessage) time.Time {
	f, ok := asNumber(raw)
	if !ok {
		return time.Time{}
	}
	return unixTime(f)
}

// Unix times: as seconds they reach to the year 5138 and as milliseconds from 1973 on, before and after which nothing
// that a provider says is a time.
const (
	firstMillis = 1e11
	lastMillis  = 1e14
)

func unixTime(f float64) time.Time {
	switch {
	case f < 1 || f >= lastMillis:
		return time.Time{}
	case f < firstMillis:
		return time.UnixMilli(int64(f * 1000)).UTC()
	default:
		return time.UnixMilli(int64(f)).UTC()
	}
}
