package integration_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/vault"
)

func TestAnotherMasterKeyIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	stranger := newNode(t, b.store, 2)
	if err := stranger.Reload(t.Context()); !errors.Is(err, vault.ErrWrongKey) || !strings.Contains(err.Error(), "PEAL_MASTER_KEY") {
		t.Errorf("under another key: %v", err)
	}

	// Where some can be opened, these go on, and the log names the rest.
	b.update(t, in, api.IntegrationPatch{}) // so that it is read anew
	foreign, err := newNode(t, b.store, 2).Create(t.Context(), "a", request("foreign"))
	if foreign == nil || err != nil {
		t.Fatalf("make one under another key: %v", err)
	}
	reload(t, b.node)
	if b.Find("a", "main") == nil || b.Find("a", "foreign") != nil {
		t.Error("not just those of the own key are there")
	}
	if log := b.log.String(); !strings.Contains(log, foreign.ID) || strings.Contains(log, apiKey) {
		t.Errorf("the log says %s", log)
	}
	fresh := newNode(t, setup(t).store, 3)
	reload(t, fresh) // without integrations any key will do
}

func TestSecretsCannotBeMovedToAnotherIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rich, poor := b.create(t, "a", "rich"), b.create(t, "b", "poor", func(r *api.IntegrationRequest) { r.Credentials["api_key"] = "a-poor-one" })
	rows, err := b.store.Integrations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*peal.SealedIntegration{}
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	byID[poor.ID].Secrets = byID[rich.ID].Secrets
	if err := b.store.UpdateIntegration(t.Context(), byID[poor.ID]); err != nil {
		t.Fatal(err)
	}
	reload(t, b.node)
	if got := b.ByID(poor.ID); got != nil {
		t.Errorf("tenant b has the credentials %v", got.Credentials)
	}
	if b.ByID(rich.ID) == nil {
		t.Error("tenant a has lost its own")
	}
}

func TestAPauseHoldsAtOnceAndIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	changed := b.Changed()
	p := &peal.Pause{Code: peal.PauseCredentials, Reason: "401", Since: time.Now()}
	if err := b.Pause(t.Context(), in.ID, in.Version, p); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is told of the pause")
	}
	if got := b.ByID(in.ID); !got.Paused(time.Now()) || got.Version != in.Version || b.ByHook(in.HookToken) != got || b.Find("a", "main") != got {
		t.Errorf("paused it is %+v", got)
	}
	if in.Pause != nil {
		t.Error("who holds the old integration sees it change")
	}
	fresh := newNode(t, b.store, 1)
	reload(t, fresh)
	if got := fresh.ByID(in.ID).Pause; got == nil || got.Code != p.Code || got.Reason != p.Reason {
		t.Errorf("another node reads the pause as %+v", got)
	}
	before := b.ByID(in.ID)
	reload(t, b.node)
	if b.ByID(in.ID) != before {
		t.Error("reading again what has not changed made a new integration of it: its queue would be opened anew")
	}
	if err := b.Pause(t.Context(), in.ID, in.Version, nil); err != nil {
		t.Fatal(err)
	}
	if b.ByID(in.ID).Pause != nil {
		t.Error("it is still paused")
	}
}

func TestAPauseUnderAnOldVersionIsVoid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	late := newNode(t, b.store, 1) // another node, which has not heard of the change yet
	reload(t, late)
	now := b.update(t, in, api.IntegrationPatch{Credentials: map[string]string{"api_key": "the-new-api-key"}})
	p := &peal.Pause{Code: peal.PauseCredentials, Reason: "401 under the old key", Since: time.Now()}
	for _, n := range []*node{b.node, late} {
		if err := n.Pause(t.Context(), in.ID, in.Version, p); err != nil {
			t.Fatal(err)
		}
		reload(t, n)
		if got := n.ByID(in.ID); got.Pause != nil || got.Version != now.Version {
			t.Errorf("the new version is paused for the old one's failure: %+v", got)
		}
	}
}

func TestAChangeLiftsAPause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	if err := b.Pause(t.Context(), in.ID, 0, &peal.Pause{Code: peal.PauseBlocked, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := b.update(t, in, api.IntegrationPatch{Settings: &api.Settings{Concurrency: 2}}); got.Pause != nil {
		t.Errorf("changed, and still paused: %+v", got.Pause)
	}
	got, err := b.SetPause(t.Context(), "a", "main", true)
	if err != nil || got.Pause == nil || got.Pause.Code != peal.PauseManual {
		t.Errorf("paused by hand: %+v, %v", got, err)
	}
	got, err = b.SetPause(t.Context(), "a", in.ID, false)
	if err != nil || got.Pause != nil {
		t.Errorf("resumed by hand: %+v, %v", got, err)
	}
	_, err = b.SetPause(t.Context(), "b", in.ID, true)
	refused(t, err, peal.NotFound)
	if b.ByID(in.ID).Pause != nil {
		t.Error("another tenant paused it")
	}
}

func TestReadingAgainTellsOfChangesOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	changed := b.Changed()
	reload(t, b.node)
	select {
	case <-changed:
		t.Error("nothing has changed")
	default:
	}
	other := newNode(t, b.store, 1)
	reload(t, other)
	other.update(t, in, api.IntegrationPatch{Settings: &api.Settings{Concurrency: 2}})
	reload(t, b.node)
	select {
	case <-changed:
	default:
		t.Error("another node's change is not told")
	}
	if got := b.ByID(in.ID); got.Concurrency != 2 {
		t.Errorf("it is %+v", got)
	}
	changed = b.Changed()
	if err := other.Delete(t.Context(), "a", in.ID); err != nil {
		t.Fatal(err)
	}
	reload(t, b.node)
	select {
	case <-changed:
	default:
		t.Error("another node's deletion is not told")
	}
	if b.ByID(in.ID) != nil {
		t.Error("it is still there")
	}
}
