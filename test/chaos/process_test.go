package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that is started, killed and started again. It is safe for concurrent use.
type process struct {
	name  string
	log   string // file that all its lives write to
	build func() *exec.Cmd
	fell  func(err error) // called when it ends without having been told to

	mu       sync.Mutex
	cmd      *exec.Cmd
	stdin    io.Closer
	gone     chan struct{} // closed when this life has ended
	expected bool          // it was told to end
	served   bool          // it has worked in this life
}

// start starts it unless it runs.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.name, err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	cmd := p.build()
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe() // ends with this process, however that ends
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.stdin, p.gone, p.expected, p.served = cmd, stdin, make(chan struct{}), false, false
	go p.wait(cmd, p.gone)
	return nil
}

func (p *process) wait(cmd *exec.Cmd, gone chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	told, served := p.expected, p.served
	p.cmd = nil
	_ = p.stdin.Close()
	p.mu.Unlock()
	close(gone)
	if !told && served && p.fell != nil {
		p.fell(err)
	}
}

// works notes that it has been seen working: from now on it is not to end by itself.
func (p *process) works() {
	p.mu.Lock()
	p.served = true
	p.mu.Unlock()
}

// running tells whether it runs; a paused one does.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// signal sends a signal, if it runs.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig) // it may have ended just now
	}
}

// errStubborn says that a process did not end when it was told to, and had to be killed.
var errStubborn = errors.New("it did not end in time, and was killed")

// end ends it by a signal and waits until it is gone.
func (p *process) end(sig syscall.Signal, within time.Duration) error {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return nil
	}
	gone := p.gone
	p.expected = true
	_ = p.cmd.Process.Signal(sig) // it may have ended just now
	p.mu.Unlock()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-gone:
		return nil
	case <-late.C:
	}
	p.signal(syscall.SIGQUIT) // with its goroutines, if it still can
	dying := time.NewTimer(2 * time.Second)
	defer dying.Stop()
	select {
	case <-gone:
	case <-dying.C:
		p.signal(syscall.SIGKILL)
		<-gone
	}
	return errStubborn
}

// lines are those of its log that contain a text, at most some of them.
func (p *process) lines(text string, most int) (found []string) {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() && len(found) < most {
		if strings.Contains(s.Text(), text) {
			found = append(found, p.name+": "+s.Text())
		}
	}
	return found
}

// tail is the end of its log.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-3000):])
}

// ports finds addresses below those that the system gives to whoever connects: while a process is down nobody should be
// given its port.
type ports struct{ next int }

func newPorts() *ports { return &ports{20_000 + os.Getpid()%9_000} }

func (p *ports) addr(t *testing.T) string {
	t.Helper()
	for p.next++; p.next < 32_000; p.next++ {
		addr := fmt.Sprint("127.0.0.1:", p.next)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
