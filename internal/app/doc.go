// Package app puts Peal together from its configuration: the only package that knows everyone.
package app
