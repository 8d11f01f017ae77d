package api

import (
	"encoding/json"
	"time"
)

// Push is a notification on a device. It is translated to what each platform knows.
type Push struct {
	Title       string            `json:"title,omitempty" maxLength:"1000" doc:"Title or body is needed, unless silent" example:"Your order"`
	Body        string            `json:"body,omitempty" maxLength:"4000" example:"It is on its way"`
	Image       string            `json:"image,omitempty" maxLength:"2000" doc:"https URL of a picture"`
	Icon        string            `json:"icon,omitempty" maxLength:"2000" doc:"Web: https URL of an icon. Android: the name of a drawable"`
	Sound       string            `json:"sound,omitempty" maxLength:"200" doc:"default, or the name of a sound that the app brings"`
	Badge       *int              `json:"badge,omitempty" minimum:"0" maximum:"99999" doc:"The number on the app's icon; 0 takes it away"`
	Link        string            `json:"link,omitempty" maxLength:"2000" doc:"What a tap opens: an https URL or a deep link of the app"`
	Actions     []PushAction      `json:"actions,omitempty" maxItems:"3" doc:"Buttons"`
	Data        map[string]string `json:"data,omitempty" doc:"For the app. Keys with peal_ are Peal's"`
	CollapseKey string            `json:"collapse_key,omitempty" maxLength:"64" doc:"A later one with the same key takes the place of this one"`
	TTL         *string           `json:"ttl,omitempty" doc:"How long the push service keeps it for a device that is off, such as 1h, from send_at (or now) on; 0s: now or never. Where a notification to a user has no end of its own, it expires after that, or after a minute. Default: until the notification expires, or four weeks" example:"1h"`
	Urgency     string            `json:"urgency,omitempty" enum:"high,normal" doc:"Default: high, and normal for silent ones and those of priority bulk (very-low in browsers)"`
	Silent      bool              `json:"silent,omitempty" doc:"Nothing is shown: it wakes the app"`
	Channel     string            `json:"channel,omitempty" maxLength:"200" doc:"Android: the notification channel"`
	Category    string            `json:"category,omitempty" maxLength:"200" doc:"iOS: the category, which brings the buttons that the app has registered for it"`
	Thread      string            `json:"thread,omitempty" maxLength:"200" doc:"iOS: what it is grouped by"`
	Overrides   PushOverrides     `json:"overrides,omitzero" doc:"What goes over the translation, member by member (RFC 7396)"`
}

// PushAction is a button.
type PushAction struct {
	ID    string `json:"id" minLength:"1" maxLength:"64" doc:"What the app and the receipt name it" example:"track"`
	Title string `json:"title" minLength:"1" maxLength:"100" example:"Track it"`
	Link  string `json:"link,omitempty" maxLength:"2000" doc:"What it opens; default: the notification's link"`
	Icon  string `json:"icon,omitempty" maxLength:"2000" doc:"Web: https URL"`
}

// PushOverrides are merged into what a platform is sent (JSON merge patch, RFC 7396).
type PushOverrides struct {
	FCM     json.RawMessage `json:"fcm,omitempty" doc:"Into FCM's message, without its target"`
	APNs    json.RawMessage `json:"apns,omitempty" doc:"Into the APNs payload"`
	WebPush json.RawMessage `json:"webpush,omitempty" doc:"Into the Web Push JSON"`
}

// DeviceRequest is the body of PUT /v1/users/{id}/devices/{installation_id}: the full truth about the installation.
type DeviceRequest struct {
	Kind         string            `json:"kind" enum:"fcm_token,fcm_fid,apns,webpush,unifiedpush"`
	Token        string            `json:"token,omitempty" maxLength:"2048" doc:"fcm_token: the registration token; fcm_fid: the Firebase installation id; apns: the device token in hexadecimal"`
	Subscription *PushSubscription `json:"subscription,omitempty" doc:"webpush and unifiedpush"`
	Environment  string            `json:"environment,omitempty" enum:"production,sandbox" doc:"apns: where the token is good; default production"`
	AppID        string            `json:"app_id,omitempty" maxLength:"255" doc:"The app: its bundle id (needed for apns), package name or origin"`
	Platform     string            `json:"platform,omitempty" enum:"android,ios,macos,web,windows,linux,other" doc:"Default: by the kind"`
	Locale       string            `json:"locale,omitempty" maxLength:"35" doc:"BCP 47" example:"en-IN"`
	TimeZone     string            `json:"time_zone,omitempty" maxLength:"64" doc:"IANA" example:"Asia/Kolkata"`
	AppVersion   string            `json:"app_version,omitempty" maxLength:"64"`
	Permission   string            `json:"permission,omitempty" enum:"granted,denied,provisional,not_determined" doc:"Whether it may show notifications. One that is denied is skipped. Default: granted"`
}

// PushSubscription is what a browser's pushManager.subscribe gives, or a UnifiedPush distributor.
type PushSubscription struct {
	Endpoint string               `json:"endpoint" maxLength:"2000" doc:"https URL"`
	Keys     PushSubscriptionKeys `json:"keys"`
}

// PushSubscriptionKeys are what its messages are encrypted with (RFC 8291).
type PushSubscriptionKeys struct {
	P256dh string `json:"p256dh" maxLength:"128" doc:"Public key: base64url of 65 bytes"`
	Auth   string `json:"auth" maxLength:"64" doc:"base64url of 16 bytes"`
}

// Device is an installation, as Peal knows it. Its address is told in part only: it is nobody else's business.
type Device struct {
	ID            string     `json:"id" doc:"The installation's id, from the app"`
	UserID        string     `json:"user_id"`
	Kind          string     `json:"kind" enum:"fcm_token,fcm_fid,apns,webpush,unifiedpush"`
	AddressHint   string     `json:"address_hint" doc:"The end of the token, or the endpoint's host"`
	Environment   string     `json:"environment,omitempty"`
	AppID         string     `json:"app_id,omitempty"`
	Platform      string     `json:"platform"`
	Locale        string     `json:"locale,omitempty"`
	TimeZone      string     `json:"time_zone,omitempty"`
	AppVersion    string     `json:"app_version,omitempty"`
	Permission    string     `json:"permission" enum:"granted,denied,provisional,not_determined"`
	State         string     `json:"state" enum:"active,suspect,retired"`
	RetiredReason string     `json:"retired_reason,omitempty"`
	RetiredAt     *time.Time `json:"retired_at,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	RegisteredAt  time.Time  `json:"registered_at" doc:"When the app last stated its address"`
	LastSeenAt    time.Time  `json:"last_seen_at" doc:"When the app was last heard of"`
	LastOKAt      *time.Time `json:"last_ok_at,omitempty" doc:"When its push service last took something for it"`
}

// DeviceList is the answer of GET /v1/users/{id}/devices.
type DeviceList struct {
	Devices []Device `json:"devices"`
}

// UserKeyRequest makes a key that signs user tokens.
type UserKeyRequest struct {
	Name      string `json:"name" minLength:"1" maxLength:"64"`
	Algorithm string `json:"algorithm" enum:"HS256,EdDSA"`
	PublicKey string `json:"public_key,omitempty" maxLength:"1000" doc:"EdDSA: the Ed25519 public key, as PEM or base64url of 32 bytes"`
}

// UserKey is a key that signs user tokens.
type UserKey struct {
	ID        string     `json:"id" doc:"The token's kid"`
	Name      string     `json:"name"`
	Algorithm string     `json:"algorithm"`
	Secret    string     `json:"secret,omitempty" doc:"HS256: what to sign with, the text as it is; shown once"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// UserKeyList is the answer of GET /v1/user-keys.
type UserKeyList struct {
	Keys []UserKey `json:"keys"`
}

// ReceiptsRequest is the body of POST /v1/receipts: what a client saw of its deliveries.
type ReceiptsRequest struct {
	Receipts []ClientReceipt `json:"receipts" minItems:"1" maxItems:"100"`
}

// ClientReceipt is a client's word on one delivery.
type ClientReceipt struct {
	DeliveryID string     `json:"delivery_id" doc:"From the notification's data"`
	Type       string     `json:"type" enum:"delivered,opened,dismissed,action"`
	Action     string     `json:"action,omitempty" maxLength:"64" doc:"Of type action: the button's id"`
	At         *time.Time `json:"at,omitempty" doc:"When it happened, by the device's clock; default now"`
}

// ReceiptsResponse answers receipts one by one, in the order of the request.
type ReceiptsResponse struct {
	Results []ReceiptResult `json:"results"`
}

// ReceiptResult is what became of one receipt.
type ReceiptResult struct {
	DeliveryID string   `json:"delivery_id"`
	Status     string   `json:"status,omitempty" doc:"The delivery's status now"`
	Error      *Problem `json:"error,omitempty"`
}

// ClientConfig is the answer of GET /v1/client: what an app has to know.
type ClientConfig struct {
	UserID  string          `json:"user_id,omitempty" doc:"Whom the user token is of; absent for an API key"`
	WebPush []WebPushConfig `json:"web_push" doc:"A browser subscribes with the public key of its app"`
}

// WebPushConfig is the public key of an integration of kind webpush.
type WebPushConfig struct {
	IntegrationID string   `json:"integration_id"`
	Apps          []string `json:"apps,omitempty" doc:"The apps that it serves; absent: every one that no other does"`
	PublicKey     string   `json:"public_key" doc:"base64url of 65 bytes: applicationServerKey"`
}

// Audience is many users at once: those of the tenant that have a device which fits. Every field given must match; All
// alone chooses every one.
type Audience struct {
	All      bool   `json:"all,omitempty" doc:"Every device; needed when no other field is given"`
	AppID    string `json:"app_id,omitempty" maxLength:"255"`
	Platform string `json:"platform,omitempty" enum:"android,ios,macos,web,windows,linux,other"`
	Locale   string `json:"locale,omitempty" maxLength:"35" doc:"en fits en-IN, too"`
}

// DryRun is the answer of POST /v1/notifications?dry_run=true: what would be sent, and why the others would not.
type DryRun struct {
	Deliveries []DryRunDelivery `json:"deliveries" doc:"Of an audience the first ten"`
	Audience   *DryRunAudience  `json:"audience,omitempty" doc:"Of an audience: how many there would be"`
}

// DryRunAudience counts the deliveries to an audience that would be made.
type DryRunAudience struct {
	Queued  int64            `json:"queued"`
	Skipped map[string]int64 `json:"skipped,omitempty" doc:"By reason"`
}

// DryRunDelivery is one delivery that would be made.
type DryRunDelivery struct {
	IntegrationID string          `json:"integration_id,omitempty"`
	Channel       string          `json:"channel,omitempty"`
	Recipient     string          `json:"recipient"`
	UserID        string          `json:"user_id,omitempty"`
	Rung          *int            `json:"rung,omitempty" doc:"Its rung, where the notification names a ladder; 0 goes first"`
	DueAt         *time.Time      `json:"due_at,omitempty" doc:"Of a ladder's later rungs: when its turn would come"`
	Status        string          `json:"status" enum:"queued,skipped"`
	Reason        string          `json:"reason,omitempty" doc:"Why it would be skipped"`
	Request       *PreviewRequest `json:"request,omitempty" doc:"What the provider would be sent, before encryption"`
}

// PreviewRequest is a call that would be made, without its secrets.
type PreviewRequest struct {
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   json.RawMessage   `json:"body"`
}
