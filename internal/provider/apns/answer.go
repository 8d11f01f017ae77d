package apns

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"
)

// maxAnswer is what is read of an answer; Apple's are below 100 bytes.
const maxAnswer = 4 << 10

// answer is what came back.
type answer struct {
	status int
	header http.Header
	reason string    // Apple's word; empty when there is none
	dead   time.Time // of 410: when the token was last found dead
}

// parseBody reads the body of an answer that is no 200. What is not understood stays empty.
func parseBody(body []byte) (reason string, dead time.Time) {
	var b struct {
		Reason    json.RawMessage `json:"reason"`
		Timestamp json.RawMessage `json:"timestamp"`
	}
	if !isObject(body) || json.Unmarshal(body, &b) != nil {
		return "", time.Time{}
	}
	if json.Unmarshal(b.Reason, &reason) != nil || !isReason(reason) {
		reason = ""
	}
	var millis float64
	if len(b.Timestamp) > 0 && json.Unmarshal(b.Timestamp, &millis) == nil && millis >= 1 && millis < math.MaxInt32*1000.0 {
		dead = time.UnixMilli(int64(millis)).UTC()
	}
	return reason, dead
}

// isReason tells Apple's words: letters only. Whatever else stands there is not quoted, since it might be a token.
func isReason(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}
