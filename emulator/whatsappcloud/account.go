package whatsappcloud

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Tier is how many users may be written to outside of the 24-hour window in any
// 24 hours, over all numbers of a portfolio (here: an account).
type Tier string

// Tiers.
const (
	Tier250       Tier = "TIER_250"
	Tier2K        Tier = "TIER_2K"
	Tier10K       Tier = "TIER_10K"
	Tier100K      Tier = "TIER_100K"
	TierUnlimited Tier = "TIER_UNLIMITED"
)

func (t Tier) users() (int, bool) {
	n, ok := map[Tier]int{Tier250: 250, Tier2K: 2_000, Tier10K: 10_000, Tier100K: 100_000, TierUnlimited: 0}[t]
	return n, ok
}

// Account is a WhatsApp Business Account with the app that uses it.
type Account struct {
	ID          string     `json:"id"`    // default DefaultAccount
	Token       string     `json:"token"` // default DefaultToken
	AppID       string     `json:"app_id"`
	AppSecret   string     `json:"app_secret"`
	VerifyToken string     `json:"verify_token"`
	WebhookURL  string     `json:"webhook_url"` // "" posts nothing
	Fields      []string   `json:"fields"`      // subscribed webhook fields; default: all
	Tier        Tier       `json:"tier"`        // default TierUnlimited
	Locked      bool       `json:"locked"`      // 131031
	Unpaid      bool       `json:"unpaid"`      // 131042
	Expired     bool       `json:"expired"`     // its token gets 190
	NoScope     bool       `json:"no_scope"`    // its token lacks the permission: 10
	Numbers     []Number   `json:"numbers"`
	Templates   []Template `json:"templates,omitempty"` // at the start; see Templates
}

// Number is a business phone number.
type Number struct {
	ID           string `json:"id"` // default DefaultNumber
	Phone        string `json:"phone"`
	Name         string `json:"name"`
	APIKey       string `json:"api_key"`      // of Options.Gateway
	Quality      string `json:"quality"`      // GREEN, YELLOW, RED, NA
	Throughput   int    `json:"throughput"`   // messages a second, in and out: 80 (default), 1000, 20; < 0 no limit
	Unregistered bool   `json:"unregistered"` // 133010
	Upgrading    bool   `json:"upgrading"`    // 131057
	NameMissing  bool   `json:"name_missing"` // 131037
	SpamLimited  bool   `json:"spam_limited"` // 131048 for what is outside of a window
}

type account struct {
	Account
	catalogue []*Template
	outside   map[string][]int64 // user key to the times of business-initiated sends
}

type number struct {
	Number
	acc     *account
	sends   window
	times   timeline
	arrived timeline
	counts  NumberCounts
	byCode  map[int]int64
}

func (s *Server) addAccount(c Account) error {
	c.ID = cmp.Or(c.ID, DefaultAccount)
	c.Token = cmp.Or(c.Token, DefaultToken)
	c.AppID = cmp.Or(c.AppID, "670843887433847")
	c.AppSecret = cmp.Or(c.AppSecret, DefaultAppSecret)
	c.VerifyToken = cmp.Or(c.VerifyToken, DefaultVerifyToken)
	c.Tier = cmp.Or(c.Tier, TierUnlimited)
	if len(c.Numbers) == 0 {
		c.Numbers = []Number{{}}
	}
	if err := c.validate(); err != nil {
		return err
	}
	if s.accounts[c.ID] != nil {
		return fmt.Errorf("id: account %s exists already", c.ID)
	}
	a := &account{Account: c, outside: map[string][]int64{}}
	for _, n := range c.Numbers {
		if err := s.addNumber(a, n); err != nil {
			return err
		}
	}
	for _, t := range c.Templates {
		if _, err := a.putTemplate(t); err != nil {
			return err
		}
	}
	a.Numbers, a.Templates = nil, nil
	s.accounts[a.ID] = a
	s.accountIDs = append(s.accountIDs, a.ID)
	return nil
}

func (s *Server) addNumber(a *account, n Number) error {
	n.ID = cmp.Or(n.ID, DefaultNumber)
	n.Phone = cmp.Or(n.Phone, DefaultPhone)
	n.Name = cmp.Or(n.Name, "Peal")
	n.APIKey = cmp.Or(n.APIKey, DefaultAPIKey)
	n.Quality = cmp.Or(n.Quality, "GREEN")
	n.Throughput = cmp.Or(n.Throughput, 80)
	if err := n.validate(); err != nil {
		return err
	}
	if s.numbers[n.ID] != nil {
		return fmt.Errorf("numbers: %s exists already", n.ID)
	}
	x := &number{Number: n, acc: a, byCode: map[int]int64{}}
	x.times.max, x.arrived.max = s.opt.KeepTimes, s.opt.KeepTimes
	s.numbers[n.ID] = x
	s.numberIDs = append(s.numberIDs, n.ID)
	return nil
}

func (c *Account) validate() error {
	if _, ok := c.Tier.users(); !ok {
		return fmt.Errorf("tier: %q is no tier", c.Tier)
	}
	if c.WebhookURL == "" {
		return nil
	}
	u, err := url.Parse(c.WebhookURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("webhook_url: must be an http or https URL")
	}
	return nil
}

func (n *Number) validate() error {
	if !slices.Contains([]string{"GREEN", "YELLOW", "RED", "NA"}, n.Quality) {
		return fmt.Errorf("quality: %q is none of GREEN, YELLOW, RED, NA", n.Quality)
	}
	if !digits(n.Phone, 7, 15) {
		return errors.New("phone: must be 7 to 15 digits")
	}
	return nil
}

// digits says whether text has only digits, and between least and most of them.
func digits(text string, least, most int) bool {
	return len(text) >= least && len(text) <= most && strings.Trim(text, "0123456789") == ""
}

// Accounts lists the accounts with their numbers and templates.
func (s *Server) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Account, 0, len(s.accountIDs))
	for _, id := range s.accountIDs {
		a := s.accounts[id]
		c := a.Account
		for _, n := range s.numberIDs {
			if s.numbers[n].acc == a {
				c.Numbers = append(c.Numbers, s.numbers[n].Number)
			}
		}
		for _, t := range a.catalogue {
			c.Templates = append(c.Templates, *t)
		}
		list = append(list, c)
	}
	return list
}

// UpdateAccount changes an account ("" is the first); numbers and templates
// have their own ways.
func (s *Server) UpdateAccount(id string, change func(*Account)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.accountOrFirst(id)
	if err != nil {
		return err
	}
	c := a.Account
	change(&c)
	c.ID, c.Numbers, c.Templates = a.ID, nil, nil
	if err := c.validate(); err != nil {
		return err
	}
	a.Account = c
	return nil
}

// Number returns a number ("" is the first).
func (s *Server) Number(id string) (Number, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.numberOrFirst(id)
	if err != nil {
		return Number{}, false
	}
	return n.Number, true
}

// UpdateNumber changes a number ("" is the first) and says nothing of it; see
// PlayUpdate for its webhooks.
func (s *Server) UpdateNumber(id string, change func(*Number)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.numberOrFirst(id)
	if err != nil {
		return err
	}
	c := n.Number
	change(&c)
	c.ID = n.ID
	if err := c.validate(); err != nil {
		return err
	}
	n.Number = c
	return nil
}

func (s *Server) accountOrFirst(id string) (*account, error) {
	if id == "" {
		id = s.accountIDs[0]
	}
	if a := s.accounts[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("account %s: not found", id)
}

func (s *Server) numberOrFirst(id string) (*number, error) {
	if id == "" {
		id = s.numberIDs[0]
	}
	if n := s.numbers[id]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("number %s: not found", id)
}
