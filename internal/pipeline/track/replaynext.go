package track

import (
	"context"
	"strconv"
	"strings"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// next gives the next few webhooks of a replay, and notes in it how far it is with them; none when it is at its end.
func (r *Replayer) next(ctx context.Context, p *peal.CallbackReplay) ([]pipeline.Kept, error) {
	switch {
	case len(p.IDs) > 0:
		return r.nextIDs(ctx, p)
	case p.Broken:
		return r.nextUnreadable(ctx, p)
	}
	if p.Last == 0 { // what is not folded in yet is no matter of it
		a, err := r.Library.Archive(ctx)
		if err != nil || a.Folded == 0 {
			return nil, err
		}
		p.Last = a.Folded
	}
	page, _, err := r.Library.Callbacks(ctx, []string{p.IntegrationID}, p.Reached+1, p.Since, replayBatch)
	if err != nil {
		return nil, err
	}
	for i, k := range page {
		if k.Seq > p.Last || !p.Until.IsZero() && !k.At.Before(p.Until) {
			page = page[:i]
			break
		}
	}
	if len(page) > 0 {
		p.Reached = page[len(page)-1].Seq
	}
	return page, nil
}

func (r *Replayer) nextUnreadable(ctx context.Context, p *peal.CallbackReplay) ([]pipeline.Kept, error) {
	after := int64(p.Reached) //nolint:gosec // it was one
	all, err := r.Unreadables.UnreadableAfter(ctx, []string{p.IntegrationID}, after, p.Since, p.Until, heldBatch)
	if err != nil {
		return nil, err
	}
	page := make([]pipeline.Kept, len(all))
	for i := range all {
		page[i] = keptOf(&all[i])
		p.Reached = uint64(all[i].ID) //nolint:gosec // numbers begin at 1
	}
	return page, nil
}

// nextIDs leaves out what has left meanwhile.
func (r *Replayer) nextIDs(ctx context.Context, p *peal.CallbackReplay) (page []pipeline.Kept, err error) {
	for len(page) < heldBatch && p.Reached < uint64(len(p.IDs)) {
		k, err := fetch(ctx, r.Library, r.Unreadables, p.IDs[p.Reached])
		switch {
		case peal.KindOf(err) == peal.NotFound:
		case err != nil:
			return nil, err
		case k.IntegrationID == p.IntegrationID:
			page = append(page, k)
		}
		p.Reached++
	}
	return page, nil
}

// unreadableID begins the ids of webhooks that could not be understood; those of all others are places in the archive.
const unreadableID = "u"

func keptOf(u *peal.Unreadable) pipeline.Kept {
	return pipeline.Kept{IntegrationID: u.IntegrationID, At: u.ReceivedAt, Body: u.Body}
}

// fetch gives a kept webhook by its id. It fails with NotFound.
func fetch(ctx context.Context, library Library, unreadables Unreadables, id string) (k pipeline.Kept, err error) {
	missing := peal.Errorf(peal.NotFound, "there is no such webhook; it may have left since")
	if number, ok := strings.CutPrefix(id, unreadableID); ok {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n <= 0 {
			return k, missing
		}
		u, err := unreadables.UnreadableBy(ctx, n)
		return keptOf(&u), err
	}
	seq, part, ok := parsePlace(id)
	if !ok {
		return k, missing
	}
	all, err := library.CallbacksAt(ctx, seq)
	if err != nil {
		return k, silent(err)
	}
	for _, k := range all {
		if k.Part == part {
			return k, nil
		}
	}
	return k, missing
}

// place is the id of a webhook in the archive: where it is, and which of those that are there together.
func place(k *pipeline.Kept) string {
	id := strconv.FormatUint(k.Seq, 10)
	if k.Part > 0 {
		id += "." + strconv.Itoa(k.Part)
	}
	return id
}

func parsePlace(id string) (seq uint64, part int, ok bool) {
	at, which, together := strings.Cut(id, ".")
	seq, err := strconv.ParseUint(at, 10, 63)
	if err == nil && together {
		part, err = strconv.Atoi(which)
	}
	return seq, part, err == nil && seq > 0 && (part > 0) == together
}
