package integration_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/peal"
	"peal/internal/provider/all"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiKey = "the-api-key-of-the-session"
	secret = "the-webhook-secret"
)

// node is a service over records that others may share.
type node struct {
	*integration.Service
	store *store.Store
	log   *bytes.Buffer
}

// bundle is records with tenants a and b, and a node over them.
type bundle struct {
	*node
	dir string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(dir, "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []string{"a", "b"} {
		if err := s.CreateTenant(t.Context(), peal.Tenant{ID: id, Name: id, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	b := &bundle{dir: dir, node: newNode(t, s, 1)}
	reload(t, b.node)
	return b
}

// newNode is another node on the same records; the byte makes its master key.
func newNode(t *testing.T, s *store.Store, key byte) *node {
	t.Helper()
	v, err := vault.New(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	d := integration.NewDirectory(s, v, all.Kinds(), slog.New(slog.NewTextHandler(log, nil)))
	return &node{integration.NewService(d, s, time.Now), s, log}
}

func reload(t *testing.T, n *node) {
	t.Helper()
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// request is one that is right, changed.
func request(name string, change ...func(*api.IntegrationRequest)) *api.IntegrationRequest {
	req := &api.IntegrationRequest{
		Name: name, Kind: "wasender", Credentials: map[string]string{"api_key": apiKey, "webhook_secret": secret},
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func (n *node) create(t *testing.T, tenant, name string, change ...func(*api.IntegrationRequest)) *peal.Integration {
	t.Helper()
	in, err := n.Create(t.Context(), tenant, request(name, change...))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (n *node) update(t *testing.T, in *peal.Integration, p api.IntegrationPatch) *peal.Integration {
	t.Helper()
	out, err := n.Update(t.Context(), in.TenantID, in.ID, &p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wrong are the fields that an error names, as "path code", in order.
func wrong(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var pe *peal.Error
	if !errors.As(err, &pe) || pe.Kind != peal.Invalid {
		t.Fatalf("%v is not of kind invalid", err)
	}
	var all []string
	for _, f := range pe.Fields {
		if f.Message == "" {
			t.Errorf("%s: no mend is told", f.Path)
		}
		all = append(all, f.Path+" "+f.Code)
	}
	return strings.Join(all, ", ")
}

func refused(t *testing.T, err error, kind peal.Kind) {
	t.Helper()
	if err == nil || peal.KindOf(err) != kind {
		t.Errorf("the error is %v; want one of kind %s", err, kind)
	}
}
