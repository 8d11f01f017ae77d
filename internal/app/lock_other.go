//go:build !unix

package app

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockFolder opens the lock file; this system's files are locked against a second writer by the database.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder cannot be written: %w", err)
	}
	return f, nil
}
