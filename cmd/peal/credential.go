package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// PushCredentials are the credentials of fcm, apns and webpush, as their consoles give them.
type PushCredentials struct {
	ServiceAccount string `name:"service-account" placeholder:"FILE" help:"fcm: the service account's JSON file."`
	Key            string `name:"key" placeholder:"FILE" help:"apns: the signing key's .p8 file."`
	KeyID          string `name:"key-id" placeholder:"ID" help:"apns: the key's id, ten characters."`
	TeamID         string `name:"team-id" placeholder:"ID" help:"apns: the team's id, ten characters."`
	Subject        string `name:"subject" placeholder:"URL" help:"webpush: whom a push service can write to: mailto:… or https://…"`
}

// given tells whether there is any.
func (p *PushCredentials) given() bool { return *p != PushCredentials{} }

// into adds them to others. Ids and the subject are no secrets, and may stand on the command line.
func (p *PushCredentials) into(t *term, out map[string]string) error {
	for _, c := range [...]struct {
		flag, name, value string
		file              bool
	}{
		{"--service-account", "service_account", p.ServiceAccount, true}, {"--key", "key", p.Key, true},
		{"--key-id", "key_id", p.KeyID, false}, {"--team-id", "team_id", p.TeamID, false}, {"--subject", "subject", p.Subject, false},
	} {
		if c.value == "" {
			continue
		}
		if _, twice := out[c.name]; twice {
			return usagef("%s and --credential %s are the same: give one", c.flag, c.name)
		}
		if c.file {
			value, err := secret(t, "@"+c.value)
			if err != nil {
				return usagef("%s: %w", c.flag, err)
			}
			c.value = value
		}
		out[c.name] = c.value
	}
	return nil
}

// maxCredential bounds a credential, in bytes.
const maxCredential = 64 << 10

// credentials reads NAME=SOURCE pairs. A secret is never written on the command line itself, where others on the
// machine can read it: the source is @FILE, env:NAME or - for the standard input.
func credentials(t *term, pairs []string) (map[string]string, error) {
	out := make(map[string]string, len(pairs))
	stdin := false
	for _, pair := range pairs {
		name, source, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, usagef("--credential is NAME=@FILE, NAME=env:VARIABLE or NAME=-")
		}
		if _, twice := out[name]; twice {
			return nil, usagef("--credential %s is there twice", name)
		}
		if source == "-" {
			if stdin {
				return nil, usagef("only one --credential can come from the standard input")
			}
			stdin = true
		}
		value, err := secret(t, source)
		if err != nil {
			return nil, usagef("--credential %s: %w", name, err)
		}
		out[name] = value
	}
	return out, nil
}

func secret(t *term, source string) (string, error) {
	variable, fromEnv := strings.CutPrefix(source, "env:")
	file, fromFile := strings.CutPrefix(source, "@")
	var value string
	switch {
	case fromEnv:
		v, ok := os.LookupEnv(variable)
		if !ok {
			return "", fmt.Errorf("the environment has no %s", variable)
		}
		value = v
	case fromFile:
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close() //nolint:errcheck // only read
		if value, err = readCredential(f); err != nil {
			return "", err
		}
	case source == "-":
		if t.inTTY {
			return "", errors.New("the standard input is a terminal, where the secret would show: pipe it in, or use @FILE")
		}
		var err error
		if value, err = readCredential(t.in); err != nil {
			return "", err
		}
	default:
		return "", errors.New("a secret must not stand on the command line: use @FILE, env:VARIABLE or - (standard input)")
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", errors.New("it is empty")
	}
	return value, nil
}

func readCredential(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCredential+1))
	if err == nil && len(b) > maxCredential {
		err = fmt.Errorf("it is larger than %d bytes", maxCredential)
	}
	return string(b), err
}

// names lists what is set, in order.
func names(credentials []string) string {
	return strings.Join(slices.Sorted(slices.Values(credentials)), " ")
}
