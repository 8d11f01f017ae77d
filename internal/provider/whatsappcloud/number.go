package whatsappcloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Messages a second that Meta takes of a number, in and out, by its word for it.
const (
	standardPace = 80
	highPace     = 1000
)

var (
	_ provider.NumberKind = Kind{}
	_ provider.Numbered   = (*client)(nil)
)

// numberFields are what is asked of a number.
const numberFields = "display_phone_number,status,quality_rating,name_status,throughput,messaging_limit_tier,whatsapp_business_manager_messaging_limit"

// Number asks for the number's state. Of a number behind a gateway only webhooks tell.
func (c *client) Number(ctx context.Context) (peal.NumberState, error) {
	if c.set.MessagesPath != "" {
		return peal.NumberState{}, &provider.Error{Class: peal.ClassPermanent, Code: "unsupported", Err: errors.New("a gateway is not asked for the number")}
	}
	var a struct {
		Phone      string `json:"display_phone_number"`
		Status     string `json:"status"`
		Quality    string `json:"quality_rating"`
		Name       string `json:"name_status"`
		Throughput struct {
			Level string `json:"level"`
		} `json:"throughput"`
		Tier      tier        `json:"messaging_limit_tier"`
		Portfolio tier        `json:"whatsapp_business_manager_messaging_limit"`
		Error     *graphError `json:"error"`
	}
	err := c.get(ctx, "", url.Values{"fields": {numberFields}}, &a, func() *graphError { return a.Error })
	if err != nil {
		return peal.NumberState{}, err
	}
	n := peal.NumberState{
		ID: c.set.PhoneNumberID, Phone: plain(a.Phone), Status: shout(a.Status), Quality: shout(a.Quality), NameStatus: shout(a.Name), At: time.Now(),
	}
	if a.Portfolio == "" { // Meta has moved the limit from the number to all of a business's
		a.Portfolio = a.Tier
	}
	a.Portfolio.into(&n)
	throughput(&n, a.Throughput.Level)
	return n, nil
}

// throughput sets how fast a number may send.
func throughput(n *peal.NumberState, level string) {
	switch n.Level = shout(level); n.Level {
	case "STANDARD":
		n.Throughput = standardPace
	case "HIGH":
		n.Throughput = highPace
	}
}

// tier is how many people may be written to first in 24 hours: a word such as TIER_2K, or a number.
type tier string

// UnmarshalJSON never fails.
func (t *tier) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	*t = tier(s)
	return nil
}

// into sets tier and limit, if it is one.
func (t tier) into(n *peal.NumberState) {
	s, named := strings.CutPrefix(strings.ToUpper(string(t)), "TIER_")
	if s == "UNLIMITED" || s == "-1" {
		n.Tier, n.Limit = "TIER_UNLIMITED", peal.NoLimit
		return
	}
	unit := int64(1)
	if thousands, ok := strings.CutSuffix(s, "K"); ok {
		s, unit = thousands, 1000
	}
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil || v <= 0 || (unit > 1 && !named) {
		return
	}
	n.Limit, n.Tier = v*unit, "TIER_"+s
	if unit > 1 {
		n.Tier += "K"
	}
}

// numberNews is what webhooks say of a number, or of its account.
type numberNews struct {
	Phone        string `json:"display_phone_number"`
	Current      tier   `json:"current_limit"`
	PerBusiness  tier   `json:"max_daily_conversations_per_business"`
	PerPhone     tier   `json:"max_daily_conversation_per_phone"`
	Restrictions []struct {
		Type string `json:"restriction_type"`
	} `json:"restriction_info"`
	Violation struct {
		Type string `json:"violation_type"`
	} `json:"violation_info"`
	Alert struct {
		Severity string `json:"alert_severity"`
		Type     string `json:"alert_type"`
		Text     string `json:"alert_description"`
	} `json:"alert_info"`
	AlertType string `json:"alert_type"`
	AlertText string `json:"alert_description"`
}

// number adds what a webhook says of the number.
func (p *parser) number(field, event string, v *numberNews, at time.Time) {
	n := peal.NumberState{At: at}
	alert := ""
	switch field {
	case "phone_number_quality_update":
		n.Phone = plain(v.Phone)
		cmp.Or(v.PerBusiness, v.Current).into(&n)
		switch strings.ToLower(event) {
		case "flagged":
			n.Quality, alert = "RED", "the number is flagged: its quality is low"
		case "throughput_upgrade":
			throughput(&n, "HIGH")
		}
	case "business_capability_update":
		cmp.Or(v.PerBusiness, v.PerPhone).into(&n)
	case "account_alerts":
		alert = join(cmp.Or(v.Alert.Type, v.AlertType), cmp.Or(v.Alert.Text, v.AlertText))
	default: // account_update
		if alert = shout(event); alert == "" {
			return
		}
		if v.Violation.Type != "" {
			alert += " " + v.Violation.Type
		}
		for _, r := range v.Restrictions {
			alert += " " + r.Type
		}
	}
	if alert != "" {
		n.Alert, n.AlertAt = wire.NewScrubber(nil).Clean(alert), at
	}
	if n != (peal.NumberState{At: at, Phone: n.Phone}) {
		p.facts = append(p.facts, provider.Fact{Number: &n})
	}
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

// shout reads a word of Meta's; empty when it is none.
func shout(s string) string { return strings.ToUpper(word(s)) }

// plain is a number's digits.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 15)]
}

// NumberWarning says that an integration sends faster than Meta takes it of its number.
func (Kind) NumberWarning(in *peal.Integration, n *peal.NumberState) string {
	if n.Throughput == 0 || in.Limit.Period <= 0 {
		return ""
	}
	pace := float64(in.Limit.Rate) / in.Limit.Period.Seconds()
	switch most := strconv.Itoa(n.Throughput); {
	case in.Limit.Rate == 0:
		return "the integration has no limit, and Meta takes " + most + " messages a second of this number; set limit"
	case pace > float64(n.Throughput):
		return "the limit lets more go than the " + most + " messages a second that Meta takes of this number; lower it"
	default:
		return ""
	}
}
