// Package arch holds the house together: its test reads every Go file of the repository and fails when an import points
// up, a package has no description, a file grows over the wall, or another rule of the house is broken.
//
// The test parses the files itself. One that shells out to `go list` is served from Go's test cache and misses a bad
// import.
package arch
