package peal

import (
	"fmt"
	"runtime"
)

// PanicText says of a panic what is fit to be logged. What the runtime says names indexes and types; the text of any other may
// quote what was worked on, a key or a device's token among it, so only its type is told. The stack says where it was.
func PanicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}
