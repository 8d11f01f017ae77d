package firebase_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"google.golang.org/api/fcm/v1"
)

// strict reads the body of a send into the types that Google generates from
// FCM's discovery document. Members that those do not have, names in another
// spelling or case, duplicates and values of another type fail the test.
func strict(t *testing.T, body []byte) *fcm.SendMessageRequest {
	t.Helper()
	request, err := decode(body)
	if err != nil {
		t.Fatalf("Google's types do not take this: %v\n%s", err, body)
	}
	if request.Message == nil {
		t.Fatalf("no message: %s", body)
	}
	return request
}

func decode(body []byte) (*fcm.SendMessageRequest, error) {
	request := &fcm.SendMessageRequest{}
	err := json.Unmarshal(body, request, json.RejectUnknownMembers(true))
	return request, err
}

func TestStrict(t *testing.T) {
	t.Parallel()
	got := strict(t, []byte(`{"validateOnly":true,"message":{"fid":"f","data":{"a":"b"},"notification":{"title":"T"},
		"android":{"ttl":"5s","notification":{"channelId":"c","notificationCount":3,"lightSettings":{"color":{"red":1},"lightOnDuration":"1s"}}},
		"androidV2":{"remoteNotification":{"notification":{"id":7}}},
		"apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"alert":{"title":"x"}},"own":1}},
		"webpush":{"notification":{"title":"W","actions":[]},"fcmOptions":{"link":"https://x/"}}}}`))
	if !got.ValidateOnly || got.Message.Fid != "f" || got.Message.Android.Notification.NotificationCount != 3 {
		t.Errorf("%+v", got.Message)
	}
	for _, bad := range []string{
		`{"validate_only":true}`, `{"message":{"Notification":{}}}`, `{"message":{"android":{"collapse_key":"k"}}}`,
		`{"message":{"android":{"notification":{"channel":"c"}}}}`, `{"message":{"data":{"a":1}}}`, `{"message":{"token":1}}`,
		`{"message":{"android":{"notification":{"notificationCount":"three"}}}}`, `{"message":{"token":"a","token":"b"}}`, `{"message":{}}{}`,
	} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}
