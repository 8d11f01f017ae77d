package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of RFC 8188 and 8291. Every push service takes 4096 bytes of body; the header of the encoding and the tag leave
// 3993 for the text and one for the mark at its end.
const (
	maxBody      = 4096
	recordSize   = 4096
	saltSize     = 16
	authSize     = 16
	pointSize    = 65
	headerSize   = saltSize + 4 + 1 + pointSize
	tagSize      = 16
	maxPlaintext = maxBody - headerSize - tagSize - 1

	// bucket is what texts are padded to multiples of, mark included, so that their length tells little. Padding all of
	// them to the end would make each push 4 KB, and bridges may take less than that.
	bucket = 256
	mark   = 0x02 // the last record's
)

// errTooLong says that a text does not fit into one record.
var errTooLong = errors.New("webpush: the text is longer than a push may be")

// seal encrypts for a subscription with a fresh key, padded to its bucket.
func seal(plain []byte, receiver *ecdh.PublicKey, auth []byte) ([]byte, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webpush: make a key: %w", err)
	}
	var salt [saltSize]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, fmt.Errorf("webpush: make a salt: %w", err)
	}
	return encrypt(plain, receiver, auth, sender, salt, padded(len(plain)))
}

// padded is the length of a text of n bytes with mark and padding.
func padded(n int) int { return min((n/bucket+1)*bucket, maxPlaintext+1) }

// encrypt is seal with everything that is random given, and the length to pad to, mark included.
func encrypt(plain []byte, receiver *ecdh.PublicKey, auth []byte, sender *ecdh.PrivateKey, salt [saltSize]byte, to int) ([]byte, error) {
	if len(plain) > maxPlaintext || to <= len(plain) {
		return nil, errTooLong
	}
	shared, err := sender.ECDH(receiver)
	if err != nil {
		return nil, fmt.Errorf("webpush: agree on a key: %w", err)
	}
	from := sender.PublicKey().Bytes()
	key, nonce, err := derive(shared, auth, receiver.Bytes(), from, salt[:])
	if err != nil {
		return nil, fmt.Errorf("webpush: derive keys: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	b := make([]byte, headerSize+to, headerSize+to+tagSize) // what is made is zero, as padding is
	copy(b, salt[:])
	binary.BigEndian.PutUint32(b[saltSize:], recordSize)
	b[saltSize+4] = pointSize
	copy(b[saltSize+5:], from)
	n := copy(b[headerSize:], plain)
	b[headerSize+n] = mark
	return gcm.Seal(b[:headerSize], nonce, b[headerSize:], nil), nil
}

// derive gives the content's key and nonce (RFC 8291, section 3.4).
func derive(shared, auth, receiver, sender, salt []byte) (key, nonce []byte, err error) {
	info := make([]byte, 0, 14+2*pointSize)
	info = append(info, "WebPush: info\x00"...)
	info = append(append(info, receiver...), sender...)
	ikm, err := hkdf.Key(sha256.New, shared, auth, string(info), 32)
	if err != nil {
		return nil, nil, err
	}
	prk, err := hkdf.Extract(sha256.New, ikm, salt)
	if err != nil {
		return nil, nil, err
	}
	if key, err = hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16); err != nil {
		return nil, nil, err
	}
	nonce, err = hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	return key, nonce, err
}
