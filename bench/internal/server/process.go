package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
	logTail      = 2000 // bytes of the log that an error shows
)

// Config says how to run Peal.
type Config struct {
	Binary string
	Dir    string   // of this process alone; its data, and its log beside it
	Args   []string // after the bench's own
	Env    []string // in addition to the bench's environment

	keys []string // of the process that this one follows; new ones for nil
}

// Process is a running `peal serve`.
type Process struct {
	Addr        string // where it listens
	cfg         Config
	operatorKey string
	logPath     string
	client      *http.Client
	cmd         *exec.Cmd
	exited      chan struct{} // closed when it has ended
	exitErr     error         // valid then
}

// Start runs Peal with everything at its default, so with fsync on, and waits until it is ready.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(cfg.Dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	if cfg.keys == nil {
		cfg.keys = []string{secret(), secret()}
	}
	master, operator := cfg.keys[0], cfg.keys[1]
	p := &Process{
		Addr: addr, cfg: cfg, operatorKey: operator, client: &http.Client{Transport: &http.Transport{}},
		logPath: filepath.Join(cfg.Dir, "peal.log"), exited: make(chan struct{}),
	}
	log, err := os.Create(p.logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	args := append([]string{"serve", "--listen", addr, "--data", data, "--allow-private-networks", "127.0.0.0/8"}, cfg.Args...)
	p.cmd = exec.Command(cfg.Binary, args...) // not CommandContext: Stop lets it drain
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(append(os.Environ(), "PEAL_MASTER_KEY="+master, "PEAL_OPERATOR_KEY="+operator), cfg.Env...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.exitErr = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.ready(ctx); err != nil {
		p.kill()
		return nil, fmt.Errorf("starting peal: %w%s", err, p.tail())
	}
	return p, nil
}

// Restart runs Peal again on the data of a process that was stopped, which has its keys and its address no more.
func (p *Process) Restart(ctx context.Context) (*Process, error) { return Start(ctx, p.cfg) }

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends it as an operator would and waits for it; an error means that it did not end well.
func (p *Process) Stop() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%w%s", p.ended(), p.tail())
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
		return fmt.Errorf("peal did not end within %v of SIGTERM%s", stopTimeout, p.tail())
	}
	if p.exitErr != nil {
		return fmt.Errorf("peal, after SIGTERM: %w%s", p.exitErr, p.tail())
	}
	return nil
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ended is the error of a process that was not asked to end.
func (p *Process) ended() error {
	if p.exitErr == nil {
		return errors.New("peal has ended by itself: exit status 0")
	}
	return fmt.Errorf("peal has ended by itself: %w", p.exitErr)
}

func (p *Process) kill() {
	_ = p.cmd.Process.Kill() // it may just have ended
	<-p.exited
}

// ready asks until the process says yes.
func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	last := errors.New("never asked")
	for {
		select {
		case <-p.exited:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), last))
		case <-again.C:
			if last = p.askReady(ctx); last == nil {
				return nil
			}
		}
	}
}

func (p *Process) askReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", resp.Status)
	}
	return nil
}

// tail is the end of the process's log, for an error.
func (p *Process) tail() string {
	raw, err := os.ReadFile(p.logPath)
	if err != nil {
		return ""
	}
	return "\nthe end of its log:\n" + string(raw[max(0, len(raw)-logTail):])
}

// freeAddr is free now; nobody else on a benchmark machine should take it before Peal does.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// secret is 32 random bytes as base64: a master key, and long enough for an operator key.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
