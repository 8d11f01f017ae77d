package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

const (
	// oldestMajor and oldestMinor are the oldest version that has message schedules.
	oldestMajor, oldestMinor = 2, 12
	// leastStore is what an account must be able to keep at least, for each replica: less, and a burst fills it.
	leastStore = 64 << 20
	// consumersEach is how many consumers an integration has: one per lane.
	consumersEach = 3
)

// examine checks whether an external broker can do what Peal asks of it, as far as it tells.
func (s *Stream) examine(ctx context.Context) error {
	if err := checkVersion(s.conn.ConnectedServerVersion()); err != nil {
		return err
	}
	if most := s.conn.MaxPayload(); most < pipeline.MaxMessage {
		return fmt.Errorf("the NATS server takes messages of at most %d bytes, and a webhook may need more: its max_payload must be at least %d (5MB)",
			most, pipeline.MaxMessage)
	}
	info, err := s.js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: turn JetStream on in the NATS servers, with a jetstream block", jetstream.ErrJetStreamNotEnabled)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w that PEAL_NATS_URL leads to: add jetstream: enabled to the account", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("JetStream does not answer: %w; has the cluster most of its servers, and may the user publish to $JS.API.> "+
			"and subscribe to _INBOX.>?", err)
	case err != nil:
		return fmt.Errorf("ask for the JetStream account: %w", err)
	}
	return s.checkLimits(info)
}

// checkVersion reads a version such as 2.12.1-RC.1.
func checkVersion(version string) error {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) == 3 {
		major, errMajor := strconv.Atoi(parts[0])
		minor, errMinor := strconv.Atoi(parts[1])
		if errMajor == nil && errMinor == nil && (major > oldestMajor || major == oldestMajor && minor >= oldestMinor) {
			return nil
		}
	}
	return fmt.Errorf("the NATS server is of version %q, and Peal needs %d.%d or newer: upgrade it", version, oldestMajor, oldestMinor)
}

func (s *Stream) checkLimits(info *jetstream.AccountInfo) error {
	limits := info.Limits
	if len(info.Tiers) > 0 {
		name := fmt.Sprintf("R%d", s.replicas)
		tier, ok := info.Tiers[name]
		if !ok {
			return fmt.Errorf("the account has no JetStream limits for %s streams: give it some, or change --nats-replicas (PEAL_NATS_REPLICAS)", name)
		}
		limits = tier.Limits
	}
	switch {
	case limits.MaxStore >= 0 && limits.MaxStore < int64(s.replicas)*leastStore:
		return fmt.Errorf("the account may keep %d bytes on disk: its max_file must be at least %d", limits.MaxStore, int64(s.replicas)*leastStore)
	case limits.MaxStreams > 0 && limits.MaxStreams < len(s.configs()):
		return fmt.Errorf("the account may have %d streams, and Peal makes %d: raise its max_streams", limits.MaxStreams, len(s.configs()))
	case limits.MaxAckPending > 0 && limits.MaxAckPending < callbacksInHand:
		return fmt.Errorf("the account allows consumers %d messages in hand, and Peal's have %d: raise its max_ack_pending", limits.MaxAckPending, callbacksInHand)
	case limits.MaxBytesRequired:
		return errors.New("the account demands that streams have a largest size, and Peal's have none: turn max_bytes_required off")
	}
	if limits.MaxConsumers > 0 {
		s.log.Warn("the NATS account limits consumers", "max_consumers", limits.MaxConsumers, "enough_for_integrations", (limits.MaxConsumers-1)/consumersEach)
	}
	return nil
}
