package standin

import (
	"bytes"
	"fmt"
	"strconv"

	"peal/bench/internal/http1"
	"peal/bench/internal/tally"
)

// The vendor's message ids are small integers. Ours hold the recipient's number, so that a look-up needs no memory.
const firstMsgID = 100_000_000

const (
	takenBody = `{"success":true,"data":{"msgId":100000000,"jid":"` + tally.PhonePrefix + `00000000","status":"in_progress"}}`
	infoPath  = "/api/messages/"
	infoEnd   = "/info"
)

// answerer builds a connection's answers in buffers of its own.
type answerer struct {
	s          *Server
	taken      []byte // the answer to a message, all but its two numbers
	msgID, jid []byte // where in taken they are
	other      []byte
}

func newAnswerer(s *Server) *answerer {
	a := &answerer{s: s, taken: appendResponse(nil, "200 OK", takenBody)}
	at := bytes.Index(a.taken, []byte(`"msgId":1`)) + len(`"msgId":1`)
	a.msgID = a.taken[at : at+tally.PhoneDigits]
	at = bytes.Index(a.taken, []byte(tally.PhonePrefix)) + len(tally.PhonePrefix)
	a.jid = a.taken[at : at+tally.PhoneDigits]
	return a
}

func appendResponse(dst []byte, status, body string) []byte {
	return fmt.Appendf(dst, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// answer is valid until the next call.
func (a *answerer) answer(req *http1.Request) []byte {
	method, target := string(req.Method), string(req.Target)
	switch {
	case method == "POST" && target == "/api/send-message":
		return a.take(req.Body)
	case method == "GET" && target == "/api/status":
		a.s.lookups.Add(1)
		a.other = appendResponse(a.other[:0], "200 OK", `{"status":"connected"}`)
	case method == "GET" && len(target) > len(infoPath)+len(infoEnd) &&
		target[:len(infoPath)] == infoPath && target[len(target)-len(infoEnd):] == infoEnd:
		a.info(target[len(infoPath) : len(target)-len(infoEnd)])
	default:
		a.s.unknown.Add(1)
		a.other = appendResponse(a.other[:0], "404 Not Found", `{"success":false,"message":"Not found"}`)
	}
	return a.other
}

// take notes a message's arrival before anything else is done with it.
func (a *answerer) take(body []byte) []byte {
	phone := int64(0)
	run, seq, ok := tally.FindMarker(body)
	t := a.s.tally.Load()
	if !ok || t == nil || run != t.Run() || !t.Arrived(seq, t.Now()) {
		a.s.strays.Add(1)
	} else {
		phone = int64(t.Phone(seq))
	}
	tally.PutDigits(a.msgID, phone)
	tally.PutDigits(a.jid, phone)
	return a.taken
}

// info answers a look-up of a message by its id, as the vendor documents it.
func (a *answerer) info(id string) {
	msgID, err := strconv.ParseInt(id, 10, 64)
	if err != nil || msgID < firstMsgID {
		a.s.unknown.Add(1)
		a.other = appendResponse(a.other[:0], "404 Not Found", `{"success":false,"message":"Message not found"}`)
		return
	}
	a.s.lookups.Add(1)
	const info = `{"success":true,"data":{"remoteJid":"%[1]s","id":"%[2]s","msgId":%[3]d,` +
		`"key":{"id":"%[2]s","fromMe":true,"remoteJid":"%[1]s"},"message":{},"messageTimestamp":"1751297488","status":2}}`
	jid := fmt.Sprintf("%s%08d@s.whatsapp.net", tally.PhonePrefix[1:], msgID-firstMsgID)
	a.other = appendResponse(a.other[:0], "200 OK", fmt.Sprintf(info, jid, fmt.Sprintf("3EB0%016X", msgID), msgID))
}
