package fcm_test

import (
	"strings"
	"testing"

	"peal/emulator/fcm"
)

func TestSend(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	a := b.message(b.phone.Token, `"notification":{"title":"T"}`, 200)
	if name, _ := a.json["name"].(string); !strings.HasPrefix(name, "projects/demo/messages/0:") {
		t.Errorf("%s", a.body)
	}
	b.message(b.phone.FID, "", 200) // the transition's field takes both
	b.send(`{"message":{"fid":"`+b.phone.FID+`"}}`, 200)
	b.send(`{"message":{"fid":"`+b.phone.Token+`"}}`, 404)
	b.send(`{"message":{"topic":"news"}}`, 200)
	b.send(`{"message":{"condition":"'a' in topics && 'b' in topics"}}`, 200)
	if n := len(b.emu.Shown(b.phone.Token)); n != 3 {
		t.Errorf("%d shown", n)
	}
	if b.emu.Calls(b.phone.FID) != 3 || b.emu.Taken(b.phone.Token) != 3 {
		t.Errorf("%d calls, %d taken", b.emu.Calls(b.phone.FID), b.emu.Taken(b.phone.Token))
	}
}

func TestValidateOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	for _, field := range []string{"validateOnly", "validate_only"} {
		a := b.send(`{"`+field+`":true,"message":{"token":"`+b.phone.Token+`"}}`, 200)
		if a.json["name"] != "projects/demo/messages/fake_message_id" {
			t.Errorf("%s", a.body)
		}
	}
	b.send(`{"validateOnly":true,"message":{"token":"`+fcm.NewToken(fcm.NewFID())+`"}}`, 404)
	b.send(`{"validateOnly":true,"message":{"token":"`+b.phone.Token+`","android":{"ttl":"1"}}}`, 400)
	if c := b.emu.Counts(); c.Shown != 0 || c.Accepted != 0 || c.Validated != 2 {
		t.Errorf("%+v", c)
	}
}

// full is every field of the table at once, but for what excludes one another.
const full = `{"validate_only":false,"message":{"token":"TOKEN","name":"x","data":{"a":"b","é\n":"\u00e9"},
"notification":{"title":"T","body":"B","image":"https://x/y.png"},"fcmOptions":{"analyticsLabel":"a-1"},
"android":{"collapseKey":"k","priority":"high","ttl":"3600.5s","restrictedPackageName":"com.example.app","data":{"c":"d"},
 "directBootOk":true,"bandwidth_constrained_ok":false,"restrictedSatelliteOk":true,"fcm_options":{"analytics_label":"l"},
 "notification":{"title":"A","body":"B","image":"https://x/z.png","icon":"i","color":"#00ffAA","sound":"default","tag":"t","click_action":"C",
  "body_loc_key":"k","bodyLocArgs":["x"],"titleLocKey":"k","title_loc_args":["y"],"channelId":"chat","ticker":"t","sticky":true,
  "eventTime":"2026-10-02T15:01:23.045123456Z","localOnly":true,"notificationPriority":"PRIORITY_MAX","defaultSound":true,
  "defaultVibrateTimings":true,"defaultLightSettings":false,"vibrateTimings":["1s","0.5s"],"visibility":"PUBLIC","notificationCount":3,
  "lightSettings":{"color":{"red":1,"green":0.5,"blue":0,"alpha":1},"lightOnDuration":"1s","lightOffDuration":"2s"},"proxy":"ALLOW"}},
"apns":{"headers":{"apns-priority":"10","apns-expiration":"0"},"payload":{"aps":{"alert":{"title":"I"}},"x":[1,{"y":null}]},
 "liveActivityToken":"l","fcmOptions":{"analyticsLabel":"l","image":"https://x/i.png"}},
"webpush":{"headers":{"TTL":"60","Urgency":"high"},"data":{"e":"f"},"notification":{"title":"W","actions":[]},"fcmOptions":{"link":"https://x/","analyticsLabel":"l"}}}}`

func TestSchema(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	b.send(strings.Replace(full, "TOKEN", b.phone.Token, 1), 200)
	b.message(b.phone.Token, `"androidV2":{"collapseKey":"k","ttl":"0s","remoteNotification":{"mutableContent":true,"useAsV1DataMessage":false,"notification":{"title":"T","id":7}}}`, 200)
	b.message(b.phone.Token, `"android_v2":{"background_sync":{}}`, 200)
	b.message(b.phone.Token, `"android":null,"data":{"a":"1","a":"2"},"apns":{"payload":{"aps":{"alert":"x"}}}`, 200)
	if n := b.emu.Shown(b.phone.Token)[3]; n.Data["a"] != "2" {
		t.Errorf("of two keys the last counts: %v", n.Data)
	}
	for more, field := range map[string]string{
		`"nope":1`:                                                                  "message",
		`"Notification":{}`:                                                         "message",
		`"notification":{"sound":"x"}`:                                              "message.notification",
		`"notification":[]`:                                                         "message.notification",
		`"notification":{"title":1}`:                                                "message.notification.title",
		`"data":{"a":1}`:                                                            "message.data[0].value",
		`"data":{"a":null}`:                                                         "message.data[0].value",
		`"data":{"a":{}}`:                                                           "message.data[0].value",
		`"data":["a"]`:                                                              "message.data",
		`"data":{"from":"x"}`:                                                       "message.data",
		`"data":{"message_type":"x"}`:                                               "message.data",
		`"data":{"google.x":"x"}`:                                                   "message.data",
		`"data":{"gcm.notification.x":"x"}`:                                         "message.data",
		`"android":{"data":{"from":"x"}}`:                                           "message.android.data",
		`"android":{"ttl":3600}`:                                                    "message.android.ttl",
		`"android":{"ttl":"3600"}`:                                                  "message.android.ttl",
		`"android":{"ttl":"1h"}`:                                                    "message.android.ttl",
		`"android":{"ttl":"s"}`:                                                     "message.android.ttl",
		`"android":{"ttl":"-s"}`:                                                    "message.android.ttl",
		`"android":{"ttl":"1.0000000001s"}`:                                         "message.android.ttl",
		`"android":{"ttl":"-1s"}`:                                                   "message.android.ttl",
		`"android":{"ttl":"2419201s"}`:                                              "message.android.ttl",
		`"android":{"ttl":"99999999999s"}`:                                          "message.android.ttl",
		`"android":{"priority":"urgent"}`:                                           "message.android.priority",
		`"android":{"priority":true}`:                                               "message.android.priority",
		`"android":{"directBootOk":"true"}`:                                         "message.android.directBootOk",
		`"android":{"notification":{"color":"red"}}`:                                "message.android.notification.color",
		`"android":{"notification":{"channel":"x"}}`:                                "message.android.notification",
		`"android":{"notification":{"bodyLocArgs":"x"}}`:                            "message.android.notification.bodyLocArgs",
		`"android":{"notification":{"bodyLocArgs":[1]}}`:                            "message.android.notification.bodyLocArgs[0]",
		`"android":{"notification":{"bodyLocArgs":["x"]}}`:                          "message.android.notification.body_loc_args",
		`"android":{"notification":{"eventTime":"now"}}`:                            "message.android.notification.eventTime",
		`"android":{"notification":{"notificationCount":1.5}}`:                      "message.android.notification.notificationCount",
		`"android":{"notification":{"notificationCount":-1}}`:                       "message.android.notification.notification_count",
		`"android":{"notification":{"lightSettings":{"color":{"red":"x"}}}}`:        "message.android.notification.lightSettings.color.red",
		`"android":{"notification":{"lightSettings":{}}}`:                           "message.android.notification.light_settings",
		`"android":{"notification":{"id":1}}`:                                       "message.android.notification",
		`"android":{"restrictedPackageName":"com.other"}`:                           "message.android.restricted_package_name",
		`"android":{},"androidV2":{}`:                                               "message.android_v2",
		`"androidV2":{"priority":"HIGH"}`:                                           "message.androidV2",
		`"androidV2":{"backgroundSync":{},"remoteNotification":{}}`:                 "message.android_v2",
		`"fcmOptions":{"analyticsLabel":"a b"}`:                                     "message.fcm_options.analytics_label",
		`"android":{"fcmOptions":{"analyticsLabel":""}}`:                            "message.android.fcm_options.analytics_label",
		`"apns":{"headers":{"apns-priority":10}}`:                                   "message.apns.headers[0].value",
		`"apns":{"headers":{"apns-priority":"7"}}`:                                  "message.apns.headers",
		`"apns":{"headers":{"apns-priority":"10"},"payload":{"aps":{"x":1}}}`:       "message.apns.headers",
		`"apns":{"headers":{"apns-expiration":"soon"}}`:                             "message.apns.headers",
		`"apns":{"headers":{"apns-collapse-id":"` + strings.Repeat("x", 65) + `"}}`: "message.apns.headers",
		`"apns":{"payload":"x"}`:                                                    "message.apns.payload",
		`"apns":{"payload":{"aps":1}}`:                                              "message.apns.payload",
		`"webpush":{"headers":{"TTL":"x"}}`:                                         "message.webpush.headers",
		`"webpush":{"headers":{"Urgency":"max"}}`:                                   "message.webpush.headers",
		`"webpush":{"headers":{"Topic":"a b"}}`:                                     "message.webpush.headers",
		`"webpush":{"fcmOptions":{"link":"http://x/"}}`:                             "message.webpush.fcm_options.link",
		`"webpush":{"notification":"x"}`:                                            "message.webpush.notification",
		`"topic":"x"`:                                                               "message",
		`"fid":"x"`:                                                                 "message",
	} {
		if a := b.message(b.phone.Token, more, 400); violation(a) != field || at(a.json, "error", "status") != "INVALID_ARGUMENT" {
			t.Errorf("%s: %s, want %s: %s", more, violation(a), field, a.body)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{MaxBody: 5000})
	for body, field := range map[string]string{
		``:   "",
		`{`:  "",
		`[]`: "",
		`{"message":{"data":{"a":"` + "\xff\"}}}": "",
		`{}`:                                   "message",
		`{"message":null}`:                     "message",
		`{"message":{}}`:                       "message",
		`{"message":{"topic":"/topics/x"}}`:    "message.topic",
		`{"message":{"topic":""}}`:             "message.topic",
		`{"message":{"condition":"a"}}`:        "message.condition",
		`{"message":{"token":1}}`:              "message.token",
		`{"dryRun":true,"message":{}}`:         "",
		`{"validateOnly":"true","message":{}}`: "validateOnly",
	} {
		if a := b.send(body, 400); violation(a) != field {
			t.Errorf("%s: %q, want %q: %s", body, violation(a), field, a.body)
		}
	}
	b.send(`{"message":{"data":{"a":"`+strings.Repeat("x", 5000)+`"}}}`, 413)
	path, body := "/v1/projects/demo/messages:send", `{"message":{"token":"`+b.phone.Token+`"}}`
	if a, err := b.call("POST", path, "text/plain", body); err != nil || a.status != 400 {
		t.Errorf("text/plain: %v %s", err, a.body)
	}
	b.do("POST", path+"?alt=json&prettyPrint=false", body, 200)
	b.do("POST", path+"?access=1", body, 400)
}

func TestSizes(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	ios, web := b.register(fcm.Device{Platform: fcm.IOS}), b.register(fcm.Device{Platform: fcm.Web})
	data := func(n int) string { return `"data":{"k":"` + strings.Repeat("x", n-1) + `"}` }
	for _, d := range []fcm.Device{b.phone, ios, web} {
		b.message(d.Token, data(4096), 200)
		a := b.message(d.Token, data(4097), 400)
		if code(a) != "INVALID_ARGUMENT" || violation(a) != "-" || !strings.Contains(a.body, "too big") {
			t.Errorf("%s: %s", d.Platform, a.body)
		}
	}
	// What another platform gets does not count, and a platform's data replaces the message's.
	b.message(b.phone.Token, data(4096)+`,"apns":{"payload":{"x":"`+strings.Repeat("x", 5000)+`"}}`, 200)
	b.message(b.phone.Token, data(5000)+`,"android":{"data":{"a":"b"}}`, 200)
	b.message(b.phone.Token, data(4096)+`,"notification":{"title":"T"}`, 400)
	b.message(b.phone.Token, `"data":{"k":"`+strings.Repeat(`\u0041`, 4095)+`"}`, 200)
	b.send(`{"message":{"topic":"x",`+data(2048)+`}}`, 200)
	b.send(`{"message":{"topic":"x",`+data(2049)+`}}`, 400)
}
