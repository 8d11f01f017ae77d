// Package qrcode draws QR codes: as an image, and with the characters of a terminal.
package qrcode

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is how many modules of nothing are around a code; scanners want four.
const quiet = 4

// Code is a QR code.
type Code struct{ code *qr.Code }

// New makes the code of a text.
func New(text string) (Code, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return Code{}, fmt.Errorf("make a QR code: %w", err)
	}
	return Code{c}, nil
}

// PNG is the code as an image.
func (c Code) PNG() []byte { return c.code.PNG() }

// SVG is the code as a drawing, which scales.
func (c Code) SVG() []byte {
	side := c.code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" shape-rendering="crispEdges">`, side, side, 8*side, 8*side)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, side, side)
	for y := range c.code.Size {
		for x := 0; x < c.code.Size; x++ {
			from := x
			for x < c.code.Size && c.code.Black(x, y) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, n, n)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return []byte(b.String())
}

// Text draws the code with two modules one above the other in a character, light ones in the colour of the letters: for a
// terminal that is dark. With invert it is the other way round.
func (c Code) Text(invert bool) string {
	const margin = 2 // less than scanners want of paper: a terminal has a margin of its own
	light := func(x, y int) bool {
		black := x >= 0 && y >= 0 && x < c.code.Size && y < c.code.Size && c.code.Black(x, y)
		return black == invert
	}
	var b strings.Builder
	for y := -margin; y < c.code.Size+margin; y += 2 {
		for x := -margin; x < c.code.Size+margin; x++ {
			below := y+1 < c.code.Size+margin && light(x, y+1)
			switch top := light(x, y); {
			case top && below:
				b.WriteString("█")
			case top:
				b.WriteString("▀")
			case below:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
