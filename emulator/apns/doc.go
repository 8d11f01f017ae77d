// Package apns is a stand-in for APNs.
package apns
