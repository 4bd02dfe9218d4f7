package module

import (
	"fmt"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func BenchmarkDecideSwitch(b *testing.B) {
	s := newStage(b, nil)
	s.active(kit{})
	who := s.ann.Who()
	q := crm.SwitchQuestion{Actor: who.Actor, Target: who.Actor, Reason: "testing"}
	for b.Loop() {
		if _, err := s.m.DecideSwitch(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMeasure is what counting and timing adds to each call: to be read against the one above.
func BenchmarkMeasure(b *testing.B) {
	m := newMeter("sample")
	b.ReportAllocs()
	for b.Loop() {
		m.done(callDecideSwitch, time.Now(), nil)
	}
}

func BenchmarkPage(b *testing.B) {
	s := newStage(b, nil)
	s.active(kit{})
	q := PageRequest{Module: "sample", Method: "GET", Path: "/pick", Viewer: s.viewer()}
	for b.Loop() {
		answer, err := s.m.servePage(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		answer.Body.Close()
	}
}

func BenchmarkNavbar(b *testing.B) {
	for _, count := range []int{1, 50} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			surface := &Surface{}
			for i := range count {
				m := *surfaceOf(b).modules[0]
				m.id = fmt.Sprintf("m%02d", i)
				surface.modules = append(surface.modules, &m)
			}
			v := viewers()["admin"]
			b.ReportAllocs()
			for b.Loop() {
				if len(surface.Navbar(v)) != count {
					b.Fatal("items are missing")
				}
			}
		})
	}
}

func BenchmarkColdStart(b *testing.B) {
	s := newStage(b, nil)
	module := s.install(kit{})
	u := s.m.unit(module)
	for b.Loop() {
		r, err := s.m.start(b.Context(), u, module)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		r.stop(false)
		b.StartTimer()
	}
}
