package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// roles are all that there are, in the order of the pipeline.
func roles() []string { return []string{"accept", "route", "send", "track"} }

// NodeRoles are the roles of this process, in the order of the pipeline.
func (c *Config) NodeRoles() []string {
	if len(c.Roles) == 0 {
		return roles()
	}
	var mine []string
	for _, r := range roles() {
		if slices.Contains(c.Roles, r) {
			mine = append(mine, r)
		}
	}
	return mine
}

func (c *Config) validateRoles() error {
	for _, r := range c.Roles {
		if !slices.Contains(roles(), r) {
			return named("roles", fmt.Errorf("there is no role %q; use some of %s", r, strings.Join(roles(), ", ")))
		}
	}
	if len(c.NodeRoles()) < len(roles()) && c.alone() {
		return named("roles", errors.New("nobody else could do the rest: a process with some of the roles shares its records and its broker with others; "+
			"give PEAL_DATABASE_URL and PEAL_NATS_URL, or leave the roles out"))
	}
	return nil
}

// alone tells whether this process shares nothing with others.
func (c *Config) alone() bool {
	return c.DatabaseURL == "" || strings.TrimSpace(string(c.NatsURL)) == ""
}
