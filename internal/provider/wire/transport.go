package wire

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"

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
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(in.CA)) {
		return nil, nil, &peal.Error{
			Kind: peal.Invalid, Message: "the integration's settings cannot work",
			Fields: []peal.Field{{Path: "settings.ca", Code: "invalid", Message: "give certificates in PEM"}},
		}
	}
	if env.Dial == nil {
		return nil, nil, peal.Errorf(peal.Internal, "provider: no dialer")
	}
	own = &http.Transport{ // as the shared one (netguard), but for what it trusts
		DialContext:            env.Dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        4 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}
	return own, own, nil
}
