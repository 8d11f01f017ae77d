package main

import "errors"

// DevCmd is `peal dev`.
type DevCmd struct{}

// Help gives an example.
func (DevCmd) Help() string { return "Example:\n\n  peal dev" }

// Run runs the demonstration until ctx ends.
func (c *DevCmd) Run() error { return errors.New("dev: not wired yet") }
