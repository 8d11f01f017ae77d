package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"peal/internal/peal"
)

// TestAFullDiskRefusesAndGoesOn fills a real disk, a small one in memory, to the last byte.
func TestAFullDiskRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED: a full disk was not tried, for that takes the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir, time.Now)
	kept := fill(t, s)
	if kept == 0 {
		t.Error("nothing was taken at all")
	}
	checkKept(t, s, kept)
	if err := s.Ping(t.Context()); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("a ping on a full disk is answered %v; want kind unavailable", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("pinged with space again: %v", err)
	}
	if _, err := s.Accept(t.Context(), some(t, 10, "{}")); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	checkKept(t, s, kept+10)
}
