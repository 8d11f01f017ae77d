package integration

import (
	"fmt"
	"slices"
	"strings"

	"peal/api"
	"peal/internal/peal"
)

// windowOff is the setting with which the provider alone decides who may be written to.
const windowOff = "off"

// maxWord is how long a word may be with which people opt out or in.
const maxWord = 64

// consent takes over what people may say, and must have said.
func (c *checker) consent(in *peal.Integration, s *api.Settings) {
	in.StopWords, in.StartWords, in.RequireOptIn = s.StopWords, s.StartWords, s.RequireOptIn
	lists := map[string][]string{"stop_words": s.StopWords, "start_words": s.StartWords, "require_opt_in": s.RequireOptIn}
	for name, list := range lists {
		if len(list) > 0 && in.Channel != peal.ChannelWhatsApp {
			c.bad("settings."+name, "unknown", "leave it out: only integrations of channel %s have it", peal.ChannelWhatsApp)
			continue
		}
		for i, word := range list {
			path := fmt.Sprintf("settings.%s[%d]", name, i)
			switch {
			case name == "require_opt_in" && !slices.Contains(peal.Categories(), word):
				c.bad(path, "invalid", "there is no category %.40q; give %s", word, strings.Join(peal.Categories(), ", "))
			case strings.TrimSpace(word) == "" || len(word) > maxWord:
				c.bad(path, "invalid", "give 1 to %d bytes, such as STOP", maxWord)
			}
		}
	}
	for i, word := range s.StartWords {
		if slices.ContainsFunc(s.StopWords, func(stop string) bool { return strings.EqualFold(strings.TrimSpace(stop), strings.TrimSpace(word)) }) {
			c.bad(fmt.Sprintf("settings.start_words[%d]", i), "conflict", "it is among the stop_words, too; a word means one thing")
		}
	}
}
