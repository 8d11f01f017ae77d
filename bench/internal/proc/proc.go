// Package proc runs the programs that the bench needs beside Peal as processes of its own, and ends them.
package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	readyTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
	logTail      = 2000 // bytes of the log that an error shows
)

// Config says what to run.
type Config struct {
	Name string   // for messages, and of the log
	Dir  string   // where its log goes
	Args []string // the program and its arguments
	Env  []string // in addition to the bench's environment
	Work string   // its working folder, if not the bench's
	Stop syscall.Signal
	As   *syscall.Credential // whom it runs as, if not as the bench

	Ready func(context.Context) error // nil when it can be used
}

// Process is a running program.
type Process struct {
	cfg     Config
	cmd     *exec.Cmd
	logPath string
	exited  chan struct{}
	exitErr error // valid when exited is closed
}

// Start runs a program and waits until it is ready.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	p := &Process{cfg: cfg, logPath: filepath.Join(cfg.Dir, cfg.Name+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                  // the process has its own descriptor
	p.cmd = exec.Command(cfg.Args[0], cfg.Args[1:]...) // not CommandContext: Stop lets it finish
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = log, log, cfg.Work
	p.cmd.Env = append(os.Environ(), cfg.Env...)
	// A group of its own: Ctrl-C is for the bench, which ends things in their order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cfg.As, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cfg.Name, err)
	}
	go func() {
		p.exitErr = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.ready(ctx); err != nil {
		p.kill()
		return nil, fmt.Errorf("starting %s: %w%s", cfg.Name, err, p.tail())
	}
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop asks it to end and waits for it; an error means that it did not end well.
func (p *Process) Stop() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%w%s", p.ended(), p.tail())
	default:
	}
	sig := p.cfg.Stop
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
		return fmt.Errorf("%s did not end within %v of %v%s", p.cfg.Name, stopTimeout, sig, p.tail())
	}
	if p.exitErr != nil {
		return fmt.Errorf("%s, after %v: %w%s", p.cfg.Name, sig, p.exitErr, p.tail())
	}
	return nil
}

func (p *Process) ended() error {
	return fmt.Errorf("%s has ended by itself: %w", p.cfg.Name, errors.Join(p.exitErr, errors.New("nobody asked it to")))
}

// kill takes its children along: they are in its group.
func (p *Process) kill() {
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // it may just have ended
	<-p.exited
}

func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
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
			if last = p.cfg.Ready(ctx); last == nil {
				return nil
			}
		}
	}
}

func (p *Process) tail() string {
	raw, err := os.ReadFile(p.logPath)
	if err != nil {
		return ""
	}
	return "\nthe end of its log:\n" + string(raw[max(0, len(raw)-logTail):])
}

// FreeAddr is free now; nobody else on a benchmark machine should take it before the one who is told it.
func FreeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
