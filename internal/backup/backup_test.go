package backup

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func made(t testing.TB, db string) []byte {
	t.Helper()
	var b bytes.Buffer
	about := About{CreatedAt: time.Unix(1_700_000_000, 0).UTC(), Version: "1.2.3", Bytes: int64(len(db)), Moved: true}
	if err := Write(&b, about, strings.NewReader(db)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var db strings.Builder
	about, err := Read(iotest.HalfReader(bytes.NewReader(made(t, "the records"))), &db)
	if err != nil || db.String() != "the records" {
		t.Fatalf("%q, %v", db.String(), err)
	}
	if about.Version != "1.2.3" || !about.Moved || about.CreatedAt.Unix() != 1_700_000_000 {
		t.Errorf("%+v", about)
	}
}

// TestEveryCut: a backup that ends anywhere before its end is refused.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	whole := made(t, "the records")
	for n := range whole {
		want := ErrCutOff
		if n == 0 {
			want = ErrNoBackup
		}
		if _, err := Read(bytes.NewReader(whole[:n]), io.Discard); !errors.Is(err, want) {
			t.Errorf("of %d bytes the first %d: %v, want %v", len(whole), n, err, want)
		}
	}
}

// TestEveryBit: a backup with a bit that is not as it was is refused, wherever it is.
func TestEveryBit(t *testing.T) {
	t.Parallel()
	whole := made(t, "the records")
	for i := range whole {
		for bit := range 8 {
			other := bytes.Clone(whole)
			other[i] ^= 1 << bit
			if _, err := Read(bytes.NewReader(other), io.Discard); err == nil {
				t.Errorf("bit %d of byte %d was turned, and nobody noticed", bit, i)
			}
		}
	}
	if _, err := Read(bytes.NewReader(append(bytes.Clone(whole), 0)), io.Discard); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := Read(strings.NewReader("SQLite format 3\x00"), io.Discard); !errors.Is(err, ErrNoBackup) {
		t.Errorf("a database: %v", err)
	}
}

func TestWriteWantsAllBytes(t *testing.T) {
	t.Parallel()
	if err := Write(io.Discard, About{Bytes: 3}, strings.NewReader("no")); err == nil {
		t.Error("a database that is shorter than it should be was written")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(made(f, "the records"))
	f.Add([]byte(magic + "{}\n"))
	f.Add([]byte(magic + `{"bytes":9223372036854775807}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var db bytes.Buffer
		about, err := Read(bytes.NewReader(b), &db)
		if err == nil && int64(db.Len()) != about.Bytes {
			t.Errorf("%d bytes, and it says %d", db.Len(), about.Bytes)
		}
	})
}
