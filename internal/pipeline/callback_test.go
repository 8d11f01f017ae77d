package pipeline

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"
)

func TestCallbacksReadBack(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", "\x00\xff", "{\"a\":1}"} {
		want := Callback{
			IntegrationID: "in", ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body),
		}
		written, err := EncodeCallback(&want)
		if err != nil {
			t.Fatal(err)
		}
		older, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{written, older} {
			got := Callback{IntegrationID: "in"}
			if err := DecodeCallback(b, &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q reads back as %+v, %v", b, got, err)
			}
		}
	}
}

func FuzzDecodeCallback(f *testing.F) {
	written, err := EncodeCallback(&Callback{Body: []byte("x")})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, written, written[:2], written[:len(written)-3], {1}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte("{"), []byte("{}"), {2, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		_ = DecodeCallback(b, &Callback{}) // it must not panic
		if !bytes.Equal(b, before) {
			t.Error("what is read is changed")
		}
	})
}
