package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// External tells where a NATS cluster is and how to get in.
type External struct {
	URLs      []string // with user and password in them, where those are used
	Token     string
	CredsFile string // of a user, as nsc makes it
	CAFile    string // of those who vouch for the servers; default: whom the system trusts
	CertFile  string // of the client, and its key
	KeyFile   string
	Replicas  int // of each stream
}

// maxPending is how many publishes may wait for the broker's word.
const maxPending = 16384

// connect connects to the broker, for good: the client comes back by itself.
func (s *Stream) connect(cfg *Config) (err error) {
	options := []nats.Option{
		nats.Name("peal-" + cfg.Node), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond), nats.IgnoreAuthErrorAbort(),
		nats.Timeout(s.timeout), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectHandler(func(*nats.Conn) {
			s.log.Info("broker is back")
			s.reconnect()
			s.lost() // jobs may have been, or the broker's memory
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !s.closed.Load() {
				s.log.Warn("broker is away", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !s.closed.Load() {
				s.log.Warn("broker", "error", err)
			}
		}),
	}
	if s.server != nil {
		options = append(options, nats.InProcessServer(s.server))
	} else {
		options = append(options, cfg.External.options()...)
	}
	o := nats.GetDefaultOptions()
	for _, set := range options {
		if err := set(&o); err != nil {
			return fmt.Errorf("configure the connection to the broker: %w", err)
		}
	}
	o.Servers = cfg.External.URLs
	if s.conn, err = o.Connect(); err != nil {
		return cannotConnect(s.server == nil, err)
	}
	s.js, err = jetstream.New(s.conn, jetstream.WithPublishAsyncErrHandler(s.publishFailed), jetstream.WithDefaultTimeout(s.timeout),
		jetstream.WithPublishAsyncMaxPending(maxPending), jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	return nil
}

func (e *External) options() (all []nats.Option) {
	if e.Token != "" {
		all = append(all, nats.Token(e.Token))
	}
	if e.CredsFile != "" {
		all = append(all, nats.UserCredentials(e.CredsFile))
	}
	if e.CAFile != "" {
		all = append(all, nats.RootCAs(e.CAFile))
	}
	if e.CertFile != "" {
		all = append(all, nats.ClientCert(e.CertFile, e.KeyFile))
	}
	return all
}

// cannotConnect says what to look at. The client's own words hold neither the URL nor a password.
func cannotConnect(external bool, err error) error {
	if !external {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	mend := "are the servers up, and is PEAL_NATS_URL right?"
	if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) {
		mend = "check user and password in PEAL_NATS_URL, or PEAL_NATS_TOKEN, or --nats-creds-file"
	}
	return fmt.Errorf("connect to the NATS of PEAL_NATS_URL: %w; %s", err, mend)
}
