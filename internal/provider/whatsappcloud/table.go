package whatsappcloud

import (
	"strconv"
	"time"

	"peal/internal/peal"
)

// meaning is what one of Meta's error codes comes to.
type meaning struct {
	class peal.Class
	pause peal.PauseCode
	quiet string
	wait  time.Duration // before the next try, where the answer names none
	grow  peal.Growth   // of the waits that follow one another, where neither says
	tries int           // at most; 0: as many as the integration has
	ease  time.Duration // for which half the pace will do

	closed  bool // the 24-hour window is
	stopped bool // the recipient wants no marketing
}

// Meta asks for some minutes in these cases.
const (
	upgradeWait = time.Minute     // a number is being upgraded, which takes about a minute
	syncWait    = 3 * time.Minute // a template is being synchronised, which takes up to ten; there are some attempts
	pairWait    = 6 * time.Second // in which a recipient may get one more
	easeTime    = time.Minute     // at half the pace, after the throughput was too high
	mediaTries  = 3               // the first and two more
)

// meaningOf is Meta's error table. The code decides, never the text or the HTTP status: sources disagree about the one, and
// Meta changes the other. known is false for a code that is not in it.
func meaningOf(code, subcode int) (m meaning, known bool) {
	var (
		permanent   = meaning{class: peal.ClassPermanent}
		temporary   = meaning{class: peal.ClassTemporary}
		throttled   = meaning{class: peal.ClassThrottled, pause: peal.PauseThrottled}
		credentials = meaning{class: peal.ClassIntegration, pause: peal.PauseCredentials}
		blocked     = meaning{class: peal.ClassIntegration, pause: peal.PauseBlocked}
	)
	switch code {
	case 0, 102, 104, 190: // the token is wrong or has expired
		return credentials, true
	case 3, 10, 131005: // it lacks a permission; 200 to 299 below
		return credentials, true
	case 4, 80007, 130429: // throughput of app, account, number
		throttled.ease = easeTime
		return throttled, true
	case 131057: // the number is being upgraded
		throttled.wait = upgradeWait
		return throttled, true
	case 131056: // too many to this recipient: the burst was borrowed, and is paid back at one in 6 s. Each time is waited longer
		throttled.quiet, throttled.grow = peal.QuietRecipient, peal.Growth{Base: pairWait, Most: time.Hour, Factor: 4}
		return throttled, true
	case 131042:
		return meaning{class: peal.ClassIntegration, pause: peal.PausePayment}, true
	case 368, 131031, 131063: // policy: blocked, locked, restricted
		return blocked, true
	case 131048: // people have blocked or reported the number, and what goes on makes it worse. Of marketing see spared
		return blocked, true
	case 33: // the sending number has been deleted
		return blocked, true
	case 2500, 2635: // no such path, and a version that is over: base_url or graph_version is wrong
		return blocked, true
	case 100:
		if subcode == 33 { // there is no such number, or not for this token
			return blocked, true
		}
		return permanent, true
	case 131037, 131045: // the number's name or certificate
		return blocked, true
	case 133004: // registration is unavailable for a while
		return temporary, true
	case 1, 2, 131000, 131016:
		return temporary, true
	case 131052, 131053: // a medium could not be fetched; it may be there again soon, or else never
		temporary.tries = mediaTries
		return temporary, true
	case 134101:
		temporary.wait = syncWait
		return temporary, true
	case 131008, 131009, 131021, 131051, 131062: // the request
		return permanent, true
	case 470, 131047: // the 24-hour window is closed
		permanent.closed = true
		return permanent, true
	case 131050: // this user has stopped marketing messages
		permanent.stopped = true
		return permanent, true
	case 131026, 130472, 131049: // this user is not to be had, or not now
		return permanent, true
	case 130497: // the account may not write to this country. It may to others, so it is not paused
		return permanent, true
	case 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069: // the template
		return permanent, true
	}
	switch {
	case code >= 200 && code <= 299:
		return credentials, true
	case code >= 133000 && code <= 133016: // the number's registration
		return blocked, true
	default:
		return meaning{}, false
	}
}

// codeText is a code as deliveries show it.
func codeText(code int) string { return strconv.Itoa(code) }
