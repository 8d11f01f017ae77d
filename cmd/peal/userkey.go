package main

import (
	"context"
	"os"
	"time"

	"peal/api"
	"peal/internal/usertoken"
)

// UserKeyCmd is `peal user-key`.
type UserKeyCmd struct {
	Create UserKeyCreateCmd `cmd:"" help:"Make a key that signs user tokens; a secret is shown once."`
	List   UserKeyListCmd   `cmd:"" help:"List the keys that sign user tokens."`
	Revoke UserKeyRevokeCmd `cmd:"" help:"Make a key useless, and every token that it signed."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (UserKeyCmd) Help() string { return "Example:\n\n  peal user-key create backend" }

// UserKeyCreateCmd is `peal user-key create`.
type UserKeyCreateCmd struct {
	Name      string `arg:"" help:"What it is for."`
	PublicKey string `name:"public-key" placeholder:"FILE" help:"File with an Ed25519 public key in PEM, whose private key your backend has. Default: Peal makes a secret, for HS256."`
}

// Help gives examples.
func (UserKeyCreateCmd) Help() string {
	return UserKeyCmd{}.Help() + "\n  peal user-key create backend --public-key public.pem"
}

// Run makes a key.
func (c *UserKeyCreateCmd) Run(ctx context.Context, t *term, parent *UserKeyCmd) error {
	req := api.UserKeyRequest{Name: c.Name, Algorithm: usertoken.HS256}
	if c.PublicKey != "" {
		text, err := os.ReadFile(c.PublicKey)
		if err != nil {
			return usagef("--public-key: %w", err)
		}
		if _, err := usertoken.ParsePublicKey(string(text)); err != nil { // before a private one leaves the machine
			return usagef("--public-key %s: %w", c.PublicKey, err)
		}
		req.Algorithm, req.PublicKey = usertoken.EdDSA, string(text)
	}
	cl, err := parent.client()
	if err != nil {
		return err
	}
	key, err := cl.CreateUserKey(ctx, req)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(key)
	}
	if key.Secret != "" {
		t.notef("keep the secret: it is not shown again\n")
	}
	return t.facts("id", key.ID, "name", key.Name, "algorithm", key.Algorithm, "secret", key.Secret)
}

// UserKeyListCmd is `peal user-key list`.
type UserKeyListCmd struct{}

// Help gives an example.
func (UserKeyListCmd) Help() string { return "Example:\n\n  peal user-key list" }

// Run lists keys.
func (c *UserKeyListCmd) Run(ctx context.Context, t *term, parent *UserKeyCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	keys, err := cl.UserKeys(ctx)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(keys)
	}
	rows := make([][]string, len(keys.Keys))
	for i, k := range keys.Keys {
		state := "valid"
		if k.RevokedAt != nil {
			state = "revoked " + t.shortTime(*k.RevokedAt)
		}
		rows[i] = []string{k.ID, k.Name, k.Algorithm, t.shortTime(k.CreatedAt), state}
	}
	return t.table([]string{"ID", "NAME", "ALGORITHM", "CREATED", "STATE"}, rows)
}

// UserKeyRevokeCmd is `peal user-key revoke`.
type UserKeyRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
}

// Help gives an example.
func (UserKeyRevokeCmd) Help() string {
	return "Example:\n\n  peal user-key revoke 01920000-0000-7000-8000-000000000000"
}

// Run revokes a key.
func (c *UserKeyRevokeCmd) Run(ctx context.Context, t *term, parent *UserKeyCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if err := cl.RevokeUserKey(ctx, c.ID); err != nil {
		return err
	}
	return t.did(parent.JSON, "revoked", c.ID)
}

// UserTokenCmd is `peal user-token`.
type UserTokenCmd struct {
	User   string        `arg:"" help:"Your own id of the user."`
	Key    string        `name:"key" required:"" placeholder:"ID" help:"Id of the key, as peal user-key create showed it."`
	Secret string        `name:"secret" required:"" placeholder:"SOURCE" help:"Its secret: @FILE, env:VARIABLE or - for the standard input."`
	Lasts  time.Duration `name:"lasts" default:"1h" placeholder:"DURATION" help:"How long it is good, at most 24h."`
}

// Help gives an example.
func (UserTokenCmd) Help() string {
	return "It calls no server: your backend does the same, with any library for JWTs.\n\nExample:\n\n" +
		"  peal user-token raju --key 01920000-0000-7000-8000-000000000000 --secret env:USER_KEY"
}

// Run signs a token.
func (c *UserTokenCmd) Run(t *term) error {
	if c.Lasts <= 0 || c.Lasts > usertoken.MaxLife {
		return usagef("--lasts %v is out of bounds; use up to %v", c.Lasts, usertoken.MaxLife)
	}
	value, err := secret(t, c.Secret)
	if err != nil {
		return usagef("--secret: %w", err)
	}
	token, err := usertoken.Sign(c.Key, value, c.User, t.now(), c.Lasts)
	if err != nil {
		return err
	}
	return t.printf("%s\n", token)
}
