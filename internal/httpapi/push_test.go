package httpapi_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/httpapi"
	"peal/internal/integration"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/accept"
	"peal/internal/pipeline/route"
	"peal/internal/provider"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/vault"
)

const operator = "the-operator-key-of-this-test-which-is-long"

// courier is a kind that reaches the devices of one kind.
type courier struct {
	name   string
	device peal.DeviceKind
}

var _ provider.PushKind = courier{}

func (c courier) Name() string                     { return c.name }
func (courier) Channel() string                    { return peal.ChannelPush }
func (courier) Credentials() []provider.Credential { return nil }
func (courier) Defaults() provider.Defaults {
	return provider.Defaults{BaseURL: "https://courier.example.com"}
}
func (courier) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) { return nil, nil }
func (courier) CheckWebhook(*peal.Integration, http.Header, []byte) bool  { return false }
func (c courier) Devices() []peal.DeviceKind                              { return []peal.DeviceKind{c.device} }
func (courier) CheckDevice(*peal.Device) []peal.Field                     { return nil }

func (c courier) CheckContent(content *api.Content) []peal.Field {
	if len(content.Push.Body) > 100 {
		return []peal.Field{{Path: "push.body", Code: "too_large", Message: c.name + " takes 100 bytes"}}
	}
	return nil
}

func (courier) Open(*peal.Integration, provider.Env) (provider.Client, error) { return rider{}, nil }

// rider takes everything but a token that is dead.
type rider struct{ provider.Client }

func (rider) Close() {}

func (rider) Validate(_ context.Context, m *provider.Message) peal.Outcome {
	if m.Device.Address == "dead" {
		return peal.Outcome{Class: peal.ClassGone, Code: "UNREGISTERED"}
	}
	return peal.Outcome{Class: peal.ClassAccepted}
}

func (rider) Preview(m *provider.Message) (provider.Preview, error) {
	return provider.Preview{URL: "https://courier.example.com", Body: json.RawMessage(`{"body":"` + m.Content.Push.Body + `"}`)}, nil
}

type noJobs struct{}

func (noJobs) Publish([]pipeline.Job) {}

// office is a server over records with a tenant "a", whose user "u" has the devices "phone", "dead" and "ipad".
type office struct {
	*testing.T

	server *httpapi.Server
	store  *store.Store
}

func open(t *testing.T) *office {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	d := integration.NewDirectory(s, v, []provider.Kind{courier{"fcm", peal.DeviceFCMToken}, courier{"apns", peal.DeviceAPNs}}, log)
	service := integration.NewService(d, s, time.Now)
	service.CallWith(provider.Offline())
	o := &office{T: t, store: s, server: httpapi.New(httpapi.Config{
		Accept: accept.New(accept.Config{
			Planner: &route.Planner{Integrations: d, Users: s, Devices: s}, Records: s, Jobs: noJobs{}, Metrics: metrics.New(),
		}),
		Log: log, Deliveries: s, Tenants: s, Keys: s, Users: s, Devices: s, Uncertain: s, Integrations: service, Metrics: metrics.New(),
		Docs: http.NotFoundHandler(), Client: http.NotFoundHandler(), OperatorKey: operator, PublicURL: func() string { return "http://peal" },
	})}
	if err := s.CreateTenant(t.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for id, kind := range map[string]peal.DeviceKind{"phone": peal.DeviceFCMToken, "dead": peal.DeviceFCMToken, "ipad": peal.DeviceAPNs} {
		if _, err := s.PutDevice(t.Context(), peal.Device{
			TenantID: "a", UserID: "u", ID: id, Kind: kind, Address: id, AppID: "shop", Platform: "other", Permission: peal.Granted,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, kind := range map[string]string{"android": "fcm", "apple": "apns"} {
		if status, answer := o.post("/v1/integrations", `{"name":"`+name+`","kind":"`+kind+`","settings":{"limit":{"rate":0}}}`); status != http.StatusCreated {
			t.Fatalf("%d %s", status, answer)
		}
	}
	return o
}

func (o *office) post(path, body string) (int, string) {
	o.Helper()
	r := httptest.NewRequestWithContext(o.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+operator)
	r.Header.Set(api.TenantHeader, "a")
	w := httptest.NewRecorder()
	o.server.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func into[T any](t *testing.T, answer string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return v
}

func TestAPushGoesToEveryDevice(t *testing.T) {
	t.Parallel()
	o := open(t)
	status, answer := o.post("/v1/notifications", `{"recipient":{"user_id":"u"},"content":{"text":"hi"}}`)
	a := into[api.Accepted](t, answer)
	if status != http.StatusAccepted || len(a.Deliveries) != 3 {
		t.Fatalf("%d %s", status, answer)
	}
	n, ds, err := o.store.Notification(t.Context(), "a", a.ID)
	if err != nil || n.UserID != "u" || len(ds) != 3 {
		t.Fatalf("%+v, %+v, %v", n, ds, err)
	}
	for _, d := range ds {
		if d.Channel != peal.ChannelPush || d.UserID != "u" || d.Status != peal.Queued || string(d.Payload) != `{"push":{"body":"hi"}}` {
			t.Errorf("kept %+v", d)
		}
	}
	status, answer = o.post("/v1/notifications", `{"recipient":{"user_id":"nobody"},"content":{"push":{"body":"hi"}}}`)
	a = into[api.Accepted](t, answer)
	if status != http.StatusAccepted || len(a.Deliveries) != 1 || a.Deliveries[0].Status != "skipped" || a.Deliveries[0].Reason != "no_device" {
		t.Fatalf("%d %s", status, answer)
	}
	if _, ds, err = o.store.Notification(t.Context(), "a", a.ID); err != nil || len(ds) != 1 || ds[0].IntegrationID != "" {
		t.Errorf("kept %+v, %v", ds, err)
	}
	status, answer = o.post("/v1/notifications", `{"recipient":{"user_id":"u"},"content":{"push":{"body":"`+strings.Repeat("x", 101)+`"}}}`)
	if p := into[api.Problem](t, answer); status != 422 || len(p.Errors) != 2 || p.Errors[0].Path != "content.push.body" || !strings.Contains(p.Errors[0].Message, "100 bytes") {
		t.Errorf("too large: %d %s", status, answer)
	}
	status, answer = o.post("/v1/notifications?dry_run=true", `{"recipient":{"user_id":"u"},"content":{"push":{"body":"hi"}}}`)
	if out := into[api.DryRun](t, answer); status != 200 || len(out.Deliveries) != 3 || out.Deliveries[0].Request == nil || string(out.Deliveries[0].Request.Body) != `{"body":"hi"}` {
		t.Errorf("dry: %d %s", status, answer)
	}
}

func TestTestsOfPushIntegrations(t *testing.T) {
	t.Parallel()
	o := open(t)
	for body, want := range map[string]string{
		`{"to":"+14155552671"}`:                  "to unsupported",
		`{}`:                                     "device required",
		`{"device":"none"}`:                      "device not_found",
		`{"device":"ipad"}`:                      "device conflict",
		`{"device":"ipad","validate_only":true}`: "device conflict",
		`{"device":"phone","validate_only":"yes"}`: "validate_only invalid",
	} {
		status, answer := o.post("/v1/integrations/android/test", body)
		p := into[api.Problem](t, answer)
		if status != 422 || len(p.Errors) != 1 || p.Errors[0].Path+" "+p.Errors[0].Code != want || p.Errors[0].Message == "" {
			t.Errorf("%s: %d %s, want %s", body, status, answer, want)
		}
	}
	for device, want := range map[string]api.Validation{"phone": {Class: "accepted"}, "dead": {Class: "gone", Code: "UNREGISTERED"}} {
		status, answer := o.post("/v1/integrations/android/test", `{"device":"`+device+`","validate_only":true}`)
		if v := into[api.TestResult](t, answer); status != http.StatusOK || v.Validation == nil || *v.Validation != want || v.ID != "" {
			t.Errorf("%s: %d %s", device, status, answer)
		}
	}
	status, answer := o.post("/v1/integrations/android/test", `{"device":"phone"}`)
	a := into[api.Accepted](t, answer) // what is answered is what is answered to any notification
	if status != http.StatusAccepted || len(a.Deliveries) != 1 || a.ID == "" || a.Deliveries[0].Status != "queued" {
		t.Fatalf("%d %s", status, answer)
	}
	if _, ds, err := o.store.Notification(t.Context(), "a", a.ID); err != nil || len(ds) != 1 || ds[0].Recipient != "phone" {
		t.Errorf("kept %+v, %v", ds, err)
	}
}
