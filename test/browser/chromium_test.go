package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take: a browser on a busy machine takes long, and a test that waits for what comes
// anyway loses nothing.
const patience = time.Minute

// chromium is a browser that is spoken to over a pipe, in the DevTools protocol.
type chromium struct {
	in io.WriteCloser

	mu      sync.Mutex
	last    int
	calls   map[int]chan reply
	events  []event
	changed chan struct{} // closed and made anew at each event
	ended   error
}

type reply struct {
	ID      int             `json:"id"`
	Method  string          `json:"method"`
	Session string          `json:"sessionId"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error"`
}

type event struct {
	session, method string
	params          json.RawMessage
}

// start starts a Chromium with a profile of its own, which ends with the test. Where there is none the test is skipped,
// except in CI.
func start(t *testing.T) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the browser's tests must run in CI: install Chromium (%v)", err)
		}
		t.Skipf("SKIPPED: the module for browsers was not tried in a browser. To do that install Debian's package chromium (%v)", err)
	}
	toChild, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromChild, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "peal-browser") //nolint:usetesting // a child that still writes as it ends would fail the test
	if err != nil {
		t.Fatal(err)
	}
	var said tail
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server", "--remote-debugging-pipe",
		"--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{toChild, fromChild} // 3 and 4, as the option wants them
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = toChild.Close()
	_ = fromChild.Close()
	c := &chromium{in: in, calls: map[int]chan reply{}, changed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.listen(out)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Chromium said:\n%s", &said)
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and its children, who hold the pipe, too
		_ = cmd.Wait()
		_ = in.Close()
		_ = out.Close()
		<-done
		if err := os.RemoveAll(profile); err != nil {
			t.Log(err) // a child may still be writing as it ends
		}
	})
	return c
}

// listen reads what Chromium says until it ends.
func (c *chromium) listen(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		text, err := r.ReadBytes(0)
		var said reply
		if err == nil {
			err = json.Unmarshal(text[:len(text)-1], &said)
		}
		c.mu.Lock()
		switch call := c.calls[said.ID]; {
		case err != nil:
			c.ended = err
		case call != nil:
			delete(c.calls, said.ID)
			call <- said
		case said.Method != "":
			c.events = append(c.events, event{said.Session, said.Method, said.Params})
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// call makes one call, of a session or, without one, of the browser.
func (c *chromium) call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.calls[id] = answer
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = c.in.Write(append(text, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, errors.Join(ctx.Err(), c.end()))
	case said := <-answer:
		if said.Error != nil {
			return fmt.Errorf("%s: %s %s", method, said.Error.Message, said.Error.Data)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(said.Result, result)
	}
}

func (c *chromium) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// await waits for an event of a session that is wanted, be it past or to come.
func (c *chromium) await(t *testing.T, session, method string, wanted func(params json.RawMessage) bool) {
	t.Helper()
	deadline := time.After(patience)
	for seen := 0; ; {
		c.mu.Lock()
		all, changed, ended := c.events[seen:], c.changed, c.ended
		seen = len(c.events)
		c.mu.Unlock()
		for _, e := range all {
			if e.session == session && e.method == method && wanted(e.params) {
				return
			}
		}
		if ended != nil {
			t.Fatalf("Chromium has ended: %v", ended)
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no %s as it is wanted", method)
		}
	}
}

// tail keeps the end of what was written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-4096):]
	return len(p), nil
}

// String leaves out what Chromium always says where there is no desktop.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept strings.Builder
	for line := range strings.Lines(string(w.text)) {
		if !strings.Contains(line, "dbus") && !strings.Contains(line, "examples of valid types") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
