package web

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	Client().ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestClient(t *testing.T) {
	t.Parallel()
	for path, has := range map[string]string{
		"/client/peal.js":    "export {",
		"/client/peal-sw.js": `addEventListener("notificationclick"`,
	} {
		resp, body := ask(t, http.MethodGet, path, nil)
		h := resp.Header
		if resp.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(body, has) {
			t.Errorf("GET %s: %s, %v", path, resp.Status, h)
		}
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Service-Worker-Allowed") != "/" {
			t.Errorf("GET %s: other origins cannot use it: %v", path, h)
		}
		if again, _ := ask(t, http.MethodGet, path, http.Header{"If-None-Match": {h.Get("ETag")}}); h.Get("ETag") == "" || again.StatusCode != http.StatusNotModified {
			t.Errorf("GET %s with its ETag: %s", path, again.Status)
		}
		if head, none := ask(t, http.MethodHead, path, nil); head.StatusCode != http.StatusOK || none != "" {
			t.Errorf("HEAD %s: %s", path, head.Status)
		}
		if bad := regexp.MustCompile(`\beval\(|new Function|innerHTML|sourceMappingURL|document\.write`).FindString(body); bad != "" {
			t.Errorf("%s has %s", path, bad)
		}
	}
	if resp, _ := ask(t, http.MethodPost, "/client/peal.js", nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
	if resp, _ := ask(t, http.MethodGet, "/client/package.json", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what is not served: %s", resp.Status)
	}
}

// TestClientPackage: the folder can be published as it is, and depends on nothing.
func TestClientPackage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("client/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Types        string
		Dependencies map[string]string
		Exports      map[string]any
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Dependencies) > 0 || p.Exports["./peal-sw.js"] != "./dist/peal-sw.js" {
		t.Errorf("%+v", p)
	}
	if _, err := os.Stat("client/" + p.Types); err != nil {
		t.Error(err)
	}
}
