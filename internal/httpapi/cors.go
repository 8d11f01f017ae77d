package httpapi

import (
	"net/http"
	"strings"
)

// byBrowsers tells whether a path is one that apps call for their users. Browsers ask for leave before they call from
// another site.
func byBrowsers(path string) bool {
	if path == "/v1/client" || path == "/v1/receipts" {
		return true
	}
	rest, ok := strings.CutPrefix(path, "/v1/users/")
	_, of, found := strings.Cut(rest, "/")
	return ok && found && (of == "devices" || strings.HasPrefix(of, "devices/"))
}

// share lets pages of every site call what apps call, and reports whether that was all that was asked. No site gains by it:
// who calls shows a token, and a browser sends none by itself.
func share(w http.ResponseWriter, r *http.Request) (answered bool) {
	if r.Header.Get("Origin") == "" || !byBrowsers(r.URL.EscapedPath()) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, PUT, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
	return true
}
