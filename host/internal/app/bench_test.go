package app_test

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// What every request pays to know who makes it.
func BenchmarkResolve(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	v.Become(jane)
	for b.Loop() {
		if !v.Who().Switched() {
			b.Fatal("not switched")
		}
	}
}

// The same without a switch, when a request also learns whether there are notices to read.
func BenchmarkResolveAsOneself(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	for b.Loop() {
		if v.Who().Switched() {
			b.Fatal("switched")
		}
	}
}

// A switch and the way back: two new secrets, two records, two audit entries, two transactions.
func BenchmarkSwitchAndReturn(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	for b.Loop() {
		v.Become(jane)
		v.Return()
	}
}
