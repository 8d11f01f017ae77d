package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// settle is how long a cluster is waited for that is choosing its leaders.
const settle = 30 * time.Second

// configs are the streams as they are to be.
func (s *Stream) configs() []jetstream.StreamConfig {
	deliveries := jetstream.StreamConfig{
		Name: pipeline.Deliveries, Subjects: []string{pipeline.DeliverSubjects, pipeline.LaterSubjects},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, Replicas: s.replicas,
		AllowMsgSchedules: true, AllowDirect: true, Duplicates: time.Second,
	}
	if s.replicas == 1 { // the broker has it for streams without replicas only
		deliveries.PersistMode = jetstream.AsyncPersistMode
	}
	return []jetstream.StreamConfig{deliveries, {
		Name: pipeline.Callbacks, Subjects: []string{pipeline.CallbackSubjects}, MaxMsgsPerSubject: -1, Replicas: s.replicas,
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Duplicates: time.Second, // without limits: Trim knows what may go
	}}
}

// prepare checks the broker and makes the streams, or brings them up to date. Several nodes may do so at once.
func (s *Stream) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	if s.server == nil {
		if err := s.patiently(ctx, s.examine); err != nil {
			return err
		}
	}
	if err := s.patiently(ctx, s.retireOld); err != nil {
		return fmt.Errorf("close the stream %s of an older version: %w", pipeline.OldCallbacks, err)
	}
	for _, cfg := range s.configs() {
		if err := s.patiently(ctx, func(ctx context.Context) error { return s.make(ctx, cfg) }); err != nil {
			return err
		}
	}
	err := s.patiently(ctx, func(ctx context.Context) error {
		st, err := s.js.Stream(ctx, pipeline.Deliveries)
		if err != nil {
			return err
		}
		return st.Purge(ctx, jetstream.WithPurgeSubject(pipeline.OldDeliverSubjects))
	})
	if err != nil {
		return fmt.Errorf("clear jobs of an older version: %w", err)
	}
	if err := s.patiently(ctx, s.led); err != nil {
		return err
	}
	if err := s.moveOld(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("move webhooks of an older version: %w", err)
	}
	return nil
}

// patiently repeats what fails because the cluster is not ready, or another node does the same just now.
func (s *Stream) patiently(ctx context.Context, do func(context.Context) error) error {
	retry := time.NewTicker(again / 4)
	defer retry.Stop()
	for {
		once, cancel := s.within(ctx)
		err := do(once)
		cancel()
		if err == nil || !passing(err) || s.server != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-retry.C:
		}
	}
}

// passing tells whether an error may be over in a moment.
func passing(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, errNotLed) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && slices.Contains([]jetstream.ErrorCode{notAvailable, notLeader, offline}, api.ErrorCode)
}

// Codes of JetStream's that the client has no names for.
const (
	noPeers       jetstream.ErrorCode = 10005
	notAvailable  jetstream.ErrorCode = 10008
	notLeader     jetstream.ErrorCode = 10009
	noResources   jetstream.ErrorCode = 10023
	noMoreStreams jetstream.ErrorCode = 10027
	noStorage     jetstream.ErrorCode = 10047
	badConfig     jetstream.ErrorCode = 10052
	overlap       jetstream.ErrorCode = 10065
	noCluster     jetstream.ErrorCode = 10074
	maxBytesAsked jetstream.ErrorCode = 10113
	offline       jetstream.ErrorCode = 10118
	noTier        jetstream.ErrorCode = 10120
)

// make makes a stream, or gives an existing one the settings that it is to have.
func (s *Stream) make(ctx context.Context, cfg jetstream.StreamConfig) error {
	st, err := s.js.Stream(ctx, cfg.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		_, err = s.js.CreateStream(ctx, cfg)
	case err == nil && !same(st.CachedInfo().Config, cfg):
		cfg.Metadata = st.CachedInfo().Config.Metadata
		_, err = s.js.UpdateStream(ctx, cfg)
	}
	if err != nil {
		return s.cannotMake(cfg.Name, err)
	}
	return nil
}

// same compares what Peal sets; the broker adds to it.
func same(is, want jetstream.StreamConfig) bool {
	return slices.Equal(is.Subjects, want.Subjects) && is.Retention == want.Retention && is.Storage == want.Storage &&
		is.MaxMsgsPerSubject == want.MaxMsgsPerSubject && is.Replicas == want.Replicas &&
		is.AllowMsgSchedules == want.AllowMsgSchedules && is.AllowDirect == want.AllowDirect && is.PersistMode == want.PersistMode && is.Duplicates == want.Duplicates
}

// cannotMake says how to mend what kept a stream from being made.
func (s *Stream) cannotMake(name string, err error) error {
	mend := ""
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode { //nolint:exhaustive // of the others nothing better can be said
		case noCluster:
			mend = fmt.Sprintf("this NATS is a single server: run a cluster of %d, or set --nats-replicas (PEAL_NATS_REPLICAS) to 1", s.replicas)
		case noPeers, noResources, noStorage:
			mend = fmt.Sprintf("%d replicas need as many servers of the cluster that are up, have JetStream and have room: "+
				"look at them, or lower --nats-replicas (PEAL_NATS_REPLICAS)", s.replicas)
		case noMoreStreams:
			mend = "the account may have no more streams: raise its max_streams"
		case maxBytesAsked:
			mend = "the account demands that streams have a largest size, and Peal's have none: turn max_bytes_required off"
		case noTier:
			mend = fmt.Sprintf("the account has no JetStream limits for %d replicas: give it some, or change --nats-replicas (PEAL_NATS_REPLICAS)", s.replicas)
		case overlap:
			mend = "another stream of this account has Peal's subjects: give Peal an account of its own"
		case badConfig:
			mend = "there is such a stream with settings that cannot be changed. If it is not Peal's, give Peal an account of its own. If it is " +
				"(as after a change of --nats-replicas from or to 1), stop all nodes and delete it: jobs come back by themselves from the " +
				"records, webhooks that wait in " + pipeline.Callbacks + " do not"
		}
	}
	if mend == "" {
		return fmt.Errorf("make stream %s: %w", name, err)
	}
	return fmt.Errorf("make stream %s: %w; %s", name, err, mend)
}

var errNotLed = errors.New("has no leader")

// led tells whether somebody leads each stream: nothing can be written to one that has lost most of its servers.
func (s *Stream) led(ctx context.Context) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	for _, name := range []string{pipeline.Deliveries, pipeline.Callbacks} {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("the broker does not answer for stream %s: %w", name, err)
		}
		if c := st.CachedInfo().Cluster; c != nil && c.Name != "" && c.Leader == "" {
			return fmt.Errorf("stream %s %w: too few of its servers are up", name, errNotLed)
		}
	}
	return nil
}
