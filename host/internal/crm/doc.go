// Package crm holds the nouns of the CRM and their rules. It does no I/O and owns no clock: what
// depends on time takes it as an argument.
package crm
