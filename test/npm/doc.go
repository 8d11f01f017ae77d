// Package npm checks Peal's provider emulators and its Web Push client against
// npm packages that other people wrote. All of it is in the tests: each runs a
// script with node. Enable them with "npm ci" in this folder.
package npm
