package app

import (
	"bufio"
	"io"
	"log/slog"
	"sync"
	"time"
)

// flushEvery is how long a line of the log may wait to be written: at thousands of lines a second, a write each would
// cost more than the lines.
const flushEvery = 200 * time.Millisecond

// newLogger makes the logger, and what to call at the end.
func newLogger(w io.Writer, level, format string) (*slog.Logger, func()) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	b := newBuffered(w)
	opts := &slog.HandlerOptions{Level: l}
	var h slog.Handler = slog.NewJSONHandler(b, opts)
	if format == "text" {
		h = slog.NewTextHandler(b, opts)
	}
	return slog.New(h), b.close
}

// buffered gathers lines and writes them together.
type buffered struct {
	mu   sync.Mutex
	w    *bufio.Writer
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

func newBuffered(w io.Writer) *buffered {
	b := &buffered{w: bufio.NewWriterSize(w, 64<<10), quit: make(chan struct{}), done: make(chan struct{})}
	go b.loop()
	return b
}

// Write implements io.Writer. A log that cannot be written is nobody's error.
func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Write(p)
}

func (b *buffered) loop() {
	defer close(b.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.flush()
		case <-b.quit:
			b.flush()
			return
		}
	}
}

func (b *buffered) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w.Buffered() > 0 {
		_ = b.w.Flush() // there is nowhere left to say so
	}
}

func (b *buffered) close() {
	b.once.Do(func() { close(b.quit) })
	<-b.done
}
