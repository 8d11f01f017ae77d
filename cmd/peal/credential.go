package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

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
