// Package catalogue knows the templates that accounts at providers have: which there are, what each takes, and whether it
// can be sent now.
//
// They are read from the provider when an integration is made or changed, every few hours, and soon after something says
// that they may be others: a webhook, a call's answer, a request for one that is not known. One node reads; all hold them
// in memory, so that neither accept nor send asks a database for each message.
package catalogue
