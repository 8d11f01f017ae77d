package whatsappcloud

import (
	"strconv"

	"peal/internal/provider/wire"
)

// writer appends JSON. It knows by the last byte whether a comma is due; a string ends with its quote.
type writer struct{ b []byte }

func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' && w.b[n-1] != ':' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) open(c byte)  { w.b = append(w.b, c) }
func (w *writer) close(c byte) { w.b = append(w.b, c) }

// key begins a field; it needs no escaping.
func (w *writer) key(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) field(name, value string) {
	w.key(name)
	w.b = wire.AppendString(w.b, value)
}

// optional is field unless it is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.field(name, value)
	}
}

// number writes degrees; by CheckContent they are there.
func (w *writer) number(name string, at *float64) {
	if at != nil {
		w.key(name)
		w.b = strconv.AppendFloat(w.b, *at, 'f', -1, 64)
	}
}

func (w *writer) object(name string, fields func()) {
	w.key(name)
	w.open('{')
	fields()
	w.close('}')
}

func (w *writer) list(name string, items func()) {
	w.key(name)
	w.open('[')
	items()
	w.close(']')
}

// item is an object in a list.
func (w *writer) item(fields func()) {
	w.comma()
	w.open('{')
	fields()
	w.close('}')
}
