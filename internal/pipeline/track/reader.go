package track

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// Reader shows kept webhooks.
type Reader struct {
	Folder      *Folder
	Library     Library
	Unreadables Unreadables
}

// Shown is a kept webhook.
type Shown struct {
	pipeline.Callback

	ID         string
	KeptAt     time.Time // when it came into the archive: later than it was received, if the records held it meanwhile
	Unreadable string    // why it could not be understood; empty when it was
	Closed     string    // why it cannot be opened; then there is no more of it
	Error      string    // why it cannot be understood now; of one alone
	Facts      []provider.Fact
}

// ReadFilter chooses kept webhooks.
type ReadFilter struct {
	Integrations []string // of these
	Since, Until time.Time
	Unreadable   bool   // only those that could not be understood
	After        string // the id after which it goes on
	Limit        int
}

// List gives a page of kept webhooks in the order that they came, and the id after which the next one begins; empty at the
// end.
func (r *Reader) List(ctx context.Context, f *ReadFilter) (page []Shown, next string, err error) {
	if f.Unreadable {
		return r.listUnreadable(ctx, f)
	}
	var from uint64
	var after int
	if f.After != "" {
		var ok bool
		if from, after, ok = parsePlace(f.After); !ok {
			return nil, "", peal.Errorf(peal.Invalid, "there is no such place to go on from")
		}
		if after == 0 {
			from++
		}
	}
	kept, more, err := r.Library.Callbacks(ctx, f.Integrations, from, f.Since, f.Limit+after)
	if err != nil {
		return nil, "", silent(err)
	}
	kept = slices.DeleteFunc(kept, func(k pipeline.Kept) bool { return k.Seq == from && k.Part > 0 && k.Part <= after })
	if len(kept) > f.Limit {
		kept, more = kept[:f.Limit], true
	}
	for i, k := range kept {
		if !f.Until.IsZero() && !k.At.Before(f.Until) {
			kept, more = kept[:i], false
			break
		}
	}
	marks := make([]string, len(kept))
	for i, k := range kept {
		marks[i] = peal.CallbackMark(k.Body)
	}
	why, err := r.Unreadables.WhyUnreadable(ctx, marks)
	if err != nil {
		return nil, "", err
	}
	for i, k := range kept {
		s := r.show(place(&k), k)
		s.Unreadable = why[marks[i]]
		page = append(page, s)
	}
	if more && len(page) > 0 {
		next = page[len(page)-1].ID
	}
	return page, next, nil
}

func (r *Reader) listUnreadable(ctx context.Context, f *ReadFilter) (page []Shown, next string, err error) {
	var after int64
	if f.After != "" {
		if after, err = strconv.ParseInt(f.After[min(1, len(f.After)):], 10, 64); err != nil || f.After[:1] != unreadableID {
			return nil, "", peal.Errorf(peal.Invalid, "there is no such place to go on from")
		}
	}
	all, err := r.Unreadables.UnreadableAfter(ctx, f.Integrations, after, f.Since, f.Until, f.Limit+1)
	if err != nil {
		return nil, "", err
	}
	more := len(all) > f.Limit
	for i := range all[:min(f.Limit, len(all))] {
		u := &all[i]
		s := r.show(unreadableID+strconv.FormatInt(u.ID, 10), keptOf(u))
		s.Unreadable = u.Reason
		page = append(page, s)
	}
	if more {
		next = page[len(page)-1].ID
	}
	return page, next, nil
}

// show opens a webhook.
func (r *Reader) show(id string, k pipeline.Kept) Shown {
	s := Shown{ID: id, KeptAt: k.At, Callback: pipeline.Callback{IntegrationID: k.IntegrationID, ReceivedAt: k.At}}
	if err := r.Folder.unseal(k.Body, &s.Callback); err != nil {
		s.Closed = err.Error()
	}
	return s
}

// Get gives one of some integrations' webhooks, and what it says by the parser of now. It fails with NotFound.
func (r *Reader) Get(ctx context.Context, integrations []string, id string) (Shown, error) {
	k, err := fetch(ctx, r.Library, r.Unreadables, id)
	if err == nil && !slices.Contains(integrations, k.IntegrationID) {
		err = peal.Errorf(peal.NotFound, "there is no such webhook; it may have left since")
	}
	if err != nil {
		return Shown{}, err
	}
	s := r.show(id, k)
	mark := peal.CallbackMark(k.Body)
	why, err := r.Unreadables.WhyUnreadable(ctx, []string{mark})
	if err != nil {
		return Shown{}, err
	}
	s.Unreadable = why[mark]
	if s.Closed == "" {
		o := r.Folder.open(keptMessage{k})
		if s.Facts = o.facts; o.err != nil {
			s.Facts, s.Error = nil, o.err.Error()
		}
		s.Body = r.blot(k.IntegrationID, s.Body)
	}
	return s, nil
}

// blotted stands where a credential did.
const blotted = "[credential]"

// shortest is the length from which a credential cannot stand in a body by chance.
const shortest = 8

// blot takes an account's own credentials out of a body: one provider sends its API key along. Nobody is shown those.
func (r *Reader) blot(integrationID string, body []byte) []byte {
	if in := r.Folder.Integrations.ByID(integrationID); in != nil {
		for _, secret := range in.Credentials {
			if len(secret) >= shortest {
				body = bytes.ReplaceAll(body, []byte(secret), []byte(blotted))
			}
		}
	}
	return body
}

// silent is of a broker that does not answer.
func silent(err error) error {
	return &peal.Error{Kind: peal.Unavailable, Message: "the broker does not give out what it keeps; try again", Err: err}
}
