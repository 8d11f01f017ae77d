package wire

import (
	"net/url"
	"slices"
	"strings"

	"peal/internal/peal"
)

// Invalid is the error of one wrong setting of an integration.
func Invalid(path, mend string) *peal.Error {
	return &peal.Error{
		Kind: peal.Invalid, Message: "the integration's settings cannot work",
		Fields: []peal.Field{{Path: path, Code: "invalid", Message: mend}},
	}
}

// BaseURL checks the address of an API, which is of one of the schemes, and cuts the slash at its end.
func BaseURL(s, example string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		return nil, Invalid("settings.base_url", "give an "+strings.Join(schemes, " or ")+" URL, such as "+example)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, Invalid("settings.base_url", "give the URL without user, query and fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}
