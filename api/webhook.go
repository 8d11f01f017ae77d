package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of an outbound webhook, as Standard Webhooks names them.
const (
	WebhookIDHeader        = "webhook-id"        // the event's id, the same whenever it is told
	WebhookTimestampHeader = "webhook-timestamp" // when it was signed, in seconds since 1970
	WebhookSignatureHeader = "webhook-signature" // one or more, separated by blanks
)

// WebhookSecretPrefix is how the text of an endpoint's secret begins.
const WebhookSecretPrefix = "whsec_"

const (
	minWebhookKey    = 24 // bytes, by Standard Webhooks
	maxWebhookKey    = 64
	webhookSignature = "v1," // HMAC-SHA256
)

// WebhookKey is what the text of a secret stands for: 24 to 64 bytes.
func WebhookKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, WebhookSecretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < minWebhookKey || len(key) > maxWebhookKey {
		return nil, fmt.Errorf("a secret is %s and the base64 of %d to %d bytes", WebhookSecretPrefix, minWebhookKey, maxWebhookKey)
	}
	return key, nil
}

// SignWebhook gives the signature of a body under a key, as it stands in the header.
func SignWebhook(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return webhookSignature + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SignedBy tells whether one of the signatures in a header is that of the body under the key.
func SignedBy(key []byte, header, id string, at time.Time, body []byte) bool {
	want, found := []byte(SignWebhook(key, id, at, body)), false
	for got := range strings.FieldsSeq(header) {
		if hmac.Equal([]byte(got), want) {
			found = true
		}
	}
	return found
}
