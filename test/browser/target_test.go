package browser

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// target is a page or a service worker that a test speaks to.
type target struct {
	*chromium

	session string
}

// open opens a page and waits until its scripts have run.
func (c *chromium) open(t *testing.T, url string) *target {
	t.Helper()
	var made struct {
		TargetID string `json:"targetId"`
	}
	c.must(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	page := c.attach(t, made.TargetID)
	t.Cleanup(func() {
		_ = c.call(context.WithoutCancel(t.Context()), "", "Target.closeTarget", map[string]any{"targetId": made.TargetID}, nil)
	})
	c.must(t, page.session, "ServiceWorker.enable", nil, nil)
	page.visit(t, url)
	return page
}

// visit leads a page to a URL, also to the one where it is.
func (p *target) visit(t *testing.T, url string) {
	t.Helper()
	p.must(t, p.session, "Page.enable", nil, nil)
	p.must(t, p.session, "Page.navigate", map[string]any{"url": url}, nil)
	until(t, "the page is ready", func() bool {
		ready := false
		_ = p.try(t, `document.readyState === "complete" && window.ready === true`, &ready) // between two pages it fails
		return ready
	})
}

// worker attaches to the service worker of an origin.
func (c *chromium) worker(t *testing.T, origin string) *target {
	t.Helper()
	id := ""
	until(t, "the service worker runs", func() bool {
		var all struct {
			Infos []struct{ TargetID, Type, URL string } `json:"targetInfos"`
		}
		c.must(t, "", "Target.getTargets", nil, &all)
		for _, i := range all.Infos {
			if i.Type == "service_worker" && strings.HasPrefix(i.URL, origin+"/") {
				id = i.TargetID
			}
		}
		return id != ""
	})
	return c.attach(t, id)
}

func (c *chromium) attach(t *testing.T, id string) *target {
	t.Helper()
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	c.must(t, "", "Target.attachToTarget", map[string]any{"targetId": id, "flatten": true}, &attached)
	return &target{c, attached.SessionID}
}

func (c *chromium) must(t *testing.T, session, method string, params, result any) {
	t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	if err := c.call(t.Context(), session, method, params, result); err != nil {
		t.Fatal(err)
	}
}

// failure is what an expression has thrown.
type failure string

func (f failure) Error() string { return string(f) }

// try evaluates an expression, waits for its promise, and reads its value.
func (p *target) try(t *testing.T, expression string, value any) error {
	t.Helper()
	var said struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	err := p.call(t.Context(), p.session, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &said)
	if err != nil {
		return err
	}
	if e := said.ExceptionDetails; e != nil {
		return failure(e.Text + " " + e.Exception.Description)
	}
	if value == nil || len(said.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(said.Result.Value, value)
}

// eval is try that must not fail.
func (p *target) eval(t *testing.T, expression string, value any) {
	t.Helper()
	if err := p.try(t, expression, value); err != nil {
		t.Fatalf("%.200s: %v", expression, err)
	}
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it was waited in vain until %s", what)
		}
	}
}
