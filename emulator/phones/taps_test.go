package phones_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/phones"
)

func TestTaps(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var calls []string
	fail := false
	note := func(what string) error {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, what)
		if fail {
			return errors.New("no")
		}
		return nil
	}
	b, url := setup(t, phones.Options{
		OnTap: func(_ context.Context, p phones.Phone, c phones.Card, action string) error {
			return note("tap " + p.ID + " " + c.Title + " " + c.Data["id"] + " " + action)
		},
		OnDismiss: func(_ context.Context, p phones.Phone, c phones.Card) error {
			return note("dismiss " + p.ID + " " + c.Title)
		},
	})
	one := show(t, b, "anna", phones.Card{Title: "one", Data: map[string]string{"id": "d1"}, Actions: yesNo})
	two := show(t, b, "anna", phones.Card{Title: "two", Actions: yesNo})
	three := show(t, b, "ben", phones.Card{Title: "three"})
	at := func(phone, card, what string) string { return url + "/phones/" + phone + "/cards/" + card + "/" + what }

	if status, text, _ := post(t, at("anna", one, "tap"), ""); status != 200 || !strings.Contains(text, `"state":"tapped"`) {
		t.Error(status, text)
	}
	if status, text, _ := post(t, at("anna", one, "tap"), `{"action":"yes"}`); status != 200 || strings.Contains(text, `"action":"yes"`) {
		t.Error("a second tap changed it", status, text)
	}
	if status, _, _ := post(t, at("anna", two, "tap"), `{"action":"maybe"}`); status != 400 {
		t.Error("an unknown button:", status)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	if status, _, head := post(t, at("anna", two, "tap"), "action=yes", form...); status != 303 || head.Get("Location") != "../../../../phones" {
		t.Error("a form:", status, head)
	}
	fail = true
	if status, text, _ := post(t, at("ben", three, "dismiss"), ""); status != 502 || strings.Contains(text, ": no") {
		t.Error("a report that fails:", status, text)
	}
	if cards, _ := b.Cards("ben"); cards[0].State != phones.StateNew || cards[0].Problem == "" {
		t.Errorf("%+v", cards)
	}
	fail = false
	if status, _, _ := post(t, at("ben", three, "dismiss"), ""); status != 200 {
		t.Error("again:", status)
	}
	for path, want := range map[string]int{at("ben", "99", "tap"): 404, at("nobody", one, "dismiss"): 404, at("ben", three, "eat"): 404} {
		if status, _, _ := post(t, path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, body := range []string{"{", `{"x":1}`, `{"action":"` + strings.Repeat("x", 5000) + `"}`} {
		if status, _, _ := post(t, at("anna", one, "tap"), body); status != 400 {
			t.Errorf("%.20s: %d", body, status)
		}
	}
	if status, _, _ := post(t, at("anna", one, "tap"), "", "Sec-Fetch-Site", "cross-site"); status != 403 {
		t.Error("a tap by another site:", status)
	}
	if got := strings.Join(calls, ", "); got != "tap anna one d1 , tap anna two  yes, dismiss ben three, dismiss ben three" {
		t.Error(got)
	}
	page, _ := get(t, url+"/phones")
	for _, want := range []string{"“Confirm” at ", "Opened at ", "Dismissed at "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestTapsAtOnceAreReportedOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := 0
	b, _ := setup(t, phones.Options{OnTap: func(context.Context, phones.Phone, phones.Card, string) error {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return nil
	}})
	id := show(t, b, "anna", phones.Card{Title: "x"})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := b.Tap(t.Context(), "anna", id, ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if calls != 1 {
		t.Errorf("%d reports", calls)
	}
}

func TestEventsTellOfChanges(t *testing.T) {
	t.Parallel()
	b, url := setup(t, phones.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+"/phones/events", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Error(kind)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() bool {
		for lines.Scan() {
			if lines.Text() == "event: change" {
				return true
			}
		}
		return false
	}
	if !next() {
		t.Fatal("no first event")
	}
	show(t, b, "anna", phones.Card{Title: "x"})
	if !next() {
		t.Fatal("no event of a new card")
	}
	b.Close()
	b.Close()
	if next() {
		t.Error("an event after Close")
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}
