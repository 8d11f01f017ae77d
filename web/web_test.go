package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func serve(t *testing.T, method string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/docs", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	DocsHandler().ServeHTTP(w, r)
	return w.Result()
}

func TestDocsHandler(t *testing.T) {
	t.Parallel()
	resp := serve(t, http.MethodGet, nil)
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(Docs())) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("GET: %s, %d bytes, %v", resp.Status, resp.ContentLength, resp.Header)
	}
	etag := resp.Header.Get("ETag")
	if again := serve(t, http.MethodGet, http.Header{"If-None-Match": {etag}}); etag == "" || again.StatusCode != http.StatusNotModified {
		t.Errorf("with ETag %s: %s", etag, again.Status)
	}
	if head := serve(t, http.MethodHead, nil); head.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %s", head.Status)
	}
	if post := serve(t, http.MethodPost, nil); post.StatusCode != http.StatusMethodNotAllowed || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", post.Status)
	}
}

// TestPolicy holds that the page's one script and one style are those that the policy lets run, and that there is
// nothing on the page that the policy would stop.
func TestPolicy(t *testing.T) {
	t.Parallel()
	page := string(Docs())
	policy := serve(t, http.MethodGet, nil).Header.Get("Content-Security-Policy")
	for _, tag := range []string{"script", "style"} {
		found := regexp.MustCompile(`(?s)<`+tag+`\b[^>]*>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(found) != 1 {
			t.Fatalf("%d of <%s>, want 1", len(found), tag)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy %s has no %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("policy %s is not strict", policy)
	}
	for _, bad := range []string{`<[a-z]+ [^>]*\bon[a-z]+=`, `<[a-z]+ [^>]*\bstyle=`, `<script [^>]*src`, `innerHTML|outerHTML|insertAdjacent|document\.write|eval\(`, `https?://(cdn|unpkg|fonts)`, `@import|\burl\(`} {
		if m := regexp.MustCompile(bad).FindString(page); m != "" {
			t.Errorf("the page has %q", m)
		}
	}
}

func TestSourceHashOfNothing(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "<script>", "</script>"} {
		if got := sourceHash(page, "<script>", "</script>"); got != "'none'" {
			t.Errorf("sourceHash(%q) = %s", page, got)
		}
	}
}
