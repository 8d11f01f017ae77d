package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/internal/config"
)

const session = 1 // of the emulator, the one that newWorld connects

// world is a Peal, one tenant of it, and one integration that leads to an emulated provider.
type world struct {
	*server

	emu         *wasender.Server
	emuURL      string
	tenant      string
	key         string         // of the tenant, scope admin
	peal        *client.Client // with that key
	integration *api.Integration
}

// setup starts a world in which the provider's webhooks are those of the emulator's default script. Integrations have
// no limit and short retries; settings may change theirs.
func setup(t *testing.T, settings ...func(*api.Settings)) *world {
	t.Helper()
	return setupWith(t, wasender.Options{}, nil, settings...)
}

// silent is setup with a provider that posts no webhooks of messages.
func silent(t *testing.T, settings ...func(*api.Settings)) *world {
	t.Helper()
	return setupWith(t, wasender.Options{Script: &wasender.Script{}}, nil, settings...)
}

func setupWith(t *testing.T, opt wasender.Options, change func(*config.Config), settings ...func(*api.Settings)) *world {
	t.Helper()
	w := &world{tenant: "acme"}
	w.emu = wasender.New(opt)
	t.Cleanup(w.emu.Close)
	emu := httptest.NewServer(w.emu)
	t.Cleanup(emu.Close)
	w.emuURL = emu.URL + "/api"
	if change == nil {
		change = func(*config.Config) {}
	}
	w.server = newServer(t, change)
	if _, err := w.operator(t).CreateTenant(t.Context(), api.TenantRequest{ID: w.tenant, Name: "Acme"}); err != nil {
		t.Fatalf("make tenant: %v", err)
	}
	w.key = w.adminKey(t, w.tenant).Secret
	w.peal = w.as(t, w.key)
	w.integration = w.connect(t, "wa", settings...)
	w.webhooksTo(t, w.integration.WebhookURL)
	return w
}

// connect makes an integration that leads to the emulator's session.
func (w *world) connect(t *testing.T, name string, settings ...func(*api.Settings)) *api.Integration {
	t.Helper()
	s := api.Settings{BaseURL: w.emuURL, Limit: &api.Limit{}, LookupLimit: &api.Limit{}, RetryBase: "100ms"}
	for _, change := range settings {
		change(&s)
	}
	in, err := w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: name, Kind: "wasender", Settings: s,
		Credentials: map[string]string{"api_key": wasender.DefaultAPIKey, "webhook_secret": wasender.DefaultWebhookSecret},
	})
	if err != nil {
		t.Fatalf("make integration: %v", err)
	}
	return in
}

func (w *world) webhooksTo(t *testing.T, url string) {
	t.Helper()
	if _, err := w.emu.UpdateSession(session, func(s *wasender.Session) { s.WebhookURL = url }); err != nil {
		t.Fatal(err)
	}
}

// restart stops Peal, does what is to be done meanwhile, and starts it again on the same data.
func (w *world) restart(t *testing.T, meanwhile ...func()) {
	t.Helper()
	w.stop(t)
	for _, do := range meanwhile {
		do()
	}
	w.start(t)
	in, err := w.peal.Integration(t.Context(), w.integration.ID) // its URL has the new port
	if err != nil {
		t.Fatalf("read integration after the restart: %v", err)
	}
	w.integration = in
	w.webhooksTo(t, in.WebhookURL)
}

var phones atomic.Int64

// phone makes a number that no other test uses.
func phone() string { return fmt.Sprintf("+91981%07d", phones.Add(1)) }

// text is a notification of a text over the tenant's integration.
func text(to, s string) api.NotificationRequest {
	return api.NotificationRequest{Recipient: api.Recipient{Phone: to}, Integration: "wa", Content: api.Content{Text: &s}}
}

// send accepts one notification and gives the ids of it and of its delivery.
func (w *world) send(t *testing.T, req api.NotificationRequest) (notification, delivery string) {
	t.Helper()
	sent, err := w.peal.Send(t.Context(), req)
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	if len(sent.Deliveries) != 1 {
		t.Fatalf("send: %d deliveries, want 1", len(sent.Deliveries))
	}
	return sent.ID, sent.Deliveries[0].ID
}

// sendText sends a text to a number of its own.
func (w *world) sendText(t *testing.T, s string) (to, delivery string) {
	t.Helper()
	to = phone()
	_, delivery = w.send(t, text(to, s))
	return to, delivery
}

func (w *world) delivery(t *testing.T, id string) *api.Delivery {
	t.Helper()
	d, err := w.peal.Delivery(t.Context(), id)
	if err != nil {
		t.Fatalf("read delivery: %v", err)
	}
	return d
}

// reaches waits until a delivery has one of the states.
func (w *world) reaches(t *testing.T, id string, states ...string) *api.Delivery {
	t.Helper()
	var d *api.Delivery
	eventually(t, "delivery "+id+" becomes "+strings.Join(states, " or "), func() error {
		d = w.delivery(t, id)
		for _, s := range states {
			if d.Status == s {
				return nil
			}
		}
		return fmt.Errorf("it is %s, %s %s, attempts %d", d.Status, d.ErrorCode, d.ErrorReason, d.Attempts)
	})
	return d
}

// paused waits until the integration is paused with the code; with an empty one, until it is not paused.
func (w *world) paused(t *testing.T, code string) *api.Integration {
	t.Helper()
	var in *api.Integration
	eventually(t, fmt.Sprintf("integration is paused with code %q", code), func() error {
		var err error
		if in, err = w.peal.Integration(t.Context(), w.integration.ID); err != nil {
			return err
		}
		got := ""
		if in.Paused != nil {
			got = in.Paused.Code
		}
		return want("code of the pause", got, code)
	})
	return in
}

func (w *world) fault(t *testing.T, f wasender.Fault) int64 {
	t.Helper()
	id, err := w.emu.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// idle waits until the provider has posted all its webhooks.
func (w *world) idle(t *testing.T) {
	t.Helper()
	if err := w.emu.Idle(within(t)); err != nil {
		t.Fatalf("webhooks are not all posted: %v", err)
	}
}

// kinds gives the types of a timeline in order, with the status after a colon where it is not the type's own.
func kinds(events []api.Event) string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.Type + ":" + e.Status
	}
	return strings.Join(list, " ")
}

func queryTo(to string) wasender.Query { return wasender.Query{To: to} }

// other is a second tenant of the same Peal, with an integration named wa of its own.
type other struct {
	id, key     string
	peal        *client.Client
	integration *api.Integration
}

func (w *world) newTenant(t *testing.T, id string) *other {
	t.Helper()
	if _, err := w.operator(t).CreateTenant(t.Context(), api.TenantRequest{ID: id, Name: id}); err != nil {
		t.Fatalf("make tenant: %v", err)
	}
	o := &other{id: id, key: w.adminKey(t, id).Secret}
	o.peal = w.as(t, o.key)
	as := *w
	as.peal = o.peal
	o.integration = as.connect(t, "wa")
	return o
}

func wasenderDefault() wasender.Options { return wasender.Options{} }
