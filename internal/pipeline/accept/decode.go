package accept

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"peal/api"
	"peal/internal/peal"
)

// MaxBatch is how many items a batch may have.
const MaxBatch = 1000

// Decode reads one request, strictly: unknown and doubled fields, wrong types, anything after the object are errors
// that name the place. It is the only way from foreign bytes to a request.
func Decode(body []byte) (*api.NotificationRequest, error) {
	req := &api.NotificationRequest{}
	if err := decode(body, req); err != nil {
		return nil, err
	}
	if req.IdempotencyKey != "" {
		return nil, invalidField("idempotency_key", "misplaced", "it is for the items of a batch; send the header Idempotency-Key")
	}
	return req, nil
}

// DecodeBatch reads a batch. An item that is wrong becomes an Item with its error; only a body that is no batch at all
// is an error of the whole.
func DecodeBatch(body []byte) ([]Item, error) {
	var batch struct {
		Notifications rawItems `json:"notifications"`
	}
	// A name that stands twice in an item is that item's mistake, found when it is decoded.
	if err := decode(body, &batch, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, err
	}
	raws := batch.Notifications.values
	if len(raws) == 0 {
		return nil, invalidField("notifications", "out_of_range", fmt.Sprintf("it has no items; give 1 to %d", MaxBatch))
	}
	items := make([]Item, len(raws))
	for i, raw := range raws {
		req := &api.NotificationRequest{}
		if err := decode(raw, req); err != nil {
			items[i].Err = err
			continue
		}
		items[i] = Item{Request: req, Key: req.IdempotencyKey}
	}
	return items, nil
}

// rawItems are the items of a batch as they came.
type rawItems struct {
	values []jsontext.Value
	read   bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. A second list would take the place of the first unnoticed.
func (r *rawItems) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if r.read {
		return invalidField("notifications", "duplicate", "it stands twice; give it once")
	}
	r.read = true
	if d.PeekKind() != '[' {
		return json.UnmarshalDecode(d, &r.values) // it says what is wrong with it
	}
	if _, err := d.ReadToken(); err != nil {
		return err //nolint:wrapcheck // decode words it
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return err //nolint:wrapcheck // decode words it
		}
		if len(r.values) == MaxBatch { // millions of empty ones fit into a body: they are not kept, nor read on
			return invalidField("notifications", "out_of_range", fmt.Sprintf("it has more than %d items; give 1 to %d", MaxBatch, MaxBatch))
		}
		r.values = append(r.values, v.Clone())
	}
	_, err := d.ReadToken()
	return err //nolint:wrapcheck // decode words it
}

func decode(body []byte, v any, opts ...json.Options) error {
	err := json.Unmarshal(body, v, append(opts, json.RejectUnknownMembers(true))...)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*peal.Error](err); ok {
		return wrong
	}
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic):
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return invalidField(path(syntactic.JSONPointer), "duplicate", "it stands twice; give it once")
		}
		return &peal.Error{Kind: Malformed, Message: fmt.Sprintf("the body is no valid JSON at byte %d%s", syntactic.ByteOffset, at(syntactic.JSONPointer))}
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return invalidField(path(semantic.JSONPointer), "unknown", "there is no such field; check its name and place")
	case errors.As(err, &semantic):
		return invalidField(path(semantic.JSONPointer), "type", fmt.Sprintf("it is %s; give %s", jsonKind(semantic.JSONKind), wanted(semantic.GoType)))
	}
	return &peal.Error{Kind: Malformed, Message: "the body is no valid JSON"}
}

// Malformed is the kind of error of a body that is no JSON at all.
const Malformed peal.Kind = api.CodeMalformedJSON

func invalidField(path, code, message string) error {
	return &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: []peal.Field{{Path: path, Code: code, Message: message}}}
}

// path turns a JSON pointer (RFC 6901) into the form of the docs, such as content.poll.options[1].
func path(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		if token == "" {
			token = `""` // a field may be called that
		}
		if len(token) > 64 {
			token = token[:64] + "…"
		}
		if n := len(parts); n > 0 && strings.Trim(token, "0123456789") == "" {
			parts[n-1] += "[" + token + "]"
			continue
		}
		parts = append(parts, token)
	}
	if len(parts) == 0 {
		return "body"
	}
	return strings.ToValidUTF8(strings.Join(parts, "."), "�")
}

func at(p jsontext.Pointer) string {
	if s := path(p); s != "body" {
		return ", in " + s
	}
	return ""
}

func jsonKind(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a text"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	case '{':
		return "an object"
	case '[':
		return "a list"
	default:
		return "of a wrong kind"
	}
}

func wanted(t reflect.Type) string {
	if t == nil {
		return "what the docs say"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.String() == "time.Time":
		return "a time in RFC 3339, such as 2026-11-21T09:30:00Z"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "an object"
	default:
		return "a number"
	}
}
