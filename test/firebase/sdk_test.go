package firebase_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/errorutils"
	"firebase.google.com/go/v4/messaging"
	"google.golang.org/api/option"

	"peal/emulator/fcm"
)

const project = "demo"

// bundle is Google's client, an emulator and a phone.
type bundle struct {
	*testing.T
	emu    *fcm.Server
	client *messaging.Client
	phone  fcm.Device
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, emu: fcm.New(fcm.Options{})}
	srv := httptest.NewServer(b.emu)
	t.Cleanup(srv.Close)
	t.Cleanup(b.emu.Close)
	b.emu.SetURL(srv.URL)
	file, err := b.emu.NewServiceAccount(project)
	if err != nil {
		t.Fatal(err)
	}
	if b.phone, err = b.emu.Register(fcm.Device{Project: project}); err != nil {
		t.Fatal(err)
	}
	app, err := firebase.NewApp(t.Context(), nil, option.WithAuthCredentialsJSON(option.ServiceAccount, file), option.WithEndpoint(srv.URL+"/v1"))
	if err != nil {
		t.Fatal(err)
	}
	if b.client, err = app.Messaging(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends to the phone, and ends with the test's patience.
func (b *bundle) send(m *messaging.Message) error {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if m.Fid == "" && m.Topic == "" && m.Condition == "" {
		m.Token = b.phone.Token //nolint:staticcheck // deprecated, and what most apps have
	}
	name, err := b.client.Send(ctx, m)
	if err == nil && !strings.HasPrefix(name, "projects/"+project+"/messages/") {
		b.Errorf("name %q", name)
	}
	return err
}

// TestSend: the SDK gets its access token from the emulator, and everything
// that it can write is understood.
func TestSend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ttl, badge, count := 90*time.Second, 7, 3
	at := time.Unix(1_700_000_000, 5000)
	full := &messaging.Message{
		Data:         map[string]string{"k": "v"},
		Notification: &messaging.Notification{Title: "T", Body: "B", ImageURL: "https://example.com/i.png"},
		FCMOptions:   &messaging.FCMOptions{AnalyticsLabel: "label"},
		Android: &messaging.AndroidConfig{
			CollapseKey: "c", Priority: "high", TTL: &ttl, Data: map[string]string{"a": "b"}, DirectBootOK: true,
			FCMOptions: &messaging.AndroidFCMOptions{AnalyticsLabel: "label"},
			Notification: &messaging.AndroidNotification{
				Title: "A", Icon: "i", Color: "#00ff00", Sound: "default", Tag: "tag", ClickAction: "OPEN", BodyLocKey: "k", BodyLocArgs: []string{"x"},
				TitleLocKey: "k", TitleLocArgs: []string{"x"}, ChannelID: "chat", ImageURL: "https://example.com/a.png", Ticker: "t", Sticky: true,
				EventTimestamp: &at, LocalOnly: true, Priority: messaging.PriorityHigh, VibrateTimingMillis: []int64{100, 50}, DefaultVibrateTimings: true,
				DefaultSound: true, LightSettings: &messaging.LightSettings{Color: "#00ff0080", LightOnDurationMillis: 10, LightOffDurationMillis: 20},
				Visibility: messaging.VisibilityPublic, NotificationCount: &count, Proxy: messaging.ProxyAllow,
			},
		},
		APNS: &messaging.APNSConfig{
			Headers: map[string]string{"apns-priority": "10"}, FCMOptions: &messaging.APNSFCMOptions{ImageURL: "https://example.com/p.png"},
			Payload: &messaging.APNSPayload{Aps: &messaging.Aps{Alert: &messaging.ApsAlert{Title: "I"}, Badge: &badge, Sound: "s", Category: "C", ThreadID: "t", MutableContent: true}},
		},
		Webpush: &messaging.WebpushConfig{
			Headers: map[string]string{"TTL": "60", "Urgency": "high"}, FCMOptions: &messaging.WebpushFCMOptions{Link: "https://example.com/"},
			Notification: &messaging.WebpushNotification{Title: "W", Actions: []*messaging.WebpushNotificationAction{{Action: "yes", Title: "Yes"}}},
		},
	}
	if err := b.send(full); err != nil {
		t.Fatal(err)
	}
	got := b.emu.Screen(b.phone.Token)
	if len(got) != 1 || got[0].Title != "A" || got[0].Body != "B" || got[0].Channel != "chat" || got[0].Data["a"] != "b" || *got[0].Badge != 3 || got[0].Priority != "HIGH" {
		t.Errorf("%+v", got)
	}
	if err := b.send(&messaging.Message{Fid: b.phone.FID}); err != nil {
		t.Error(err)
	}
	if err := b.send(&messaging.Message{Topic: "news", Notification: full.Notification}); err != nil {
		t.Error(err)
	}
	if err := b.send(&messaging.Message{Condition: "'a' in topics && 'b' in topics"}); err != nil {
		t.Error(err)
	}
	if name, err := b.client.SendDryRun(t.Context(), &messaging.Message{Fid: b.phone.FID}); err != nil || !strings.HasSuffix(name, "/fake_message_id") {
		t.Errorf("dry run: %s %v", name, err)
	}
	answer, err := b.client.SendEach(t.Context(), []*messaging.Message{{Token: b.phone.Token}, {Token: "magic-unregistered"}})
	if err != nil || answer.SuccessCount != 1 || !messaging.IsUnregistered(answer.Responses[1].Error) {
		t.Errorf("%+v %v", answer, err)
	}
	if c := b.emu.Counts(); c.Tokens != 1 || c.Refused != 0 || c.Validated != 1 {
		t.Errorf("%+v", c)
	}
}

// TestErrors: the SDK recognises each error of the table.
func TestErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for failure, is := range map[fcm.Failure]func(error) bool{
		fcm.InvalidArgument:  messaging.IsInvalidArgument,
		fcm.TooBig:           messaging.IsInvalidArgument,
		fcm.Unregistered:     messaging.IsUnregistered,
		fcm.SenderIDMismatch: messaging.IsSenderIDMismatch,
		fcm.QuotaExceeded:    messaging.IsQuotaExceeded,
		fcm.DeviceQuota:      messaging.IsQuotaExceeded,
		fcm.TopicQuota:       messaging.IsQuotaExceeded,
		fcm.Unavailable:      messaging.IsUnavailable,
		fcm.Internal:         messaging.IsInternal,
		fcm.ThirdPartyAuth:   messaging.IsThirdPartyAuthError,
		// Those without an FcmError it knows by their status only.
		fcm.BadRequest:       errorutils.IsInvalidArgument,
		fcm.NotFound:         errorutils.IsNotFound,
		fcm.PermissionDenied: errorutils.IsPermissionDenied,
		fcm.ProjectQuota:     errorutils.IsResourceExhausted,
		fcm.Unauthenticated:  errorutils.IsUnauthenticated,
		fcm.NoDetails:        errorutils.IsUnavailable,
		fcm.Unspecified:      errorutils.IsUnknown,
		fcm.HTML:             func(err error) bool { return errorutils.HTTPResponse(err).StatusCode == 502 }, //nolint:bodyclose // the SDK has read it
		fcm.Empty:            errorutils.IsUnavailable,
	} {
		t.Run(string(failure), func(t *testing.T) {
			// A wait above its two minutes keeps the SDK from trying a 503 four times more.
			if _, err := b.emu.AddFault(fcm.Fault{Kind: fcm.FaultError, Failure: failure, RetryAfter: "300"}); err != nil {
				t.Fatal(err)
			}
			err := b.send(&messaging.Message{})
			if err == nil || !is(err) {
				t.Fatalf("not recognised: %v", err)
			}
			if got := errorutils.HTTPResponse(err); got == nil || got.Header.Get("Retry-After") != "300" { //nolint:bodyclose // the SDK has read it
				t.Errorf("no Retry-After: %v", err)
			}
			if failure == fcm.ProjectQuota && messaging.IsQuotaExceeded(err) || failure == fcm.NotFound && messaging.IsUnregistered(err) {
				t.Error("recognised, though the vendor's answer has no FcmError")
			}
		})
	}
	if err := b.send(&messaging.Message{}); err != nil {
		t.Error(err)
	}
}

// TestCredentials: what becomes of an account whose key is gone.
func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.emu.RemoveServiceAccounts(project)
	if err := b.send(&messaging.Message{}); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("%v", err)
	}
}

// TestOneTokenForMany: one access token serves many sends.
func TestOneTokenForMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		if err := b.send(&messaging.Message{Notification: &messaging.Notification{Title: "T"}}); err != nil {
			t.Fatal(err)
		}
	}
	if c := b.emu.Counts(); c.Tokens != 1 || c.Accepted != 20 || b.emu.Taken(b.phone.Token) != 20 {
		t.Errorf("%+v", c)
	}
}
