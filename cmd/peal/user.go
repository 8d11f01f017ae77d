package main

import (
	"context"
	"encoding/json"

	"peal/api"
)

// UserCmd is `peal user`.
type UserCmd struct {
	Set    UserSetCmd    `cmd:"" aliases:"put" help:"Say all there is to know about a user; makes the user when there is none."`
	Show   UserShowCmd   `cmd:"" aliases:"get" help:"Show one user."`
	Delete UserDeleteCmd `cmd:"" help:"Forget a user and their devices."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (UserCmd) Help() string {
	return "Example:\n\n  peal user set raju --phone +919812345678 --locale hi-IN"
}

// UserSetCmd is `peal user set`.
type UserSetCmd struct {
	ID string `arg:"" help:"Your own id of the user."`

	Phone      string `name:"phone" placeholder:"PHONE" help:"Phone number in E.164; without it the user has none."`
	WhatsAppID string `name:"whatsapp-user-id" placeholder:"ID" help:"WhatsApp user id, such as US.13491208655302741918."`
	Email      string `name:"email" placeholder:"ADDRESS" help:"E-mail address."`
	Locale     string `name:"locale" placeholder:"TAG" help:"Language, such as en-IN."`
	TimeZone   string `name:"time-zone" placeholder:"ZONE" help:"Time zone, such as Asia/Kolkata."`
	Attributes string `name:"attributes" placeholder:"JSON" help:"An object of your own."`
}

// Help gives an example.
func (UserSetCmd) Help() string { return UserCmd{}.Help() }

// Run sets a user.
func (c *UserSetCmd) Run(ctx context.Context, t *term, parent *UserCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	req := api.UserRequest{Phone: c.Phone, WhatsAppUserID: c.WhatsAppID, Email: c.Email, Locale: c.Locale, TimeZone: c.TimeZone}
	if c.Attributes != "" {
		if !json.Valid([]byte(c.Attributes)) {
			return usagef(`--attributes is no JSON; give an object such as {"plan": "gold"}`)
		}
		req.Attributes = json.RawMessage(c.Attributes)
	}
	user, err := cl.PutUser(ctx, c.ID, req)
	if err != nil {
		return err
	}
	return t.user(parent.JSON, user)
}

// UserShowCmd is `peal user show`.
type UserShowCmd struct {
	ID string `arg:"" help:"Your own id of the user."`
}

// Help gives an example.
func (UserShowCmd) Help() string { return "Example:\n\n  peal user show raju" }

// Run shows a user.
func (c *UserShowCmd) Run(ctx context.Context, t *term, parent *UserCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	user, err := cl.User(ctx, c.ID)
	if err != nil {
		return err
	}
	return t.user(parent.JSON, user)
}

// UserDeleteCmd is `peal user delete`.
type UserDeleteCmd struct {
	ID string `arg:"" help:"Your own id of the user."`
}

// Help gives an example.
func (UserDeleteCmd) Help() string { return "Example:\n\n  peal user delete raju" }

// Run deletes a user.
func (c *UserDeleteCmd) Run(ctx context.Context, t *term, parent *UserCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if err := cl.DeleteUser(ctx, c.ID); err != nil {
		return err
	}
	return t.did(parent.JSON, "deleted", c.ID)
}

func (t *term) user(asJSON bool, u *api.User) error {
	if asJSON {
		return t.json(u)
	}
	return t.facts("id", u.ID, "phone", u.Phone, "whatsapp user id", u.WhatsAppUserID, "email", u.Email, "locale", u.Locale, "time zone", u.TimeZone,
		"attributes", string(u.Attributes), "updated", longTime(&u.UpdatedAt))
}
