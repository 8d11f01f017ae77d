package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// TestMost: a tenant's integrations are bounded; another's do not count, and a deleted one makes room.
func TestMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "b", "main")
	for i := range 100 {
		b.create(t, "a", fmt.Sprint("n-", i))
	}
	_, err := b.Create(t.Context(), "a", request("one-more"))
	refused(t, err, peal.Conflict)
	if err := b.Delete(t.Context(), "a", "n-7"); err != nil {
		t.Fatal(err)
	}
	b.create(t, "a", "one-more")
}

func TestCreateAndFind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in, other := b.create(t, "a", "main"), b.create(t, "b", "main")
	if in.TenantID != "a" || in.Channel != peal.ChannelWhatsApp || in.Version != 1 || in.Pause != nil || in.Credentials["api_key"] != apiKey {
		t.Errorf("made as %+v", in)
	}
	if len(in.HookToken) < 40 || in.HookToken == other.HookToken {
		t.Errorf("tokens %q and %q", in.HookToken, other.HookToken)
	}
	for _, ref := range []string{in.ID, "main"} {
		if got := b.Find("a", ref); got != in {
			t.Errorf("found %+v as %s", got, ref)
		}
	}
	if b.Find("b", in.ID) != nil || b.Find("b", "main") != other || b.Find("a", "") != nil || b.Find("nobody", "main") != nil {
		t.Error("a tenant finds what is another's")
	}
	_, err := b.Create(t.Context(), "a", request("main"))
	refused(t, err, peal.Conflict)
	second := b.create(t, "a", "second")
	if got := b.OfTenant("a"); len(got) != 2 || got[0] != in || got[1] != second {
		t.Errorf("the tenant's are %+v", got)
	}
	if n := len(b.All()); n != 3 {
		t.Errorf("all are %d", n)
	}
}

func TestHookTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in, other := b.create(t, "a", "main"), b.create(t, "b", "main")
	for token, want := range map[string]*peal.Integration{
		in.HookToken: in, other.HookToken: other, "": nil, in.HookToken[1:]: nil, in.HookToken + "x": nil, in.ID: nil,
	} {
		if got := b.ByHook(token); got != want {
			t.Errorf("token %q leads to %+v", token, got)
		}
	}
	changed := b.update(t, in, api.IntegrationPatch{Credentials: map[string]string{"api_key": "another-key-of-it"}})
	if changed.HookToken != in.HookToken || b.ByHook(in.HookToken) != changed {
		t.Error("a change of credentials changed the webhook's address")
	}
	if err := b.Delete(t.Context(), "a", "main"); err != nil {
		t.Fatal(err)
	}
	if b.ByHook(in.HookToken) != nil || b.ByID(in.ID) != nil || b.Find("a", "main") != nil {
		t.Error("a deleted integration is still found")
	}
	refused(t, b.Delete(t.Context(), "a", in.ID), peal.NotFound)
	refused(t, b.Delete(t.Context(), "a", other.ID), peal.NotFound)
}

func TestCredentialsAreRotatedOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main", func(r *api.IntegrationRequest) {
		r.Settings = api.Settings{Concurrency: 3, Timeout: "3s", Limit: &api.Limit{Rate: 7}}
	})
	key := "the-new-api-key"
	got := b.update(t, in, api.IntegrationPatch{Credentials: map[string]string{"api_key": key}})
	if got.Credentials["api_key"] != key || got.Credentials["webhook_secret"] != secret || got.Version != 2 {
		t.Errorf("rotated to %v, version %d", got.Credentials, got.Version)
	}
	if in.Credentials["api_key"] != apiKey {
		t.Error("who still holds the old integration sees the new key")
	}
	_, err := b.Update(t.Context(), "a", in.ID, &api.IntegrationPatch{Credentials: map[string]string{"api_key": ""}})
	if w := wrong(t, err); w != "credentials.api_key required" {
		t.Errorf("taking away what is needed: %q", w)
	}
	name := "renamed"
	got = b.update(t, in, api.IntegrationPatch{Name: &name, Settings: &api.Settings{Timeout: "5s", Limit: &api.Limit{}}})
	if got.Name != name || got.Concurrency != 3 || got.Timeout != 5*time.Second || got.Limit.Rate != 0 || got.Credentials["api_key"] != key {
		t.Errorf("changed to %+v", got)
	}
	_, err = b.Update(t.Context(), "a", in.ID, &api.IntegrationPatch{Settings: &api.Settings{Timeout: "1h"}})
	if w := wrong(t, err); w != "settings.timeout out_of_range" || b.ByID(in.ID).Timeout != 5*time.Second {
		t.Errorf("a wrong change: %q, and then it is %s", w, b.ByID(in.ID).Timeout)
	}
	_, err = b.Update(t.Context(), "b", in.ID, &api.IntegrationPatch{Name: &name})
	refused(t, err, peal.NotFound)
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	files, err := filepath.Glob(filepath.Join(b.dir, "peal.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	found := false
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(raw, []byte(in.ID))
		for _, s := range []string{apiKey, secret, in.HookToken} {
			if bytes.Contains(raw, []byte(s)) {
				t.Errorf("%s shows %q", f, s)
			}
		}
	}
	if !found {
		t.Error("the integration is in none of the files: the test looks in the wrong place")
	}
}

func TestTwoNodesDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	other := newNode(t, b.store, 1)
	reload(t, other)
	b.update(t, in, api.IntegrationPatch{Settings: &api.Settings{Concurrency: 2}})
	_, err := other.Update(t.Context(), "a", in.ID, &api.IntegrationPatch{Settings: &api.Settings{Concurrency: 9}})
	refused(t, err, peal.Conflict)
	reload(t, other)
	if got := other.update(t, in, api.IntegrationPatch{Settings: &api.Settings{Timeout: "2s"}}); got.Concurrency != 2 || got.Version != 3 {
		t.Errorf("after reading again it became %+v", got)
	}
}

// TestReadersAndWriters is for the race detector: the hot paths read while somebody changes.
func TestReadersAndWriters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := b.create(t, "a", "main")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-b.Changed():
				default:
				}
				got := b.Find("a", "main")
				if got == nil || b.ByHook(in.HookToken) == nil || got.Credentials["webhook_secret"] != secret || len(b.All()) != 1 {
					t.Errorf("a reader saw %+v", got)
					return
				}
			}
		})
	}
	for n := range 20 {
		b.update(t, in, api.IntegrationPatch{Settings: &api.Settings{Concurrency: n + 1}})
		if err := b.Pause(t.Context(), in.ID, 0, &peal.Pause{Code: peal.PauseManual, Since: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
}
