package main

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"peal/api"
)

// SettingsFlags are an integration's knobs.
type SettingsFlags struct {
	BaseURL        string        `name:"base-url" placeholder:"URL" help:"Where the provider's API is."`
	Rate           string        `name:"rate" placeholder:"N/PERIOD" help:"Most sends in any window: 45/1s, 256/1m; 0 for no limit."`
	Burst          int           `name:"burst" placeholder:"COUNT" help:"How many may go back to back after a quiet time; with --rate."`
	RecipientRate  string        `name:"recipient-rate" placeholder:"N/PERIOD" help:"Most sends to each recipient on its own, once its burst is used up: 1/6s; 0 for no limit. Who is over it waits, the others go on."`
	RecipientBurst int           `name:"recipient-burst" placeholder:"COUNT" help:"How many may go to a recipient at once after a quiet time; with --recipient-rate."`
	LookupRate     string        `name:"lookup-rate" placeholder:"N/PERIOD" help:"Most look-ups in any window."`
	ReceiptTimeout string        `name:"receipt-timeout" placeholder:"DURATION" help:"wasender, whatsapp_cloud: how long after a send a receipt should have come; what has none by then is looked up. 0s: never."`
	Concurrency    int           `name:"concurrency" placeholder:"COUNT" help:"Calls in flight at once."`
	CallTimeout    time.Duration `name:"call-timeout" placeholder:"DURATION" help:"Longest call to the provider."`
	MaxAttempts    int           `name:"max-attempts" placeholder:"COUNT" help:"Attempts before a delivery becomes a dead letter."`
	RetryBase      time.Duration `name:"retry-base" placeholder:"DURATION" help:"Wait before the second attempt; then three times as long each."`
	RetryCap       time.Duration `name:"retry-cap" placeholder:"DURATION" help:"Longest wait between attempts."`
	App            []string      `name:"app" sep:"none" placeholder:"ID" help:"Of fcm, apns, webpush: an app that it serves; may be repeated. Without, it serves all that no other integration names."`
	CA             string        `name:"ca" placeholder:"FILE" help:"Certificates (PEM) that the provider's may be signed by, beside the system's."`
	StopWord       []string      `name:"stop-word" sep:"none" placeholder:"WORD" help:"WhatsApp: a word with which people opt out, in place of those that Peal knows; may be repeated."`
	StartWord      []string      `name:"start-word" sep:"none" placeholder:"WORD" help:"WhatsApp: a word with which they opt in again; may be repeated."`
	RequireOptIn   []string      `name:"require-opt-in" sep:"none" placeholder:"CATEGORY" help:"WhatsApp: messages of this category (marketing, utility, authentication) only go to who has opted in; may be repeated."`
	CloudFlags     `embed:""`
	OnUnknown      string `name:"on-unknown" enum:",reconcile,hold,resend" default:"" placeholder:"WHAT" help:"What to do when the outcome of a call is unknown: reconcile (wait for a receipt that proves it), hold (leave it to a person) or resend."`
}

// CloudFlags are the settings that only whatsapp_cloud has.
type CloudFlags struct {
	PhoneNumberID string `name:"phone-number-id" placeholder:"ID" help:"whatsapp_cloud: the sending number's id at Meta."`
	WABAID        string `name:"waba-id" placeholder:"ID" help:"whatsapp_cloud: the WhatsApp Business Account's id."`
	GraphVersion  string `name:"graph-version" placeholder:"VERSION" help:"whatsapp_cloud: version of the Graph API, such as v26.0."`
	MessagesPath  string `name:"messages-path" placeholder:"PATH" help:"whatsapp_cloud: where a gateway takes messages, in place of Meta's path; 360dialog: /messages."`
	AuthHeader    string `name:"auth-header" placeholder:"NAME" help:"whatsapp_cloud: the header in which a gateway wants the bare token; 360dialog: D360-API-KEY."`
	Window        string `name:"window" enum:",enforce,off" default:"" placeholder:"WHAT" help:"whatsapp_cloud: enforce (do not call for free text outside of the 24-hour window; the default) or off (leave it to Meta)."`
}

// cloud makes the API's settings; nil when no flag was given.
func (f *CloudFlags) cloud() *api.WhatsAppCloud {
	if *f == (CloudFlags{}) {
		return nil
	}
	s := api.WhatsAppCloud(*f)
	return &s
}

// settings makes the API's settings; some says whether there is one among them.
func (f *SettingsFlags) settings() (s api.Settings, some bool, err error) {
	s = api.Settings{
		BaseURL: f.BaseURL, Concurrency: f.Concurrency, MaxAttempts: f.MaxAttempts,
		Timeout: durationText(f.CallTimeout), RetryBase: durationText(f.RetryBase), RetryCap: durationText(f.RetryCap), OnUnknown: f.OnUnknown, ReceiptTimeout: f.ReceiptTimeout,
	}
	s.Apps, s.WhatsAppCloud = f.App, f.cloud()
	s.StopWords, s.StartWords, s.RequireOptIn = f.StopWord, f.StartWord, f.RequireOptIn
	if f.CA != "" {
		if s.CA, err = readCA(f.CA); err != nil {
			return s, false, err
		}
	}
	if s.Limit, err = parseRate("--rate", f.Rate); err != nil {
		return s, false, err
	}
	if s.LookupLimit, err = parseRate("--lookup-rate", f.LookupRate); err != nil {
		return s, false, err
	}
	each, err := parseRate("--recipient-rate", f.RecipientRate)
	switch {
	case err != nil:
		return s, false, err
	case each != nil:
		s.RecipientLimit = &api.RecipientLimit{Rate: each.Rate, Period: each.Period, Burst: f.RecipientBurst}
	case f.RecipientBurst != 0:
		return s, false, usagef("--recipient-burst goes with --recipient-rate")
	}
	if f.Burst != 0 {
		if s.Limit == nil {
			return s, false, usagef("--burst goes with --rate")
		}
		s.Limit.Burst = f.Burst
	}
	return s, !reflect.DeepEqual(s, api.Settings{}), nil
}

// readCA reads a file of certificates.
func readCA(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", usagef("--ca: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	pem, err := readCredential(f)
	if err != nil {
		return "", usagef("--ca: %w", err)
	}
	return pem, nil
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// parseRate reads "45/1s" or "45" (a second); nil for nothing.
func parseRate(flag, text string) (*api.Limit, error) {
	if text == "" {
		return nil, nil
	}
	count, period, found := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, usagef("%s: %q is no rate; write it like 45/1s or 256/1m", flag, text)
	}
	limit := &api.Limit{Rate: n}
	if found {
		if len(period) > 0 && (period[0] < '0' || period[0] > '9') {
			period = "1" + period // 45/s
		}
		d, err := time.ParseDuration(period)
		if err != nil || d <= 0 {
			return nil, usagef("%s: %q is no rate; write it like 45/1s or 256/1m", flag, text)
		}
		limit.Period = d.String()
	}
	return limit, nil
}

// recipientText is a recipients' limit as parseRate reads it.
func recipientText(l *api.RecipientLimit) string {
	if l == nil {
		return ""
	}
	return rateText(&api.Limit{Rate: l.Rate, Period: l.Period, Burst: l.Burst})
}

// rateText is a limit as parseRate reads it.
func rateText(l *api.Limit) string {
	switch {
	case l == nil:
		return ""
	case l.Rate == 0:
		return "no limit"
	}
	s := strconv.Itoa(l.Rate) + "/"
	if l.Period == "" {
		s += "1s"
	} else {
		s += l.Period
	}
	if l.Burst > 0 {
		s += fmt.Sprintf(", burst %d", l.Burst)
	}
	return s
}
