package tally

import "bytes"

// The marker stands in every message's text. All its fields have a fixed width, so a request can be built once and
// patched ever after.
const (
	markStart = "peal-bench run="
	markSeq   = " seq="
	markSent  = " sent="

	RunDigits  = 4
	SeqDigits  = 10
	SentDigits = 16

	runAt  = len(markStart)
	SeqAt  = runAt + RunDigits + len(markSeq)
	SentAt = SeqAt + SeqDigits + len(markSent)

	MarkerLen = SentAt + SentDigits
)

// Everybody is the sequence number in a message that goes to all devices: an arrival's own number is its device's.
const Everybody = 9_999_999_999

// AppendMarker appends the marker of a run with zeros for the sequence number and the time it was sent.
func AppendMarker(dst []byte, run int) []byte {
	start := len(dst)
	dst = append(dst, markStart...)
	dst = appendZeros(dst, RunDigits)
	dst = append(dst, markSeq...)
	dst = appendZeros(dst, SeqDigits)
	dst = append(dst, markSent...)
	dst = appendZeros(dst, SentDigits)
	PutDigits(dst[start+runAt:start+runAt+RunDigits], int64(run))
	return dst
}

// FindMarker looks for a marker and reads its run and sequence numbers.
func FindMarker(body []byte) (run, seq int, ok bool) {
	at := bytes.Index(body, []byte(markStart))
	if at < 0 || len(body)-at < MarkerLen {
		return 0, 0, false
	}
	mark := body[at : at+MarkerLen]
	run, ok = digits(mark[runAt : runAt+RunDigits])
	if !ok {
		return 0, 0, false
	}
	seq, ok = digits(mark[SeqAt : SeqAt+SeqDigits])
	return run, seq, ok
}

// PutDigits fills dst with the last len(dst) decimal digits of v, with leading zeros.
func PutDigits(dst []byte, v int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
