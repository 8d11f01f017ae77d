package stream

import (
	"bytes"
	"testing"

	"github.com/nats-io/nats.go"
)

func FuzzPartsOf(f *testing.F) {
	m := groupMessage("in", []*keeping{{sealed: []byte("one")}, {sealed: nil}, {sealed: []byte("three")}})
	f.Add(m.Header.Get(groupHeader), m.Data)
	f.Add("", []byte("one"))
	f.Add("1", []byte{3, 'o', 'n', 'e'})
	f.Add("4", m.Data)
	f.Add("-1", m.Data)
	f.Add("2", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, count string, data []byte) {
		size := 0
		for _, p := range partsOf(nats.Header{groupHeader: {count}}, data) {
			size += len(p)
		}
		if size > len(data) {
			t.Errorf("of %d bytes are made %d", len(data), size)
		}
	})
}

func TestAGroupReadsBack(t *testing.T) {
	t.Parallel()
	all := []*keeping{{sealed: []byte("one")}, {sealed: bytes.Repeat([]byte("x"), 70_000)}, {sealed: []byte("three")}}
	for n := 1; n <= len(all); n++ {
		m := groupMessage("in", all[:n])
		parts := partsOf(m.Header, m.Data)
		if len(parts) != n {
			t.Fatalf("of %d there are %d", n, len(parts))
		}
		for i, p := range parts {
			if !bytes.Equal(p, all[i].sealed) {
				t.Errorf("of %d the %d. is another", n, i)
			}
		}
	}
}

// TestGroupsHaveBounds: neither too many nor too much is kept together, and one that is large goes alone.
func TestGroupsHaveBounds(t *testing.T) {
	t.Parallel()
	var g gatherer
	large := bytes.Repeat([]byte("x"), groupBytes+1)
	for i := range 2*groupMost + 1 {
		k := &keeping{sealed: []byte("small")}
		if i == groupMost {
			k.sealed = large
		}
		if first := g.add("in", k); first != (i == 0) {
			t.Errorf("the %d. is the first: %v", i, first)
		}
	}
	for _, want := range []int{groupMost, 1, groupMost, 0} {
		if got := len(g.next("in")); got != want {
			t.Errorf("%d are kept together, want %d", got, want)
		}
	}
	if !g.add("in", &keeping{}) {
		t.Error("the work is done, and nobody begins anew")
	}
}
