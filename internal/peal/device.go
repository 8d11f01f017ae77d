package peal

import "time"

// ChannelPush is a notification on a device of the user's, whatever carries it there.
const ChannelPush = "push"

// DeviceKind says how a device is reached, and with it what its address is.
type DeviceKind string

// The kinds of devices.
const (
	DeviceFCMToken    DeviceKind = "fcm_token"   // a registration token of Firebase Cloud Messaging
	DeviceFCMFID      DeviceKind = "fcm_fid"     // a Firebase installation id
	DeviceAPNs        DeviceKind = "apns"        // a device token in hexadecimal, of one environment
	DeviceWebPush     DeviceKind = "webpush"     // a browser's subscription (RFC 8030)
	DeviceUnifiedPush DeviceKind = "unifiedpush" // the same, at whatever host a UnifiedPush distributor names
)

// DeviceKinds lists all of them.
func DeviceKinds() []DeviceKind {
	return []DeviceKind{DeviceFCMToken, DeviceFCMFID, DeviceAPNs, DeviceWebPush, DeviceUnifiedPush}
}

// Permission is whether a device may show notifications, by its own word.
type Permission string

// The permissions.
const (
	Granted       Permission = "granted"
	Denied        Permission = "denied"
	Provisional   Permission = "provisional" // iOS: shown quietly
	NotDetermined Permission = "not_determined"
)

// DeviceState is what Peal thinks of a device.
type DeviceState string

// The states of a device.
const (
	DeviceActive  DeviceState = "active"
	DeviceSuspect DeviceState = "suspect" // its provider has doubts; it is still sent to
	DeviceRetired DeviceState = "retired" // not sent to, until it registers again
)

// RetiredUnseen is the reason of a device that was not heard of for long.
const RetiredUnseen = "unseen"

// Environments of APNs: a token is good in one of them.
const (
	Production = "production"
	Sandbox    = "sandbox"
)

// Device is one installation of an app, or one browser. It belongs to one user at a time.
type Device struct {
	TenantID string
	ID       string // the installation's id, which the app makes; unique in the tenant
	UserID   string

	Kind        DeviceKind
	Address     string // token, installation id, or the endpoint's URL
	P256dh      string // of a subscription: its public key, base64url of 65 bytes
	Auth        string // of a subscription: its shared secret, base64url of 16 bytes
	Environment string // of APNs: Production or Sandbox
	AppID       string // the app's: a bundle id, a package name, an origin
	Platform    string // android, ios, macos, web, windows, linux, other
	Locale      string // BCP 47
	TimeZone    string // IANA
	AppVersion  string
	Permission  Permission

	State         DeviceState
	RetiredReason string
	RetiredAt     time.Time

	CreatedAt    time.Time
	RegisteredAt time.Time // when the app last stated this address
	LastSeenAt   time.Time // when the app was last heard of
	LastOKAt     time.Time // when its provider last took something for it
}

// Subscription tells whether the device is a Web Push subscription, of a browser or of UnifiedPush.
func (d *Device) Subscription() bool { return d.Kind == DeviceWebPush || d.Kind == DeviceUnifiedPush }

// DeviceWord is what an outcome says of the device that it was for.
type DeviceWord struct {
	Verdict DeviceVerdict
	// Dead is when the provider last found the address dead (APNs tells it). A device that registered later is alive. Zero:
	// it did not say.
	Dead time.Time
}

// DeviceVerdict is what is to become of a device.
type DeviceVerdict string

// The verdicts.
const (
	DeviceFine   DeviceVerdict = ""        // nothing is said
	DeviceDead   DeviceVerdict = "dead"    // retire it
	DeviceDoubts DeviceVerdict = "suspect" // it may be dead
)

// Why a push to a device is skipped, when it is planned or when it is to be sent.
const (
	SkipDeviceRetired    = "device_retired"
	SkipDeviceGone       = "device_gone"       // it was deleted since
	SkipDeviceMoved      = "device_moved"      // it is another user's since
	SkipDeviceChanged    = "device_changed"    // it is reached another way since
	SkipPermissionDenied = "permission_denied" // by its own word
)

// Retirement is a device that its provider gave up, or has doubts about. It concerns the address that was called, and
// nothing that was registered later.
type Retirement struct {
	TenantID string
	DeviceID string
	Kind     DeviceKind
	Address  string
	Verdict  DeviceVerdict
	Reason   string
	Dead     time.Time // see DeviceWord
	At       time.Time
}
