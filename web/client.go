package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"
)

// What is built from web/client/src; .ci/run checks that it is.
var (
	//go:embed client/dist/peal.js
	clientModule []byte
	//go:embed client/dist/peal-sw.js
	clientWorker []byte
)

// Client serves the module for browsers as /client/peal.js, and its service worker as /client/peal-sw.js, to pages of any
// origin.
func Client() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /client/peal.js", script(clientModule))
	mux.Handle("GET /client/peal-sw.js", script(clientWorker))
	return mux
}

// script serves one file of JavaScript.
func script(text []byte) http.Handler {
	sum := sha256.Sum256(text)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*")             // import asks for it
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // importScripts, where the app demands it of what it embeds
		h.Set("Service-Worker-Allowed", "/")                  // where a proxy serves app and Peal on one origin
		h.Set("Cache-Control", "no-cache")                    // ask each time; the ETag makes the answer short
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	})
}
