package browser

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/webpush"
	"peal/internal/app"
	"peal/internal/config"
	"peal/internal/usertoken"
)

const operatorKey = "operator-key-of-the-tests-0123456789"

// world is a Peal, an app on another origin, and the push service behind the browser that visits it.
type world struct {
	cfg     config.Config
	peal    *client.Client // with an admin key
	userKey *api.UserKey
	pushes  *webpush.Server
	vapid   atomic.Pointer[string] // what the browser subscribed with last

	front string      // where browsers reach Peal
	down  atomic.Bool // they do not

	app     string      // the app's origin
	user    string      // who is logged in there
	stale   atomic.Bool // the app's backend gives a token that has expired
	minted  atomic.Int64
	browser *chromium
}

// setup starts it all.
func setup(t *testing.T, browser *chromium) *world {
	t.Helper()
	w := &world{browser: browser, user: "raju"}
	w.serve(t)
	w.pushes = webpush.New(webpush.Options{})
	t.Cleanup(w.pushes.Close)
	pushes := httptest.NewServer(w.pushes)
	t.Cleanup(pushes.Close)
	if err := w.pushes.SetOrigin(pushes.URL); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(w.site())
	t.Cleanup(site.Close)
	w.app = site.URL
	w.permission(t, "granted")
	return w
}

// permission is what the user says to notifications of the app: granted, denied, or prompt when they have not said.
func (w *world) permission(t *testing.T, setting string) {
	t.Helper()
	w.browser.must(t, "", "Browser.setPermission", map[string]any{
		"permission": map[string]string{"name": "notifications"}, "setting": setting, "origin": w.app,
	}, nil)
}

// serve starts a Peal with a tenant, and a proxy before it that can fail.
func (w *world) serve(t *testing.T) {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	w.cfg = config.Default()
	w.cfg.Listen, w.cfg.Data = "127.0.0.1:0", t.TempDir()
	w.cfg.MasterKey, w.cfg.OperatorKey = config.Secret(base64.StdEncoding.EncodeToString(key)), operatorKey
	w.cfg.AllowPrivateNetworks = []string{"127.0.0.1/32"} // the push service
	if err := w.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	running, err := app.Start(t.Context(), w.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(20 * time.Second); err != nil {
			t.Error(err)
		}
	})
	back := &url.URL{Scheme: "http", Host: running.Addr()}
	proxy := httputil.NewSingleHostReverseProxy(back)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.down.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.front = front.URL
	w.tenant(t, back.String())
}

// tenant makes one, with its keys and an integration.
func (w *world) tenant(t *testing.T, base string) {
	t.Helper()
	operator, err := client.New(base, operatorKey, client.WithTenant("acme"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateTenant(t.Context(), api.TenantRequest{ID: "acme", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	k, err := operator.CreateKey(t.Context(), api.KeyRequest{Name: "tests", Scopes: []string{api.ScopeAdmin}})
	if err != nil {
		t.Fatal(err)
	}
	if w.peal, err = client.New(base, k.Secret); err != nil {
		t.Fatal(err)
	}
	w.connect(t, "browsers", api.Settings{})
	if w.userKey, err = w.peal.CreateUserKey(t.Context(), api.UserKeyRequest{Name: "app", Algorithm: usertoken.HS256}); err != nil {
		t.Fatal(err)
	}
}

// connect makes an integration of kind webpush, with a VAPID key of its own.
func (w *world) connect(t *testing.T, name string, settings api.Settings) {
	t.Helper()
	_, err := w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: name, Kind: "webpush", Credentials: map[string]string{"subject": "mailto:ops@example.com"}, Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// site is the app: one page, its service worker, and its backend.
func (w *world) site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /peal-sw.js", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(rw, "importScripts(%q);\n", w.front+"/client/peal-sw.js")
	})
	mux.HandleFunc("GET /token", func(rw http.ResponseWriter, _ *http.Request) {
		now := time.Now()
		if w.stale.Load() {
			now = now.Add(-2 * time.Hour)
		}
		token, err := usertoken.Sign(w.userKey.ID, w.userKey.Secret, w.user, now, time.Hour)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		w.minted.Add(1)
		_, _ = io.WriteString(rw, token)
	})
	mux.HandleFunc("GET /subscribe", func(rw http.ResponseWriter, r *http.Request) { // what the vendor's push service does
		w.vapid.Store(new(r.FormValue("key")))
		sub, err := w.pushes.Subscribe(r.FormValue("key"))
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(rw).Encode(sub)
	})
	mux.HandleFunc("GET /{page...}", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(rw, w.front)
	})
	return mux
}

// page is the app's. The first script stands in for the vendor's push service: Chromium's own would have to be reached.
var page = template.Must(template.New("").Parse(`<!doctype html><title>Shop</title>
<script>
  const bytes = (s) => Uint8Array.from(atob(s.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)).buffer;
  const known = () => JSON.parse(localStorage.getItem("subscription"));
  const subscription = (s) => s && {
    endpoint: s.json.endpoint, options: { applicationServerKey: bytes(s.key), userVisibleOnly: true }, toJSON: () => s.json,
    unsubscribe: async () => { localStorage.removeItem("subscription"); return true; },
  };
  PushManager.prototype.getSubscription = async () => subscription(known());
  PushManager.prototype.subscribe = async (options) => {
    if (Notification.permission !== "granted") throw new DOMException("no permission", "NotAllowedError");
    const answer = await fetch("/subscribe?key=" + encodeURIComponent(options.applicationServerKey));
    localStorage.setItem("subscription", JSON.stringify({ key: options.applicationServerKey, json: await answer.json() }));
    return subscription(known());
  };
</script>
<script type="module">
  import { Peal, PealError } from "{{.}}/client/peal.js";
  window.told = [];
  window.PealError = PealError;
  window.peal = new Peal({
    server: "{{.}}/", app: location.origin, appVersion: "1.2",
    token: async () => (await fetch("/token", { cache: "no-store" })).text(),
  });
  peal.onMessage((event) => told.push(event));
  window.ready = true;
</script>`))
