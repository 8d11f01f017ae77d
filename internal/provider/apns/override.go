package apns

import (
	"encoding/json"
	"errors"
	"strings"

	"peal/internal/provider/wire"
)

// override is what a content says about APNs alone. All of it is merged into the payload (RFC 7396) but the member
// "headers", which holds headers of the request.
type override struct {
	payload    map[string]any
	pushType   string
	priority   string
	collapseID string
}

const (
	typeAlert      = "alert"
	typeBackground = "background"
	priorityHigh   = "10"
	priorityLow    = "5"
	priorityLowest = "1"
)

// suffixes are what the topic of a push type ends with.
var suffixes = map[string]string{
	typeAlert: "", typeBackground: "",
	"voip": ".voip", "complication": ".complication", "location": ".location-query",
	"fileprovider": ".pushkit.fileprovider", "liveactivity": ".push-type.liveactivity",
	"pushtotalk": ".voip-ptt", "widgets": ".push-type.widgets",
}

// parseOverride understands overrides.apns. Its errors are for the caller of the API.
func parseOverride(raw json.RawMessage) (*override, error) {
	payload, err := wire.Object(raw)
	if err != nil {
		return nil, errors.New("give a JSON object, which is merged into the payload")
	}
	o := &override{payload: payload}
	given, found := o.payload["headers"]
	if !found {
		return o, nil
	}
	delete(o.payload, "headers")
	headers, ok := given.(map[string]any)
	if !ok {
		return nil, errHeaders
	}
	for name, v := range headers {
		value, ok := v.(string)
		if !ok {
			return nil, errHeaders
		}
		if err := o.header(name, value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

var errHeaders = errors.New("headers: give an object of texts: apns-push-type, apns-priority and apns-collapse-id")

// header takes one header.
func (o *override) header(name, value string) error {
	switch name {
	case "apns-push-type":
		if _, known := suffixes[value]; !known {
			return errors.New("apns-push-type: give one of alert, background, location, voip, complication, fileprovider, liveactivity, pushtotalk and widgets")
		}
		o.pushType = value
	case "apns-priority":
		if value != priorityHigh && value != priorityLow && value != priorityLowest {
			return errors.New("apns-priority: give 10, 5 or 1")
		}
		o.priority = value
	case "apns-collapse-id":
		if len(value) > maxCollapse || strings.ContainsFunc(value, notHeader) {
			return errors.New("apns-collapse-id: give up to 64 bytes of printable ASCII")
		}
		o.collapseID = value
	default:
		return errHeaders
	}
	return nil
}
