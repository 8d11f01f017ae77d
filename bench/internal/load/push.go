package load

import (
	"fmt"
	"strings"

	"peal/bench/internal/tally"
)

// Tokens of devices are hexadecimal, as APNs has them, and end with the device's number.
const (
	TokenPrefix = "bec4bec4" + "bec4bec4bec4bec4bec4bec4bec4bec4bec4bec4bec4bec4"
	App         = "com.example.bench"

	userPrefix   = "user-"
	devicePrefix = "device-"
)

// Push is POST /v1/notifications with one message to a user, who has one device.
func Push(addr, key string, run int) *Request {
	return build(addr, "/v1/notifications", key, run, 1, 202, push)
}

// PushBatch is POST /v1/notifications/batch with so many messages.
func PushBatch(addr, key string, run, size int) *Request {
	r := build(addr, "/v1/notifications/batch", key, run, size, 202, push)
	r.batch = true
	return r
}

// FanOut is POST /v1/notifications with one message to all devices.
func FanOut(addr, key string, run int) *Request {
	r := build(addr, "/v1/notifications", key, run, 1, 202, func(text string) string {
		return `{"recipient":{"audience":{"all":true}},` + pushContent(text)
	})
	mark := r.raw[r.items[0].mark:]
	tally.PutDigits(mark[tally.SeqAt:tally.SeqAt+tally.SeqDigits], tally.Everybody)
	r.items = nil // nothing changes in it
	return r
}

// Register is PUT /v1/users/{id}/devices/{installation_id} of a device of a kind.
func Register(addr, key, kind string) *Request {
	body := `{"kind":"` + kind + `","token":"` + TokenPrefix + noNumber + `","app_id":"` + App + `"}`
	raw := fmt.Sprintf("PUT /v1/users/%s%s/devices/%s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		userPrefix, noNumber, devicePrefix, noNumber, addr, key, len(body), body)
	it := item{mark: -1}
	for _, before := range []string{userPrefix, devicePrefix, TokenPrefix} {
		it.numbers = append(it.numbers, strings.Index(raw, before+noNumber)+len(before))
	}
	return &Request{raw: []byte(raw), items: []item{it}, want: 201}
}

func push(text string) string {
	return `{"recipient":{"user_id":"` + userPrefix + noNumber + `"},` + pushContent(text)
}

func pushContent(text string) string {
	return `"channel":"push","content":{"push":{"title":"Your order has left","body":"` + text + `"}}}`
}
