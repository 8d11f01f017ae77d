package send

import (
	"context"
	"slices"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// okEvery is how often it is written of a device that its provider takes what is sent to it.
const okEvery = 24 * time.Hour

// lookTimeout is how long looking devices up may take; then their deliveries wait.
const lookTimeout = 10 * time.Second

// lookAge is how old a look-up may be when the call is made; waiting for a free place can take longer.
const lookAge = 2 * time.Second

// looked is what a look-up of a delivery's device came to; nothing of one that is no push.
type looked struct {
	device *peal.Device // nil: there is none
	at     time.Time
	err    error // it could not be found out
	person person

	template *api.Template // that the delivery waits for
}

// look looks up together where deliveries are to go, right before the calls: their rows hold no address, and an app may
// have stated another one since they were accepted.
func (s *shift) look(ds []peal.Delivery) func(d *peal.Delivery) looked {
	if s.people && len(ds) > 0 {
		return s.lookPeople(ds)
	}
	if !s.push || len(ds) == 0 {
		return func(*peal.Delivery) looked { return looked{} }
	}
	ids := make([]string, len(ds))
	for i := range ds {
		ids[i] = ds[i].Recipient
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	at := s.cfg.Now()
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	found, err := s.cfg.Devices.Devices(ctx, s.in.TenantID, ids)
	if err != nil {
		s.log.Warn("devices not found out; their deliveries wait", "deliveries", len(ds), "error", err)
	}
	byID := make(map[string]*peal.Device, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	return func(d *peal.Delivery) looked { return looked{device: byID[d.Recipient], at: at, err: err} }
}

// lookAgain looks again when it was too long ago.
func (s *shift) lookAgain(d *peal.Delivery, l *looked) error {
	if l.err == nil && s.cfg.Now().Sub(l.at) > lookAge {
		*l = s.look([]peal.Delivery{*d})(d)
	}
	return l.err
}

// skips tells why nothing is to be sent to a device any more; empty when something is.
func (s *shift) skips(d *peal.Delivery, device *peal.Device) (code, why string) {
	switch {
	case device == nil:
		return peal.SkipDeviceGone, "the device was deleted after this was accepted"
	case device.UserID != d.UserID:
		return peal.SkipDeviceMoved, "the device is another user's since this was accepted"
	case device.State == peal.DeviceRetired:
		return peal.SkipDeviceRetired, "the device was retired (" + device.RetiredReason + "); it is sent to when its app registers it again"
	case device.Permission == peal.Denied:
		return peal.SkipPermissionDenied, "the device may not show notifications, by its own word"
	}
	if kind, _ := s.cfg.Integrations.Kind(s.in.Kind); !provider.Reaches(s.in, kind, device) {
		return peal.SkipDeviceChanged, "since this was accepted the device has registered another way, which this integration does not reach"
	}
	if reason, dead := s.fates.dead(device); dead {
		return peal.SkipDeviceRetired, "the device was retired (" + reason + "); it is sent to when its app registers it again"
	}
	return "", ""
}

// skipped makes an attempt at which there was nobody to call for the end of its delivery.
func skipped(a peal.Attempt) peal.Attempt {
	a.Next, a.Due = peal.Skipped, time.Time{}
	return a
}

// learn takes in what an outcome says of the device: that it is gone means that it is dead.
func (s *shift) learn(device *peal.Device, o *peal.Outcome) {
	if device == nil {
		o.Device = peal.DeviceWord{}
		return
	}
	if o.Class == peal.ClassGone && o.Device.Verdict == peal.DeviceFine {
		o.Device.Verdict = peal.DeviceDead
	}
	if o.Device.Verdict == peal.DeviceDead && (o.Device.Dead.IsZero() || device.RegisteredAt.Before(o.Device.Dead)) {
		s.fates.add(device, o.Code)
	}
}

// retire writes what finished attempts say of their devices, before the attempts themselves are: what is queued for a
// dead device must not find it alive.
func (s *shift) retire(ctx context.Context, batch []done) error {
	var all []peal.Retirement
	for i := range batch {
		o, d := &batch[i].attempt.Outcome, batch[i].device
		if d == nil || (o.Device.Verdict != peal.DeviceDead && o.Device.Verdict != peal.DeviceDoubts) {
			continue
		}
		// What was registered after the call began was not judged: it may have the address still, and another key, app or
		// environment.
		before := d.RegisteredAt.Add(time.Microsecond)
		if dead := o.Device.Dead; !dead.IsZero() && dead.Before(before) {
			before = dead
		}
		all = append(all, peal.Retirement{
			TenantID: d.TenantID, DeviceID: d.ID, Kind: d.Kind, Address: d.Address, Verdict: o.Device.Verdict, Reason: o.Code,
			Dead: before, At: batch[i].attempt.At,
		})
	}
	if len(all) == 0 {
		return nil
	}
	n, err := s.cfg.Devices.RetireDevices(ctx, all)
	if err == nil && n > 0 {
		s.log.Info("devices retired, or under suspicion, by their provider's word", "devices", n)
	}
	return err
}

// wellness gathers devices that something got through to, which is written now and again, beside the recording of attempts.
// It is the recorder's.
type wellness struct {
	ids     []string
	last    time.Time
	writing chan struct{} // holds one while something is being written
}

// maxWell is how many devices are gathered while others are written; more are left for their next send.
const maxWell = 10_000

// fine notes of devices that something got through to them, and has it written unless that is being done.
func (s *shift) fine(batch []done) {
	w := &s.well
	for i := range batch {
		a, d := &batch[i].attempt, batch[i].device
		if d == nil || a.Outcome.Class != peal.ClassAccepted || a.Outcome.Device.Verdict != peal.DeviceFine {
			continue
		}
		if (d.State == peal.DeviceSuspect || a.At.Sub(d.LastOKAt) >= okEvery) && len(w.ids) < maxWell {
			w.ids, w.last = append(w.ids, d.ID), a.At
		}
	}
	if len(w.ids) == 0 {
		return
	}
	select {
	case w.writing <- struct{}{}:
		ids, last := w.ids, w.last
		w.ids = nil
		s.lane.calls.Go(func() {
			s.writeFine(ids, last)
			<-w.writing
		})
	default:
	}
}

// lastFine writes what is still gathered, when the shift ends.
func (s *shift) lastFine() {
	s.well.writing <- struct{}{}
	if len(s.well.ids) > 0 {
		s.writeFine(s.well.ids, s.well.last)
	}
	<-s.well.writing
}

func (s *shift) writeFine(ids []string, last time.Time) {
	slices.Sort(ids)
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	if err := s.cfg.Devices.DevicesOK(ctx, s.in.TenantID, slices.Compact(ids), last); err != nil {
		s.log.Warn("not written that devices are well; their next send will", "devices", len(ids), "error", err)
	}
}

// fateTime is how long a dead device is remembered here: longer than what was claimed, and looked up, before it was found
// dead waits for its call.
const fateTime = 5 * time.Minute

// maxFates is how many are remembered. One that is forgotten for want of room costs a call, at worst.
const maxFates = 10_000

// fates remembers devices that were found dead while others of their deliveries were in this process's hands already. It
// is safe for concurrent use.
type fates struct {
	now func() time.Time

	mu  sync.Mutex
	all map[address]fate

	swept time.Time // when room was last made
}

// address is what was called; a device that has another one by now is alive.
type address struct {
	kind peal.DeviceKind
	at   string
}

type fate struct {
	reason     string
	registered time.Time // of the device that was called
	found      time.Time
}

func newFates(now func() time.Time) *fates { return &fates{now: now, all: map[address]fate{}} }

func (f *fates) add(d *peal.Device, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if len(f.all) >= maxFates && now.Sub(f.swept) >= sweepEvery {
		f.swept = now
		for k, v := range f.all {
			if now.Sub(v.found) > fateTime {
				delete(f.all, k)
			}
		}
	}
	if len(f.all) < maxFates {
		f.all[address{d.Kind, d.Address}] = fate{reason: reason, registered: d.RegisteredAt, found: now}
	}
}

// dead tells whether the device was found dead since it was looked up. One that has registered since is alive.
func (f *fates) dead(d *peal.Device) (reason string, is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.all[address{d.Kind, d.Address}]
	if !ok || d.RegisteredAt.After(v.registered) || f.now().Sub(v.found) > fateTime {
		return "", false
	}
	return v.reason, true
}
