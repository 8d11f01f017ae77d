package whatsappcloud

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// User is someone on WhatsApp as one account knows them. Users come to be by
// being written to or writing.
type User struct {
	Phone     string `json:"phone"`   // digits; "" for one known by user id only
	UserID    string `json:"user_id"` // business-scoped: another in each account
	Name      string `json:"name"`
	Username  string `json:"username,omitempty"`
	HidePhone bool   `json:"hide_phone"` // webhooks leave the number out unless it was used to send
	Absent    bool   `json:"absent"`     // not on WhatsApp, or blocked the business: 131026
	Stopped   bool   `json:"stopped"`    // stopped marketing: 131050
	Trial     bool   `json:"experiment"` // part of an experiment: 130472 for marketing
}

type user struct {
	User
	lastIn    map[string]int64 // number to the time of the user's last message to it
	marketing []int64          // times of marketing templates in the last 24 h
}

// window is how long free text is taken after a user's message.
const customerWindow = 24 * time.Hour

const day = 24 * time.Hour

// plainPhone takes away what Meta tolerates in a number.
func plainPhone(text string) string {
	return strings.NewReplacer("+", "", " ", "", "-", "", "(", "", ")", "").Replace(text)
}

// isUserID: two letters, a dot, at most 128 letters and digits. (Parent ids
// have ENT in between.)
func isUserID(text string) bool {
	country, id, ok := strings.Cut(text, ".")
	id = strings.TrimPrefix(id, "ENT.")
	if !ok || len(country) != 2 || id == "" || len(id) > 128 {
		return false
	}
	for _, r := range country + id {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

// userID makes a business-scoped id: the same for an account and number in every run.
func userID(account, phone string) string {
	country := "ZZ"
	for _, c := range [...][2]string{{"1", "US"}, {"44", "GB"}, {"49", "DE"}, {"55", "BR"}, {"91", "IN"}} {
		if strings.HasPrefix(phone, c[0]) {
			country = c[1]
		}
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(account + "/" + phone)) // never fails
	return fmt.Sprintf("%s.%020d", country, h.Sum64())
}

// user finds or makes the user with this phone or user id. The caller holds mu.
func (s *Server) user(account, who string) *user {
	if u := s.users[account+"/"+who]; u != nil {
		return u
	}
	u := &user{lastIn: map[string]int64{}}
	if isUserID(who) {
		u.UserID = who
		u.Name = "User " + who[max(0, len(who)-4):]
	} else {
		u.Phone, u.UserID = who, userID(account, who)
		u.Name = "User " + who[max(0, len(who)-4):]
		s.users[account+"/"+who] = u
	}
	s.users[account+"/"+u.UserID] = u
	return u
}

// UserID is the business-scoped id that a phone number has in an account ("" is
// the first).
func (s *Server) UserID(accountID, phone string) string {
	u, _ := s.User(accountID, phone)
	return u.UserID
}

// User returns the user of an account ("" is the first) with this phone number
// or user id; one that nobody has met comes to be.
func (s *Server) User(accountID, who string) (User, error) {
	var got User
	err := s.withUser(accountID, who, func(_ *account, u *user) error {
		got = u.User
		return nil
	})
	return got, err
}

func (s *Server) withUser(id, who string, f func(*account, *user) error) error {
	if !isUserID(who) {
		who = plainPhone(who)
		if !digits(who, 7, 15) {
			return errors.New("user: must be a phone number of 7 to 15 digits or a user id")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.accountOrFirst(id)
	if err != nil {
		return err
	}
	return f(a, s.user(a.ID, who))
}

// UpdateUser changes a user of an account ("" is the first). Phone and user id
// stay; see PlaySystem for changing them.
func (s *Server) UpdateUser(accountID, who string, change func(*User)) error {
	return s.withUser(accountID, who, func(_ *account, u *user) error {
		c := u.User
		change(&c)
		c.Phone, c.UserID = u.Phone, u.UserID
		u.User = c
		return nil
	})
}

// OpenWindow puts the user's last message to a number ("" is the first) to now
// minus ago, without a webhook.
func (s *Server) OpenWindow(numberID, who string, ago time.Duration) error {
	s.mu.Lock()
	n, err := s.numberOrFirst(numberID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.withUser(n.acc.ID, who, func(_ *account, u *user) error {
		u.lastIn[n.ID] = s.ns(s.opt.Clock().Add(-ago))
		return nil
	})
}

func (s *Server) windowOpen(n *number, u *user, now int64) bool {
	at, ok := u.lastIn[n.ID]
	return s.opt.WindowsOpen || ok && now-at < int64(customerWindow)
}

// shown is the number as webhooks show it: users with a username may hide it,
// unless the business used it to send.
func (u *user) shown(byPhone bool) string {
	if u.HidePhone && !byPhone {
		return ""
	}
	return u.Phone
}

// contact is the user in a webhook's contacts.
func (u *user) contact(byPhone, username bool) object {
	profile := object{"name": u.Name}
	if username && u.Username != "" {
		profile["username"] = u.Username
	}
	c := object{"profile": profile, "user_id": u.UserID}
	if phone := u.shown(byPhone); phone != "" {
		c["wa_id"] = phone
	}
	return c
}
