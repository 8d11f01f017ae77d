// Package peal is the vocabulary: notification, delivery, states, outcome classes, integration, errors and ids.
//
// It has no I/O and no interfaces; every other package speaks in its words. The states and who may move them are
// told in docs/states.md, and held by Status.After in status.go.
package peal
