package standin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"peal/bench/internal/tally"
)

func setup(t *testing.T) (*Server, *tally.Tally) {
	t.Helper()
	s, err := New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ta := tally.New(3, 500, 10)
	s.Record(ta)
	return s, ta
}

func call(t *testing.T, s *Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return resp.StatusCode, v
}

func message(run, seq int) string {
	mark := tally.AppendMarker(nil, run)
	tally.PutDigits(mark[tally.SeqAt:tally.SeqAt+tally.SeqDigits], int64(seq))
	return fmt.Sprintf(`{"to":"+9198%08d","text":"%s and more"}`, 500+seq, mark)
}

func TestSendMessage(t *testing.T) {
	t.Parallel()
	s, ta := setup(t)
	for seq := range 2 {
		status, v := call(t, s, "POST", "/api/send-message", message(3, seq))
		data, _ := v["data"].(map[string]any)
		if status != 200 || v["success"] != true || data["msgId"] != float64(firstMsgID+500+seq) ||
			data["jid"] != fmt.Sprintf("+9198%08d", 500+seq) || data["status"] != "in_progress" {
			t.Errorf("answer %d %v", status, v)
		}
	}
	call(t, s, "POST", "/api/send-message", message(3, 0)) // again
	if ta.Distinct() != 2 || ta.Report().Duplicates != 1 {
		t.Errorf("%d distinct, %d duplicates", ta.Distinct(), ta.Report().Duplicates)
	}
	for _, stray := range []string{message(2, 5), message(3, 10), `{"to":"+1","text":"no marker"}`} {
		if status, _ := call(t, s, "POST", "/api/send-message", stray); status != 200 {
			t.Errorf("stray: %d", status)
		}
	}
	if got, want := s.Counts(), (Counts{Strays: 3}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if status, v := call(t, s, "GET", "/api/status", ""); status != 200 || v["status"] != "connected" {
		t.Errorf("status: %d %v", status, v)
	}
	status, v := call(t, s, "GET", fmt.Sprintf("/api/messages/%d/info", firstMsgID+501), "")
	data, _ := v["data"].(map[string]any)
	key, _ := data["key"].(map[string]any)
	if status != 200 || data["remoteJid"] != "919800000501@s.whatsapp.net" || key["id"] == "" || key["id"] != data["id"] {
		t.Errorf("info: %d %v", status, v)
	}
	for _, path := range []string{"/api/messages/x/info", "/api/messages/1/info", "/api/nothing"} {
		if status, _ := call(t, s, "GET", path, ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if got, want := s.Counts(), (Counts{Lookups: 2, Unknown: 3}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestChunkedBody(t *testing.T) {
	t.Parallel()
	s, ta := setup(t)
	// A reader of unknown length makes net/http send chunks.
	body := io.MultiReader(strings.NewReader(message(3, 7)))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr()+"/api/send-message", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || ta.Distinct() != 1 {
		t.Errorf("%d, %d arrived", resp.StatusCode, ta.Distinct())
	}
}
