package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"peal/api"

	"github.com/google/go-cmp/cmp"
)

// memoryLog is a log in memory: rows in any order, listed newest first as the server lists them.
type memoryLog struct {
	rows []api.Delivery
	fail error // after the first row
}

func (l *memoryLog) list(_ context.Context, since time.Time) iter.Seq2[api.Delivery, error] {
	rows := slices.DeleteFunc(slices.Clone(l.rows), func(d api.Delivery) bool { return d.CreatedAt.Before(since) })
	slices.SortFunc(rows, func(a, b api.Delivery) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return func(yield func(api.Delivery, error) bool) {
		for i, d := range rows {
			if l.fail != nil && i == 1 {
				yield(api.Delivery{}, l.fail)
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (l *memoryLog) add(id string, at time.Time, status string) {
	l.rows = append(l.rows, api.Delivery{ID: id, CreatedAt: at, Status: status})
}

func (l *memoryLog) set(id, status string) {
	for i := range l.rows {
		if l.rows[i].ID == id {
			l.rows[i].Status = status
		}
	}
}

// setupFollower gives a follower of l and what it has shown.
func setupFollower(l *memoryLog, first int) (*follower, *[]string) {
	shown := &[]string{}
	return &follower{
		list: l.list, first: first, rows: map[string]followed{},
		show: func(d *api.Delivery, before string) error {
			*shown = append(*shown, fmt.Sprintf("%s %s>%s", d.ID, before, d.Status))
			return nil
		},
	}, shown
}

func look(t *testing.T, f *follower, shown *[]string, want ...string) {
	t.Helper()
	*shown = nil
	if err := f.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	l := &memoryLog{}
	for i := range 5 {
		l.add(fmt.Sprint("old", i), start.Add(time.Duration(i)*time.Second), "queued")
	}
	f, shown := setupFollower(l, 2)
	look(t, f, shown, "old3 >queued", "old4 >queued")
	look(t, f, shown)

	l.add("new", start.Add(5*time.Second), "queued")
	l.add("late", start.Add(2500*time.Millisecond), "queued") // committed after rows that are younger
	l.set("old4", "sent")
	look(t, f, shown, "late >queued", "old4 queued>sent", "new >queued")

	l.set("late", "read")
	l.set("new", "failed")
	look(t, f, shown, "late queued>read", "new queued>failed")
	look(t, f, shown)

	// A walk that breaks off shows nothing, and the next one all.
	l.add("a", start.Add(6*time.Second), "queued")
	l.add("b", start.Add(7*time.Second), "queued")
	l.fail = errors.New("broken")
	*shown = nil
	if err := f.look(t.Context()); !errors.Is(err, l.fail) || len(*shown) > 0 {
		t.Errorf("error %v, shown %q", err, *shown)
	}
	l.fail = nil
	look(t, f, shown, "a >queued", "b >queued")

	// A row is watched while others come, and forgotten in the end.
	l.add("minutes later", start.Add(10*time.Minute), "read")
	l.set("a", "sent")
	look(t, f, shown, "a queued>sent", "minutes later >read")
	l.add("an hour later", start.Add(time.Hour), "read")
	look(t, f, shown, "an hour later >read")
	l.set("a", "delivered")
	look(t, f, shown)
	if len(f.rows) != 1 {
		t.Errorf("%d rows are kept, want 1", len(f.rows))
	}
}

func TestFollowFromNothing(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	f, shown := setupFollower(l, 50)
	look(t, f, shown)
	l.add("a", time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), "queued")
	look(t, f, shown, "a >queued")
}

// TestFollowMissesAndDoublesNothing lets rows come at random, some late, and move on at random; every row must be
// shown once as new, and every status it had at a look once.
func TestFollowMissesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	l := &memoryLog{}
	f, shown := setupFollower(l, 0)
	want := map[string]int{}
	next := map[string]string{"queued": "sent", "sent": "delivered", "delivered": "read"}
	for range 200 {
		for range rng.IntN(20) {
			now = now.Add(time.Duration(rng.IntN(300)) * time.Millisecond)
			id := fmt.Sprint(len(l.rows))
			l.add(id, now.Add(-time.Duration(rng.IntN(2000))*time.Millisecond), "queued")
			want[id+" >queued"]++
		}
		changed := map[int]string{} // at most one step between two looks, as each look shows one
		for range rng.IntN(20) {
			if len(l.rows) == 0 {
				break
			}
			i := rng.IntN(len(l.rows))
			before := l.rows[i].Status
			key := l.rows[i].ID + " >queued"
			if _, twice := changed[i]; twice || next[before] == "" || !slices.Contains(*shown, key) {
				continue
			}
			changed[i] = before
			l.rows[i].Status = next[before]
			want[fmt.Sprintf("%s %s>%s", l.rows[i].ID, before, next[before])]++
		}
		if err := f.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for _, s := range *shown {
		got[s]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

func TestFollowForgetsWhatIsTooMany(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	l := &memoryLog{}
	for i := range followRows + 1000 {
		l.add(fmt.Sprint(i), start.Add(time.Duration(i)*10*time.Millisecond), "queued")
	}
	f, shown := setupFollower(l, 0)
	if err := f.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.rows) != followRows || len(*shown) != followRows+1000 {
		t.Errorf("%d rows kept, %d shown", len(f.rows), len(*shown))
	}
	look(t, f, shown)
}
