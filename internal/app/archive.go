package app

import (
	"path/filepath"

	"peal/internal/pipeline/track"
)

// archive builds what looks after the kept webhooks.
func (a *App) archive() {
	a.archivist = &track.Archivist{
		Shelf: a.stream, Retention: a.cfg.CallbackRetention, MaxBytes: uint64(a.cfg.CallbackMaxBytes), //nolint:gosec // not negative
		Metrics: a.metrics, Log: a.log, Now: a.clock.Now,
	}
	if a.cfg.NatsURL == "" {
		a.archivist.Room = func() uint64 { return freeRoom(filepath.Join(a.cfg.Data, brokerFolder)) }
	}
	a.replayer = track.NewReplayer(track.Replayer{
		Folder: a.folder, Replays: a.store, Unreadables: a.store, Library: a.stream, Retention: a.cfg.Retention, Log: a.log, Now: a.clock.Now,
	})
}
