package phones

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Phone is a device with a screen.
type Phone struct {
	// ID names it in routes: letters, digits and . _ ~ -, 64 at most.
	ID   string `json:"id"`
	Name string `json:"name"` // default: the ID
	// Platform is how it looks: android, ios; anything else is a desktop.
	Platform string `json:"platform"`
	// Icon is one character or two for the app's icon. Default: the first of
	// the card's app.
	Icon string `json:"icon,omitempty"`
}

// Options configure a Board. Every zero field has a default.
type Options struct {
	// App is the name above cards that have none. Default "App".
	App string
	// OnTap is called when a card is tapped: with the id of the button, or empty
	// for the card itself. After an error the card can be tapped again. No lock
	// is held.
	OnTap func(ctx context.Context, phone Phone, card Card, action string) error
	// OnDismiss is called when a card is swiped away.
	OnDismiss func(ctx context.Context, phone Phone, card Card) error
	// Clock tells the time. Default time.Now.
	Clock func() time.Time
	// Location of the times on the page. Default time.Local.
	Location *time.Location
	// KeepCards is how many cards a phone keeps, the oldest go. Default 30.
	KeepCards int
	// MaxPhones is how many phones there can be. Default 500.
	MaxPhones int
	// Logger gets a line when a callback fails; default: none.
	Logger *slog.Logger
}

// Board holds the phones. It is safe for concurrent use.
type Board struct {
	opt  Options
	done chan struct{} // closed by Close
	end  sync.Once

	mu      sync.Mutex
	phones  []*screen
	lastID  int64
	version int64
	changed chan struct{} // closed at the next change
}

// screen is a phone and what is on it, the newest first.
type screen struct {
	Phone

	badge int
	cards []*Card
	shown int64 // cards ever
}

// New makes an empty board.
func New(opt Options) *Board {
	opt.App = cmp.Or(opt.App, "App")
	opt.KeepCards = cmp.Or(opt.KeepCards, 30)
	opt.MaxPhones = cmp.Or(opt.MaxPhones, 500)
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Location == nil {
		opt.Location = time.Local //nolint:gosmopolitan // a page for whoever sits at this machine
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Board{opt: opt, done: make(chan struct{}), changed: make(chan struct{})}
}

// Close ends the event streams of open pages. It can be called more than once.
func (b *Board) Close() { b.end.Do(func() { close(b.done) }) }

var goodID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// AddPhone puts a phone on the board, or changes the one with that id.
func (b *Board) AddPhone(p Phone) error {
	if !goodID.MatchString(p.ID) || p.ID == "." || p.ID == ".." {
		return fmt.Errorf("id: %q must be 1 to 64 letters, digits and . _ ~ -", p.ID)
	}
	p.Name, p.Platform, p.Icon = cut(cmp.Or(p.Name, p.ID), maxName), cut(p.Platform, maxName), cut(p.Icon, 2)
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.screen(p.ID); s != nil {
		s.Phone = p
		b.change()
		return nil
	}
	if len(b.phones) >= b.opt.MaxPhones {
		return fmt.Errorf("phones: there are %d already, the most there can be", len(b.phones))
	}
	b.phones = append(b.phones, &screen{Phone: p})
	b.change()
	return nil
}

// screen finds a phone; the caller holds mu.
func (b *Board) screen(id string) *screen {
	for _, s := range b.phones {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// change tells the open pages; the caller holds mu.
func (b *Board) change() {
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
}

// ErrNotFound is a phone or a card that is not on the board.
var ErrNotFound = errors.New("not on the board")

// Show puts a card on top of a phone's screen and returns its id.
func (b *Board) Show(phoneID string, card Card) (string, error) {
	card.clean()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.screen(phoneID)
	if s == nil {
		return "", fmt.Errorf("phone %q: %w", phoneID, ErrNotFound)
	}
	b.lastID++
	card.ID, card.Phone = strconv.FormatInt(b.lastID, 10), phoneID
	card.State, card.Action, card.StateAt = StateNew, "", time.Time{}
	card.App = cmp.Or(card.App, b.opt.App)
	if card.At.IsZero() {
		card.At = b.opt.Clock()
	}
	if card.CollapseKey != "" {
		s.cards = slices.DeleteFunc(s.cards, func(old *Card) bool { return old.CollapseKey == card.CollapseKey })
	}
	if card.Badge != nil {
		s.badge = max(*card.Badge, 0)
	}
	s.shown++
	s.cards = slices.Insert(s.cards, 0, &card)
	if len(s.cards) > b.opt.KeepCards {
		s.cards = slices.Delete(s.cards, b.opt.KeepCards, len(s.cards))
	}
	b.change()
	return card.ID, nil
}

// Clear takes all cards off a phone; with an empty id off all phones.
func (b *Board) Clear(phoneID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := phoneID == ""
	for _, s := range b.phones {
		if phoneID == "" || s.ID == phoneID {
			s.cards, s.badge, found = nil, 0, true
		}
	}
	if !found {
		return fmt.Errorf("phone %q: %w", phoneID, ErrNotFound)
	}
	b.change()
	return nil
}

// Cards gives what is on a phone, the newest first.
func (b *Board) Cards(phoneID string) ([]Card, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.screen(phoneID)
	if s == nil {
		return nil, fmt.Errorf("phone %q: %w", phoneID, ErrNotFound)
	}
	return s.list(), nil
}

func (s *screen) list() []Card {
	list := make([]Card, len(s.cards))
	for i, c := range s.cards {
		list[i] = *c
	}
	return list
}

// Tap is a person tapping a card, or one of its buttons. Only the first tap of
// a card counts; a later one changes nothing and is no error.
func (b *Board) Tap(ctx context.Context, phoneID, cardID, action string) (Card, error) {
	return b.act(ctx, phoneID, cardID, StateTapped, action, func(p Phone, c Card) error {
		if b.opt.OnTap == nil {
			return nil
		}
		return b.opt.OnTap(ctx, p, c, action)
	})
}

// Dismiss is a person swiping a card away.
func (b *Board) Dismiss(ctx context.Context, phoneID, cardID string) (Card, error) {
	return b.act(ctx, phoneID, cardID, StateDismissed, "", func(p Phone, c Card) error {
		if b.opt.OnDismiss == nil {
			return nil
		}
		return b.opt.OnDismiss(ctx, p, c)
	})
}

// errNoAction is a button that the card does not have.
var errNoAction = errors.New("action: the card has no such button")

// errReport is a callback that failed.
var errReport = errors.New("the tap could not be reported")

// act marks the card first, so that of two taps only one is reported, and
// unmarks it when the report fails.
func (b *Board) act(ctx context.Context, phoneID, cardID string, state State, action string, report func(Phone, Card) error) (Card, error) {
	b.mu.Lock()
	phone, c := b.card(phoneID, cardID)
	switch {
	case c == nil:
		b.mu.Unlock()
		return Card{}, fmt.Errorf("phone %q, card %q: %w", phoneID, cardID, ErrNotFound)
	case action != "" && !slices.ContainsFunc(c.Actions, func(a Action) bool { return a.ID == action }):
		b.mu.Unlock()
		return Card{}, errNoAction
	case c.State != StateNew:
		defer b.mu.Unlock()
		return *c, nil
	}
	c.State, c.Action, c.StateAt, c.Problem = state, action, b.opt.Clock(), ""
	tapped := *c
	b.change()
	b.mu.Unlock()

	err := report(phone, tapped)
	if err == nil {
		return tapped, nil
	}
	b.opt.Logger.ErrorContext(ctx, "a tap was not reported", "phone", phoneID, "error", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	c.State, c.Action, c.StateAt, c.Problem = StateNew, "", time.Time{}, "not reported, tap again"
	b.change()
	return *c, fmt.Errorf("%w: %w", errReport, err)
}

// card finds one; the caller holds mu.
func (b *Board) card(phoneID, cardID string) (Phone, *Card) {
	s := b.screen(phoneID)
	if s == nil {
		return Phone{}, nil
	}
	for _, c := range s.cards {
		if c.ID == cardID {
			return s.Phone, c
		}
	}
	return s.Phone, nil
}
