package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"peal/internal/config"
)

// DevConfig is what `peal dev` can be told.
type DevConfig struct {
	Data     string // folder of everything it keeps
	Listen   string // of the API
	Emulator string // address of the emulated providers, and of the page of their phones
	APNs     string // address of the emulated APNs, which has a port of its own
}

// Dev runs everything in one process with emulated providers, sends the first notifications, shows their ticks, and stays up
// until ctx ends.
func Dev(ctx context.Context, cfg DevConfig, out io.Writer) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	secrets, err := readSecrets(cfg.Data)
	if err != nil {
		return err
	}
	logPath := filepath.Join(cfg.Data, "peal.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log, flush := newLogger(logFile, "info", "json")
	defer flush()

	emu, err := startEmulators(ctx, cfg, secrets, log)
	if err != nil {
		return err
	}
	defer emu.stop()
	serve := config.Default()
	serve.Listen, serve.Data = cfg.Listen, cfg.Data
	serve.MasterKey, serve.OperatorKey = config.Secret(secrets.MasterKey), config.Secret(secrets.OperatorKey)
	serve.MetricsOpen, serve.AllowPrivateNetworks = true, []string{"127.0.0.0/8", "::1/128"}
	peal, err := Start(ctx, serve, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peal.Stop(5*time.Second)) }()
	d := &demo{out: out, url: "http://" + peal.Addr(), secrets: secrets, emulators: emu}
	d.say("Peal %s, everything in one process. Data: %s (kept between runs)\n", Version, absolute(cfg.Data))
	if err := d.prepare(ctx); err != nil {
		return err
	}
	reporting, stopReporting := context.WithCancel(ctx)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		emu.wall.run(reporting)
	}()
	defer func() {
		stopReporting()
		<-reported
	}()
	if err := d.show(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	d.invite(logPath)
	select {
	case <-ctx.Done():
		d.say("\nStopping.\n")
	case <-peal.Failed():
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
