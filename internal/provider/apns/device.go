package apns

import (
	"strings"

	"peal/internal/peal"
)

// maxToken bounds tokens, in characters. Today's have 64; Apple asks not to rely on it.
const maxToken = 512

// CheckDevice says what is wrong with a device that is to be registered.
func (Kind) CheckDevice(d *peal.Device) []peal.Field {
	var k checker
	switch {
	case d.Address == "":
		k.add("token", "required", "give the device token, in hexadecimal")
	case len(d.Address) > maxToken || len(d.Address)%2 != 0 || strings.ContainsFunc(d.Address, notHex):
		k.add("token", "invalid", "give the device token in hexadecimal, without spaces and brackets")
	}
	switch {
	case d.AppID == "":
		k.add("app_id", "required", "give the app's bundle id: it is the topic of its pushes")
	case !isBundle(d.AppID):
		k.add("app_id", "invalid", "give the app's bundle id: letters, digits, dots and hyphens, such as org.example.app")
	}
	switch d.Environment {
	case "", peal.Production, peal.Sandbox:
	default:
		k.add("environment", "invalid", "give production or sandbox, as the app was signed")
	}
	return k.fields
}

func notHex(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
}

// isBundle tells what a bundle id may be: it goes into a header.
func isBundle(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}
