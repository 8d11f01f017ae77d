package apns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// errNoHTTP2 says that the other end does not speak HTTP/2. Go would go on with HTTP/1.1.
var errNoHTTP2 = errors.New("apns: the server does not speak HTTP/2")

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer makes the function that opens connections to a host.
func dialer(base *url.URL, roots *x509.CertPool, dial dialFunc) func(context.Context) (*http.ClientConn, error) {
	port := base.Port()
	if port == "" {
		port = "443"
	}
	address := net.JoinHostPort(base.Hostname(), port)
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, RootCAs: roots, ServerName: base.Hostname()}
	transport := &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, dial, cfg, network, address)
		},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		// StrictMaxConcurrentRequests stays off: with more callers than streams it stands still.
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: time.Minute, PingTimeout: 10 * time.Second, WriteByteTimeout: 15 * time.Second,
			// No header is put into the compression table: path, id and collapse id are new in each push, and to keep the
			// table in order for them costs more than the bytes that it saves.
			MaxEncoderHeaderTableSize: 1,
		},
	}
	return func(ctx context.Context) (*http.ClientConn, error) {
		return transport.NewClientConn(ctx, "https", address)
	}
}

// dialTLS gives a connection on which both ends have agreed on HTTP/2.
func dialTLS(ctx context.Context, dial dialFunc, cfg *tls.Config, network, address string) (net.Conn, error) {
	raw, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says it
		return nil, err
	}
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		_ = c.Close() // it is of no use
		return nil, errNoHTTP2
	}
	return c, nil
}
