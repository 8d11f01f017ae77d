package config

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func valid() Config {
	c := Default()
	c.MasterKey = Secret(hex.EncodeToString(testKey()))
	c.OperatorKey = Secret(strings.Repeat("k", MinOperatorKey))
	return c
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	c := valid()
	c.PublicURL = "https://peal.example.com/base"
	c.AllowPrivateNetworks = []string{"127.0.0.0/8"}
	c.NatsURL, c.NatsReplicas, c.NatsCertFile, c.NatsKeyFile = "nats://a:b@one:4222, two,tls://c@[::1]:4222", 3, "cert", "key"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		set  func(*Config)
		want string
	}{
		{func(c *Config) { c.Listen = "7325" }, "--listen (PEAL_LISTEN): "},
		{func(c *Config) { c.Listen = "127.0.0.1:http" }, "--listen (PEAL_LISTEN): "},
		{func(c *Config) { c.DebugListen = "localhost" }, "--debug-listen (PEAL_DEBUG_LISTEN): "},
		{func(c *Config) { c.Data = " " }, "--data (PEAL_DATA): "},
		{func(c *Config) { c.PublicURL = "peal.example.com" }, "--public-url (PEAL_PUBLIC_URL): "},
		{func(c *Config) { c.PublicURL = "https://a@b/?x" }, "--public-url (PEAL_PUBLIC_URL): "},
		{func(c *Config) { c.MasterKey = "" }, "PEAL_MASTER_KEY (or --master-key-file): it is not set; make one"},
		{func(c *Config) { c.OperatorKey = "" }, "PEAL_OPERATOR_KEY (or --operator-key-file): it is not set; make one"},
		{func(c *Config) { c.OperatorKey = "tooshort" }, "it has 8 characters and must have at least 24"},
		{func(c *Config) { c.OperatorKey += " x" }, "visible ASCII"},
		{func(c *Config) { c.AllowPrivateNetworks = []string{"10.0.0.0/33"} }, "--allow-private-networks (PEAL_ALLOW_PRIVATE_NETWORKS): "},
		{func(c *Config) { c.NatsURL = "nats://a:hush@b:1:2" }, "PEAL_NATS_URL (or --nats-url-file): URL 1 of 1 is not like nats://user:password@host:4222"},
		{func(c *Config) { c.NatsURL = "nats://a:1, http://a:hush@b:2" }, "PEAL_NATS_URL (or --nats-url-file): URL 2 of 2 is not like"},
		{func(c *Config) { c.NatsURL = "nats://a/b" }, "is not like"},
		{func(c *Config) { c.NatsURL, c.NatsReplicas = "nats://a", 6 }, "--nats-replicas (PEAL_NATS_REPLICAS): 6 is out of bounds; use 1 to 5"},
		{func(c *Config) { c.NatsReplicas = 3 }, "--nats-replicas (PEAL_NATS_REPLICAS): it is set and PEAL_NATS_URL is not"},
		{func(c *Config) { c.NatsToken = "hush" }, "PEAL_NATS_TOKEN (or --nats-token-file): it is set and PEAL_NATS_URL is not"},
		{func(c *Config) { c.NatsURL, c.NatsCertFile = "tls://a", "x" }, "--nats-cert-file (PEAL_NATS_CERT_FILE): it goes with --nats-key-file: set both"},
		{func(c *Config) { c.NatsURL, c.NatsKeyFile = "tls://a", "x" }, "set both"},
		{func(c *Config) { c.LogLevel = "loud" }, "--log-level (PEAL_LOG_LEVEL): \"loud\" is not known; use one of debug, info, warn, error"},
		{func(c *Config) { c.LogFormat = "" }, "--log-format (PEAL_LOG_FORMAT): "},
		{func(c *Config) { c.DrainTimeout = -time.Second }, "--drain-timeout (PEAL_DRAIN_TIMEOUT): -1s is out of bounds; use 0s to 1h0m0s"},
		{func(c *Config) { c.MaxBodyBytes = 10 }, "--max-body-bytes (PEAL_MAX_BODY_BYTES): "},
		{func(c *Config) { c.MaxBatchBytes = 1 << 40 }, "--max-batch-bytes (PEAL_MAX_BATCH_BYTES): "},
		{func(c *Config) { c.AcceptQueue = 0 }, "--accept-queue (PEAL_ACCEPT_QUEUE): "},
		{func(c *Config) { c.DatabaseURL = "mysql://x:hush@y/z" }, "PEAL_DATABASE_URL (or --database-url-file): it is no PostgreSQL URL"},
		{func(c *Config) { c.DatabaseURL = "postgres://x:hu%zzsh@y/z" }, "PEAL_DATABASE_URL (or --database-url-file): it is no PostgreSQL URL"},
		{func(c *Config) { c.EventRetention = time.Minute }, "--event-retention (PEAL_EVENT_RETENTION): 1m0s is out of bounds"},
		{func(c *Config) { c.Retention = time.Hour }, "--retention (PEAL_RETENTION): 1h0m0s is out of bounds"},
		{func(c *Config) { c.LedgerEvery = 0 }, "--ledger-every (PEAL_LEDGER_EVERY): "},
	} {
		c := valid()
		tt.set(&c)
		err := c.Validate()
		said := ""
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, tt.want) || strings.Contains(said, "\n") || strings.Contains(said, "hush") || strings.Contains(said, "sh@") {
			t.Errorf("error %v, want one line with %q", err, tt.want)
		}
	}
}

func TestValidateReportsAll(t *testing.T) {
	t.Parallel()
	err := new(Config).Validate()
	for _, f := range []string{"listen", "data", "PEAL_MASTER_KEY", "PEAL_OPERATOR_KEY", "log-level", "log-format", "accept-queue", "ledger-every"} {
		if !strings.Contains(err.Error(), f) {
			t.Errorf("%s is missing in:\n%v", f, err)
		}
	}
}
