package wire

import "testing"

// TestMergePatch has the examples of RFC 7396, appendix A, whose documents and patches are objects.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":12345678901234567890}`, `{"b":"<&>"}`, `{"a":12345678901234567890,"b":"<&>"}`}, // as it was written
	} {
		document, err := Object([]byte(c.document))
		if err != nil {
			t.Fatal(err)
		}
		patch, err := Object([]byte(c.patch))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Marshal(MergePatch(document, patch)); err != nil || string(got) != c.want {
			t.Errorf("%s over %s: got %s, %v, want %s", c.patch, c.document, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "null", "[]", `"a"`, "{} {}", "{}}", "{", "1"} {
		if _, err := Object([]byte(bad)); err == nil {
			t.Errorf("%s is taken for an object", bad)
		}
	}
}
