// Package docs holds the written pages to the code: links lead somewhere, folders and packages that are named exist, and
// every error code, setting, metric, state and class of outcome is told where the reader looks for it.
//
// Everything is in the tests.
package docs
