package wire

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Transport is what an integration's calls go over: the one that all clients share, or one of its own when it trusts
// certificates of its own. Whoever gets one of its own closes its idle connections in the end.
func Transport(in *peal.Integration, env provider.Env) (shared http.RoundTripper, own *http.Transport, err error) {
	if env.Transport == nil {
		return nil, nil, peal.Errorf(peal.Internal, "provider: no transport")
	}
	if in.CA == "" {
		return env.Transport, nil, nil
	}
	open, err := Transports(in, env)
	if err != nil {
		return nil, nil, err
	}
	own = open()
	return own, own, nil
}

// Transports makes transports of an integration's own, for those who keep count of their connections.
func Transports(in *peal.Integration, env provider.Env) (open func() *http.Transport, err error) {
	if env.Dial == nil {
		return nil, peal.Errorf(peal.Internal, "provider: no dialer")
	}
	roots, err := Roots(in)
	if err != nil {
		return nil, err
	}
	return func() *http.Transport {
		return netguard.Over(env.Dial, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	}, nil
}

// Roots are what an integration trusts: the system's certificates and its own. Nil is the system's alone.
func Roots(in *peal.Integration) (*x509.CertPool, error) {
	if in.CA == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(in.CA)) {
		return nil, &peal.Error{
			Kind: peal.Invalid, Message: "the integration's settings cannot work",
			Fields: []peal.Field{{Path: "settings.ca", Code: "invalid", Message: "give certificates in PEM"}},
		}
	}
	return roots, nil
}
