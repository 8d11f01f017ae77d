package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startEmbedded runs a NATS server inside this process, without a listening port, that syncs every write of streams
// which do not opt out.
func startEmbedded(dir string, log *slog.Logger) (*server.Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the broker's folder: %w", err)
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "peal", DontListen: true, NoSigs: true, JetStream: true, StoreDir: dir, SyncAlways: true,
		MaxPayload: 8 << 20, JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 1 << 42, // the disk is the bound, not a number
	})
	if err != nil {
		return nil, fmt.Errorf("configure the embedded broker: %w", err)
	}
	ns.SetLoggerV2(brokerLog{log}, false, false, false)
	ns.Start()
	if !ns.ReadyForConnections(30 * time.Second) {
		ns.Shutdown()
		return nil, errors.New("the embedded broker did not start within 30 s")
	}
	if !ns.JetStreamEnabled() {
		ns.Shutdown()
		return nil, fmt.Errorf("the embedded broker could not use its folder %s", dir)
	}
	return ns, nil
}

// brokerLog passes the broker's warnings and errors on; what it notices else is of no interest to Peal's operator.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Noticef(string, ...any) {}
func (l brokerLog) Debugf(string, ...any)  {}
func (l brokerLog) Tracef(string, ...any)  {}

func (l brokerLog) Warnf(format string, v ...any) {
	l.log.Warn("broker", "message", fmt.Sprintf(format, v...))
}

func (l brokerLog) Errorf(format string, v ...any) {
	l.log.Error("broker", "message", fmt.Sprintf(format, v...))
}

func (l brokerLog) Fatalf(format string, v ...any) {
	l.log.Error("broker failed", "message", fmt.Sprintf(format, v...))
}
