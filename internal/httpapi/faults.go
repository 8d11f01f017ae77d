package httpapi

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // a machine without a database of time zones would refuse them all

	"peal/api"
)

// faults gathers what is wrong with a request.
type faults []api.FieldError

func (f *faults) bad(path, code, format string, args ...any) {
	*f = append(*f, api.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

// check adds a fault where there is something to say.
func (f *faults) check(path, message string) {
	if message != "" {
		f.bad(path, "invalid", "%s", message)
	}
}

// localeForm is how a BCP 47 tag looks; whether there is such a language is nobody's business.
var localeForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func checkLocale(s string) string {
	if s == "" || localeForm.MatchString(s) {
		return ""
	}
	return "give a BCP 47 tag, such as en or pt-BR"
}

// zoneForm keeps a name of a time zone from being a path.
var zoneForm = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`)

func checkZone(s string) string {
	if s == "" {
		return ""
	}
	if zoneForm.MatchString(s) && !strings.EqualFold(s, "local") {
		if _, err := time.LoadLocation(s); err == nil {
			return ""
		}
	}
	return "give the name of an IANA time zone, such as Asia/Kolkata"
}

// checkText wants visible ASCII without blanks.
func checkText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "it has blanks or strange characters; give it as the app got it"
	}
	return ""
}
