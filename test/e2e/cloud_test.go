package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/whatsappcloud"
)

// cloud is an emulated account at Meta, and an integration that leads to it.
type cloud struct {
	*whatsappcloud.Server

	integration *api.Integration
}

// cloud connects one. Its webhooks go through a front that leads to Peal wherever it is: Meta is told one address, and a
// Peal that is started again in a test has another port.
func (w *world) cloud(t *testing.T, opt whatsappcloud.Options, settings ...func(*api.Settings)) *cloud {
	t.Helper()
	w.watched.watch(whatsappcloud.DefaultToken, whatsappcloud.DefaultAppSecret)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "peal"
		},
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", w.addr.Load().(string))
			},
		},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(front.Close)
	c := &cloud{Server: whatsappcloud.New(opt)}
	t.Cleanup(c.Close)
	meta := httptest.NewServer(c)
	t.Cleanup(meta.Close)

	s := api.Settings{
		BaseURL: meta.URL, Limit: &api.Limit{}, RetryBase: "100ms",
		WhatsAppCloud: &api.WhatsAppCloud{PhoneNumberID: whatsappcloud.DefaultNumber, WABAID: whatsappcloud.DefaultAccount},
	}
	for _, change := range settings {
		change(&s)
	}
	var err error
	c.integration, err = w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "cloud", Kind: "whatsapp_cloud", Settings: s,
		Credentials: map[string]string{"access_token": whatsappcloud.DefaultToken, "app_secret": whatsappcloud.DefaultAppSecret},
	})
	if err != nil {
		t.Fatalf("make integration: %v", err)
	}
	u, err := url.Parse(c.integration.WebhookURL)
	if err != nil {
		t.Fatal(err)
	}
	err = c.UpdateAccount("", func(a *whatsappcloud.Account) {
		a.WebhookURL, a.VerifyToken = front.URL+u.Path, c.integration.VerifyToken
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCloudStuck: Meta's webhooks do not come. What has no receipt after receipt_timeout is looked up in the message history:
// what it says counts, and that it says no more is in the timeline.
func TestCloudStuck(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered")
	c := w.cloud(t, opt, func(s *api.Settings) { s.ReceiptTimeout = "1s" })
	if c.integration.Settings.ReceiptTimeout != "1s" || c.integration.Settings.LookupLimit.Rate != 100 {
		t.Errorf("settings %+v", c.integration.Settings)
	}
	if err := c.UpdateAccount("", func(a *whatsappcloud.Account) { a.WebhookURL = "" }); err != nil {
		t.Fatal(err)
	}
	_, id := w.send(t, c.text(phone(), "do you hear me?"))
	d := w.reaches(t, id, "delivered")
	if d.Attempts != 1 || d.DeliveredAt == nil {
		t.Errorf("%+v", d)
	}
	if err := c.SetScript(whatsappcloud.Script{}); err != nil {
		t.Fatal(err)
	}
	_, id = w.send(t, c.text(phone(), "and you?"))
	eventually(t, "it is noted that no receipt has come", func() error {
		got := rules(w.explained(t, id))
		return want("noted", strings.Contains(got, "no_receipt"), true)
	})
	if d := w.delivery(t, id); d.Status != "sent" {
		t.Errorf("it is %s", d.Status)
	}
}

// over is a notification over the account.
func (c *cloud) over(to string, content api.Content) api.NotificationRequest {
	return api.NotificationRequest{Recipient: api.Recipient{Phone: to}, Integration: "cloud", Content: content}
}

func (c *cloud) text(to, s string) api.NotificationRequest { return c.over(to, api.Content{Text: &s}) }

func (c *cloud) idle(t *testing.T) {
	t.Helper()
	if err := c.Idle(within(t)); err != nil {
		t.Fatalf("webhooks are not all posted: %v", err)
	}
}

// receipts are webhooks in batches, shuffled and doubled.
func receipts(statuses ...string) whatsappcloud.Options {
	script := whatsappcloud.StatusScript(time.Millisecond, statuses...)
	script.Order, script.DuplicateChance, script.Seed = whatsappcloud.OrderShuffle, 0.3, 1
	return whatsappcloud.Options{
		WindowsOpen: true, Script: &script,
		Webhooks: whatsappcloud.WebhookOptions{Batch: whatsappcloud.Batch{Size: 7, Shape: whatsappcloud.BatchMixed}, MaxBackoff: 300 * time.Millisecond},
	}
}

// TestCloudHandshake: Meta takes the address by the verify token that Peal made; nobody else gets an answer there.
func TestCloudHandshake(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent"))
	if err := c.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
	_, path, _ := strings.Cut(c.integration.WebhookURL, "/hooks/")
	path = "/hooks/" + path
	ask := func(path, token string) answer {
		return w.do(t, "GET", path+"?hub.mode=subscribe&hub.challenge=%3Cb%3E1&hub.verify_token="+token, "", "")
	}
	a := ask(path, c.integration.VerifyToken)
	if a.status != 200 || string(a.body) != "<b>1" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	for name, a := range map[string]answer{
		"401 wrong token": ask(path, "other"), "401 no token": ask(path, ""), "404 wrong address": ask(path+"x", c.integration.VerifyToken),
		"404 another kind": ask(strings.Replace(path, "whatsapp_cloud", "wasender", 1), c.integration.VerifyToken), "405 of a kind that only posts": ask(w.hook(), ""),
		"401 without signature": w.do(t, "POST", path, "", `{"entry":[]}`),
		"401 forged":            w.do(t, "POST", path, "", `{"entry":[]}`, "X-Hub-Signature-256", whatsappcloud.Sign("cloud-app-secret-2", []byte(`{"entry":[]}`))),
	} {
		if fmt.Sprint(a.status) != name[:3] {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		a.problem(t)
	}
	shown, err := w.as(t, w.adminKey(t, w.tenant, "read").Secret).Integration(t.Context(), c.integration.ID)
	if err != nil || shown.VerifyToken != "" || shown.WebhookURL != "" {
		t.Errorf("with scope read it shows %+v, %v", shown, err)
	}
	if shown.Settings.WhatsAppCloud == nil || shown.Settings.WhatsAppCloud.PhoneNumberID != whatsappcloud.DefaultNumber {
		t.Errorf("settings %+v", shown.Settings)
	}
}

// TestCloudReceipts: receipts come shuffled, doubled, in batches, and while Peal is away; all are told in the end, and no
// message is sent twice.
func TestCloudReceipts(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent", "delivered", "read"))
	ids := map[string]string{}
	one := func(i int) {
		to := phone()
		_, ids[to] = w.send(t, c.text(to, fmt.Sprint("message ", i)))
	}
	for i := range 10 {
		one(i)
	}
	for _, id := range ids {
		w.reaches(t, id, "read")
	}
	c.HoldWebhooks(true)
	for i := range 20 {
		one(i)
	}
	for _, id := range ids {
		w.reaches(t, id, "sent", "read")
	}
	w.restart(t, func() { c.HoldWebhooks(false) }) // Meta posts to nobody, and comes again
	for to, id := range ids {
		if d := w.reaches(t, id, "read"); d.Attempts != 1 || !strings.HasPrefix(d.MessageID, "wamid.") {
			t.Errorf("%+v", d)
		}
		if n := c.CountByRecipient(to); n != 1 {
			t.Errorf("%d messages to one", n)
		}
	}
}

// TestCloudLostAnswer: a message whose answer was lost is known again by its own receipts, and is not sent twice.
func TestCloudLostAnswer(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent", "delivered"))
	c.HoldWebhooks(true)
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultDropAfter}); err != nil {
		t.Fatal(err)
	}
	to := phone()
	_, id := w.send(t, c.text(to, "hi"))
	w.reaches(t, id, "uncertain")
	c.HoldWebhooks(false)
	if d := w.reaches(t, id, "delivered"); d.Attempts != 1 || d.ErrorCode != "" || c.CountByRecipient(to) != 1 {
		t.Errorf("%+v, taken %d times", d, c.CountByRecipient(to))
	}
}

// TestCloudErrors: what Meta refuses, in the answer, by webhook or both.
func TestCloudErrors(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered")
	opt.WindowsOpen = false
	opt.Accounts = []whatsappcloud.Account{{Templates: []whatsappcloud.Template{{Name: "hello", Language: "en"}}}}
	c := w.cloud(t, opt, func(s *api.Settings) { s.WhatsAppCloud.WABAID = "" }) // so no template is checked by its catalogue

	// Without an open window free text fails by webhook, and a template goes.
	_, closed := w.send(t, c.text(phone(), "hi"))
	if d := w.reaches(t, closed, "failed"); d.ErrorCode != "131047" || d.ErrorReason == "" || d.DeadLetter {
		t.Errorf("%+v", d)
	}
	_, template := w.send(t, c.over(phone(), api.Content{Template: &api.Template{Name: "hello", Language: "en"}}))
	w.reaches(t, template, "delivered")

	// The pair limit, told in the answer and by webhook for an id that nobody was told: the delivery waits, and goes.
	hello := api.Content{Template: &api.Template{Name: "hello", Language: "en"}}
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131056, Via: whatsappcloud.ViaBoth}); err != nil {
		t.Fatal(err)
	}
	_, pair := w.send(t, c.over(phone(), hello))
	if d := w.reaches(t, pair, "delivered", "failed"); d.Status != "delivered" || d.Attempts != 1 {
		t.Errorf("%+v", d)
	}

	// An expired token pauses; nothing is lost.
	if err := c.UpdateAccount("", func(a *whatsappcloud.Account) { a.Token = "cloud-token-2" }); err != nil {
		t.Fatal(err)
	}
	_, waiting := w.send(t, c.over(phone(), hello))
	c.paused(t, w, "credentials")
	patch := api.IntegrationPatch{Credentials: map[string]string{"access_token": "cloud-token-2"}, Settings: &api.Settings{WhatsAppCloud: &api.WhatsAppCloud{GraphVersion: "v25.0"}}}
	in, err := w.peal.UpdateIntegration(t.Context(), "cloud", patch)
	if err != nil || in.Settings.WhatsAppCloud.PhoneNumberID != whatsappcloud.DefaultNumber || in.Settings.WhatsAppCloud.GraphVersion != "v25.0" {
		t.Fatalf("%+v, %v", in, err)
	}
	w.reaches(t, waiting, "delivered")
	c.idle(t)
}

// TestCloudAccount: an account that Meta disables, or says by webhook that it has not paid for, is not sent over until it
// may again.
func TestCloudAccount(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent", "delivered"))
	ban := func(state string) map[string]any {
		return map[string]any{"ban_info": map[string]any{"waba_ban_state": state}}
	}
	if err := c.PlayAccountUpdate("", "DISABLED_UPDATE", true, ban("DISABLE")); err != nil {
		t.Fatal(err)
	}
	c.paused(t, w, "session")
	_, waiting := w.send(t, c.text(phone(), "hi"))
	if err := c.PlayAccountUpdate("", "DISABLED_UPDATE", false, ban("REINSTATE")); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, waiting, "delivered")
	c.paused(t, w, "")

	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131042, Via: whatsappcloud.ViaWebhook}); err != nil {
		t.Fatal(err)
	}
	_, unpaid := w.send(t, c.text(phone(), "hi"))
	if d := w.reaches(t, unpaid, "failed"); d.ErrorCode != "131042" {
		t.Errorf("%+v", d)
	}
	c.paused(t, w, "session")
}

// paused waits until the integration is paused with the code; with an empty one, until it is not paused.
func (c *cloud) paused(t *testing.T, w *world, code string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the account is paused with code %q", code), func() error {
		in, err := w.peal.Integration(t.Context(), c.integration.ID)
		if err != nil {
			return err
		}
		got := ""
		if in.Paused != nil {
			got = in.Paused.Code
		}
		return want("code of the pause", got, code)
	})
}

// TestCloudContents: what a provider has not is refused before it is accepted, by the one and by the other.
func TestCloudContents(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent"))
	poll := api.Content{Poll: &api.Poll{Question: "q", Options: []string{"a", "b"}}}
	reaction := api.Content{Reaction: &api.Reaction{MessageID: "wamid.HBgLMTY1MDU1NTEy", Emoji: "x"}}
	buttons := api.Content{Interactive: &api.Interactive{Body: "b", Buttons: []api.ReplyButton{{ID: "1", Title: "Yes"}}}}
	template := api.Content{Template: &api.Template{Name: "hello", Language: "en"}}
	for path, req := range map[string]api.NotificationRequest{
		"content.poll": c.over(phone(), poll), "content.reaction": {Recipient: api.Recipient{Phone: phone()}, Integration: "wa", Content: reaction},
		"content.interactive": {Recipient: api.Recipient{Phone: phone()}, Integration: "wa", Content: buttons},
		"content.template":    {Recipient: api.Recipient{Phone: phone()}, Integration: "wa", Content: template},
		"content.mentions":    c.over(phone(), api.Content{Text: new("x"), Mentions: []string{"+919812345678"}}),
	} {
		_, err := w.peal.Send(t.Context(), req)
		if p := problemOf(err); p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != path || p.Errors[0].Code != "unsupported" {
			t.Errorf("%s: %v %+v", path, err, p)
		}
	}
	_, id := w.send(t, c.over(phone(), buttons))
	w.reaches(t, id, "sent")
	_, err := w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "other", Kind: "wasender", Credentials: map[string]string{"api_key": "k", "webhook_secret": "12345678"},
		Settings: api.Settings{WhatsAppCloud: &api.WhatsAppCloud{PhoneNumberID: "1"}},
	})
	if p := problemOf(err); p == nil || p.Status != 422 || p.Errors[0].Path != "settings.whatsapp_cloud" {
		t.Errorf("settings of another kind: %v", err)
	}
}

// TestCloudGateway: a gateway such as 360dialog's needs settings only: its address, path and header.
func TestCloudGateway(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered", "read")
	opt.Gateway = &whatsappcloud.Gateway{Path: "/v1"}
	opt.Accounts = []whatsappcloud.Account{{
		Token: "nobody's", Numbers: []whatsappcloud.Number{{APIKey: whatsappcloud.DefaultToken}},
	}}
	c := w.cloud(t, opt, func(s *api.Settings) {
		s.WhatsAppCloud = &api.WhatsAppCloud{MessagesPath: "/v1/messages", AuthHeader: "D360-API-KEY"}
	})
	to := phone()
	_, id := w.send(t, c.text(to, "hi"))
	if d := w.reaches(t, id, "read", "failed"); d.Status != "read" || c.CountByRecipient(to) != 1 {
		t.Errorf("%+v, taken %d times", d, c.CountByRecipient(to))
	}
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131026, Via: whatsappcloud.ViaAnswer}); err != nil {
		t.Fatal(err)
	}
	_, refused := w.send(t, c.text(phone(), "hi"))
	if d := w.reaches(t, refused, "failed"); d.ErrorCode != "131026" {
		t.Errorf("%+v", d)
	}
}

// TestCloudSpamOfMarketing: where it was marketing that people reported, the rest still goes.
func TestCloudSpamOfMarketing(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered")
	opt.Accounts = []whatsappcloud.Account{{Templates: []whatsappcloud.Template{
		{Name: "sale", Language: "en", Category: "MARKETING"}, {Name: "paid", Language: "en", Category: "UTILITY"},
	}}}
	c := w.cloud(t, opt)
	eventually(t, "the catalogue is read", func() error {
		in, err := w.peal.Integration(t.Context(), "cloud")
		if err == nil && (in.Templates == nil || in.Templates.Templates != 2) {
			err = fmt.Errorf("%+v", in.Templates)
		}
		return err
	})
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131048, Via: whatsappcloud.ViaAnswer}); err != nil {
		t.Fatal(err)
	}
	say := func(name string) (id string) {
		_, id = w.send(t, c.over(phone(), api.Content{Template: &api.Template{Name: name, Language: "en"}}))
		return id
	}
	waits := func(id, code string) {
		t.Helper()
		eventually(t, "marketing waits", func() error {
			d := w.delivery(t, id)
			if d.Status != "queued" || d.ErrorCode != code || d.DueAt == nil || time.Until(*d.DueAt) < 20*time.Hour {
				return fmt.Errorf("%+v", d)
			}
			return nil
		})
	}
	waits(say("sale"), "131048")
	waits(say("sale"), "quiet")
	w.reaches(t, say("paid"), "delivered")
	c.paused(t, w, "")
	if n := c.Counts().Arrived; n != 2 {
		t.Errorf("%d calls, want one for marketing and one for the other", n)
	}
}

// TestCloudSpam: a number that people have reported stops at the first word of it, and nothing is lost.
func TestCloudSpam(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent", "delivered"), func(s *api.Settings) { s.Concurrency = 1 })
	fault := whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131048, Via: whatsappcloud.ViaAnswer, Every: true}
	if _, err := c.AddFault(fault); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 10)
	for i := range ids {
		_, ids[i] = w.send(t, c.text(phone(), "hi"))
	}
	c.paused(t, w, "blocked")
	if n := c.Counts().Arrived; n < 1 || n > 2 { // one may have been on its way
		t.Errorf("%d calls", n)
	}
	c.ClearFaults()
	if _, err := w.peal.ResumeIntegration(t.Context(), "cloud"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		w.reaches(t, id, "delivered")
	}
}
