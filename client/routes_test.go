package client

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"peal/api"
)

// second drops a method's answer.
func second[T any](_ T, err error) error { return err }

func TestRoutes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("IST", 19800))
	yes := true
	for _, tt := range []struct {
		want, body string
		call       func(context.Context, *Client) error
	}{
		{"GET /v1/notifications/n1", "", func(ctx context.Context, c *Client) error { return second(c.Notification(ctx, "n1")) }},
		{"POST /v1/notifications?dry_run=true", `{"recipient":{"user_id":"u"},"content":{"push":{"body":"x"}}}`, func(ctx context.Context, c *Client) error {
			return second(c.DryRun(ctx, api.NotificationRequest{Recipient: api.Recipient{UserID: "u"}, Content: api.Content{Push: &api.Push{Body: "x"}}, IdempotencyKey: "k"}))
		}},
		{"POST /v1/notifications/n1/cancel", "", func(ctx context.Context, c *Client) error { return second(c.CancelNotification(ctx, "n1")) }},
		{"GET /v1/integrations/wa/session", "", func(ctx context.Context, c *Client) error { return second(c.Session(ctx, "wa")) }},
		{"POST /v1/integrations/wa/session/connect", "", func(ctx context.Context, c *Client) error { return second(c.ConnectSession(ctx, "wa")) }},
		{"GET /v1/integrations/wa/session/qr", "", func(ctx context.Context, c *Client) error { return second(c.SessionQR(ctx, "wa")) }},
		{"GET /v1/deliveries/d1/explain", "", func(ctx context.Context, c *Client) error { return second(c.ExplainDelivery(ctx, "d1")) }},
		{"GET /v1/deliveries", "", func(ctx context.Context, c *Client) error { return second(c.DeliveryPage(ctx, DeliveryQuery{})) }},
		{"GET /v1/deliveries?channel=whatsapp&cursor=c%2B&integration=i&limit=7&message_id=m&notification_id=n&recipient=%2B4915&since=2026-01-01T21%3A34%3A05.006Z&status=sent&until=2026-01-01T22%3A34%3A05.006Z", "",
			func(ctx context.Context, c *Client) error {
				return second(c.DeliveryPage(ctx, DeliveryQuery{
					Recipient: "+4915", MessageID: "m", NotificationID: "n", Integration: "i", Status: "sent", Channel: "whatsapp",
					Since: at, Until: at.Add(time.Hour), Limit: 7, Cursor: "c+",
				}))
			}},
		{"GET /v1/deliveries/d1", "", func(ctx context.Context, c *Client) error { return second(c.Delivery(ctx, "d1")) }},
		{"POST /v1/deliveries/d1/resolve", `{"as":"sent"}`, func(ctx context.Context, c *Client) error {
			return second(c.ResolveDelivery(ctx, "d1", api.ResolveRequest{As: "sent"}))
		}},
		{"POST /v1/deliveries/resolve", `{"filter":{"integration_id":"i"},"as":"failed","dry_run":true}`, func(ctx context.Context, c *Client) error {
			return second(c.ResolveDeliveries(ctx, api.ResolveAllRequest{Filter: api.UncertainFilter{IntegrationID: "i"}, As: "failed", DryRun: true}))
		}},
		{"GET /v1/dead-letters?error_code=timeout&integration=i&limit=2", "", func(ctx context.Context, c *Client) error {
			return second(c.DeadLetterPage(ctx, DeadLetterQuery{Integration: "i", ErrorCode: "timeout", Limit: 2}))
		}},
		{"GET /v1/dead-letters/groups", "", func(ctx context.Context, c *Client) error { return second(c.DeadLetterGroups(ctx)) }},
		{"GET /v1/dead-letters/d1", "", func(ctx context.Context, c *Client) error { return second(c.DeadLetter(ctx, "d1")) }},
		{"POST /v1/dead-letters/d1/redrive", "", func(ctx context.Context, c *Client) error { return second(c.RedriveDeadLetter(ctx, "d1")) }},
		{"POST /v1/dead-letters/d1/discard", "", func(ctx context.Context, c *Client) error { return second(c.DiscardDeadLetter(ctx, "d1")) }},
		{"POST /v1/dead-letters/redrive", `{"filter":{"all":true},"dry_run":true,"rate":5}`, func(ctx context.Context, c *Client) error {
			return second(c.RedriveDeadLetters(ctx, api.RedriveRequest{Filter: api.DeadLetterFilter{All: true}, DryRun: true, Rate: 5}))
		}},
		{"POST /v1/dead-letters/discard", `{"filter":{"error_code":"x"}}`, func(ctx context.Context, c *Client) error {
			return second(c.DiscardDeadLetters(ctx, api.DiscardRequest{Filter: api.DeadLetterFilter{ErrorCode: "x"}}))
		}},
		{"GET /v1/callbacks?cursor=7&integration=wa&limit=3&since=2026-01-01T21%3A34%3A05.006Z&state=unreadable", "", func(ctx context.Context, c *Client) error {
			return second(c.CallbackPage(ctx, CallbackQuery{Integration: "wa", State: api.CallbackUnreadable, Since: at, Limit: 3, Cursor: "7"}))
		}},
		{"GET /v1/callbacks/u7", "", func(ctx context.Context, c *Client) error { return second(c.Callback(ctx, "u7")) }},
		{"POST /v1/callbacks/replay", `{"integration":"wa","ids":["u7"],"dry_run":true}`, func(ctx context.Context, c *Client) error {
			return second(c.ReplayCallbacks(ctx, api.ReplayRequest{Integration: "wa", IDs: []string{"u7"}, DryRun: true}))
		}},
		{"GET /v1/callbacks/replays", "", func(ctx context.Context, c *Client) error { return second(c.Replays(ctx)) }},
		{"GET /v1/callbacks/replays/r1", "", func(ctx context.Context, c *Client) error { return second(c.Replay(ctx, "r1")) }},
		{"GET /v1/integrations", "", func(ctx context.Context, c *Client) error { return second(c.Integrations(ctx)) }},
		{"GET /v1/integrations/wa%2Fmain", "", func(ctx context.Context, c *Client) error { return second(c.Integration(ctx, "wa/main")) }},
		{"PATCH /v1/integrations/wa", `{"credentials":{"api_key":"k"}}`, func(ctx context.Context, c *Client) error {
			return second(c.UpdateIntegration(ctx, "wa", api.IntegrationPatch{Credentials: map[string]string{"api_key": "k"}}))
		}},
		{"DELETE /v1/integrations/wa", "", func(ctx context.Context, c *Client) error { return c.DeleteIntegration(ctx, "wa") }},
		{"POST /v1/integrations/ios/test", `{"device":"d","validate_only":true}`, func(ctx context.Context, c *Client) error {
			_, err := c.ValidateIntegration(ctx, "ios", api.TestRequest{Device: "d"})
			if err == nil {
				t.Error("an answer without a validation is none")
			}
			return nil
		}},
		{"POST /v1/integrations/wa/test", `{"to":"+4915"}`, func(ctx context.Context, c *Client) error {
			return second(c.TestIntegration(ctx, "wa", api.TestRequest{To: "+4915"}))
		}},
		{"POST /v1/integrations/wa/media?filename=a.png&fresh=true", "abc", func(ctx context.Context, c *Client) error {
			return second(c.UploadMedia(ctx, "wa", Upload{Type: "image/png", Name: "a.png", Data: strings.NewReader("abc"), Fresh: true}))
		}},
		{"POST /v1/inbound/i1/read", `{"typing":true}`, func(ctx context.Context, c *Client) error { return c.ReadInbound(ctx, "i1", true) }},
		{"POST /v1/integrations/wa/read", `{"message_id":"wamid.1","typing":true}`, func(ctx context.Context, c *Client) error {
			return c.MarkRead(ctx, "wa", api.ReadRequest{MessageID: "wamid.1", Typing: true})
		}},
		{"POST /v1/integrations/wa/pause", "", func(ctx context.Context, c *Client) error { return second(c.PauseIntegration(ctx, "wa")) }},
		{"POST /v1/integrations/wa/resume", "", func(ctx context.Context, c *Client) error { return second(c.ResumeIntegration(ctx, "wa")) }},
		{"POST /v1/endpoints", `{"name":"shop","url":"https://shop.example/peal","types":["delivery.*"]}`, func(ctx context.Context, c *Client) error {
			return second(c.CreateEndpoint(ctx, api.EndpointRequest{Name: "shop", URL: "https://shop.example/peal", Types: []string{"delivery.*"}}))
		}},
		{"GET /v1/endpoints", "", func(ctx context.Context, c *Client) error { return second(c.Endpoints(ctx)) }},
		{"GET /v1/endpoints/shop", "", func(ctx context.Context, c *Client) error { return second(c.Endpoint(ctx, "shop")) }},
		{"PATCH /v1/endpoints/shop", `{"disabled":true}`, func(ctx context.Context, c *Client) error {
			return second(c.UpdateEndpoint(ctx, "shop", api.EndpointPatch{Disabled: &yes}))
		}},
		{"DELETE /v1/endpoints/shop", "", func(ctx context.Context, c *Client) error { return c.DeleteEndpoint(ctx, "shop") }},
		{"POST /v1/endpoints/shop/rotate", `{}`, func(ctx context.Context, c *Client) error {
			return second(c.RotateEndpoint(ctx, "shop", api.RotateRequest{}))
		}},
		{"POST /v1/endpoints/shop/enable", `{"from":"now"}`, func(ctx context.Context, c *Client) error {
			return second(c.EnableEndpoint(ctx, "shop", api.EnableRequest{From: "now"}))
		}},
		{"POST /v1/endpoints/shop/test", "", func(ctx context.Context, c *Client) error { return second(c.TestEndpoint(ctx, "shop")) }},
		{"POST /v1/endpoints/shop/replay", `{"failed":true}`, func(ctx context.Context, c *Client) error {
			return second(c.ReplayEndpoint(ctx, "shop", api.EndpointReplayRequest{Failed: true}))
		}},
		{"GET /v1/endpoints/shop/attempts?cursor=c&event_id=evt_1&failed=true&limit=3", "", func(ctx context.Context, c *Client) error {
			return second(c.EndpointAttempts(ctx, "shop", AttemptQuery{EventID: "evt_1", Failed: true, Limit: 3, Cursor: "c"}))
		}},
		{"GET /v1/integrations/wa/templates?cursor=a%2Fen&limit=5&name=a&status=paused", "", func(ctx context.Context, c *Client) error {
			return second(c.Templates(ctx, "wa", TemplateQuery{Name: "a", Status: "paused", Limit: 5, Cursor: "a/en"}))
		}},
		{"GET /v1/integrations/wa/templates/order_paid", "", func(ctx context.Context, c *Client) error { return second(c.Template(ctx, "wa", "order_paid")) }},
		{"POST /v1/integrations/wa/templates/sync", "", func(ctx context.Context, c *Client) error { return second(c.SyncTemplates(ctx, "wa")) }},
		{"POST /v1/keys", `{"name":"k","scopes":["send"]}`, func(ctx context.Context, c *Client) error {
			return second(c.CreateKey(ctx, api.KeyRequest{Name: "k", Scopes: []string{"send"}}))
		}},
		{"GET /v1/keys", "", func(ctx context.Context, c *Client) error { return second(c.Keys(ctx)) }},
		{"DELETE /v1/keys/k1", "", func(ctx context.Context, c *Client) error { return c.RevokeKey(ctx, "k1") }},
		{"PUT /v1/users/u%201", `{"phone":"+4915"}`, func(ctx context.Context, c *Client) error {
			return second(c.PutUser(ctx, "u 1", api.UserRequest{Phone: "+4915"}))
		}},
		{"GET /v1/users/u1", "", func(ctx context.Context, c *Client) error { return second(c.User(ctx, "u1")) }},
		{"DELETE /v1/users/u1", "", func(ctx context.Context, c *Client) error { return c.DeleteUser(ctx, "u1") }},
		{"GET /v1/inbound?delivery_id=d&from=%2B4915&integration=i&limit=7&type=text", "", func(ctx context.Context, c *Client) error {
			return second(c.InboundPage(ctx, InboundQuery{Integration: "i", From: "+4915", DeliveryID: "d", Type: "text", Limit: 7}))
		}},
		{"GET /v1/inbound/m1", "", func(ctx context.Context, c *Client) error { return second(c.InboundMessage(ctx, "m1")) }},
		{"GET /v1/inbound/m1/media", "", func(ctx context.Context, c *Client) error { return second(c.InboundMedia(ctx, "m1", io.Discard)) }},
		{"GET /v1/contacts/+4915", "", func(ctx context.Context, c *Client) error { return second(c.Contact(ctx, "+4915")) }},
		{"GET /v1/contacts/US.1/consents", "", func(ctx context.Context, c *Client) error { return second(c.Consents(ctx, "US.1")) }},
		{"PUT /v1/contacts/US.1/consents", `{"consents":[{"category":"marketing","state":"in"}]}`, func(ctx context.Context, c *Client) error {
			return second(c.PutConsents(ctx, "US.1", api.ConsentRequest{Category: "marketing", State: "in"}))
		}},
		{"GET /v1/opt-outs?cursor=c&limit=2", "", func(ctx context.Context, c *Client) error { return second(c.OptOutPage(ctx, 2, "c")) }},
		{"POST /v1/opt-outs", `{"opt_outs":[{"contact":"+4915"}]}`, func(ctx context.Context, c *Client) error {
			return second(c.ImportOptOuts(ctx, api.OptOut{Contact: "+4915"}))
		}},
		{"PUT /v1/users/u%201/devices/i%2F1", `{"kind":"apns","token":"0a","app_id":"com.shop"}`, func(ctx context.Context, c *Client) error {
			return second(c.PutDevice(ctx, "u 1", "i/1", api.DeviceRequest{Kind: "apns", Token: "0a", AppID: "com.shop"}))
		}},
		{"GET /v1/users/u1/devices", "", func(ctx context.Context, c *Client) error { return second(c.Devices(ctx, "u1")) }},
		{"DELETE /v1/users/u1/devices/i1", "", func(ctx context.Context, c *Client) error { return c.DeleteDevice(ctx, "u1", "i1") }},
		{"GET /v1/client", "", func(ctx context.Context, c *Client) error { return second(c.ClientConfig(ctx)) }},
		{"POST /v1/receipts", `{"receipts":[{"delivery_id":"d1","type":"opened"}]}`, func(ctx context.Context, c *Client) error {
			return second(c.ReportReceipts(ctx, api.ClientReceipt{DeliveryID: "d1", Type: "opened"}))
		}},
		{"POST /v1/user-keys", `{"name":"k","algorithm":"HS256"}`, func(ctx context.Context, c *Client) error {
			return second(c.CreateUserKey(ctx, api.UserKeyRequest{Name: "k", Algorithm: "HS256"}))
		}},
		{"GET /v1/user-keys", "", func(ctx context.Context, c *Client) error { return second(c.UserKeys(ctx)) }},
		{"DELETE /v1/user-keys/k1", "", func(ctx context.Context, c *Client) error { return c.RevokeUserKey(ctx, "k1") }},
		{"POST /v1/tenants", `{"name":"Acme"}`, func(ctx context.Context, c *Client) error {
			return second(c.CreateTenant(ctx, api.TenantRequest{Name: "Acme"}))
		}},
		{"GET /v1/tenants", "", func(ctx context.Context, c *Client) error { return second(c.Tenants(ctx)) }},
		{"GET /v1/tenants/acme", "", func(ctx context.Context, c *Client) error { return second(c.Tenant(ctx, "acme")) }},
		{"PATCH /v1/tenants/acme", `{"disabled":true}`, func(ctx context.Context, c *Client) error {
			return second(c.UpdateTenant(ctx, "acme", api.TenantPatch{Disabled: &yes}))
		}},
		{"GET /v1/events?after=a&integration=i&limit=3&type=delivery.%2A", "", func(ctx context.Context, c *Client) error {
			return second(c.EventPage(ctx, EventQuery{After: "a", Since: at, Types: []string{"delivery.*"}, Integration: "i", Limit: 3}))
		}},
		{"GET /healthz", "", func(ctx context.Context, c *Client) error { return c.Healthy(ctx) }},
		{"GET /readyz", "", func(ctx context.Context, c *Client) error { return c.Ready(ctx) }},
		{"GET /openapi.json", "", func(ctx context.Context, c *Client) error { return second(c.OpenAPI(ctx)) }},
		{"GET /v1/backup", "", func(ctx context.Context, c *Client) error { return c.Backup(ctx, io.Discard) }},
		{"GET /metrics", "", func(ctx context.Context, c *Client) error { return second(c.Metrics(ctx)) }},
	} {
		c, f := setup(t, 200, `{}`)
		if err := tt.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		if got := f.last.Method + " " + f.last.URI; got != tt.want || f.last.Body != tt.body {
			t.Errorf("got  %s %s\nwant %s %s", got, f.last.Body, tt.want, tt.body)
		}
	}
}

func TestCreateIntegration(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 201, `{"id":"int_1","name":"wa","webhook_url":"https://x/hooks/wasender/t"}`)
	got, err := c.CreateIntegration(t.Context(), api.IntegrationRequest{Name: "wa", Kind: "wasender", Credentials: map[string]string{"api_key": "k"}})
	if err != nil || got.ID != "int_1" || got.WebhookURL != "https://x/hooks/wasender/t" {
		t.Errorf("%+v, %v", got, err)
	}
	if want := `{"name":"wa","kind":"wasender","credentials":{"api_key":"k"},"settings":{}}`; f.last.Body != want {
		t.Errorf("body %s, want %s", f.last.Body, want)
	}
}
