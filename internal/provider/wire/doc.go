// Package wire is what the providers' clients have in common where they make calls: bodies that know whether they were
// written, what a call without an answer came to, answers read up to a bound.
package wire
