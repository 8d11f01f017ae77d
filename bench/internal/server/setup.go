package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Tenant is what the load generator needs to send.
type Tenant struct {
	ID  string
	Key string // of the scopes send and read
}

// object is a JSON object.
type object map[string]any

// SetUp makes a tenant, a key and the integration "bench" without a limit, which sends to the stand-in at provider.
func (p *Process) SetUp(ctx context.Context, provider string, concurrency int) (Tenant, error) {
	defer p.client.CloseIdleConnections() // the process is to have none but the generator's
	t, err := p.tenant(ctx, "send", "read")
	if err != nil {
		return t, err
	}
	return t, p.Integrate(ctx, t, "bench", provider, concurrency)
}

// Push is a push service to send over.
type Push struct {
	Kind, URL, CA string
	Credentials   map[string]string
	Concurrency   int
}

// SetUpPush makes a tenant, a key and the integration "bench" without a limit, which sends over a push service.
func (p *Process) SetUpPush(ctx context.Context, to Push) (Tenant, error) {
	defer p.client.CloseIdleConnections() // as in SetUp
	t, err := p.tenant(ctx, "send", "read", "devices")
	if err != nil {
		return t, err
	}
	var created struct{}
	return t, p.post(ctx, t.ID, "/v1/integrations", object{
		"name": "bench", "kind": to.Kind, "credentials": to.Credentials,
		"settings": object{"base_url": to.URL, "ca": to.CA, "limit": object{"rate": 0}, "concurrency": to.Concurrency},
	}, &created)
}

// SetUpCloud makes a tenant, a key and the integration "bench" of the WhatsApp Cloud API without limits, and gives the path of
// its webhooks.
func (p *Process) SetUpCloud(ctx context.Context, provider string, concurrency int, appSecret string) (t Tenant, hook string, err error) {
	defer p.client.CloseIdleConnections() // as in SetUp
	if t, err = p.tenant(ctx, "send", "read"); err != nil {
		return t, "", err
	}
	var created struct {
		URL string `json:"webhook_url"`
	}
	err = p.post(ctx, t.ID, "/v1/integrations", object{
		"name": "bench", "kind": "whatsapp_cloud",
		"credentials": object{"access_token": "a-token-of-the-bench", "app_secret": appSecret, "verify_token": "a-word-of-the-bench"},
		"settings": object{
			"base_url": provider, "limit": object{"rate": 0}, "recipient_limit": object{"rate": 0}, "concurrency": concurrency,
			"whatsapp_cloud": object{"phone_number_id": "106540352242922"},
		},
	}, &created)
	if err != nil {
		return t, "", err
	}
	u, err := url.Parse(created.URL)
	if err != nil {
		return t, "", err
	}
	return t, u.Path, nil
}

// OperatorKey is the key of the installation's operator.
func (p *Process) OperatorKey() string { return p.operatorKey }

func (p *Process) tenant(ctx context.Context, scopes ...string) (t Tenant, err error) {
	var created struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	}
	if err := p.post(ctx, "", "/v1/tenants", object{"name": "bench"}, &created); err != nil {
		return t, err
	}
	t.ID = created.ID
	if err := p.post(ctx, t.ID, "/v1/keys", object{"name": "bench", "scopes": scopes}, &created); err != nil {
		return t, err
	}
	t.Key = created.Secret
	if t.ID == "" || t.Key == "" {
		return t, fmt.Errorf("the API gave tenant %q and a key of %d characters", t.ID, len(t.Key))
	}
	return t, nil
}

// Integrate makes an integration without a limit, which sends to the stand-in at provider.
func (p *Process) Integrate(ctx context.Context, t Tenant, name, provider string, concurrency int) error {
	var created struct{}
	return p.post(ctx, t.ID, "/v1/integrations", object{
		"name": name, "kind": "wasender",
		"credentials": object{"api_key": "k", "webhook_secret": "a-secret-of-the-bench"},
		"settings": object{
			"base_url":    "http://" + provider + "/api",
			"limit":       object{"rate": 0},
			"concurrency": concurrency,
		},
	}, &created)
}

// Pause stops an integration's sending, or lets it go on.
func (p *Process) Pause(ctx context.Context, t Tenant, name string, pause bool) error {
	verb := "/resume"
	if pause {
		verb = "/pause"
	}
	var answer struct{}
	return p.post(ctx, t.ID, "/v1/integrations/"+name+verb, object{}, &answer)
}

func (p *Process) post(ctx context.Context, tenant, path string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Addr+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.operatorKey)
	if tenant != "" {
		req.Header.Set("Peal-Tenant", tenant)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s: %s", path, resp.Status, raw)
	}
	return json.Unmarshal(raw, answer)
}
