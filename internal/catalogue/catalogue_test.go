package catalogue_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/catalogue"
	"peal/internal/integration"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/all"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what happens by itself.
const patience = 30 * time.Second

// bundle is the catalogues of a tenant with two numbers of one account and one of another, over real records and an
// emulated provider.
type bundle struct {
	*testing.T
	*catalogue.Catalogue

	emu     *emulator.Server
	store   *store.Store
	service *integration.Service
	numbers map[string]*peal.Integration

	mu    sync.Mutex
	clock time.Time // it only moves a little whenever it is looked at, and when the test says so
	lists int       // calls for the list of templates
}

const secondAccount = "202290129340398"

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, numbers: map[string]*peal.Integration{}, clock: time.Now().Truncate(time.Microsecond)}
	templates := []emulator.Template{{Name: "hello", Language: "en"}, {Name: "hello", Language: "hi"}}
	b.emu = emulator.New(emulator.Options{Accounts: []emulator.Account{
		{Templates: templates, Numbers: []emulator.Number{{ID: "1111111111"}, {ID: "2222222222", Phone: "15550783882"}}},
		{ID: secondAccount, Token: "another-token", Templates: templates, Numbers: []emulator.Number{{ID: "3333333333", Phone: "15550783883"}}},
	}})
	t.Cleanup(b.emu.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/message_templates") {
			b.mu.Lock()
			b.lists++
			b.mu.Unlock()
		}
		b.emu.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	var err error
	if b.store, err = store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db")), Now: b.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := integration.NewDirectory(b.store, v, all.Kinds(), slog.New(slog.DiscardHandler))
	b.service = integration.NewService(d, b.store, b.now)
	if err := b.store.CreateTenant(t.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: b.now()}); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.Catalogue = catalogue.New(catalogue.Config{
		Records: b.store, Integrations: b.service, Env: provider.Env{Transport: transport}, Log: slog.New(slog.DiscardHandler), Now: b.now,
	})
	for name, of := range map[string][3]string{
		"one": {"1111111111", emulator.DefaultAccount, emulator.DefaultToken}, "two": {"2222222222", emulator.DefaultAccount, emulator.DefaultToken},
		"else": {"3333333333", secondAccount, "another-token"},
	} {
		b.numbers[name], err = b.service.Create(t.Context(), "a", &api.IntegrationRequest{
			Name: name, Kind: "whatsapp_cloud", Credentials: map[string]string{"access_token": of[2], "app_secret": "12345678"},
			Settings: api.Settings{BaseURL: srv.URL, WhatsAppCloud: &api.WhatsAppCloud{PhoneNumberID: of[0], WABAID: of[1]}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bundle) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(time.Microsecond)
	return b.clock
}

func (b *bundle) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

func (b *bundle) listed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists
}

// run runs the catalogue, and reads it, until the test ends.
func (b *bundle) run() {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var stages sync.WaitGroup
	stages.Go(func() { _ = b.Catalogue.Run(ctx) }) // it never fails
	stages.Go(func() { _ = b.Syncer().Run(ctx) })  // neither does this
	b.Cleanup(func() { cancel(); stages.Wait() })
}

func (b *bundle) eventually(what string, is func() error) {
	b.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	limit := time.After(patience)
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			b.Fatalf("never came to be: %s: %v", what, err)
		}
	}
}

// knows waits until the integration's catalogue has been read, and nobody wants it read again.
func (b *bundle) knows(name string) catalogue.Summary {
	b.Helper()
	var s catalogue.Summary
	b.eventually("the catalogue of "+name+" is read", func() error {
		s, _ = b.Summary(b.numbers[name])
		if !s.Checked || s.AskedAt.After(s.TriedAt) || s.Templates != 2 {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	return s
}

// verdict is what accept says of a template, as "path code".
func (b *bundle) verdict(name, template, language string) string {
	b.Helper()
	var all []string
	for _, f := range b.Check(b.numbers[name], &api.Template{Name: template, Language: language}) {
		all = append(all, f.Path+" "+f.Code)
	}
	return strings.Join(all, ", ")
}

func (b *bundle) held(name string) string {
	code, _ := b.Held(b.numbers[name].ID, "hello", "en")
	return code
}

// TestNewsConcernAllNumbersOfTheAccount, and nobody else's; what comes of an answer is one number's.
func TestNewsConcernAllNumbersOfTheAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if v := b.verdict("one", "nobody", "en"); v != "" {
		t.Errorf("before anything is known it says %s", v)
	}
	b.run()
	for name := range b.numbers {
		b.knows(name)
	}
	if v := b.verdict("one", "nobody", "en") + "; " + b.verdict("one", "hello", "de") + "; " + b.verdict("one", "hello", "hi"); v != "template.name not_found; template.language not_found; " {
		t.Errorf("it says %s", v)
	}
	if c := b.Category(b.numbers["one"].ID, "hello", "en"); c != "utility" {
		t.Errorf("the category is %q", c)
	}
	st := &peal.TemplateState{Name: "hello", Language: "en", Status: peal.TemplatePaused}
	if err := b.Heard(t.Context(), b.numbers["one"], st); err != nil {
		t.Fatal(err)
	}
	if got := b.held("one") + " " + b.held("two") + " " + b.held("else"); got != "template_paused template_paused " {
		t.Errorf("held by %s", got)
	}
	if v := b.verdict("two", "hello", "en"); v != "" {
		t.Errorf("a paused one is refused: %s", v)
	}
	st.Status = peal.TemplateDisabled
	if err := b.Heard(t.Context(), b.numbers["one"], st); err != nil {
		t.Fatal(err)
	}
	if v := b.verdict("two", "hello", "en"); v != "template disabled" {
		t.Errorf("of a disabled one it says %s", v)
	}
	word := &peal.TemplateWord{Status: peal.TemplateMissing, Code: "132001", Reason: "it is not there"}
	code, reason := b.Answered(b.numbers["else"], &api.Template{Name: "hello", Language: "en"}, word)
	if code != "template_missing" || !strings.Contains(reason, "it is not there") || b.held("else") != code {
		t.Errorf("%s, %s; held by %s", code, reason, b.held("else"))
	}
	word.Status = peal.TemplateBroken
	if code, _ := b.Answered(b.numbers["else"], &api.Template{Name: "hello", Language: "hi"}, word); code != "" {
		t.Errorf("one that is broken waits as %s", code)
	}
}

// TestAReadingThatFails leaves what is known, for a day; it is tried again later, and at once when something has changed.
func TestAReadingThatFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	first := b.knows("else")
	b.advance(7 * time.Hour)
	b.eventually("it is read again after hours", func() error {
		if s := b.knows("else"); !s.SyncedAt.After(first.SyncedAt) {
			return fmt.Errorf("it is of %s", s.SyncedAt)
		}
		return nil
	})
	if err := b.emu.UpdateAccount(secondAccount, func(a *emulator.Account) { a.Expired = true }); err != nil {
		t.Fatal(err)
	}
	b.advance(7 * time.Hour)
	b.eventually("it fails", func() error {
		s, _ := b.Summary(b.numbers["else"])
		if !strings.HasPrefix(s.Error, "190") || s.Failures != 1 || !s.Checked {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	if v := b.verdict("else", "nobody", "en"); v == "" {
		t.Error("what is known is forgotten")
	}
	b.advance(48 * time.Hour)
	if v := b.verdict("else", "nobody", "en"); v != "" {
		t.Errorf("after two days it still says %s", v)
	}
	if err := b.emu.UpdateAccount(secondAccount, func(a *emulator.Account) { a.Expired, a.Token = false, "a-third-token" }); err != nil {
		t.Fatal(err)
	}
	in, err := b.service.Update(t.Context(), "a", "else", &api.IntegrationPatch{Credentials: map[string]string{"access_token": "a-third-token"}})
	if err != nil {
		t.Fatal(err)
	}
	b.numbers["else"] = in
	if s := b.knows("else"); s.Failures != 0 || s.Error != "" {
		t.Errorf("it is %+v", s)
	}
}

// TestTheQuotaIsKept: whoever asks again and again is heard as far as the provider's quota goes.
func TestTheQuotaIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	b.knows("else")
	for name := range b.numbers {
		b.knows(name)
	}
	before := b.listed()
	in := b.numbers["else"]
	for range 19 { // one of twenty is used up
		if err := b.Force(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		b.knows("else")
	}
	if n := b.listed() - before; n != 19 {
		t.Errorf("%d calls for 19 wishes", n)
	}
	if err := b.Force(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if s, _ := b.Summary(in); !s.AskedAt.After(s.TriedAt) {
		t.Error("it is read beyond the quota")
	}
	b.advance(2 * time.Minute)
	b.knows("else")
	if n := b.listed() - before; n != 20 {
		t.Errorf("%d calls for 20 wishes", n)
	}
}
