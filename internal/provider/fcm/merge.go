package fcm

import (
	"fmt"

	"peal/internal/provider/wire"
)

// targets are the fields of a message that say whom it goes to. An override cannot change them.
func targets() []string { return []string{"token", "fid", "topic", "condition"} }

// override puts a patch over a message; the target stays what it is.
func override(message, patch []byte, s *sheet) ([]byte, error) {
	doc, err := wire.Object(message)
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	over, err := wire.Object(patch)
	if err != nil {
		return nil, fmt.Errorf("read the override: %w", err)
	}
	doc = wire.MergePatch(doc, over)
	for _, t := range targets() {
		delete(doc, t)
	}
	doc[s.target] = s.address
	return wire.Marshal(doc)
}
