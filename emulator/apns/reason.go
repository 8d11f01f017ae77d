package apns

import (
	"maps"
	"slices"
)

// Reasons that the emulator itself gives. AddFault gives every one of Reasons.
const (
	badCollapseID        = "BadCollapseId"
	badDeviceToken       = "BadDeviceToken"
	badEnvironmentKeyID  = "BadEnvironmentKeyIdInToken"
	badExpirationDate    = "BadExpirationDate"
	badMessageID         = "BadMessageId"
	badPath              = "BadPath"
	badPriority          = "BadPriority"
	badTopic             = "BadTopic"
	deviceNotForTopic    = "DeviceTokenNotForTopic"
	duplicateHeaders     = "DuplicateHeaders"
	expiredProviderToken = "ExpiredProviderToken"
	expiredToken         = "ExpiredToken"
	invalidProviderToken = "InvalidProviderToken"
	invalidPushType      = "InvalidPushType"
	methodNotAllowed     = "MethodNotAllowed"
	missingDeviceToken   = "MissingDeviceToken"
	missingProviderToken = "MissingProviderToken"
	missingTopic         = "MissingTopic"
	payloadEmpty         = "PayloadEmpty"
	payloadTooLarge      = "PayloadTooLarge"
	tooManyRequests      = "TooManyRequests"
	tooManyTokenUpdates  = "TooManyProviderTokenUpdates"
	topicDisallowed      = "TopicDisallowed"
	unregistered         = "Unregistered"
	unrelatedKeyID       = "UnrelatedKeyIdInToken"
)

// statuses is the vendor's table of reasons.
func statuses() map[string]int {
	all := map[string]int{
		badPath: 404, methodNotAllowed: 405, expiredToken: 410, unregistered: 410, payloadTooLarge: 413,
		tooManyTokenUpdates: 429, tooManyRequests: 429, "InternalServerError": 500, "ServiceUnavailable": 503, "Shutdown": 503,
	}
	for _, reason := range []string{
		badCollapseID, badDeviceToken, badExpirationDate, badMessageID, badPriority, badTopic, deviceNotForTopic, duplicateHeaders,
		"IdleTimeout", invalidPushType, missingDeviceToken, missingTopic, payloadEmpty, topicDisallowed,
		// Of broadcasts only; their status is chosen.
		"BadChannelId", "MissingChannelId", "ChannelNotRegistered", "FeatureNotEnabled", "BadRequestParams", "BadRequestPayload",
		"MissingPushType", "CannotCreateChannelConfig", "TopicMismatch",
	} {
		all[reason] = 400
	}
	for _, reason := range []string{
		"BadCertificate", "BadCertificateEnvironment", expiredProviderToken, "Forbidden", invalidProviderToken, missingProviderToken,
		unrelatedKeyID, badEnvironmentKeyID, "BadEnvironmentKeyInToken",
	} {
		all[reason] = 403
	}
	return all
}

// Reasons are all reasons of the vendor's table, sorted.
func Reasons() []string { return slices.Sorted(maps.Keys(statuses())) }

// StatusOf is the HTTP status of a reason of the vendor's table, 0 for any other.
func StatusOf(reason string) int { return statuses()[reason] }
