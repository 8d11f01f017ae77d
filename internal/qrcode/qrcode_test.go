package qrcode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTheDrawingsAgree: what the image has black, the drawing and the characters have, too.
func TestTheDrawingsAgree(t *testing.T) {
	t.Parallel()
	c, err := New("2@DTMUr1dV9yqmG3jQ7bWf0w==,1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(c.PNG()))
	if err != nil {
		t.Fatal(err)
	}
	side := c.code.Size + 2*quiet
	scale := img.Bounds().Dx() / side
	if img.Bounds().Dx() != side*scale || scale < 2 {
		t.Fatalf("the image is %v for %d modules", img.Bounds(), side)
	}
	dark := 0
	lines := strings.Split(c.Text(true), "\n")
	for y := range c.code.Size {
		for x := range c.code.Size {
			r, _, _, _ := img.At((x+quiet)*scale+1, (y+quiet)*scale+1).RGBA()
			if black := r < 0x8000; black != c.code.Black(x, y) {
				t.Fatalf("the image differs at %d, %d", x, y)
			}
			row := []rune(lines[(y+2)/2])
			char := row[x+2]
			painted := char == '█' || char == '▀' && y%2 == 0 || char == '▄' && y%2 == 1
			if painted != c.code.Black(x, y) {
				t.Fatalf("the characters differ at %d, %d: %c", x, y, char)
			}
			if c.code.Black(x, y) {
				dark++
			}
		}
	}
	svg := string(c.SVG())
	if err := xml.NewDecoder(strings.NewReader(svg)).Decode(new(struct{})); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("the drawing is no XML: %v", err)
	}
	if !strings.Contains(svg, "M4 4h7v1h-7z") || dark == 0 { // the upper left corner's finder
		t.Errorf("the drawing is %.200s", svg)
	}
	if n := utf8.RuneCountInString(lines[0]); n != c.code.Size+4 {
		t.Errorf("a line has %d characters", n)
	}
}

func TestWhatIsTooLong(t *testing.T) {
	t.Parallel()
	if _, err := New(strings.Repeat("x", 4000)); err == nil {
		t.Error("it was made")
	}
}
