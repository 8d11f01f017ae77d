// Package all is the one list of the kinds of providers that Peal has.
package all

import (
	"peal/internal/provider"
	"peal/internal/provider/apns"
	"peal/internal/provider/fcm"
	"peal/internal/provider/wasender"
	"peal/internal/provider/webpush"
	"peal/internal/provider/whatsappcloud"
)

// Kinds lists every kind.
func Kinds() []provider.Kind {
	return []provider.Kind{
		apns.Kind{},
		fcm.Kind{},
		wasender.Kind{},
		webpush.Kind{},
		whatsappcloud.Kind{},
	}
}

// ByName finds a kind by the name that integrations call it.
func ByName(name string) (provider.Kind, bool) {
	for _, k := range Kinds() {
		if k.Name() == name {
			return k, true
		}
	}
	return nil, false
}
