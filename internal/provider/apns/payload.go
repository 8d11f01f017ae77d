package apns

import (
	"maps"
	"slices"
	"strconv"

	"peal/api"
	"peal/internal/provider/wire"
)

// Keys of the payload. What is beside them is the app's data.
const (
	keyAPS  = "aps"
	keyPeal = "peal"
)

// appendPayload writes what the device gets:
//
//	{"aps":{…},"peal":{"delivery_id":…,"link":…,"image":…,"actions":[…]},…data…}
//
// The override comes last. It has to be one that CheckContent takes; another is left out.
func appendPayload(b []byte, deliveryID string, p *api.Push) []byte {
	from := len(b)
	b = append(b, `{"aps":`...)
	b = appendAPS(b, p)
	b = append(b, `,"peal":{"delivery_id":`...)
	b = wire.AppendString(b, deliveryID)
	b = appendOptional(b, "link", p.Link)
	b = appendOptional(b, "image", p.Image)
	if len(p.Actions) > 0 {
		b = append(b, `,"actions":[`...)
		for i, a := range p.Actions {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"id":`...)
			b = wire.AppendString(b, a.ID)
			b = appendOptional(b, "title", a.Title)
			b = appendOptional(b, "link", a.Link)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = append(b, '}')
	for _, key := range slices.Sorted(maps.Keys(p.Data)) {
		if key == keyAPS || key == keyPeal {
			continue // by CheckContent there is none
		}
		b = append(b, ',')
		b = wire.AppendString(b, key)
		b = append(b, ':')
		b = wire.AppendString(b, p.Data[key])
	}
	b = append(b, '}')
	if len(p.Overrides.APNs) == 0 {
		return b
	}
	o, err := parseOverride(p.Overrides.APNs)
	if err != nil {
		return b
	}
	whole, err := wire.Object(b[from:])
	if err != nil {
		return b
	}
	merged, err := wire.Marshal(wire.MergePatch(whole, o.payload))
	if err != nil {
		return b
	}
	return append(b[:from], merged...)
}

// appendAPS writes Apple's part. A silent push has nothing in it that could be shown, or Apple would not take it for one.
func appendAPS(b []byte, p *api.Push) []byte {
	if p.Silent {
		return append(b, `{"content-available":1}`...)
	}
	b = append(b, `{"alert":{`...)
	if p.Title != "" {
		b = append(b, `"title":`...)
		b = wire.AppendString(b, p.Title)
		b = appendOptional(b, "body", p.Body)
	} else {
		b = append(b, `"body":`...)
		b = wire.AppendString(b, p.Body)
	}
	b = append(b, '}')
	b = appendOptional(b, "sound", p.Sound)
	if p.Badge != nil {
		b = append(b, `,"badge":`...)
		b = strconv.AppendInt(b, int64(*p.Badge), 10)
	}
	b = appendOptional(b, "category", p.Category)
	b = appendOptional(b, "thread-id", p.Thread)
	if p.Image != "" || len(p.Actions) > 0 {
		b = append(b, `,"mutable-content":1`...) // the app's extension loads the picture and makes the buttons
	}
	return append(b, '}')
}

// appendOptional writes a further member unless it is empty; its name needs no escaping.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return wire.AppendString(b, value)
}
