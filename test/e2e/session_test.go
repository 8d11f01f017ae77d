package e2e_test

import (
	"bytes"
	"errors"
	"image/png"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"peal/api"
	"peal/emulator/wasender"
)

// TestPairAgain: a session is logged out, which pauses its integration and is told. It is paired again by the QR code that the API
// gives, nobody resumes anything, and what waited goes out.
func TestPairAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, err := w.peal.ConnectSession(t.Context(), "wa"); err == nil || !strings.Contains(err.Error(), "personal_access_token") {
		t.Errorf("without the account's token: %v", err)
	}
	_, err := w.peal.UpdateIntegration(t.Context(), "wa", api.IntegrationPatch{Credentials: map[string]string{
		"personal_access_token": wasender.DefaultPAT, "session_id": strconv.Itoa(session),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := w.peal.Session(t.Context(), "wa"); err != nil || s.State != "connected" || !s.Connected {
		t.Errorf("session %+v, %v", s, err)
	}
	qr := "/v1/integrations/wa/session/qr"
	if a := w.do(t, "GET", qr, w.key, ""); a.status != http.StatusConflict {
		t.Errorf("the code of a connected session: %d %s", a.status, a.body)
	}

	if err := w.emu.SetState(session, wasender.StateLoggedOut); err != nil {
		t.Fatal(err)
	}
	w.paused(t, "session")
	_, id := w.sendText(t, "when you are back")
	eventually(t, "the state is shown", func() error {
		in, err := w.peal.Integration(t.Context(), "wa")
		if err != nil || in.Session == nil {
			return errors.Join(err, errors.New("no session is shown"))
		}
		return want("session", in.Session.State, "logged_out")
	})

	s, err := w.peal.ConnectSession(t.Context(), "wa")
	if err != nil || s.State != "need_scan" || s.QR == "" || s.Connected {
		t.Fatalf("connected as %+v, %v", s, err)
	}
	for format, kind := range map[string]string{"json": "application/json", "png": "image/png", "svg": "image/svg+xml"} {
		a := w.do(t, "GET", qr+"?format="+format, w.key, "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != kind || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", format, a.status, a.header)
		}
		if format == "png" {
			if _, err := png.Decode(bytes.NewReader(a.body)); err != nil {
				t.Errorf("the image: %v", err)
			}
		}
		if format == "svg" && !bytes.HasPrefix(a.body, []byte("<svg ")) {
			t.Errorf("the drawing: %.40s", a.body)
		}
	}
	if a := w.do(t, "GET", qr, w.adminKey(t, w.tenant, api.ScopeRead).Secret, ""); a.status != http.StatusForbidden {
		t.Errorf("with scope read: %d", a.status)
	}

	if err := w.emu.SetState(session, wasender.StateConnected); err != nil { // somebody scans
		t.Fatal(err)
	}
	w.reaches(t, id, "sent", "delivered", "read")
	w.paused(t, "")
	if strings.Contains(w.logs.text(), s.QR) {
		t.Error("the log holds what the code says")
	}
}

// TestSuspect: the provider takes everything, and its webhooks lead nowhere. The integration is suspect, with what to look at, until
// receipts come again.
func TestSuspect(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.ReceiptTimeout = "1s" })
	w.webhooksTo(t, "")
	w.allOnce(t, w.sendMany(t, 25))
	suspect := func(is bool) *api.Integration {
		var in *api.Integration
		eventually(t, "it is suspect, or not", func() (err error) {
			if in, err = w.peal.Integration(t.Context(), "wa"); err != nil {
				return err
			}
			return want("suspect", in.Suspect != nil, is)
		})
		return in
	}
	in := suspect(true)
	if !strings.Contains(in.Suspect.Reason, "no webhook has come") || in.LastWebhook != nil || in.Paused != nil {
		t.Errorf("suspect %+v, last webhook %v, paused %+v", in.Suspect, in.LastWebhook, in.Paused)
	}
	eventually(t, "it is counted", func() error {
		return want("metric", strings.Contains(string(w.do(t, "GET", "/metrics", operatorKey, "").body), `peal_integration_suspect{integration="`+in.ID+`"} 1`), true)
	})
	w.webhooksTo(t, w.integration.WebhookURL)
	_, id := w.sendText(t, "do you hear me?")
	w.reaches(t, id, "delivered", "read")
	if in = suspect(false); in.LastWebhook == nil || in.LastReceipt == nil {
		t.Errorf("last webhook %v, last receipt %v", in.LastWebhook, in.LastReceipt)
	}
}
