package npm_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/webpush"
)

// TestWebPushClient sends with Peal's Web Push client to the push service of
// the npm package web-push-testing 1.2.2, which verifies and decrypts it.
func TestWebPushClient(t *testing.T) {
	p := startPushService(t)
	c := webPushClient(t, p.key)
	d := p.subscribe(t)
	for _, title := range []string{"short", strings.Repeat("ü", 1700)} {
		m := &provider.Message{
			DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", Device: d,
			Content: api.Content{Push: &api.Push{Title: title, Link: "https://example.com/7", CollapseKey: "k"}},
		}
		shown, err := c.(provider.Previewer).Preview(m)
		if err != nil {
			t.Fatal(err)
		}
		if out := c.Send(t.Context(), m); out.Class != peal.ClassAccepted {
			t.Fatalf("got %+v", out)
		}
		var got struct{ Messages []string }
		p.ask(t, "/get-notifications", url.Values{"clientHash": {hashOf(d)}}, &got)
		if n := len(got.Messages); n == 0 || got.Messages[n-1] != string(shown.Body) {
			t.Errorf("it decrypted %q, want %q", got.Messages, shown.Body)
		}
	}
	t.Run("another key", func(t *testing.T) {
		out := webPushClient(t, webPushKey(t)).Send(t.Context(), pushTo(d))
		if out.Class != peal.ClassPermanent {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("expired", func(t *testing.T) {
		p.ask(t, "/expire-subscription/"+hashOf(d), nil, nil)
		out := c.Send(t.Context(), pushTo(d))
		if out.Class != peal.ClassGone || out.Device.Verdict != peal.DeviceDead {
			t.Errorf("got %+v", out)
		}
	})
}

func pushTo(d *peal.Device) *provider.Message {
	text := "hello"
	return &provider.Message{DeliveryID: "d-1", Device: d, Content: api.Content{Text: &text}}
}

// webPushKey makes a VAPID key as a new integration does.
func webPushKey(t *testing.T) map[string]string {
	t.Helper()
	credentials := map[string]string{"subject": "mailto:ops@example.com"}
	if err := (webpush.Kind{}).MakeCredentials(credentials); err != nil {
		t.Fatal(err)
	}
	return credentials
}

func webPushClient(t *testing.T, credentials map[string]string) provider.Client {
	t.Helper()
	rt := netguard.New(netip.MustParsePrefix("127.0.0.0/8")).Transport(netguard.Config{})
	c, err := webpush.Kind{}.Open(&peal.Integration{Kind: "webpush", Credentials: credentials, Timeout: 10 * time.Second},
		provider.Env{Transport: rt, Dial: rt.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.CloseIdleConnections)
	t.Cleanup(c.Close)
	return c
}

// pushService is web-push-testing, running.
type pushService struct {
	url string
	key map[string]string // of those who subscribe
}

// startPushService runs webpush-testing.mjs until the test ends.
func startPushService(t *testing.T) *pushService {
	t.Helper()
	node := requireNode(t, "web-push-testing")
	// As in TestWasenderapi: so that a changed script gets no cached result.
	if _, err := os.Stat("webpush-testing.mjs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, node, "webpush-testing.mjs")
	cmd.Env = withoutProxy(os.Environ())
	cmd.Stderr = io.Discard // it prints the tokens that it refuses
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close() // that ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("node webpush-testing.mjs: %v", err)
		}
	})
	p := &pushService{key: webPushKey(t)}
	for lines := bufio.NewScanner(out); p.url == "" && lines.Scan(); {
		p.url, _ = strings.CutPrefix(lines.Text(), "READY ")
		if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
			p.url = ""
		}
	}
	if p.url == "" {
		t.Fatal("node webpush-testing.mjs did not start")
	}
	return p
}

// ask posts a form and reads the data of the answer.
func (p *pushService) ask(t *testing.T, path string, form url.Values, into any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.PostForm(p.url+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", path, res.Status, body, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(body, &struct{ Data any }{into}); err != nil {
		t.Fatal(err)
	}
}

func (p *pushService) subscribe(t *testing.T) *peal.Device {
	t.Helper()
	key := webpush.Kind{}.Public(&peal.Integration{Credentials: p.key})["vapid_public_key"]
	var sub api.PushSubscription
	p.ask(t, "/subscribe", url.Values{"userVisibleOnly": {"true"}, "applicationServerKey": {key}}, &sub)
	d := &peal.Device{ID: "browser", Kind: peal.DeviceWebPush, Address: sub.Endpoint, P256dh: sub.Keys.P256dh, Auth: sub.Keys.Auth}
	if fields := (webpush.Kind{}).CheckDevice(d); len(fields) > 0 {
		t.Fatalf("its subscription is refused: %+v", fields)
	}
	return d
}

// hashOf is what the package calls a subscription: the end of its endpoint.
func hashOf(d *peal.Device) string { return d.Address[strings.LastIndexByte(d.Address, '/')+1:] }
