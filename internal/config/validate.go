package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinOperatorKey is the least length of an operator key, in characters.
const MinOperatorKey = 24

// Bounds of the numbers, wide enough for any use that makes sense.
const (
	minBody         = 1 << 10   // 1 KiB: less refuses ordinary requests
	maxBody         = 256 << 20 // 256 MiB: a body is held in memory
	maxQueue        = 1 << 20
	maxDrain        = time.Hour
	maxTenantRate   = 1_000_000
	maxTenantQueued = 1_000_000_000
	minLedger       = 10 * time.Millisecond
	maxLedger       = time.Hour
	minEvents       = time.Hour
	minRetention    = 24 * time.Hour // as long as idempotency keys stand
	maxRetention    = 100 * 365 * 24 * time.Hour
	maxPublicPath   = 512
	maxKept         = 1 << 50 // more than disks hold
)

// Validate checks the whole and reports everything that is wrong, each with the flag and variable that set it
// and how to mend it. It never shows a secret.
func (c *Config) Validate() error {
	return errors.Join(
		named("listen", listenAddress(c.Listen)),
		c.validateDebugListen(),
		c.validateRoles(),
		named("data", require(c.Data, "name a folder")),
		c.validatePublicURL(),
		c.ValidateDatabaseURL(),
		c.validateRetention(),
		named("callback-retention", between(c.CallbackRetention, 0, maxRetention)),
		named("callback-max-bytes", between(c.CallbackMaxBytes, 0, maxKept)),
		c.validateDeviceUnseen(),
		c.validateKeys(),
		c.validateNetworks(),
		c.validateNats(),
		named("log-level", oneOf(c.LogLevel, "debug", "info", "warn", "error")),
		named("log-format", oneOf(c.LogFormat, "json", "text")),
		named("tenant-rate", between(c.TenantRate, 0, maxTenantRate)),
		named("tenant-max-queued", between(c.TenantMaxQueued, 0, maxTenantQueued)),
		named("drain-delay", between(c.DrainDelay, 0, maxDrain)),
		named("drain-timeout", between(c.DrainTimeout, 0, maxDrain)),
		named("max-body-bytes", between(c.MaxBodyBytes, minBody, maxBody)),
		named("max-batch-bytes", between(c.MaxBatchBytes, minBody, maxBody)),
		named("accept-queue", between(c.AcceptQueue, 1, maxQueue)),
		named("ledger-every", between(c.LedgerEvery, minLedger, maxLedger)),
	)
}

func (c *Config) validateDebugListen() error {
	if c.DebugListen == "" {
		return nil
	}
	return named("debug-listen", listenAddress(c.DebugListen))
}

func listenAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port; write it like 127.0.0.1:7325 or :7325", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not a port; use 1 to 65535, or 0 for any that is free", port)
	}
	return nil
}

func (c *Config) validatePublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return named("public-url", fmt.Errorf("%q is not an http or https URL; write it like https://peal.example.com", c.PublicURL))
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return named("public-url", errors.New("it may have a host and a path, but no user, query or fragment; leave them out"))
	case len(u.Path) > maxPublicPath:
		return named("public-url", errors.New("its path is too long; shorten it"))
	}
	return nil
}

// ValidateDatabaseURL checks the URL's form; an empty one is fine. Its error does not show it, for it has a password.
func (c *Config) ValidateDatabaseURL() error {
	if c.DatabaseURL == "" {
		return nil
	}
	u, err := url.Parse(string(c.DatabaseURL))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("PEAL_DATABASE_URL (or --database-url-file): it is no PostgreSQL URL; write it like postgres://user:password@host:5432/peal, " +
			"with %-escapes for other characters than letters and digits in the password")
	}
	return nil
}

func (c *Config) validateRetention() error {
	var errs []error
	if c.Retention != 0 {
		errs = append(errs, named("retention", between(c.Retention, minRetention, maxRetention)))
	}
	if c.EventRetention != 0 {
		errs = append(errs, named("event-retention", between(c.EventRetention, minEvents, maxRetention)))
	}
	return errors.Join(errs...)
}

func (c *Config) validateKeys() error {
	var errs []error
	if _, err := ParseMasterKey(c.MasterKey); err != nil {
		errs = append(errs, fmt.Errorf("PEAL_MASTER_KEY (or --master-key-file): %w; make one with: openssl rand -base64 32, and keep it safe: "+
			"without it the stored credentials cannot be read", err))
	}
	switch n := len([]rune(string(c.OperatorKey))); {
	case n == 0:
		errs = append(errs, errors.New("PEAL_OPERATOR_KEY (or --operator-key-file): it is not set; make one with: openssl rand -hex 24"))
	case n < MinOperatorKey:
		errs = append(errs, fmt.Errorf("PEAL_OPERATOR_KEY (or --operator-key-file): it has %d characters and must have at least %d; make one with: openssl rand -hex 24",
			n, MinOperatorKey))
	case strings.ContainsFunc(string(c.OperatorKey), func(r rune) bool { return r <= ' ' || r > '~' }):
		errs = append(errs, errors.New("PEAL_OPERATOR_KEY (or --operator-key-file): it is sent in an HTTP header, so it must be of visible ASCII characters without blanks; "+
			"make one with: openssl rand -hex 24"))
	}
	return errors.Join(errs...)
}

func (c *Config) validateNetworks() error {
	_, err := c.PrivateNetworks()
	return named("allow-private-networks", err)
}

// named puts the flag and its variable before err; nil stays nil.
func named(flag string, err error) error {
	if err == nil {
		return nil
	}
	i := slices.IndexFunc(Fields(), func(f Field) bool { return f.Flag == flag })
	return fmt.Errorf("--%s (%s): %w", flag, Fields()[i].Env, err)
}

func require(s, mend string) error {
	if strings.TrimSpace(s) == "" {
		return fmt.Errorf("it is empty; %s", mend)
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if slices.Contains(allowed, s) {
		return nil
	}
	return fmt.Errorf("%q is not known; use one of %s", s, strings.Join(allowed, ", "))
}

func between[T int | int64 | time.Duration](v, least, most T) error {
	if v >= least && v <= most {
		return nil
	}
	return fmt.Errorf("%v is out of bounds; use %v to %v", v, least, most)
}
