package host

import (
	"cmp"
	"os"
	"syscall"
	"time"

	"peal/bench/internal/stats"
)

// Sync is how long a write of 4 kB with fdatasync takes: the floor under everything that is durable.
type Sync struct {
	Append    stats.Quantiles `json:"append"`    // the file grows, so its size has to reach the disk as well
	Overwrite stats.Quantiles `json:"overwrite"` // within the file, as in a log that is used again
}

// MeasureSync writes and syncs so many times in dir, one after another.
func MeasureSync(dir string, times int) (s Sync, err error) {
	f, err := os.CreateTemp(dir, "fdatasync-")
	if err != nil {
		return s, err
	}
	defer func() {
		_ = f.Close() // nothing in it is needed
		err = cmp.Or(err, os.Remove(f.Name()))
	}()
	for _, q := range []*stats.Quantiles{&s.Append, &s.Overwrite} {
		took := make([]int64, 0, times)
		for i := range times {
			d, err := writeSynced(f, int64(i))
			if err != nil {
				return s, err
			}
			took = append(took, int64(d))
		}
		*q = stats.Of(took)
	}
	return s, nil
}

// writeSynced writes the nth 4 kB of the file.
func writeSynced(f *os.File, n int64) (time.Duration, error) {
	var page [4096]byte
	page[0] = byte(n)
	start := time.Now()
	if _, err := f.WriteAt(page[:], n*int64(len(page))); err != nil {
		return 0, err
	}
	if err := syscall.Fdatasync(int(f.Fd())); err != nil {
		return 0, os.NewSyscallError("fdatasync", err)
	}
	return time.Since(start), nil
}
