package main

import (
	"context"
	"strings"

	"peal/api"
)

// KeyCmd is `peal key`.
type KeyCmd struct {
	Create KeyCreateCmd `cmd:"" help:"Make an API key; it is shown once."`
	List   KeyListCmd   `cmd:"" help:"List the API keys."`
	Revoke KeyRevokeCmd `cmd:"" help:"Make an API key useless, at once and for good."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (KeyCmd) Help() string { return "Example:\n\n  peal key create shop --scope send --scope read" }

// KeyCreateCmd is `peal key create`.
type KeyCreateCmd struct {
	Name    string   `arg:"" help:"What it is for."`
	Scope   []string `name:"scope" required:"" enum:"send,read,devices,admin" placeholder:"SCOPE" help:"What it may do: send, read, devices or admin (which includes the others); may be repeated."`
	Expires when     `name:"expires" placeholder:"TIME" help:"When it ends: 2027-01-31, or 8760h from now."`
}

// Help gives an example.
func (KeyCreateCmd) Help() string { return KeyCmd{}.Help() }

// Run makes a key.
func (c *KeyCreateCmd) Run(ctx context.Context, t *term, parent *KeyCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	key, err := cl.CreateKey(ctx, api.KeyRequest{Name: c.Name, Scopes: c.Scope, ExpiresAt: c.Expires.ahead(t.now())})
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(key)
	}
	t.notef("keep the secret: it is not shown again\n")
	return t.facts("id", key.ID, "name", key.Name, "scopes", strings.Join(key.Scopes, " "), "expires", longTime(key.ExpiresAt), "secret", key.Secret)
}

// KeyListCmd is `peal key list`.
type KeyListCmd struct{}

// Help gives an example.
func (KeyListCmd) Help() string { return "Example:\n\n  peal key list" }

// Run lists keys.
func (c *KeyListCmd) Run(ctx context.Context, t *term, parent *KeyCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	keys, err := cl.Keys(ctx)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(keys)
	}
	rows := make([][]string, len(keys.Keys))
	for i, k := range keys.Keys {
		state := "valid"
		switch {
		case k.RevokedAt != nil:
			state = "revoked " + t.shortTime(*k.RevokedAt)
		case k.ExpiresAt != nil && k.ExpiresAt.Before(t.now()):
			state = "expired " + t.shortTime(*k.ExpiresAt)
		case k.ExpiresAt != nil:
			state = "until " + t.shortTime(*k.ExpiresAt)
		}
		rows[i] = []string{k.ID, k.Name, strings.Join(k.Scopes, " "), t.shortTime(k.CreatedAt), state}
	}
	return t.table([]string{"ID", "NAME", "SCOPES", "CREATED", "STATE"}, rows)
}

// KeyRevokeCmd is `peal key revoke`.
type KeyRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
}

// Help gives an example.
func (KeyRevokeCmd) Help() string {
	return "Example:\n\n  peal key revoke 01920000-0000-7000-8000-000000000000"
}

// Run revokes a key.
func (c *KeyRevokeCmd) Run(ctx context.Context, t *term, parent *KeyCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if err := cl.RevokeKey(ctx, c.ID); err != nil {
		return err
	}
	return t.did(parent.JSON, "revoked", c.ID)
}

// did says what was done to id, where the API answers nothing.
func (t *term) did(asJSON bool, verb, id string) error {
	if asJSON {
		return t.json(map[string]string{"id": id, "result": verb})
	}
	return t.printf("%s %s\n", verb, clean(id))
}
