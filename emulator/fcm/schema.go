package fcm

import "strings"

// fieldKind is how protobuf's JSON writes a field.
type fieldKind int

const (
	isText fieldKind = iota
	isBool
	isInt
	isFloat
	isDuration
	isTime
	isEnum
	isMap    // string to string
	isStruct // any JSON object
	isMessage
)

// schema is a protobuf message: its type's name and its fields, by both of the
// names that protobuf's JSON takes (lowerCamel and snake_case).
type schema struct {
	name   string
	fields map[string]*field
}

type field struct {
	name     string // lowerCamel
	kind     fieldKind
	repeated bool
	sub      *schema
	enum     []string
	enumType string
}

const (
	fcmType   = "type.googleapis.com/google.firebase.fcm.v1."
	protoType = "type.googleapis.com/google.protobuf."
)

func newSchema(name string, fields ...*field) *schema {
	s := &schema{name: name, fields: make(map[string]*field, 2*len(fields))}
	for _, f := range fields {
		s.fields[f.name] = f
		s.fields[snake(f.name)] = f
	}
	return s
}

func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func one(kind fieldKind, names ...string) []*field {
	list := make([]*field, len(names))
	for i, name := range names {
		list[i] = &field{name: name, kind: kind}
	}
	return list
}

func enum(name, typ string, values ...string) *field {
	return &field{name: name, kind: isEnum, enum: values, enumType: typ}
}

func sub(name string, s *schema) *field { return &field{name: name, kind: isMessage, sub: s} }

func many(kind fieldKind, names ...string) []*field {
	list := one(kind, names...)
	for _, f := range list {
		f.repeated = true
	}
	return list
}

func join(lists ...any) []*field {
	var all []*field
	for _, l := range lists {
		switch l := l.(type) {
		case *field:
			all = append(all, l)
		case []*field:
			all = append(all, l...)
		}
	}
	return all
}

// requestSchema is SendMessageRequest of the discovery document, revision
// 20261023 (google.golang.org/api v0.311.0, fcm/v1/fcm-api.json).
func requestSchema() *schema {
	label := newSchema("FcmOptions", one(isText, "analyticsLabel")...)
	color := newSchema("Color", one(isFloat, "alpha", "blue", "green", "red")...)
	light := newSchema("LightSettings", join(sub("color", color), one(isDuration, "lightOffDuration", "lightOnDuration"))...)
	message := newSchema("Message", join(
		one(isText, "condition", "fid", "name", "token", "topic"),
		one(isMap, "data"),
		sub("notification", newSchema("Notification", one(isText, "title", "body", "image")...)),
		sub("android", androidSchema(label, light)),
		sub("androidV2", androidV2Schema(label, light)),
		sub("apns", newSchema("ApnsConfig", join(
			one(isMap, "headers"), one(isStruct, "payload"), one(isText, "liveActivityToken"),
			sub("fcmOptions", newSchema("ApnsFcmOptions", one(isText, "analyticsLabel", "image")...)))...)),
		sub("webpush", newSchema("WebpushConfig", join(
			one(isMap, "headers", "data"), one(isStruct, "notification"),
			sub("fcmOptions", newSchema("WebpushFcmOptions", one(isText, "analyticsLabel", "link")...)))...)),
		sub("fcmOptions", label))...)
	return newSchema("SendMessageRequest", join(one(isBool, "validateOnly"), sub("message", message))...)
}

func androidSchema(label, light *schema) *schema {
	notification := newSchema("AndroidNotification", join(
		androidNotification(light),
		one(isBool, "bypassProxyNotification"),
		enum("proxy", "AndroidNotification.Proxy", "PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"))...)
	return newSchema("AndroidConfig", join(
		androidConfig(label),
		enum("priority", "AndroidConfig.AndroidMessagePriority", "NORMAL", "HIGH"),
		sub("notification", notification))...)
}

// androidV2Schema: of priority it has none, and its notification has an id.
func androidV2Schema(label, light *schema) *schema {
	notification := newSchema("AndroidNotificationV2", join(androidNotification(light), one(isInt, "id"))...)
	remote := newSchema("AndroidRemoteNotification", join(
		one(isBool, "mutableContent", "useAsV1DataMessage"), sub("notification", notification))...)
	return newSchema("AndroidConfigV2", join(
		androidConfig(label),
		sub("backgroundSync", newSchema("AndroidBackgroundSyncMessage")),
		sub("remoteNotification", remote))...)
}

func androidConfig(label *schema) []*field {
	return join(
		one(isText, "collapseKey", "restrictedPackageName"),
		one(isDuration, "ttl"),
		one(isMap, "data"),
		one(isBool, "bandwidthConstrainedOk", "directBootOk", "restrictedSatelliteOk"),
		sub("fcmOptions", label))
}

func androidNotification(light *schema) []*field {
	return join(
		one(isText, "title", "body", "image", "icon", "color", "sound", "tag", "channelId", "clickAction", "ticker", "bodyLocKey", "titleLocKey"),
		many(isText, "bodyLocArgs", "titleLocArgs"),
		many(isDuration, "vibrateTimings"),
		one(isBool, "defaultLightSettings", "defaultSound", "defaultVibrateTimings", "localOnly", "sticky"),
		one(isTime, "eventTime"),
		one(isInt, "notificationCount"),
		sub("lightSettings", light),
		enum("notificationPriority", "AndroidNotification.NotificationPriority",
			"PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
		enum("visibility", "AndroidNotification.Visibility", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"))
}
