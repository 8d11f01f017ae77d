// Package npm checks Peal's provider emulators against npm packages that other
// people wrote. All of it is in the tests: each starts an emulator and runs its
// script against it with node. Enable them with "npm ci" in this folder.
package npm
