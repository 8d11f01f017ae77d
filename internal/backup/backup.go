// Package backup reads and writes the file that a backup is: one line that says what it is, one line of JSON about it,
// the records as a database file of SQLite, and the SHA-256 of all that. The sum stands at the end, so a file that was
// cut off anywhere is never taken for a backup.
package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	magic    = "peal backup 1\n"
	maxAbout = 64 << 10 // bytes of the line of JSON
)

// Errors of Read.
var (
	ErrNoBackup = errors.New("it is no backup of Peal, or one of a newer Peal")
	ErrCutOff   = errors.New("the backup was cut off: its end is missing; take another one")
	ErrDamaged  = errors.New("the backup is damaged: its checksum does not match; take another one")
)

// About is what a backup says of itself.
type About struct {
	CreatedAt time.Time `json:"created_at"`
	Version   string    `json:"version"` // of the Peal that made it
	Bytes     int64     `json:"bytes"`   // of the database
	Moved     bool      `json:"moved"`   // the folder was given up for it: nothing was sent since
}

// Write writes a backup of the database db, which must have about.Bytes bytes.
func Write(w io.Writer, about About, db io.Reader) error {
	line, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("write the backup's head: %w", err)
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	if _, err := out.Write(append(append([]byte(magic), line...), '\n')); err != nil {
		return fmt.Errorf("write the backup's head: %w", err)
	}
	n, err := io.Copy(out, db)
	if err == nil && n != about.Bytes {
		err = fmt.Errorf("the database has %d bytes, not %d", n, about.Bytes)
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write the backup's checksum: %w", err)
	}
	return nil
}

// Read reads a backup to its end and writes its database to db. Only when it returns without error is what was written
// worth anything. It fails with ErrNoBackup, ErrCutOff or ErrDamaged.
func Read(r io.Reader, db io.Writer) (About, error) {
	var about About
	sum := sha256.New()
	in := bufio.NewReaderSize(r, maxAbout)
	first := make([]byte, len(magic))
	if n, err := io.ReadFull(in, first); err != nil && !ended(err) {
		return about, fmt.Errorf("read the backup: %w", err)
	} else if n == 0 || string(first[:n]) != magic[:n] {
		return about, ErrNoBackup
	} else if err != nil {
		return about, ErrCutOff
	}
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return about, ErrDamaged
	case ended(err):
		return about, ErrCutOff
	case err != nil:
		return about, fmt.Errorf("read the backup: %w", err)
	}
	if err := json.Unmarshal(line, &about); err != nil || about.Bytes <= 0 {
		return about, ErrDamaged
	}
	_, _ = sum.Write(first) // a hash takes everything
	_, _ = sum.Write(line)
	if _, err := io.CopyN(io.MultiWriter(db, sum), in, about.Bytes); ended(err) {
		return about, ErrCutOff
	} else if err != nil {
		return about, fmt.Errorf("read the backup: %w", err)
	}
	return about, readEnd(in, sum.Sum(nil))
}

// readEnd holds what is left to be read to the checksum.
func readEnd(in io.Reader, want []byte) error {
	last := make([]byte, len(want)+1)
	switch n, err := io.ReadFull(in, last); {
	case err == nil:
		return ErrDamaged // there is more than there should be
	case !ended(err):
		return fmt.Errorf("read the backup: %w", err)
	case n < len(want):
		return ErrCutOff
	case !bytes.Equal(last[:n], want):
		return ErrDamaged
	}
	return nil
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
