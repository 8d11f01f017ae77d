package netguard

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Config of a transport. The zero value is good.
type Config struct {
	// DialTimeout bounds resolving and connecting. Default 5 s.
	DialTimeout time.Duration
	// IdlePerHost is how many idle connections to one host are kept. Default 256, so that a burst at an integration's
	// full concurrency does not dial anew for every call.
	IdlePerHost int
	// Proxy, such as http.ProxyFromEnvironment, sends calls through a proxy. Default: none, whatever the environment
	// says. The guard then sees only the proxy's address: the proxy has to refuse what the guard would.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS is the base of the TLS settings, for tests that have their own roots. MinVersion is raised to 1.2.
	TLS *tls.Config
}

const (
	// A provider that closes an idle connection just as a request is written on it leaves the outcome of that request
	// unknown. Servers keep idle connections for 5 s and more, so we let go of them first.
	idleTimeout = 4 * time.Second

	// One dead HTTP/2 connection carries many calls; a ping finds it out before all of their timeouts do. It goes to a
	// connection that says nothing while calls wait on it, never to an idle one: those are closed before. There are
	// servers (FCM) that end a connection for pings that keep it alive.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second

	maxAnswerHeader = 64 << 10
	idlePerHost     = 256
)

// Dialer makes a dialer that refuses by the guard.
func (g *Guard) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second, Control: g.Control}
}

// Transport makes the transport that calls to addresses of the tenants' choice go through. It follows no redirect by
// itself; whoever puts an http.Client on top sets CheckRedirect to NoRedirect.
func (g *Guard) Transport(c Config) *http.Transport {
	conf := &tls.Config{}
	if c.TLS != nil {
		conf = c.TLS.Clone()
	}
	t := Over(g.Dialer(cmp.Or(c.DialTimeout, 5*time.Second)).DialContext, conf)
	t.Proxy = c.Proxy
	t.MaxIdleConnsPerHost = cmp.Or(c.IdlePerHost, idlePerHost)
	return t
}

// Over makes a transport of the same kind over a dialer that guards already.
func Over(dial func(ctx context.Context, network, address string) (net.Conn, error), conf *tls.Config) *http.Transport {
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true, // answers are small, and a compressed one could be a bomb
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// NoRedirect is for http.Client.CheckRedirect: the answer that redirects is the answer. A redirect would carry the
// caller's credentials to where its target points.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
