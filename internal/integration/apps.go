package integration

import (
	"fmt"
	"slices"

	"peal/internal/peal"
	"peal/internal/provider"
)

// maxApps and maxAppID bound the apps that an integration names.
const (
	maxApps  = 100
	maxAppID = 255
)

// apps checks the app ids that an integration serves. Only those that reach devices serve any.
func (c *checker) apps(apps []string, kind provider.Kind) {
	if _, push := kind.(provider.PushKind); !push && len(apps) > 0 {
		c.bad("settings.apps", "unsupported", "an integration of kind %s reaches no devices; leave it out", kind.Name())
		return
	}
	if len(apps) > maxApps {
		c.bad("settings.apps", "too_long", "it names %d apps; give at most %d", len(apps), maxApps)
	}
	for i, app := range apps {
		path := fmt.Sprintf("settings.apps[%d]", i)
		switch {
		case app == "" || len(app) > maxAppID:
			c.bad(path, "invalid", "give 1 to %d bytes, such as com.example.shop", maxAppID)
		case slices.Contains(apps[:i], app):
			c.bad(path, "duplicate", "it names the app twice; name it once")
		}
	}
}

// checkApps refuses what would leave open over which integration a device goes: two of a kind that name the same app, or
// none. Two nodes that make one in the same instant can do that all the same; then the one that was made first has the
// devices.
func (s *Service) checkApps(in *peal.Integration) error {
	if in.Channel != peal.ChannelPush {
		return nil
	}
	for _, other := range s.OfTenant(in.TenantID) {
		if other.ID == in.ID || other.Kind != in.Kind {
			continue
		}
		if len(in.Apps) == 0 && len(other.Apps) == 0 {
			return taken("settings.apps", "required", "the integration %s serves all apps that no other of its kind names; name the apps of this one", other.Name)
		}
		for i, app := range in.Apps {
			if slices.Contains(other.Apps, app) {
				return taken(fmt.Sprintf("settings.apps[%d]", i), "taken", "the integration %s serves %s; an app's devices go over one of a kind", other.Name, app)
			}
		}
	}
	return nil
}

func taken(path, code, format string, args ...any) error {
	return &peal.Error{Kind: peal.Invalid, Message: "the settings are not right", Fields: []peal.Field{
		{Path: path, Code: code, Message: fmt.Sprintf(format, args...)},
	}}
}
