// Package integration keeps the tenants' accounts at their providers: it checks and seals them, and holds the view of
// them, opened, that the stages work with.
//
// The view is in memory: the hot paths and the webhook doors ask no database. It is read again after every change and
// now and then, for another node may have changed something.
package integration
