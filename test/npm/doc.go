// Package npm checks Peal's provider emulators against npm packages that other
// people wrote. All of it is in the test: it starts an emulator and runs
// crosscheck.mjs against it with node. Enable it with "npm ci" in this folder.
package npm
