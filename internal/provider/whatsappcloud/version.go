package whatsappcloud

import (
	"strings"
	"time"

	"peal/internal/peal"
)

// defaultVersion of the Graph API. Meta had announced no end of it in November 2026.
const defaultVersion = "v26.0"

// warnAhead is how long before a version's end Probe begins to say so.
const warnAhead = 90 * 24 * time.Hour

// endOf is when Meta ends a version of the Graph API, as far as it has said so.
func endOf(version string) (end time.Time, known bool) {
	day := func(y int, m time.Month, d int) (time.Time, bool) {
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), true
	}
	switch version {
	case "v20.0":
		return day(2026, time.September, 24)
	case "v23.0":
		return day(2027, time.October, 8)
	case "v24.0":
		return day(2028, time.February, 18)
	case "v25.0":
		return day(2028, time.July, 29)
	default:
		return time.Time{}, false
	}
}

// Warning says that the end of the integration's version of the Graph API is near.
func (Kind) Warning(in *peal.Integration, now time.Time) string {
	set, err := parseSettings(in.Settings)
	if err != nil || set.MessagesPath != "" { // a gateway has its own version
		return ""
	}
	return versionWarning(set.GraphVersion, now)
}

// versionWarning says that a version's end is near, or over; mostly nothing.
func versionWarning(version string, now time.Time) string {
	end, known := endOf(version)
	switch {
	case !known || now.Before(end.Add(-warnAhead)):
		return ""
	case now.Before(end):
		return "Meta ends " + version + " of its API on " + end.Format(time.DateOnly) + "; set graph_version to a newer one"
	default:
		return "Meta has ended " + version + " of its API on " + end.Format(time.DateOnly) + "; set graph_version to a newer one"
	}
}

func isVersion(s string) bool {
	major, minor, ok := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	return ok && strings.HasPrefix(s, "v") && major != "" && minor != "" && len(s) <= 8 && digits(major) && digits(minor)
}
