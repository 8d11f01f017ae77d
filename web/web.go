// Package web holds the pages that Peal serves to a browser, embedded in the binary.
package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

//go:embed docs.html
var docsHTML string

// Docs is the API's documentation as one page of HTML. It shows the OpenAPI document that is served beside it as
// openapi.json, and asks nobody else for anything.
func Docs() []byte { return []byte(docsHTML) }

// DocsHandler serves [Docs] to GET and HEAD. Its Content-Security-Policy names the page's own script and style by
// their hashes and allows nothing else but calls to the server itself.
func DocsHandler() http.Handler {
	page := Docs()
	sum := sha256.Sum256(page)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	policy := strings.Join([]string{
		"default-src 'none'",
		"script-src " + sourceHash(docsHTML, "<script>", "</script>"),
		"style-src " + sourceHash(docsHTML, "<style>", "</style>"),
		"connect-src 'self'",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // ask each time; the ETag makes the answer short
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
}

// sourceHash is the hash of what stands between open and end, as a policy names it; none when there is no such part,
// which then does not run.
func sourceHash(page, open, end string) string {
	_, rest, found := strings.Cut(page, open)
	source, _, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "'none'"
	}
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
