package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds and default of NatsReplicas; JetStream has no more.
const (
	natsReplicas    = 3
	maxNatsReplicas = 5
)

// NatsURLs are the single URLs of NatsURL; none when the embedded broker is to be used. Its errors show no URL, for
// there may be a password in it.
func (c *Config) NatsURLs() ([]string, error) {
	if strings.TrimSpace(string(c.NatsURL)) == "" {
		return nil, nil
	}
	parts := strings.Split(string(c.NatsURL), ",")
	all := make([]string, len(parts))
	for i, text := range parts {
		text = strings.TrimSpace(text)
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		u, err := url.Parse(text)
		if err != nil || !natsServer(u) {
			return nil, fmt.Errorf("URL %d of %d is not like nats://user:password@host:4222 or tls://host:4222; special characters in a password "+
				"are written as %%40 and the like", i+1, len(parts))
		}
		all[i] = text
	}
	return all, nil
}

func natsServer(u *url.URL) bool {
	if !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	if strings.HasPrefix(u.Scheme, "ws") {
		return true
	}
	if _, port, err := net.SplitHostPort(u.Host); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return false
		}
	} else if strings.Contains(u.Host, ":") && !strings.HasSuffix(u.Host, "]") {
		return false
	}
	return strings.Trim(u.Path, "/") == ""
}

// NatsStreams is how many servers keep each stream.
func (c *Config) NatsStreams() int { return cmp.Or(c.NatsReplicas, natsReplicas) }

func (c *Config) validateNats() error {
	urls, err := c.NatsURLs()
	if err != nil {
		return fmt.Errorf("PEAL_NATS_URL (or --nats-url-file): %w", err)
	}
	if urls == nil {
		alone := errors.New("it is set and PEAL_NATS_URL is not: set that, too, or leave it out")
		if c.NatsToken != "" {
			return fmt.Errorf("PEAL_NATS_TOKEN (or --nats-token-file): %w", alone)
		}
		var errs []error
		for _, f := range []struct {
			flag string
			set  bool
		}{
			{"nats-creds-file", c.NatsCredsFile != ""}, {"nats-ca-file", c.NatsCAFile != ""}, {"nats-cert-file", c.NatsCertFile != ""},
			{"nats-key-file", c.NatsKeyFile != ""}, {"nats-replicas", c.NatsReplicas != 0},
		} {
			if f.set {
				errs = append(errs, named(f.flag, alone))
			}
		}
		return errors.Join(errs...)
	}
	if c.NatsReplicas != 0 {
		if err := between(c.NatsReplicas, 1, maxNatsReplicas); err != nil {
			return named("nats-replicas", err)
		}
	}
	switch {
	case c.NatsCertFile != "" && c.NatsKeyFile == "":
		return named("nats-cert-file", errors.New("it goes with --nats-key-file: set both"))
	case c.NatsKeyFile != "" && c.NatsCertFile == "":
		return named("nats-key-file", errors.New("it goes with --nats-cert-file: set both"))
	}
	return nil
}
