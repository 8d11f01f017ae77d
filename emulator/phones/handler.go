package phones

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"time"
)

//go:embed assets
var assets embed.FS

const (
	// policy: nothing runs, loads or frames but what is ours; pictures come from
	// where the cards say, over TLS or from this machine.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
		"frame-ancestors 'none'; img-src 'self' https: http://127.0.0.1:* http://localhost:*"
	// maxTap bounds the body of a tap.
	maxTap = 4096
	// quietTime keeps a stream open through proxies that close idle ones.
	quietTime = 20 * time.Second
	// breath is the least time between two events of a stream: under load a page
	// is told of many changes at once.
	breath = 150 * time.Millisecond
)

// Handler serves the routes of the package.
func (b *Board) Handler() http.Handler {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic("phones: " + err.Error()) // the name is a constant
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /phones", b.servePage("page.html"))
	mux.HandleFunc("GET /phones/board", b.servePage("board"))
	mux.HandleFunc("GET /phones.json", b.serveJSON)
	mux.HandleFunc("GET /phones/events", b.serveEvents)
	for _, name := range []string{"style.css", "phones.js", "icon.svg"} { // not the templates
		mux.Handle("GET /phones/assets/"+name, http.StripPrefix("/phones/assets/", http.FileServerFS(files)))
	}
	mux.HandleFunc("POST /phones/{phone}/cards/{card}/tap", b.serveTap)
	mux.HandleFunc("POST /phones/{phone}/cards/{card}/dismiss", b.serveDismiss)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// phoneJSON is a phone of /phones.json.
type phoneJSON struct {
	Phone

	Badge int    `json:"badge"`
	Shown int64  `json:"shown"`
	Cards []Card `json:"cards"`
}

func (b *Board) snapshot() []phoneJSON {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]phoneJSON, len(b.phones))
	for i, s := range b.phones {
		list[i] = phoneJSON{Phone: s.Phone, Badge: s.badge, Shown: s.shown, Cards: s.list()}
	}
	return list
}

func (b *Board) serveJSON(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"phones": b.snapshot()})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil { // only for values that we write ourselves
		panic("phones: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // nobody to tell when the caller has gone
}

// serveEvents tells a page when to fetch the board anew.
func (b *Board) serveEvents(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a stream has no end; servers without deadlines need none lifted
	w.Header().Set("Content-Type", "text/event-stream")
	if _, err := w.Write([]byte(": phones\n\n")); err != nil {
		return
	}
	seen := int64(-1)
	idle := time.NewTicker(quietTime)
	defer idle.Stop()
	for {
		if err := out.Flush(); err != nil {
			return
		}
		b.mu.Lock()
		version, changed := b.version, b.changed
		b.mu.Unlock()
		text := "event: change\ndata: {}\n\n"
		if version == seen {
			select {
			case <-changed:
				continue
			case <-idle.C:
				text = ": still here\n\n"
			case <-r.Context().Done():
				return
			case <-b.done:
				return
			}
		}
		seen = version
		if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-time.After(breath):
		case <-r.Context().Done():
			return
		case <-b.done:
			return
		}
	}
}

func (b *Board) serveTap(w http.ResponseWriter, r *http.Request) {
	action, err := readAction(w, r)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	card, err := b.Tap(r.Context(), r.PathValue("phone"), r.PathValue("card"), action)
	finish(w, r, card, err)
}

func (b *Board) serveDismiss(w http.ResponseWriter, r *http.Request) {
	card, err := b.Dismiss(r.Context(), r.PathValue("phone"), r.PathValue("card"))
	finish(w, r, card, err)
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

func readAction(w http.ResponseWriter, r *http.Request) (string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxTap)
	if isForm(r) {
		if err := r.ParseForm(); err != nil {
			return "", errors.New("body: not a form, or too large")
		}
		return r.PostForm.Get("action"), nil
	}
	if r.ContentLength == 0 {
		return "", nil
	}
	var in struct {
		Action string `json:"action"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return "", errors.New(`body: must be {"action":"…"}`)
	}
	return in.Action, nil
}

// finish answers a tap: a form goes back to the page, which shows what became
// of it.
func finish(w http.ResponseWriter, r *http.Request, card Card, err error) {
	if isForm(r) {
		w.Header().Set("Location", "../../../../phones") // beside /phones, wherever that is mounted
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, card)
	case errors.Is(err, ErrNotFound):
		writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
	case errors.Is(err, errNoAction):
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	default: // the callback's own error is in the log
		writeJSON(w, http.StatusBadGateway, map[string]string{"error": errReport.Error()})
	}
}
