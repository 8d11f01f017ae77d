package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	saltLen  = 16
	tagLen   = 16
	pointLen = 65 // an uncompressed point of P-256
	// headerLen is that of RFC 8188 with a public key as the key id.
	headerLen = saltLen + 4 + 1 + pointLen
	// lastRecord ends the text of the last record; padding follows.
	lastRecord = 0x02
)

// plaintext is a decrypted body.
type plaintext struct {
	text    []byte
	padding int // bytes of zeros after the text, the delimiter not counted
}

// header is the start of an aes128gcm body (RFC 8188, section 2.1).
type header struct {
	salt   []byte
	sender *ecdh.PublicKey
	raw    []byte // the sender's key as it came
	rest   []byte
}

// readHeader checks what needs no key: a push service that only forwards could
// know as much.
func readHeader(body []byte) (header, error) {
	if len(body) < headerLen {
		return header{}, fmt.Errorf("body: %d bytes, the header alone has %d", len(body), headerLen)
	}
	if n := body[saltLen+4]; n != pointLen {
		return header{}, fmt.Errorf("keyid: must be the sender's public key of %d bytes, is %d", pointLen, n)
	}
	h := header{salt: body[:saltLen], raw: body[saltLen+5 : headerLen], rest: body[headerLen:]}
	sender, err := ecdh.P256().NewPublicKey(h.raw)
	if err != nil {
		return header{}, errors.New("keyid: not an uncompressed point of P-256")
	}
	h.sender = sender
	rs := binary.BigEndian.Uint32(body[saltLen:])
	switch {
	case rs < tagLen+2:
		return header{}, fmt.Errorf("rs: %d, must be %d at least", rs, tagLen+2)
	case len(h.rest) < tagLen+1:
		return header{}, fmt.Errorf("record: %d bytes, must be %d at least", len(h.rest), tagLen+1)
	case uint64(len(h.rest)) > uint64(rs):
		// RFC 8291, section 4: exactly one record.
		return header{}, fmt.Errorf("record: %d bytes are more than one record of rs %d", len(h.rest), rs)
	}
	return h, nil
}

// decrypt opens a body of RFC 8291 with the keys of the browser.
func decrypt(key *ecdh.PrivateKey, auth, body []byte) (plaintext, error) {
	h, err := readHeader(body)
	if err != nil {
		return plaintext{}, err
	}
	return h.open(key, auth)
}

func (h header) open(key *ecdh.PrivateKey, auth []byte) (plaintext, error) {
	shared, err := key.ECDH(h.sender)
	if err != nil {
		return plaintext{}, errors.New("keyid: no shared secret with this key")
	}
	info := make([]byte, 0, 14+2*pointLen)
	info = append(info, "WebPush: info\x00"...)
	info = append(info, key.PublicKey().Bytes()...)
	info = append(info, h.raw...)
	ikm, err := hkdf.Key(sha256.New, shared, auth, string(info), sha256.Size)
	if err != nil {
		return plaintext{}, fmt.Errorf("derive the input key: %w", err)
	}
	prk, err := hkdf.Extract(sha256.New, ikm, h.salt)
	if err != nil {
		return plaintext{}, fmt.Errorf("extract: %w", err)
	}
	cek, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return plaintext{}, fmt.Errorf("derive the content key: %w", err)
	}
	nonce, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return plaintext{}, fmt.Errorf("derive the nonce: %w", err)
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return plaintext{}, fmt.Errorf("cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return plaintext{}, fmt.Errorf("cipher: %w", err)
	}
	padded, err := gcm.Open(nil, nonce, h.rest, nil) // the first and only record: its number changes no bit of the nonce
	if err != nil {
		return plaintext{}, errors.New("record: cannot be decrypted with the keys of this subscription")
	}
	end := len(padded) - 1
	for end >= 0 && padded[end] == 0 {
		end--
	}
	if end < 0 || padded[end] != lastRecord {
		return plaintext{}, errors.New("record: does not end with the delimiter of a last record")
	}
	return plaintext{text: padded[:end:end], padding: len(padded) - 1 - end}, nil
}
