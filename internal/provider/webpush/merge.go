package webpush

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// errPatch says that an override is none.
var errPatch = errors.New("it must be one JSON object")

// isSet tells whether there is an override at all.
func isSet(patch json.RawMessage) bool {
	patch = bytes.TrimSpace(patch)
	return len(patch) > 0 && string(patch) != "null"
}

// merge lays a JSON merge patch (RFC 7396) over a document. Both are objects.
func merge(document, patch []byte) ([]byte, error) {
	target, err := object(document)
	if err != nil {
		return nil, err
	}
	over, err := object(patch)
	if err != nil {
		return nil, errPatch
	}
	return marshal(patched(target, over))
}

// object reads exactly one JSON object, its numbers as they are written.
func object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errPatch
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errPatch
	}
	return o, nil
}

func patched(target, patch map[string]any) map[string]any {
	if target == nil {
		target = make(map[string]any, len(patch))
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			inner, _ := target[name].(map[string]any) // what is no object gives way to one
			target[name] = patched(inner, value)
		default:
			target[name] = value
		}
	}
	return target
}

// marshal writes JSON without escaping what only HTML has to fear: every byte counts.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
