package main

import (
	"strings"

	"peal/api"
)

// audienceOf reads what --audience says; nil for nothing.
func audienceOf(s string) (*api.Audience, error) {
	switch s {
	case "":
		return nil, nil //nolint:nilnil // none was given, and that is no error
	case "all":
		return &api.Audience{All: true}, nil
	}
	a := &api.Audience{}
	into := map[string]*string{"app": &a.AppID, "platform": &a.Platform, "locale": &a.Locale}
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		field := into[name]
		if field == nil || *field != "" || value == "" {
			return nil, usagef("--audience: %q; give all, or app=ID, platform=NAME, locale=TAG, each once, parted by commas", part)
		}
		*field = value
	}
	return a, nil
}
