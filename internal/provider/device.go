package provider

import (
	"slices"

	"peal/internal/peal"
)

// ForDevice chooses of a tenant's integrations, in the order that they were made, the one that a device is reached over:
// of those whose kind reaches it the one that names its app, else the one that names none. Nil when none fits.
func ForDevice(all []*peal.Integration, kinds func(name string) (Kind, bool), d *peal.Device) *peal.Integration {
	var rest *peal.Integration
	for _, in := range all {
		if in.Channel != peal.ChannelPush {
			continue
		}
		kind, _ := kinds(in.Kind)
		switch {
		case !Reaches(in, kind, d):
		case len(in.Apps) > 0:
			return in
		case rest == nil:
			rest = in
		}
	}
	return rest
}

// Reaches tells whether a device can be called over an integration of that kind: anybody else's credentials would find it
// dead.
func Reaches(in *peal.Integration, kind Kind, d *peal.Device) bool {
	push, ok := kind.(PushKind)
	return ok && slices.Contains(push.Devices(), d.Kind) &&
		(len(in.Apps) == 0 || d.AppID != "" && slices.Contains(in.Apps, d.AppID))
}
