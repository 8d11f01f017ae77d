package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"peal/emulator/wasender"
	"peal/internal/config"
)

// DevConfig is what `peal dev` can be told.
type DevConfig struct {
	Data     string // folder of everything it keeps
	Listen   string // of the API
	Emulator string // address of the WasenderApi emulator
}

// devSecrets are made at the first run and kept beside the data.
type devSecrets struct {
	MasterKey     string `json:"master_key"`
	OperatorKey   string `json:"operator_key"`
	APIKey        string `json:"api_key,omitempty"`
	WasenderKey   string `json:"wasender_key"`
	WebhookSecret string `json:"webhook_secret"`
}

// Dev runs everything in one process with an emulated provider, sends one notification, shows its ticks, and stays up
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

	emu, stopEmulator, err := startEmulator(ctx, cfg.Emulator, secrets)
	if err != nil {
		return err
	}
	defer stopEmulator()
	serve := config.Default()
	serve.Listen, serve.Data = cfg.Listen, cfg.Data
	serve.MasterKey, serve.OperatorKey = config.Secret(secrets.MasterKey), config.Secret(secrets.OperatorKey)
	serve.MetricsOpen, serve.AllowPrivateNetworks = true, []string{"127.0.0.0/8", "::1/128"}
	peal, err := Start(ctx, serve, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peal.Stop(5*time.Second)) }()
	d := &demo{out: out, url: "http://" + peal.Addr(), emulatorURL: "http://" + emu.addr, secrets: secrets, emulator: emu.server}
	d.say("Peal %s, everything in one process. Data: %s (kept between runs)\n", Version, absolute(cfg.Data))
	if err := d.prepare(ctx, cfg.Data); err != nil {
		return err
	}
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

// emulator is the running stand-in of the provider.
type emulator struct {
	server *wasender.Server
	addr   string
}

func startEmulator(ctx context.Context, addr string, s *devSecrets) (*emulator, func(), error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s for the emulator: %w; free the port, or choose another with --emulator", addr, err)
	}
	// Slower than the default, so that one can watch the ticks.
	script := wasender.Script{Steps: []wasender.Step{
		{Status: 2, Delay: 300 * time.Millisecond}, {Status: 3, Delay: 900 * time.Millisecond}, {Status: 4, Delay: 1800 * time.Millisecond},
	}}
	emu := wasender.New(wasender.Options{
		Sessions: []wasender.Session{{
			ID: 1, Name: "demo", APIKey: s.WasenderKey, WebhookSecret: s.WebhookSecret, Plan: wasender.PlanUnlimited, LogMessages: true,
		}},
		Script: &script,
	})
	srv := &http.Server{Handler: emu, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends when it is closed
	}()
	return &emulator{emu, l.Addr().String()}, func() {
		emu.Close()
		_ = srv.Close()
		<-done
	}, nil
}

func readSecrets(dir string) (*devSecrets, error) {
	s := &devSecrets{}
	b, err := os.ReadFile(filepath.Join(dir, "dev.json"))
	switch {
	case err == nil:
		if err := json.Unmarshal(b, s); err != nil {
			return nil, fmt.Errorf("%s is damaged; delete the folder to start anew", filepath.Join(dir, "dev.json"))
		}
		return s, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read dev.json: %w", err)
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24: it stops the program instead
	s.MasterKey = base64.StdEncoding.EncodeToString(key)
	s.OperatorKey, s.WasenderKey, s.WebhookSecret = "operator-"+randomHex(16), "wasender-"+randomHex(8), "secret-"+randomHex(16)
	return s, s.write(dir)
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24: it stops the program instead
	return hex.EncodeToString(b)
}

func (s *devSecrets) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "dev.json"), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write dev.json: %w", err)
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
