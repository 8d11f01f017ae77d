package webpush

import (
	"bytes"
	"encoding/json"

	"peal/internal/provider/wire"
)

// isSet tells whether there is an override at all.
func isSet(patch json.RawMessage) bool {
	patch = bytes.TrimSpace(patch)
	return len(patch) > 0 && string(patch) != "null"
}

// merge lays a JSON merge patch (RFC 7396) over a document. Both are objects.
func merge(document, patch []byte) ([]byte, error) {
	target, err := wire.Object(document)
	if err != nil {
		return nil, err
	}
	over, err := wire.Object(patch)
	if err != nil {
		return nil, err
	}
	return wire.Marshal(wire.MergePatch(target, over))
}
