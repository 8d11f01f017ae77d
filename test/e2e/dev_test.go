package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"peal/client"
	"peal/internal/app"
)

// terminal keeps what is printed.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// demonstration is a running `peal dev`.
type demonstration struct {
	terminal

	board  string // URL of the phones
	client *client.Client
}

// demonstrate runs `peal dev` on a folder until the test ends, or the function that it gives is called. It waits for the
// invitation.
func demonstrate(t *testing.T, folder string) (*demonstration, func()) {
	t.Helper()
	d := &demonstration{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		const free = "127.0.0.1:0"
		ended <- app.Dev(ctx, app.DevConfig{Data: folder, Listen: free, Emulator: free, APNs: free}, &d.terminal)
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("peal dev: %v\n%s", err, d.String())
		}
	})
	t.Cleanup(stop)
	eventually(t, "the invitation", func() error {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("peal dev ended: %v\n%s", err, d.String())
		default:
		}
		if !strings.Contains(d.String(), "Ctrl-C stops it") {
			return fmt.Errorf("so far: %s", d.String())
		}
		return nil
	})
	m := regexp.MustCompile(`(?s)Open (http://\S+/phones) .*curl -X POST (http://[^/]+)/.*Bearer (\S+)'`).FindStringSubmatch(d.String())
	if m == nil {
		t.Fatalf("no invitation in\n%s", d.String())
	}
	d.board = m[1]
	var err error
	if d.client, err = client.New(m[2], m[3]); err != nil {
		t.Fatal(err)
	}
	return d, stop
}

// card is what stands on a demo phone.
type card struct {
	ID, Title, Body, Image, State, Problem string
	Actions                                []struct{ ID, Title string }
	Data                                   map[string]string
}

func (d *demonstration) cards(t *testing.T) map[string][]card {
	t.Helper()
	body, _ := d.call(t, http.MethodGet, d.board+".json", "")
	var told struct {
		Phones []struct {
			ID    string
			Cards []card
		}
	}
	if err := json.Unmarshal(body, &told); err != nil {
		t.Fatal(err)
	}
	all := map[string][]card{}
	for _, p := range told.Phones {
		all[p.ID] = p.Cards
	}
	return all
}

func (d *demonstration) call(t *testing.T, method, url, body string) ([]byte, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, resp.StatusCode
}

// TestDev: the demonstration's push is on all three screens and delivered, a tap there is read; and all of it a second time
// on the same folder.
func TestDev(t *testing.T) {
	t.Parallel()
	if os.Getenv(columnVariable) == large {
		t.Skip("it is of the small size only")
	}
	defer http.DefaultClient.CloseIdleConnections()
	folder := filepath.Join(t.TempDir(), "data")
	for _, run := range []string{"first", "second"} {
		d, stop := demonstrate(t, folder)
		for _, line := range []string{`through WasenderApi`, `(?s)through Meta.*✓✓ delivered .*✓✓ read .*As a push`, `·  queued `, `✓  sent `, `✓✓ delivered `, `✓✓ read `, `android +FCM .* sent .* delivered`, `iphone +APNs .* sent .* delivered`, `browser +Web Push .* sent .* delivered`} {
			if !regexp.MustCompile(line).MatchString(d.String()) {
				t.Errorf("%s run: no %q in\n%s", run, line, d.String())
			}
		}
		screens := d.cards(t)
		for phone, tap := range map[string]string{"android": `{"action":"track"}`, "iphone": "", "browser": ""} {
			if len(screens[phone]) != 1 {
				t.Fatalf("%s run: %s shows %+v", run, phone, screens[phone])
			}
			c := screens[phone][0]
			if c.Title == "" || c.Body == "" || len(c.Actions) != 1 || c.Actions[0].Title != "Track it" || c.Problem != "" {
				t.Errorf("%s shows %+v", phone, c)
			}
			if picture, status := d.call(t, http.MethodGet, c.Image, ""); status != http.StatusOK || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
				t.Errorf("%s: the picture %s: %d", phone, c.Image, status)
			}
			if answer, status := d.call(t, http.MethodPost, d.board+"/"+phone+"/cards/"+c.ID+"/tap", tap); status != http.StatusOK {
				t.Errorf("%s: the tap: %d %s", phone, status, answer)
			}
			eventually(t, "the tap is read", func() error {
				dl, err := d.client.Delivery(t.Context(), c.Data["peal_delivery_id"])
				if err == nil && (dl.Status != "read" || dl.Recipient != phone) {
					err = fmt.Errorf("it is %s of %s", dl.Status, dl.Recipient)
				}
				return err
			})
		}
		if n := strings.Count(d.String(), "it was opened") - 2; n != 2 { // beside those of the two messages
			t.Errorf("%s run: %d opens are printed, want 2\n%s", run, n, d.String())
		}
		if !strings.Contains(d.String(), `Raju's Android phone: the button "track" was tapped`) {
			t.Errorf("%s run: the button is not printed\n%s", run, d.String())
		}
		devices, err := d.client.Devices(t.Context(), "raju")
		if err != nil || len(devices.Devices) != 3 {
			t.Errorf("%s run: %+v, %v", run, devices, err)
		}
		stop()
	}
}
