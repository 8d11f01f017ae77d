package peal

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// NewID makes a time-ordered id (UUIDv7, RFC 9562) for a notification, tenant, key or integration.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String() // fails only when the system has no randomness
}

// DeliveryID derives the id of the delivery of a notification to one endpoint over one integration.
//
// The same three always give the same id, so a repeated plan writes the same rows. Its first 64 bits (time and
// sequence) are the notification's: ids sort by time, and a notification's deliveries stand side by side in the
// primary key (see DeliveryRange). The rest is a hash; version and variant are UUIDv7's.
func DeliveryID(notificationID, integrationID, endpoint string) (string, error) {
	id, err := uuid.Parse(notificationID)
	if err != nil {
		return "", Errorf(Invalid, "notification id %q is no UUID", notificationID)
	}
	sum := sha256.Sum256([]byte(notificationID + "\x00" + integrationID + "\x00" + endpoint))
	copy(id[8:], sum[:8])
	id[8] = id[8]&0x3f | 0x80
	return id.String(), nil
}

// DeliveryRange gives the smallest and largest id that a delivery of the notification can have. A neighbour may lie
// in it too (two nodes in the same instant), so ask for the notification id as well.
func DeliveryRange(notificationID string) (from, to string, err error) {
	id, err := uuid.Parse(notificationID)
	if err != nil {
		return "", "", Errorf(NotFound, "notification id %q is no UUID", notificationID)
	}
	low, high := id, id
	for i := 8; i < 16; i++ {
		low[i], high[i] = 0, 0xff
	}
	return low.String(), high.String(), nil
}
