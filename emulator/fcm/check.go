package fcm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// violation is one of google.rpc.BadRequest.fieldViolations.
type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// checker holds a request against a schema.
type checker struct{ bad []violation }

func (c *checker) unknown(path, name string) {
	text := "Invalid JSON payload received. Unknown name \"" + name + "\""
	if path != "" {
		text += " at '" + path + "'"
	}
	c.bad = append(c.bad, violation{path, text + ": Cannot find field."})
}

func (c *checker) invalid(path, typ, why string) {
	c.bad = append(c.bad, violation{path, "Invalid value at '" + path + "' (" + typ + "), " + why})
}

// object checks the members of v and names them as the schema does, so that
// whoever reads them later need not know of snake_case. A null is as good as
// nothing.
func (c *checker) object(v *value, s *schema, path string) {
	if v.kind != kindObject {
		c.invalid(path, fcmType+s.name, string(v.raw))
		return
	}
	kept := value{kind: kindObject, raw: v.raw, members: v.members[:0]}
	for _, m := range v.members {
		f := s.fields[m.key]
		switch {
		case f == nil:
			c.unknown(path, m.key)
		case m.val.kind != kindNull:
			c.field(&m.val, f, within(path, m.key))
			m.key = f.name
			kept.set(m)
		}
	}
	*v = kept
}

func within(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (c *checker) field(v *value, f *field, path string) {
	if !f.repeated {
		c.value(v, f, path)
		return
	}
	if v.kind != kindArray {
		c.invalid(path, "repeated", string(v.raw)) // the vendor's text is unseen
		return
	}
	for i := range v.items {
		c.value(&v.items[i], f, path+"["+strconv.Itoa(i)+"]")
	}
}

func (c *checker) value(v *value, f *field, path string) {
	switch f.kind {
	case isText:
		if v.kind != kindString {
			c.invalid(path, "TYPE_STRING", string(v.raw))
		}
	case isBool:
		if v.kind != kindBool {
			c.invalid(path, "TYPE_BOOL", string(v.raw))
		}
	case isInt, isFloat:
		c.number(v, f, path)
	case isDuration:
		if _, err := duration(v.text()); v.kind != kindString || err != nil {
			c.invalid(path, protoType+"Duration", fmt.Sprintf("Field '%s', Illegal duration format; duration must end with 's'", f.name))
		}
	case isTime:
		if _, err := time.Parse(time.RFC3339Nano, v.text()); v.kind != kindString || err != nil {
			c.invalid(path, protoType+"Timestamp", fmt.Sprintf("Field '%s', Invalid time format: %s", f.name, v.raw))
		}
	case isEnum:
		c.enum(v, f, path)
	case isMap:
		c.texts(v, path)
	case isStruct:
		if v.kind != kindObject {
			c.invalid(path, protoType+"Struct", string(v.raw))
		}
	case isMessage:
		c.object(v, f.sub, path)
	}
}

// number: protobuf's JSON takes a number in a string as well.
func (c *checker) number(v *value, f *field, path string) {
	text, typ := string(v.raw), "TYPE_INT32"
	if v.kind == kindString {
		text = v.text()
	}
	var err error
	if f.kind == isFloat {
		typ = "TYPE_FLOAT"
		_, err = strconv.ParseFloat(text, 32)
	} else {
		_, err = strconv.ParseInt(text, 10, 32)
	}
	if err != nil || (v.kind != kindNumber && v.kind != kindString) {
		c.invalid(path, typ, string(v.raw))
	}
}

// enum: Google's parser does not care for case (its own Go SDK sends "high"),
// and takes a number.
func (c *checker) enum(v *value, f *field, path string) {
	switch v.kind {
	case kindString:
		for _, known := range f.enum {
			if strings.EqualFold(known, v.text()) {
				return
			}
		}
	case kindNumber:
		if n, err := strconv.Atoi(string(v.raw)); err == nil && n >= 0 && n < len(f.enum) {
			return
		}
	case kindNull, kindBool, kindArray, kindObject:
	}
	c.invalid(path, fcmType+f.enumType, string(v.raw))
}

func (c *checker) texts(v *value, path string) {
	if v.kind != kindObject {
		c.invalid(path, "Map", string(v.raw)) // the vendor's text is unseen
		return
	}
	for i, m := range v.members {
		if m.val.kind != kindString {
			c.invalid(path+"["+strconv.Itoa(i)+"].value", "TYPE_STRING", string(m.val.raw))
		}
	}
}

// duration reads protobuf's JSON: seconds with up to nine digits behind the
// point, and an s.
func duration(text string) (time.Duration, error) {
	number, ok := strings.CutSuffix(text, "s")
	whole, frac, point := strings.Cut(strings.TrimPrefix(number, "-"), ".")
	if !ok || !digits(whole) || len(whole) > 12 || point && (!digits(frac) || len(frac) > 9) {
		return 0, errors.New("illegal duration format")
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, err
	}
	nanos, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, err
	}
	seconds = min(seconds, 1<<33) // beyond what a time.Duration holds all are too long alike
	d := time.Duration(seconds)*time.Second + time.Duration(nanos)
	if number[0] == '-' {
		d = -d
	}
	return d, nil
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
