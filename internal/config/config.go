// Package config holds what an installation of Peal can be told: plain data, its defaults and its checks.
//
// The tags of [Config] are the one source for the flags of `peal serve`, the PEAL_* environment variables,
// the optional file and docs/config.md. A flag wins over the environment, the environment over the file,
// the file over the default.
package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

//go:generate go test . -run TestDocs -update

// Config is everything that `peal serve` can be told. The tags are read by kong and by [Fields]; the fields
// that kong is to leave alone are the secrets, which never stand on a command line.
type Config struct {
	Listen    string `name:"listen" env:"PEAL_LISTEN" default:"127.0.0.1:7325" placeholder:"ADDR" help:"Address to serve the API on, host:port."`
	Data      string `name:"data" env:"PEAL_DATA" default:"peal-data" placeholder:"DIR" help:"Folder of the database and the broker; made when it is not there."`
	PublicURL string `name:"public-url" env:"PEAL_PUBLIC_URL" placeholder:"URL" help:"Where providers reach this server, the base of webhook URLs. Default: http:// and the address listened on."`

	Roles []string `name:"roles" env:"PEAL_ROLES" placeholder:"ROLE" help:"What this process does: accept, route, send, track. Default: all. With fewer, PEAL_DATABASE_URL and PEAL_NATS_URL name what it shares with the others."`

	MasterKey       Secret `kong:"-" env:"PEAL_MASTER_KEY" help:"Key that seals the integrations' credentials: 32 bytes as base64 or hex, such as openssl rand -base64 32 makes. Required, here or by file."`
	MasterKeyFile   string `name:"master-key-file" env:"PEAL_MASTER_KEY_FILE" placeholder:"FILE" help:"File that holds the master key."`
	OperatorKey     Secret `kong:"-" env:"PEAL_OPERATOR_KEY" help:"API key of the installation's operator, who makes tenants: at least 24 characters. Required, here or by file."`
	OperatorKeyFile string `name:"operator-key-file" env:"PEAL_OPERATOR_KEY_FILE" placeholder:"FILE" help:"File that holds the operator key."`

	DatabaseURL     Secret        `kong:"-" env:"PEAL_DATABASE_URL" help:"PostgreSQL database for the records, such as postgres://peal:password@db.internal:5432/peal. Default: a SQLite file in the data folder."`
	DatabaseURLFile string        `name:"database-url-file" env:"PEAL_DATABASE_URL_FILE" placeholder:"FILE" help:"File that holds the database's URL."`
	Retention       time.Duration `name:"retention" env:"PEAL_RETENTION" default:"2160h" placeholder:"DURATION" help:"How long notifications and deliveries are kept after they were accepted; what is in flight and dead letters stay longer. 0: for ever."`

	EventRetention    time.Duration `name:"event-retention" env:"PEAL_EVENT_RETENTION" default:"168h" placeholder:"DURATION" help:"How long tenants' event logs go back, from which their systems catch up. 0: for ever."`
	CallbackRetention time.Duration `name:"callback-retention" env:"PEAL_CALLBACK_RETENTION" default:"720h" placeholder:"DURATION" help:"How long webhooks are kept as they came, so that they can be looked at and replayed. 0: until they are folded in."`
	CallbackMaxBytes  int64         `name:"callback-max-bytes" env:"PEAL_CALLBACK_MAX_BYTES" default:"10737418240" placeholder:"BYTES" help:"How much kept webhooks may take on disk, on each server that keeps them; the oldest leave first, and none before it is folded in. With the embedded broker never more than half of what the disk has for them. 0: as much as there are."`

	DeviceUnseen string `name:"device-unseen" env:"PEAL_DEVICE_UNSEEN" default:"6480h" placeholder:"DURATION" help:"After how long devices that were not heard of are retired; 0: never. Kinds of devices may have their own: 6480h,apns=0,webpush=4320h."`

	NatsURL       Secret `kong:"-" env:"PEAL_NATS_URL" help:"NATS cluster to use instead of the embedded broker: one or several URLs with commas between, such as nats://peal:password@nats1:4222,nats://peal:password@nats2:4222, or tls:// ones."`
	NatsURLFile   string `name:"nats-url-file" env:"PEAL_NATS_URL_FILE" placeholder:"FILE" help:"File that holds the URLs of the NATS cluster."`
	NatsToken     Secret `kong:"-" env:"PEAL_NATS_TOKEN" help:"Token for the NATS cluster, where it wants one."`
	NatsTokenFile string `name:"nats-token-file" env:"PEAL_NATS_TOKEN_FILE" placeholder:"FILE" help:"File that holds the token for the NATS cluster."`
	NatsCredsFile string `name:"nats-creds-file" env:"PEAL_NATS_CREDS_FILE" placeholder:"FILE" help:"Credentials file of a NATS user, as nsc makes it."`
	NatsCAFile    string `name:"nats-ca-file" env:"PEAL_NATS_CA_FILE" placeholder:"FILE" help:"Certificates of those who vouch for the NATS servers. Default: whom the system trusts."`
	NatsCertFile  string `name:"nats-cert-file" env:"PEAL_NATS_CERT_FILE" placeholder:"FILE" help:"Certificate to show to the NATS servers; with its key."`
	NatsKeyFile   string `name:"nats-key-file" env:"PEAL_NATS_KEY_FILE" placeholder:"FILE" help:"Key of that certificate."`
	NatsReplicas  int    `name:"nats-replicas" env:"PEAL_NATS_REPLICAS" placeholder:"COUNT" help:"How many servers of the NATS cluster keep each stream. Default: 3; the embedded broker has 1."`

	MetricsOpen          bool     `name:"metrics-open" env:"PEAL_METRICS_OPEN" help:"Answer /metrics without the operator key."`
	AllowPrivateNetworks []string `name:"allow-private-networks" env:"PEAL_ALLOW_PRIVATE_NETWORKS" placeholder:"CIDR" help:"Private networks that calls to providers and to tenants' endpoints may reach, such as 10.1.0.0/16 or 127.0.0.1/32. All others are refused."`

	LogLevel  string `name:"log-level" env:"PEAL_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"What to log: debug, info, warn or error."`
	LogFormat string `name:"log-format" env:"PEAL_LOG_FORMAT" default:"json" placeholder:"FORMAT" help:"How to log: json or text."`

	DebugListen string `name:"debug-listen" env:"PEAL_DEBUG_LISTEN" placeholder:"ADDR" help:"Address to serve Go's profiler on, such as 127.0.0.1:6060; it has no password. Default: none."`

	TenantRate      int `name:"tenant-rate" env:"PEAL_TENANT_RATE" default:"0" placeholder:"COUNT" help:"Notifications per second that a tenant may send if it has no limit of its own; more are answered 429. 0: no limit."`
	TenantMaxQueued int `name:"tenant-max-queued" env:"PEAL_TENANT_MAX_QUEUED" default:"5000000" placeholder:"COUNT" help:"Deliveries that a tenant may have waiting or in flight if it has no limit of its own; more are answered 429. 0: no limit."`

	DrainDelay    time.Duration `name:"drain-delay" env:"PEAL_DRAIN_DELAY" default:"0s" placeholder:"DURATION" help:"How long a server that is told to stop goes on as before while /readyz says 503: as long as load balancers take to notice."`
	DrainTimeout  time.Duration `name:"drain-timeout" env:"PEAL_DRAIN_TIMEOUT" default:"20s" placeholder:"DURATION" help:"How long a stopping server waits for calls in flight."`
	MaxBodyBytes  int64         `name:"max-body-bytes" env:"PEAL_MAX_BODY_BYTES" default:"1048576" placeholder:"BYTES" help:"Largest body of a request."`
	MaxBatchBytes int64         `name:"max-batch-bytes" env:"PEAL_MAX_BATCH_BYTES" default:"8388608" placeholder:"BYTES" help:"Largest body of a batch."`
	AcceptQueue   int           `name:"accept-queue" env:"PEAL_ACCEPT_QUEUE" default:"4096" placeholder:"COUNT" help:"Requests that may wait for the writer; more are answered 503."`
	LedgerEvery   time.Duration `name:"ledger-every" env:"PEAL_LEDGER_EVERY" default:"30s" placeholder:"DURATION" help:"How often the ledger compares rows in flight with jobs."`
}

// Default returns a Config with every default set; the secrets are missing.
func Default() Config {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for _, f := range Fields() {
		if f.Default != "" {
			setDefault(v.Field(f.index), f)
		}
	}
	return c
}

// setDefault puts f's default into v. A default that does not parse is a fault in the tags above.
func setDefault(v reflect.Value, f Field) {
	var err error
	switch v.Interface().(type) {
	case string:
		v.SetString(f.Default)
	case time.Duration:
		var d time.Duration
		d, err = time.ParseDuration(f.Default)
		v.SetInt(int64(d))
	case int, int64:
		var n int64
		n, err = strconv.ParseInt(f.Default, 10, 64)
		v.SetInt(n)
	default:
		err = fmt.Errorf("no default for a %s", v.Type())
	}
	if err != nil {
		panic("config: " + f.Env + ": " + err.Error())
	}
}

// Field is one field of Config as its tags tell it.
type Field struct {
	Flag        string // without the dashes; empty for a secret, which has no flag
	Env         string // also the key in the file
	Default     string
	Placeholder string
	Help        string

	index int
}

// Fields lists the fields of Config in their order.
func Fields() []Field {
	t := reflect.TypeFor[Config]()
	fields := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		fields = append(fields, Field{
			Flag:        tag.Get("name"),
			Env:         tag.Get("env"),
			Default:     tag.Get("default"),
			Placeholder: tag.Get("placeholder"),
			Help:        tag.Get("help"),
			index:       i,
		})
	}
	return fields
}

// ExternalURL is the base of webhook URLs, without a slash at its end: PublicURL, or http:// and bound, the
// address that the server really listens on (Listen when bound is empty).
func (c *Config) ExternalURL(bound string) string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	addr := cmp.Or(bound, c.Listen)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	return u.String()
}

// PrivateNetworks parses AllowPrivateNetworks; a single address counts as a network of one.
func (c *Config) PrivateNetworks() ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(c.AllowPrivateNetworks))
	for _, s := range c.AllowPrivateNetworks {
		s = strings.TrimSpace(s)
		if addr, err := netip.ParseAddr(s); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.1.0.0/16", s)
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, nil
}
