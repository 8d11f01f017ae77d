package webpush

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"peal/internal/netguard"
)

// dialer is provider.Env's Dial.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// errPlain says that an endpoint without TLS leads out into the world.
var errPlain = errors.New("webpush: http to a public address")

// plainTransport is for http endpoints. They are for push servers on the operator's own networks: a connection that turns
// out to lead to a public address is closed before a byte was written. Private ones the guard has let through because the
// operator allows them.
func plainTransport(dial dialer) *http.Transport {
	public := netguard.New()
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dial == nil {
				return nil, errPlain
			}
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
			if err != nil || public.Check(remote.Addr()) == nil {
				_ = conn.Close() // nothing was written
				return nil, errPlain
			}
			return conn, nil
		},
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        4 * time.Second, // as the shared one (netguard)
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}
