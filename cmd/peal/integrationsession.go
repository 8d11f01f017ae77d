package main

import (
	"context"
	"fmt"
	"time"

	"peal/api"
	"peal/client"
	"peal/internal/qrcode"
)

// IntegrationSessionCmd is `peal integration session`.
type IntegrationSessionCmd struct {
	Name        string        `arg:"" help:"Name or id."`
	Connect     bool          `name:"connect" help:"Have it connect."`
	QR          bool          `name:"qr" help:"Have it connect, draw the QR code that the phone is to scan (WhatsApp, Linked devices), and wait until it is connected."`
	Light       bool          `name:"light" help:"With --qr: the terminal is light."`
	WaitTimeout time.Duration `name:"wait-timeout" default:"3m" placeholder:"DURATION" help:"With --qr: longest wait."`
	Interval    time.Duration `name:"interval" default:"5s" placeholder:"DURATION" help:"With --qr: time between two looks."`
}

// Help gives an example.
func (IntegrationSessionCmd) Help() string {
	return "Examples:\n\n  peal integration session whatsapp\n  peal integration session whatsapp --qr"
}

// Run shows a session, or pairs it.
func (c *IntegrationSessionCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if c.QR && parent.JSON {
		return usagef("--qr draws; leave out --json, or use --connect, whose answer has the code")
	}
	if c.QR {
		return c.pair(ctx, t, cl)
	}
	ask := cl.Session
	if c.Connect {
		ask = cl.ConnectSession
	}
	s, err := ask(ctx, c.Name)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(s)
	}
	return t.facts("integration", s.IntegrationID, "session", s.State, "code to scan", s.QR)
}

// pair draws the code anew whenever it changes, until the session is connected.
func (c *IntegrationSessionCmd) pair(ctx context.Context, t *term, cl *client.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.WaitTimeout, fmt.Errorf("the session was not connected within %v", c.WaitTimeout))
	defer cancel()
	s, err := cl.ConnectSession(ctx, c.Name)
	for drawn := ""; err == nil && !s.Connected; {
		if s.QR != "" && s.QR != drawn {
			if drawn, err = s.QR, c.draw(t, s.QR); err != nil {
				return err
			}
		}
		if err := pause(ctx, c.Interval); err != nil {
			return err
		}
		if s, err = cl.Session(ctx, c.Name); err == nil && s.State == "need_scan" {
			var fresh *api.Session
			if fresh, err = cl.SessionQR(ctx, c.Name); err == nil {
				s = fresh
			} else if says(err, api.CodeConflict) { // it was scanned this moment
				err = nil
			}
		}
	}
	if err != nil {
		return err
	}
	return t.printf("connected\n")
}

func (c *IntegrationSessionCmd) draw(t *term, text string) error {
	code, err := qrcode.New(text)
	if err != nil {
		return err
	}
	return t.printf("%s\nScan it with the phone: WhatsApp, Settings, Linked devices, Link a device.\n", code.Text(c.Light))
}
