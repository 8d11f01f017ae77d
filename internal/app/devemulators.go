package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"peal/emulator/apns"
	"peal/emulator/fcm"
	"peal/emulator/wasender"
	"peal/emulator/webpush"
	"peal/emulator/whatsappcloud"
)

// What the emulated providers know the demonstration by.
const (
	demoProject = "demo-shop"        // at Google
	demoTeam    = "DEMOTEAM01"       // at Apple
	demoKeyID   = "DEMOKEY001"       // at Apple
	demoApp     = "com.example.shop" // on phones
	demoNumber  = whatsappcloud.DefaultNumber
	demoMessage = "order_on_its_way" // a template at Meta
)

// emulators are the stand-ins of the providers. All but Apple's share a port.
type emulators struct {
	wasender *wasender.Server
	cloud    *whatsappcloud.Server
	fcm      *fcm.Server
	apns     *apns.Server
	webpush  *webpush.Server
	wall     *wall

	url     string // of all but Apple's
	apnsURL string
	server  *http.Server
	served  chan struct{}
}

func startEmulators(ctx context.Context, cfg DevConfig, s *devSecrets, log *slog.Logger) (_ *emulators, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Emulator)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for the emulators: %w; free the port, or choose another with --emulator", cfg.Emulator, err)
	}
	e := &emulators{url: "http://" + l.Addr().String(), served: make(chan struct{})}
	e.wall = newWall(e.url, log)
	// Slower than the default, so that one can watch the ticks.
	script := wasender.Script{Steps: []wasender.Step{
		{Status: 2, Delay: 300 * time.Millisecond}, {Status: 3, Delay: 900 * time.Millisecond}, {Status: 4, Delay: 1800 * time.Millisecond},
	}}
	e.wasender = wasender.New(wasender.Options{
		Sessions: []wasender.Session{{
			ID: 1, Name: "demo", APIKey: s.WasenderKey, WebhookSecret: s.WebhookSecret, Plan: wasender.PlanUnlimited, LogMessages: true,
		}},
		Script: &script,
	})
	if s.CloudToken == "" {
		s.CloudToken, s.CloudSecret = "cloud-"+randomHex(16), randomHex(16)
	}
	e.cloud = whatsappcloud.New(whatsappcloud.Options{
		Accounts: []whatsappcloud.Account{{Token: s.CloudToken, AppSecret: s.CloudSecret, Templates: []whatsappcloud.Template{{
			Name: demoMessage, Language: "en", Components: []whatsappcloud.Component{{Type: "BODY", Text: "Hello {{1}}, your order is on its way."}},
		}}}},
		Script: &whatsappcloud.Script{Steps: []whatsappcloud.Step{
			{Status: "sent", Delay: 300 * time.Millisecond}, {Status: "delivered", Delay: 900 * time.Millisecond}, {Status: "read", Delay: 1800 * time.Millisecond},
		}},
	})
	e.fcm = fcm.New(fcm.Options{URL: e.url + "/fcm", Show: e.wall.showFCM})
	e.apns = apns.New(apns.Options{Show: e.wall.showAPNs})
	e.webpush = webpush.New(webpush.Options{Origin: e.url, Show: e.wall.showWebPush})
	e.server = &http.Server{Handler: e.routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(e.served)
		_ = e.server.Serve(l) // ends when it is closed
	}()
	if err := e.accounts(cfg, s); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// accounts opens the accounts at Google and Apple of the run before, or new ones.
func (e *emulators) accounts(cfg DevConfig, s *devSecrets) error {
	addr, err := e.apns.Start(cfg.APNs)
	if err != nil {
		return fmt.Errorf("listen on %s for the emulator of APNs: %w; free the port, or choose another with --apns-emulator", cfg.APNs, err)
	}
	e.apnsURL = "https://" + addr.String()
	if s.APNsKey == "" {
		s.APNsKey = string(e.apns.NewKey(demoTeam, demoKeyID))
	} else if err := e.apns.AddKey(apns.Key{Team: demoTeam, ID: demoKeyID, PEM: []byte(s.APNsKey)}); err != nil {
		return fmt.Errorf("dev.json: apns_key: %w", err)
	}
	var file struct {
		TokenURI string `json:"token_uri"`
	}
	_ = json.Unmarshal([]byte(s.ServiceAccount), &file) // one that cannot be read is made anew, as one of another address
	if file.TokenURI == e.fcm.URL()+"/token" {
		err = e.fcm.AddServiceAccount([]byte(s.ServiceAccount))
	} else {
		var made []byte
		made, err = e.fcm.NewServiceAccount(demoProject)
		s.ServiceAccount = string(made)
	}
	if err != nil {
		return fmt.Errorf("make the demo's service account: %w", err)
	}
	return s.write()
}

// routes share the port. WasenderApi's has what is not another's.
func (e *emulators) routes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/phones", "/phones.json", "/phones/"} {
		mux.Handle(path, e.wall.board.Handler())
	}
	mux.Handle("/shop/", http.StripPrefix("/shop", shop()))
	mux.Handle("/cloud/", http.StripPrefix("/cloud", e.cloud))
	mux.Handle("/whatsapp_business/", e.cloud) // where its files are
	mux.Handle("/fcm/", http.StripPrefix("/fcm", e.fcm))
	mux.Handle("/apns/_emulator/", http.StripPrefix("/apns", e.apns.Control()))
	mux.Handle("/webpush/_emulator/", http.StripPrefix("/webpush", e.webpush))
	mux.Handle("/push/", e.webpush) // endpoints stand at the root of their origin
	mux.Handle("/message/", e.webpush)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/up") { // UnifiedPush
			e.webpush.ServeHTTP(w, r)
			return
		}
		e.wasender.ServeHTTP(w, r)
	})
	return mux
}

// stop ends all of them; calls that they hold are released.
func (e *emulators) stop() {
	e.wall.board.Close()
	e.wasender.Close()
	e.cloud.Close()
	e.fcm.Close()
	e.webpush.Close()
	_ = e.server.Close()
	e.apns.Close()
	<-e.served
}
