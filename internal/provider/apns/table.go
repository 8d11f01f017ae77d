package apns

import (
	"time"

	"peal/internal/peal"
)

// Reasons that are treated apart from the table.
const (
	badDeviceToken       = "BadDeviceToken"
	notForTopic          = "DeviceTokenNotForTopic"
	topicDisallowed      = "TopicDisallowed"
	expiredProviderToken = "ExpiredProviderToken"
	tooManyTokens        = "TooManyProviderTokenUpdates"
)

const (
	serverWait = 15 * time.Minute // Apple: "after 15 minutes you can retry"
	deviceWait = time.Minute      // of a device that got too much; Apple names no time
	groupWait  = 15 * time.Minute // of an app, or of the sandbox, while the others go on
)

// row is what a reason comes to.
type row struct {
	class  peal.Class
	pause  peal.PauseCode
	wait   time.Duration
	device peal.DeviceVerdict
	quiet  string
	leave  bool // no new push over that connection
	again  bool // it was not processed: once more, on another connection
	world  bool // concerns the device's environment
	text   string
}

// table has Apple's reasons. Where one is not in it, the HTTP status decides.
var table = func() map[string]row {
	credentials := func(text string) row {
		return row{class: peal.ClassIntegration, pause: peal.PauseCredentials, text: text}
	}
	dead := func(text string) row {
		return row{class: peal.ClassGone, device: peal.DeviceDead, text: text}
	}
	ours := func(text string) row { return row{class: peal.ClassPermanent, text: text} }
	elsewhere := func(text string) row {
		r := credentials(text)
		r.world = true
		return r
	}
	return map[string]row{
		// The device.
		badDeviceToken:    dead("the token is none of this environment"),
		notForTopic:       dead("the token is another app's"),
		"Unregistered":    dead("the app is no longer on the device"),
		"ExpiredToken":    dead("the token has expired"),
		"TooManyRequests": {class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: deviceWait, quiet: peal.QuietRecipient, text: "too many pushes to this device"},

		// The message.
		"PayloadTooLarge":    ours("the payload is larger than 4096 bytes"),
		"PayloadEmpty":       ours("the payload is empty"),
		"BadCollapseId":      ours("the collapse id is longer than 64 bytes"),
		"BadExpirationDate":  ours("apns-expiration is no time"),
		"BadMessageId":       ours("apns-id is no UUID"),
		"BadPriority":        ours("apns-priority does not go with the push type"),
		"BadTopic":           ours("the topic is no app's"),
		"DuplicateHeaders":   ours("a header came twice"),
		"InvalidPushType":    ours("the push type does not go with the payload or the topic"),
		"MissingDeviceToken": ours("the path has no device token"),
		"MissingTopic":       ours("there is no topic"),
		"BadPath":            ours("the path is none of Apple's; is base_url right?"),
		"MethodNotAllowed":   ours("only POST is allowed"),

		// Broadcasts, which an override may run into.
		"BadChannelId":              ours("the channel's id is wrong"),
		"MissingChannelId":          ours("there is no channel's id"),
		"ChannelNotRegistered":      ours("there is no such channel"),
		"FeatureNotEnabled":         ours("broadcasts are not enabled for the app"),
		"BadRequestParams":          ours("the request's parameters are wrong"),
		"BadRequestPayload":         ours("the payload is wrong"),
		"MissingPushType":           ours("there is no push type"),
		"CannotCreateChannelConfig": ours("the app has as many channels as it may have"),
		"TopicMismatch":             ours("the channel is another topic's"),

		// The credential.
		topicDisallowed:              credentials("the key may not push to this app"),
		"BadCertificate":             credentials("the certificate is bad"),
		"BadCertificateEnvironment":  credentials("the certificate is for the other environment"),
		"Forbidden":                  credentials("Apple does not allow this"),
		"InvalidProviderToken":       credentials("Apple does not take the provider token: check team_id, key_id and key, and this machine's clock"),
		"MissingProviderToken":       credentials("Apple saw no provider token"),
		"BadEnvironmentKeyIdInToken": elsewhere("the key is not for this environment"),
		"BadEnvironmentKeyInToken":   elsewhere("the key is not for this environment"),
		expiredProviderToken:         credentials("Apple calls a provider token expired that is young: check this machine's clock"),
		tooManyTokens:                {class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: minAge, leave: true, text: "the team has changed its provider token too often"},

		// The connection.
		"UnrelatedKeyIdInToken": {class: peal.ClassIntegration, pause: peal.PauseCredentials, leave: true, again: true, text: "the connection is bound to another key"},
		"IdleTimeout":           {class: peal.ClassTemporary, leave: true, again: true, text: "Apple closes the connection"},
		"Shutdown":              {class: peal.ClassTemporary, leave: true, again: true, text: "Apple's server is shutting down"},

		// The service.
		"InternalServerError": {class: peal.ClassTemporary, wait: serverWait, text: "an error inside Apple's service"},
		"ServiceUnavailable":  {class: peal.ClassTemporary, wait: serverWait, text: "Apple's service is not available"},
	}
}()
