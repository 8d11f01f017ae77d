package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// errObject says that a text is not one JSON object.
var errObject = errors.New("it must be one JSON object")

// Object reads exactly one JSON object; its numbers stay as they are written.
func Object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return o, nil
}

// MergePatch lays a JSON merge patch (RFC 7396) over an object, which it changes.
func MergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = make(map[string]any, len(patch))
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			inner, _ := target[name].(map[string]any) // what is no object gives way to one
			target[name] = MergePatch(inner, value)
		default:
			target[name] = value
		}
	}
	return target
}

// Marshal writes JSON without escaping what only HTML has to fear: every byte counts.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
