package fcm

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// valueKind is the kind of a JSON value.
type valueKind byte

const (
	kindNull valueKind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// value is a JSON value, taken apart no further than its structure. It points
// into the request's body.
type value struct {
	kind    valueKind
	raw     []byte
	members []member
	items   []value
}

type member struct {
	key string
	val value
}

// parse takes a body apart. That it is JSON is left to encoding/json; the rest
// is by hand, because every send of a measured run goes through here.
func parse(body []byte) (value, error) {
	switch {
	case !utf8.Valid(body):
		return value{}, errors.New("it is not UTF-8")
	case !json.Valid(body):
		return value{}, errors.New("it is not JSON")
	}
	p := parser{b: body}
	return p.value(), nil
}

// parser walks over a text that is known to be JSON.
type parser struct {
	b []byte
	i int
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) value() value {
	p.space()
	from := p.i
	v := value{}
	switch p.b[p.i] {
	case '{':
		v.kind = kindObject
		p.list('}', func() { v.set(p.member()) })
	case '[':
		v.kind = kindArray
		p.list(']', func() { v.items = append(v.items, p.value()) })
	case '"':
		v.kind = kindString
		p.skipString()
	case 't', 'f':
		v.kind = kindBool
		p.skipWord()
	case 'n':
		p.skipWord()
	default:
		v.kind = kindNumber
		p.skipWord()
	}
	v.raw = p.b[from:p.i]
	return v
}

// list reads elements up to the closing bracket.
func (p *parser) list(end byte, element func()) {
	p.i++
	for p.space(); p.b[p.i] != end; p.space() {
		if p.b[p.i] == ',' {
			p.i++
			continue
		}
		element()
	}
	p.i++
}

func (p *parser) member() member {
	from := p.i
	p.skipString()
	key := value{kind: kindString, raw: p.b[from:p.i]}.text()
	p.space()
	p.i++ // the colon
	return member{key: key, val: p.value()}
}

func (p *parser) skipString() {
	for p.i++; p.b[p.i] != '"'; p.i++ {
		if p.b[p.i] == '\\' {
			p.i++
		}
	}
	p.i++
}

func (p *parser) skipWord() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return
		}
		p.i++
	}
}

// set adds a member. "If duplicate fields are provided, the last occurrence
// takes precedence", says the discovery document.
func (v *value) set(m member) {
	for i := range v.members {
		if v.members[i].key == m.key {
			v.members[i].val = m.val
			return
		}
	}
	v.members = append(v.members, m)
}

// get is the member at the end of a path, or null.
func (v value) get(path ...string) value {
next:
	for _, key := range path {
		for i := range v.members {
			if v.members[i].key == key {
				v = v.members[i].val
				continue next
			}
		}
		return value{}
	}
	return v
}

func (v value) has(key string) bool { return v.get(key).kind != kindNull }

// text is the string, or "" for anything else.
func (v value) text() string {
	if v.kind != kindString {
		return ""
	}
	if bytes.IndexByte(v.raw, '\\') < 0 {
		return string(v.raw[1 : len(v.raw)-1])
	}
	var s string
	_ = json.Unmarshal(v.raw, &s) // valid, as parse has found
	return s
}

// size is the length of the string in bytes.
func (v value) size() int {
	if v.kind != kindString {
		return 0
	}
	if bytes.IndexByte(v.raw, '\\') < 0 {
		return len(v.raw) - 2
	}
	return len(v.text())
}

func (v value) isTrue() bool { return v.kind == kindBool && v.raw[0] == 't' }

// texts is an object as a map: strings as they are, all else as JSON.
func (v value) texts() map[string]string {
	if len(v.members) == 0 {
		return nil
	}
	m := make(map[string]string, len(v.members))
	for _, x := range v.members {
		if m[x.key] = x.val.text(); x.val.kind != kindString {
			m[x.key] = string(x.val.raw)
		}
	}
	return m
}
