//go:build linux || darwin

package app

import (
	"math"
	"syscall"
)

// freeRoom is how many bytes the disk of the folder takes; where that is not to be learned, no bound.
func freeRoom(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return math.MaxUint64
	}
	return s.Bavail * uint64(s.Bsize) //nolint:gosec // a size is not negative
}
