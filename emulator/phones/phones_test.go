package phones_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"peal/emulator/phones"
)

func setup(t *testing.T, opt phones.Options) (*phones.Board, string) {
	t.Helper()
	b := phones.New(opt)
	t.Cleanup(b.Close)
	for _, p := range []phones.Phone{{ID: "anna", Name: "Anna's phone", Platform: "ios"}, {ID: "ben", Platform: "android"}} {
		if err := b.AddPhone(p); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(b.Handler())
	t.Cleanup(srv.Close)
	return b, srv.URL
}

func show(t *testing.T, b *phones.Board, phone string, card phones.Card) string {
	t.Helper()
	id, err := b.Show(phone, card)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func get(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return string(body), resp.Header
}

func post(t *testing.T, url, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header
}

var yesNo = []phones.Action{{ID: "yes", Title: "Confirm"}, {ID: "no", Title: "Decline"}}

func TestThePageShowsTheCards(t *testing.T) {
	t.Parallel()
	b, url := setup(t, phones.Options{App: "Demo"})
	three := 3
	show(t, b, "anna", phones.Card{Title: "First", Body: "one", Badge: &three})
	show(t, b, "anna", phones.Card{
		Title: "Second", Body: "two", Image: "https://example.com/a.png", Link: "https://example.com/page", Actions: yesNo,
	})
	show(t, b, "anna", phones.Card{Silent: true, Data: map[string]string{"k": "v"}})
	body, header := get(t, url+"/phones")
	for _, want := range []string{
		"Anna&#39;s phone", "iOS · 1 silent", `<span class="badge" title="Badge of the app's icon">3</span>`, ">Confirm</button>",
		`src="https://example.com/a.png"`, `href="https://example.com/page"`, `rel="noopener noreferrer"`, "No notifications", `action="phones/anna/cards/2/tap"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Index(body, "Second") > strings.Index(body, "First") {
		t.Error("the newest is not on top")
	}
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error(header)
	}
	if regexp.MustCompile(`(?i)\sstyle=|\son\w+=|<style|<script>`).MatchString(body) {
		t.Error("the page has what its own policy forbids")
	}
	for _, file := range []string{"style.css", "phones.js", "icon.svg"} {
		if text, head := get(t, url+"/phones/assets/"+file); len(text) < 100 || head.Get("Content-Security-Policy") == "" {
			t.Error(file)
		}
		if !strings.Contains(body, `"phones/assets/`+file+`"`) {
			t.Errorf("the page does not load %s", file)
		}
	}
	text, _ := get(t, url+"/phones.json")
	var list struct {
		Phones []struct {
			phones.Phone

			Badge int           `json:"badge"`
			Shown int           `json:"shown"`
			Cards []phones.Card `json:"cards"`
		} `json:"phones"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	anna := list.Phones[0]
	if len(list.Phones) != 2 || anna.Badge != 3 || anna.Shown != 3 || len(anna.Cards) != 3 || anna.Cards[0].Data["k"] != "v" || anna.Cards[1].App != "Demo" {
		t.Error(text)
	}
}

// TestForeignTextStaysText: whoever can send a push must not get a script, a
// frame or a link that runs into the page.
func TestForeignTextStaysText(t *testing.T) {
	t.Parallel()
	b, url := setup(t, phones.Options{})
	attacks := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`, `{{.}}`, `</button></form><form action=//evil.example>`,
	}
	links := []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
		"vbscript:x", "file:///etc/passwd", "blob:https://example.com/1", `https://example.com/"onclick="alert(1)`, "\x01javascript:alert(1)",
	}
	for i, text := range append(attacks, links...) {
		show(t, b, "anna", phones.Card{
			App: text, Title: text, Body: text, Image: text, Link: text, Sound: text, CollapseKey: fmt.Sprint(i),
			Actions: []phones.Action{{ID: text, Title: text, Link: text}}, Data: map[string]string{text: text},
		})
	}
	if err := b.AddPhone(phones.Phone{ID: "evil", Name: attacks[0], Platform: attacks[1], Icon: "<b"}); err != nil {
		t.Fatal(err)
	}
	id := show(t, b, "anna", phones.Card{Title: "x", Actions: []phones.Action{{ID: attacks[2], Title: attacks[1]}}})
	if _, err := b.Tap(t.Context(), "anna", id, attacks[2]); err != nil {
		t.Fatal(err)
	}
	body, _ := get(t, url+"/phones")
	if n := strings.Count(body, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img src=x", "onerror=alert(1)>", "<form action=//evil", "' autofocus onfocus", `"onclick="`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, m := range regexp.MustCompile(`(?i)(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(m[1], "phones/") && !strings.HasPrefix(m[1], "https://example.com/") {
			t.Errorf("a link to %s", m[1])
		}
	}
	cards, _ := b.Cards("anna")
	for _, c := range cards {
		if strings.Contains(strings.ToLower(c.Link+c.Image), "script:") || strings.HasPrefix(c.Link, "data:") || strings.HasPrefix(c.Link, "file:") {
			t.Errorf("kept the link %q", c.Link)
		}
		if c.Title == links[0] && c.Problem == "" {
			t.Error("nothing tells that the link was refused")
		}
	}
	for _, id := range []string{"", "..", "a/b", "a b", "<x>", strings.Repeat("a", 65)} {
		if b.AddPhone(phones.Phone{ID: id}) == nil {
			t.Errorf("taken: %q", id)
		}
	}
}

func TestDeepLinksAreText(t *testing.T) {
	t.Parallel()
	b, url := setup(t, phones.Options{})
	show(t, b, "anna", phones.Card{Title: "x", Link: "myapp://booking/7"})
	body, _ := get(t, url+"/phones/board")
	if !strings.Contains(body, `<span class="place">myapp://booking/7</span>`) || strings.Contains(body, `href="myapp`) {
		t.Error(body)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b, _ := setup(t, phones.Options{KeepCards: 3, MaxPhones: 3})
	long := strings.Repeat("ä", 100_000)
	data := map[string]string{}
	var buttons []phones.Action
	for i := range 100 {
		data[fmt.Sprint(i)] = long
		buttons = append(buttons, phones.Action{ID: long, Title: long, Link: "https://x/" + long})
	}
	for range 10 {
		show(t, b, "anna", phones.Card{Title: long, Body: long, App: long, Image: "https://x/" + long, Link: "https://x/" + long, Actions: buttons, Data: data, Sound: long})
	}
	cards, err := b.Cards("anna")
	if err != nil || len(cards) != 3 || cards[0].ID != "10" || cards[2].ID != "8" {
		t.Fatalf("%d cards, %v", len(cards), err)
	}
	if text, err := json.Marshal(cards[0]); err != nil || len(text) > 45_000 || cards[0].Image != "" || cards[0].Link != "" || len(cards[0].Actions) != 4 {
		t.Errorf("a card of %d bytes", len(text))
	}
	if err := b.AddPhone(phones.Phone{ID: "third"}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddPhone(phones.Phone{ID: "fourth"}); err == nil {
		t.Error("a phone too many")
	}
	if err := b.AddPhone(phones.Phone{ID: "third", Name: "renamed"}); err != nil {
		t.Error(err)
	}
}

func TestCardsReplaceAndClear(t *testing.T) {
	t.Parallel()
	b, _ := setup(t, phones.Options{})
	show(t, b, "anna", phones.Card{Title: "1", CollapseKey: "k"})
	show(t, b, "anna", phones.Card{Title: "2"})
	show(t, b, "anna", phones.Card{Title: "3", CollapseKey: "k"})
	show(t, b, "ben", phones.Card{Title: "4", CollapseKey: "k"})
	titles := func(phone string) (s string) {
		cards, err := b.Cards(phone)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cards {
			s += c.Title
		}
		return s
	}
	if titles("anna") != "32" || titles("ben") != "4" {
		t.Error(titles("anna"), titles("ben"))
	}
	if err := b.Clear("anna"); err != nil || titles("anna") != "" || titles("ben") != "4" {
		t.Error(err)
	}
	if err := b.Clear(""); err != nil || titles("ben") != "" {
		t.Error(err)
	}
	_, err := b.Show("nobody", phones.Card{})
	_, err2 := b.Cards("nobody")
	for _, e := range []error{err, err2, b.Clear("nobody")} {
		if !errors.Is(e, phones.ErrNotFound) {
			t.Error(e)
		}
	}
}
