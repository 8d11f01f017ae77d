package webpush

import (
	"crypto/ecdh"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"peal/internal/netguard"
	"peal/internal/peal"
)

// What a device may bring.
const (
	maxEndpoint    = 2000
	maxUnifiedPush = 1000 // by the UnifiedPush specification
)

// CheckDevice says what is wrong with a subscription. Where its host leads is seen when it is called: names change.
func (Kind) CheckDevice(d *peal.Device) []peal.Field {
	var fields []peal.Field
	bad := func(path string, err error) {
		if err != nil {
			fields = append(fields, peal.Field{Path: "subscription." + path, Code: "invalid", Message: err.Error()})
		}
	}
	_, err := parseEndpoint(d.Kind, d.Address)
	bad("endpoint", err)
	_, err = parsePoint(d.P256dh)
	bad("keys.p256dh", err)
	_, err = parseAuth(d.Auth)
	bad("keys.auth", err)
	return fields
}

// parseEndpoint checks what can be seen of an endpoint without resolving its name.
func parseEndpoint(kind peal.DeviceKind, s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("give the https URL of the subscription")
	}
	if len(s) > maxEndpoint {
		return nil, errors.New("it may have 2000 bytes at most; subscribe anew")
	}
	if kind == peal.DeviceUnifiedPush && len(s) > maxUnifiedPush {
		return nil, errors.New("it may have 1000 bytes at most, as UnifiedPush says; register anew")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("give an https URL, as the browser or distributor gave it")
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, errors.New("give the URL without user and fragment")
	case strings.ContainsFunc(s, notURL):
		return nil, errors.New("give the URL in ASCII, its host in Punycode")
	case u.Scheme == "http" && isPublic(u.Hostname()):
		return nil, errors.New("give an https URL; http is for private networks that the operator has allowed")
	}
	return u, nil
}

// notURL tells the characters that cannot stand in a URL.
func notURL(r rune) bool { return r <= ' ' || r >= 0x7f }

// isPublic tells an IP address that is public from all other hosts.
func isPublic(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && netguard.New().Check(addr) == nil
}

// originOf is scheme, host and port as RFC 6454 writes them: lower case, and no port that goes without saying.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, ":")
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

func parsePoint(s string) (*ecdh.PublicKey, error) {
	mend := errors.New("give the subscription's public key: base64url of 65 bytes, an uncompressed point of P-256")
	raw, err := decode(s)
	if err != nil || len(raw) != pointSize {
		return nil, mend
	}
	key, err := ecdh.P256().NewPublicKey(raw)
	if err != nil {
		return nil, mend
	}
	return key, nil
}

func parseAuth(s string) ([]byte, error) {
	raw, err := decode(s)
	if err != nil || len(raw) != authSize {
		return nil, errors.New("give the subscription's secret: base64url of 16 bytes")
	}
	return raw, nil
}
