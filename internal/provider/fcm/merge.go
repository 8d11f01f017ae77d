package fcm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// targets are the fields of a message that say whom it goes to. An override cannot change them.
func targets() []string { return []string{"token", "fid", "topic", "condition"} }

// override puts a patch over a message; the target stays what it is.
func override(message, patch []byte, s *sheet) ([]byte, error) {
	doc, err := decodeObject(message)
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	over, err := decodeObject(patch)
	if err != nil {
		return nil, fmt.Errorf("read the override: %w", err)
	}
	doc = mergePatch(doc, over)
	for _, t := range targets() {
		delete(doc, t)
	}
	doc[s.target] = s.address
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// mergePatch is RFC 7396, on objects.
func mergePatch(doc, patch map[string]any) map[string]any {
	if doc == nil {
		doc = map[string]any{}
	}
	for key, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(doc, key)
		case map[string]any:
			below, _ := doc[key].(map[string]any) // what is no object gives way to one
			doc[key] = mergePatch(below, v)
		default:
			doc[key] = v
		}
	}
	return doc
}

// decodeObject reads a JSON object and nothing after it; numbers stay as they are written.
func decodeObject(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, errors.New("it is no object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the object")
	}
	return doc, nil
}
