// Package outbound tells the tenants' own systems what happens: it calls their endpoints, by the scheme of Standard Webhooks
// (https://www.standardwebhooks.com).
//
// The tenant's event log is the queue. Each endpoint has a cursor in it, and one node at a time that calls it. What is told
// of one subject, such as a delivery, is told in order, one after the other; other subjects do not wait for it. What fails
// becomes a message of its own that is tried again later, and what follows it of the same subject stands behind it; so the
// cursor moves on. An endpoint that fails again and again is read for no more, and only probed, until it answers or is
// disabled. Endpoints share nothing but the machine: a slow one delays nobody else's.
//
// An event is told at least once, always under the same id.
package outbound
