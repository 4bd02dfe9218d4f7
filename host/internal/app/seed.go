package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SeedWish says how many invented people and companies to add.
type SeedWish struct {
	Customers, Contacts, Staff int
	// Among lets them be added to people who are there already.
	Among bool
}

// rowsAtOnce is how many invented rows one transaction adds: others write in between.
const rowsAtOnce = 20_000

// Seed adds invented people, to try how the site behaves with many. The same wish on an empty site
// gives the same people; nobody of them has a password. Conflict seed_has_people when there is
// anybody already and the wish doesn't say to add to them. progress is told after each step; what
// was added before a failure stays.
func (a *App) Seed(ctx context.Context, w SeedWish, progress func(done, total int)) error {
	if w.Customers < 0 || w.Contacts < 0 || w.Staff < 0 || (w.Contacts > 0 && w.Customers == 0) {
		return crm.Refuse(crm.Invalid, "seed_count_invalid")
	}
	peopled, err := a.store.Read().Peopled(ctx)
	if err != nil {
		return err
	}
	if peopled && !w.Among {
		return crm.Refuse(crm.Conflict, "seed_has_people")
	}
	numbers, err := a.store.Read().LastNumbers(ctx)
	if err != nil {
		return err
	}
	s := seeding{app: a, wish: w, from: numbers, progress: progress}
	for _, step := range []func(context.Context) error{s.staff, s.customers, s.contacts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := a.store.RebuildSearch(ctx); err != nil {
		return err
	}
	return a.change(ctx, crm.Operator(), "people_seeded", func(store.Tx) (string, map[string]string, error) {
		return "", map[string]string{"customers": strconv.Itoa(w.Customers), "contacts": strconv.Itoa(w.Contacts), "staff": strconv.Itoa(w.Staff)}, nil
	})
}

// seeding is one Seed under way.
type seeding struct {
	app       *App
	wish      SeedWish
	from      store.LastNumbers
	companies []int64
	done      int
	progress  func(done, total int)
}

// inSteps adds count rows, a transaction each rowsAtOnce.
func (s *seeding) inSteps(ctx context.Context, count int, add func(tx store.Tx, from, until int) error) error {
	for from := 0; from < count; from += rowsAtOnce {
		until := min(from+rowsAtOnce, count)
		err := s.app.store.Write(ctx, func(tx store.Tx) error {
			if err := tx.StaleSearch(ctx); err != nil {
				return err
			}
			return add(tx, from, until)
		})
		if err != nil {
			return err
		}
		s.done += until - from
		s.progress(s.done, s.wish.Staff+s.wish.Customers+s.wish.Contacts)
	}
	return nil
}

func (s *seeding) staff(ctx context.Context) error {
	return s.inSteps(ctx, s.wish.Staff, func(tx store.Tx, from, until int) error {
		var list []crm.StaffMember
		for i := from; i < until; i++ {
			n := s.from.Staff + 1 + int64(i)
			d := newDraw('s', n)
			name, address := d.person()
			list = append(list, crm.StaffMember{
				Name: name, Email: fmt.Sprintf("%s.%d@staff.example", address, n), Active: d.chance(95), CreatedAt: s.app.Now(),
			})
		}
		return tx.InsertStaffMembers(ctx, list)
	})
}

func (s *seeding) customers(ctx context.Context) error {
	return s.inSteps(ctx, s.wish.Customers, func(tx store.Tx, from, until int) error {
		var list []crm.Customer
		for i := from; i < until; i++ {
			d := newDraw('u', s.from.Customers+1+int64(i))
			list = append(list, crm.Customer{Company: d.company(), City: d.of(seedCities), Active: d.chance(98), CreatedAt: s.app.Now()})
		}
		ids, err := tx.InsertCustomers(ctx, list)
		s.companies = append(s.companies, ids...)
		return err
	})
}

func (s *seeding) contacts(ctx context.Context) error {
	return s.inSteps(ctx, s.wish.Contacts, func(tx store.Tx, from, until int) error {
		var list []crm.ContactPerson
		for i := from; i < until; i++ {
			n := s.from.Contacts + 1 + int64(i)
			d := newDraw('c', n)
			name, address := d.person()
			list = append(list, crm.ContactPerson{
				CustomerID: s.companies[i%len(s.companies)], Name: name, Email: fmt.Sprintf("%s.%d@mail%d.example", address, n, d.below(40)),
				Primary: i < len(s.companies), Active: d.chance(97), CreatedAt: s.app.Now(),
			})
		}
		return tx.InsertContacts(ctx, list)
	})
}

// draw is a row's own source of chance: what it gives depends on the row's kind and number alone.
type draw uint64

func newDraw(kind byte, n int64) *draw {
	d := draw(uint64(n)<<8 | uint64(kind))
	return &d
}

// below gives a number below n, by SplitMix64.
func (d *draw) below(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func (d *draw) chance(percent int) bool { return d.below(100) < percent }

func (d *draw) of(list []string) string { return list[d.below(len(list))] }

// person invents a name and the beginning of an address.
func (d *draw) person() (name, address string) {
	switch names := latinNames; d.below(10) {
	case 0:
		return d.of(arabicNames.first) + " " + d.of(arabicNames.last), "a"
	case 1:
		return d.of(cyrillicNames.first) + " " + d.of(cyrillicNames.last), "c"
	default:
		first, last := d.of(names.first), d.of(names.last)
		if d.chance(25) {
			last += " " + d.of(names.last)
		}
		return first + " " + last, seedASCII.Replace(strings.ToLower(first + "." + last))
	}
}

func (d *draw) company() string {
	name := d.of(latinNames.last)
	if d.chance(40) {
		name += " & " + d.of(latinNames.last)
	}
	return name + " " + d.of(companyTrades) + " " + d.of(companyForms)
}
