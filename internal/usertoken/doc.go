// Package usertoken is the tokens by which apps speak for their users: JWTs that a tenant's backend signs with a key of its
// own, so that no API key is ever in an app.
//
// A token names its key (kid), its user (sub), when it was made (iat) and when it ends (exp), at most a day later. What it
// is signed with is the key's to say, never the token's.
package usertoken
