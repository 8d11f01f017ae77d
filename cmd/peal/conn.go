package main

import (
	"strings"
	"time"

	"peal/client"
)

// Conn says which server a command calls, and as whom.
type Conn struct {
	URL     string        `name:"url" env:"PEAL_URL" default:"http://127.0.0.1:7325" placeholder:"URL" help:"The server."`
	APIKey  string        `name:"api-key" env:"PEAL_API_KEY" placeholder:"KEY" help:"API key, or the operator key. Better in the environment: a command line can be read by others on the machine."`
	Tenant  string        `name:"tenant" env:"PEAL_TENANT" placeholder:"ID" help:"Tenant to act for, with the operator key."`
	Timeout time.Duration `name:"timeout" default:"30s" placeholder:"DURATION" help:"Longest wait for an answer."`
	JSON    bool          `name:"json" help:"Print JSON, for scripts."`
}

// client makes the client of the server, without which no command that calls one works.
func (c *Conn) client(opts ...client.Option) (*client.Client, error) {
	key := strings.TrimSpace(c.APIKey)
	if key == "" {
		return nil, usagef("there is no API key: set PEAL_API_KEY or --api-key")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, usagef("the API key (PEAL_API_KEY or --api-key) has blanks or strange characters in it")
	}
	opts = append([]client.Option{client.WithUserAgent("peal-cli/" + version()), client.WithTimeout(c.Timeout), client.WithTenant(c.Tenant)}, opts...)
	cl, err := client.New(c.URL, key, opts...)
	if err != nil {
		return nil, usagef("--url (PEAL_URL): %w", err)
	}
	return cl, nil
}
