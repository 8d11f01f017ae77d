package apns

import (
	"encoding/json"
	"strings"
)

// suffix is what a topic ends with by push type.
func suffix(kind string) (end string, known bool) {
	switch kind {
	case "alert", "background", "mdm":
		return "", true
	case "voip":
		return ".voip", true
	case "complication":
		return ".complication", true
	case "fileprovider":
		return ".pushkit.fileprovider", true
	case "location":
		return ".location-query", true
	case "liveactivity":
		return ".push-type.liveactivity", true
	case "pushtotalk":
		return ".voip-ptt", true
	case "widgets":
		return ".push-type.widgets", true
	}
	return "", false
}

// splitTopic takes the bundle out of a topic. That apns-push-type must be
// there, and that a wrong suffix is BadTopic, is chosen: the vendor says that
// the type must be right, and warns of what happens else.
func splitTopic(topic, kind string) (bundle, reason string) {
	end, known := suffix(kind)
	if topic == "" {
		return "", missingTopic
	}
	if !known {
		return "", invalidPushType
	}
	bundle, found := strings.CutSuffix(topic, end)
	if !found || bundle == "" || strings.ContainsAny(bundle, " /") {
		return "", badTopic
	}
	if end == "" {
		for _, other := range []string{"voip", "complication", "fileprovider", "location", "liveactivity", "pushtotalk", "widgets"} {
			if end, _ := suffix(other); strings.HasSuffix(topic, end) {
				return "", badTopic
			}
		}
	}
	return bundle, ""
}

// checkPayload tells whether the payload is one of its push type. A payload
// that is no JSON object is PayloadEmpty, one of another type InvalidPushType:
// both are chosen, the vendor has no reason of their own for them.
func checkPayload(kind string, payload []byte) (reason string) {
	if len(payload) == 0 {
		return payloadEmpty
	}
	var all struct {
		APS *struct {
			Alert   json.RawMessage `json:"alert"`
			Badge   json.RawMessage `json:"badge"`
			Sound   json.RawMessage `json:"sound"`
			Content json.RawMessage `json:"content-available"`
			Changed json.RawMessage `json:"content-changed"`
			Event   json.RawMessage `json:"event"`
			Stamp   json.RawMessage `json:"timestamp"`
		} `json:"aps"`
		MDM json.RawMessage `json:"mdm"`
	}
	if json.Unmarshal(payload, &all) != nil {
		return payloadEmpty
	}
	aps := all.APS
	visible := aps != nil && (there(aps.Alert) || there(aps.Badge) || there(aps.Sound))
	right := true
	switch kind {
	case "alert":
		right = visible
	case "background":
		right = aps != nil && !visible && string(aps.Content) == "1"
	case "liveactivity":
		right = aps != nil && there(aps.Event) && there(aps.Stamp)
	case "widgets":
		right = aps != nil && string(aps.Changed) == "true"
	case "mdm":
		right = there(all.MDM)
	}
	if !right {
		return invalidPushType
	}
	return ""
}

func there(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
