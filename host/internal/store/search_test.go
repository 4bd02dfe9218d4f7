package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// crowd is what ought to be in the database, and finds people by looking at each.
type crowd struct {
	t         *testing.T
	site      *hosttest.Site
	random    *rand.Rand
	customers map[int64]crm.Customer
	contacts  map[int64]crm.ContactPerson
	staff     map[int64]crm.StaffMember
	written   int
	most      int // pages looked at of each list, 0 for all
}

func newCrowd(t *testing.T, s *hosttest.Site, seed uint64) *crowd {
	c := &crowd{t: t, site: s, random: rand.New(rand.NewPCG(seed, 0)), written: int(seed) * 100_000, customers: map[int64]crm.Customer{}, contacts: map[int64]crm.ContactPerson{}, staff: map[int64]crm.StaffMember{}}
	ctx, read := t.Context(), s.Store.Read()
	customers, err := read.Customers(ctx, crm.Query{Limit: 100})
	c.must(err)
	for _, u := range customers.Rows {
		c.customers[u.ID] = u
	}
	contacts, err := read.Contacts(ctx, 0, crm.Query{Limit: 100})
	c.must(err)
	for _, k := range contacts.Rows {
		c.contacts[k.ID] = k
	}
	staff, err := read.Staff(ctx, crm.Query{Limit: 100})
	c.must(err)
	for _, m := range staff.Rows {
		c.staff[m.ID] = m
	}
	return c
}

func (c *crowd) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// words are few, so that many names share them and their pieces.
var words = strings.Fields(`Ana Anna Hannah Anan Nana Bo bob Éva eva ÉVA Ива Иван علي عليا 100% _ % o'Neil X Zoë zo Müller muller Ana-Maria 你好 你`)

func (c *crowd) name() string {
	var parts []string
	for range 1 + c.random.IntN(3) {
		parts = append(parts, words[c.random.IntN(len(words))])
	}
	return strings.Join(parts, " ")
}

func pick[T comparable, V any](c *crowd, m map[T]V, less func(a, b T) int) T {
	keys := slices.SortedFunc(maps.Keys(m), less)
	return keys[c.random.IntN(len(keys))]
}

func (c *crowd) customer() int64 { return pick(c, c.customers, cmp.Compare[int64]) }
func (c *crowd) contact() int64  { return pick(c, c.contacts, cmp.Compare[int64]) }
func (c *crowd) member() int64   { return pick(c, c.staff, cmp.Compare[int64]) }

// change does some changes in one transaction, which may be undone.
func (c *crowd) change(changes int) {
	undone := crm.Refuse(crm.Conflict, "undone")
	undo := c.random.IntN(8) == 0
	customers, contacts, staff := maps.Clone(c.customers), maps.Clone(c.contacts), maps.Clone(c.staff)
	err := c.site.Store.Write(c.t.Context(), func(tx store.Tx) error {
		for range changes {
			c.one(tx)
		}
		if undo {
			return undone
		}
		return nil
	})
	if undo {
		c.customers, c.contacts, c.staff = customers, contacts, staff
		return
	}
	c.must(err)
}

func (c *crowd) one(tx store.Tx) {
	ctx := c.t.Context()
	c.written++
	email := fmt.Sprintf("%s%d@x.example", strings.ToLower(words[c.random.IntN(8)]), c.written)
	switch n := c.random.IntN(20); {
	case n < 7:
		k := crm.ContactPerson{CustomerID: c.customer(), Name: c.name(), Email: email, Active: c.random.IntN(4) > 0}
		id, err := tx.InsertContact(ctx, k)
		c.must(err)
		k.ID = id
		c.contacts[id] = k
	case n < 10:
		u := crm.Customer{Company: c.name(), City: c.name(), Active: c.random.IntN(4) > 0}
		id, err := tx.InsertCustomer(ctx, u)
		c.must(err)
		u.ID = id
		c.customers[id] = u
	case n < 12:
		m := crm.StaffMember{Name: c.name(), Email: email, Active: c.random.IntN(4) > 0}
		id, err := tx.InsertStaff(ctx, m)
		c.must(err)
		m.ID = id
		c.staff[id] = m
	case n < 14:
		k := c.contacts[c.contact()]
		k.Name, k.Email = c.name(), email
		c.must(tx.UpdateContact(ctx, k))
		c.contacts[k.ID] = k
	case n == 14:
		u := c.customers[c.customer()]
		u.Company, u.City = c.name(), c.name()
		c.must(tx.UpdateCustomer(ctx, u))
		c.customers[u.ID] = u
	case n == 15:
		u := c.customers[c.customer()]
		u.Active = !u.Active
		c.must(tx.SetCustomerActive(ctx, u.ID, u.Active))
		c.customers[u.ID] = u
	case n == 16:
		k := c.contacts[c.contact()]
		k.Active = !k.Active
		c.must(tx.SetActive(ctx, k.Key(), k.Active))
		c.contacts[k.ID] = k
	case n == 17:
		m := c.staff[c.member()]
		m.Name, m.Active = c.name(), !m.Active
		c.must(tx.SetStaffName(ctx, m))
		c.must(tx.SetActive(ctx, m.Key(), m.Active))
		c.staff[m.ID] = m
	case n == 18:
		k := c.contacts[c.contact()]
		k.Name = c.name()
		c.must(tx.SetContactProfile(ctx, k))
		c.contacts[k.ID] = k
	default:
		k := c.contacts[c.contact()]
		c.must(tx.DeleteContact(ctx, k.ID))
		delete(c.contacts, k.ID)
	}
}

// person is somebody to find.
type person struct {
	id         int64
	name, text string
}

func matching(list []person, term string) []person {
	list = slices.DeleteFunc(list, func(p person) bool {
		for _, word := range strings.Fields(strings.ToLower(term)) {
			if !strings.Contains(strings.ToLower(p.text), word) {
				return true
			}
		}
		return false
	})
	slices.SortFunc(list, func(a, b person) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), cmp.Compare(a.id, b.id))
	})
	return list
}

func (c *crowd) contactsLike(keep func(crm.ContactPerson) bool) (list []person) {
	for _, k := range c.contacts {
		if u := c.customers[k.CustomerID]; keep(k) {
			list = append(list, person{k.ID, k.Name, k.Name + "\n" + k.Email + "\n" + u.Company + "\n" + u.City})
		}
	}
	return list
}

func (c *crowd) customersLike(keep func(crm.Customer) bool) (list []person) {
	for _, u := range c.customers {
		if keep(u) {
			list = append(list, person{u.ID, u.Company, u.Company + "\n" + u.City})
		}
	}
	return list
}

func (c *crowd) staffLike(keep func(crm.StaffMember) bool) (list []person) {
	for _, m := range c.staff {
		if keep(m) {
			list = append(list, person{m.ID, m.Name, m.Name + "\n" + m.Email})
		}
	}
	return list
}

func (c *crowd) deserted(u crm.Customer) bool {
	for _, k := range c.contacts {
		if k.CustomerID == u.ID && k.Active && u.Active {
			return false
		}
	}
	return true
}

// term is what somebody might look for: pieces of words that there are, or aren't.
func (c *crowd) term() string {
	var parts []string
	for range c.random.IntN(3) {
		letters := []rune(words[c.random.IntN(len(words))] + words[c.random.IntN(len(words))])
		from := c.random.IntN(len(letters))
		parts = append(parts, string(letters[from:min(len(letters), from+1+c.random.IntN(5))]))
	}
	return strings.Join(parts, " ")
}

// check compares a list, page by page, with what ought to be on it.
func (c *crowd) check(what string, want []person, page func(after string, limit int) (ids []int64, next string, err error)) {
	c.t.Helper()
	var ids []int64
	limit := 1 + c.random.IntN(30)
	for after, pages := "", 1; ; pages++ {
		list, next, err := page(after, limit)
		c.must(err)
		ids = append(ids, list...)
		if after = next; after == "" {
			break
		}
		if pages == c.most {
			want = want[:min(len(want), pages*limit)]
			break
		}
		if len(list) != limit {
			c.t.Fatalf("%s: a page of %d, of which there are more, has %d", what, limit, len(list))
		}
	}
	var right []int64
	for _, p := range want {
		right = append(right, p.id)
	}
	if !slices.Equal(ids, right) {
		c.t.Fatalf("%s: found %v, want %v", what, ids, right)
	}
}

func (c *crowd) checkTerm(term string) {
	c.t.Helper()
	ctx, read := c.t.Context(), c.site.Store.Read()
	for filter, active := range map[string]func(bool) bool{"": func(bool) bool { return true }, "yes": func(a bool) bool { return a }, "no": func(a bool) bool { return !a }} {
		query := func(after string, limit int) crm.Query {
			return crm.Query{Term: term, After: after, Limit: limit, Filter: map[string]string{"active": filter}}
		}
		what := fmt.Sprintf("%q, active %q", term, filter)
		c.check("contacts "+what, matching(c.contactsLike(func(k crm.ContactPerson) bool { return active(k.Active) }), term), func(after string, limit int) ([]int64, string, error) {
			p, err := read.Contacts(ctx, 0, query(after, limit))
			return idsOf(p.Rows, func(k crm.ContactPerson) int64 { return k.ID }), p.Next, err
		})
		c.check("customers "+what, matching(c.customersLike(func(u crm.Customer) bool { return active(u.Active) }), term), func(after string, limit int) ([]int64, string, error) {
			p, err := read.Customers(ctx, query(after, limit))
			return idsOf(p.Rows, func(u crm.Customer) int64 { return u.ID }), p.Next, err
		})
		c.check("staff "+what, matching(c.staffLike(func(m crm.StaffMember) bool { return active(m.Active) }), term), func(after string, limit int) ([]int64, string, error) {
			p, err := read.Staff(ctx, query(after, limit))
			return idsOf(p.Rows, func(m crm.StaffMember) int64 { return m.ID }), p.Next, err
		})
	}
	except, one := c.contact(), c.customer()
	c.check("accounts "+term, matching(c.contactsLike(func(k crm.ContactPerson) bool { return k.ID != except && k.Active && c.customers[k.CustomerID].Active }), term),
		func(after string, limit int) ([]int64, string, error) {
			p, err := read.SearchAccounts(ctx, store.AccountQuery{Kind: crm.Contact, Term: term, After: after, Limit: limit, ActiveOnly: true, Except: crm.AccountKey{Kind: crm.Contact, ID: except}})
			return idsOf(p.Rows, func(a crm.Account) int64 { return a.Key.ID }), p.Next, err
		})
	c.check("staff accounts "+term, matching(c.staffLike(func(m crm.StaffMember) bool { return m.Active }), term), func(after string, limit int) ([]int64, string, error) {
		p, err := read.SearchAccounts(ctx, store.AccountQuery{Kind: crm.Staff, Term: term, After: after, Limit: limit, ActiveOnly: true})
		return idsOf(p.Rows, func(a crm.Account) int64 { return a.Key.ID }), p.Next, err
	})
	c.check("contacts of one "+term, matching(c.contactsLike(func(k crm.ContactPerson) bool { return k.CustomerID == one }), term), func(after string, limit int) ([]int64, string, error) {
		p, err := read.Contacts(ctx, one, crm.Query{Term: term, After: after, Limit: limit})
		return idsOf(p.Rows, func(k crm.ContactPerson) int64 { return k.ID }), p.Next, err
	})
	deserted := matching(c.customersLike(c.deserted), term)
	c.check("companies without contact "+term, deserted[:min(len(deserted), 5)], func(string, int) ([]int64, string, error) {
		list, err := read.CompaniesWithoutContact(ctx, term, 5)
		return idsOf(list, func(u crm.Customer) int64 { return u.ID }), "", err
	})
}

func idsOf[T any](list []T, id func(T) int64) (ids []int64) {
	for _, row := range list {
		ids = append(ids, id(row))
	}
	return ids
}

func (c *crowd) checkCounts() {
	c.t.Helper()
	active := 0
	for _, m := range c.staff {
		if m.Active {
			active++
		}
	}
	got, err := c.site.Store.Read().Counts(c.t.Context())
	c.must(err)
	if want := (store.Counts{Customers: int64(len(c.customers)), Contacts: int64(len(c.contacts)), Staff: int64(len(c.staff)), ActiveStaff: int64(active)}); got != want {
		c.t.Fatalf("counted %+v, want %+v", got, want)
	}
}

// Whatever was written and in whatever order, each search gives what looking at everybody gives, in
// order, page by page; with the index as it grew, while there is none, and with one made anew.
func TestSearchFindsWhatLookingAtEverybodyFinds(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		for _, entries := range []int{7, 200} { // in a segment: with many segments, and with many entries in each
			t.Run(fmt.Sprint(entries), func(t *testing.T) {
				s.Store.SplitSearchAt(entries)
				c := newCrowd(t, s, uint64(entries))
				checks := func(n int) {
					t.Helper()
					for range n {
						c.checkTerm(c.term())
					}
					c.checkCounts()
				}
				for range 25 {
					c.change(1 + c.random.IntN(24))
					checks(2)
				}
				c.must(s.Store.Write(t.Context(), func(tx store.Tx) error { return tx.StaleSearch(t.Context()) }))
				c.change(10)
				checks(6)
				c.must(s.Store.RebuildSearch(t.Context()))
				checks(10)
				for range 5 {
					c.change(10)
					checks(4)
				}
				for _, k := range c.contacts { // down to an empty index, and up again
					c.must(s.Store.Write(t.Context(), func(tx store.Tx) error { return tx.DeleteContact(t.Context(), k.ID) }))
				}
				c.contacts = map[int64]crm.ContactPerson{}
				c.checkCounts()
				for _, name := range []string{"Bo", "Ana", "Zoë"} {
					c.must(s.Store.Write(t.Context(), func(tx store.Tx) error {
						k := crm.ContactPerson{CustomerID: c.customer(), Name: name, Email: name + "@x.example", Active: true}
						id, err := tx.InsertContact(t.Context(), k)
						k.ID = id
						c.contacts[id] = k
						return err
					}))
				}
				checks(5)
			})
		}
	})
}

// Sets of slots kept as bits, and terms that are looked for in all segments at once.
func TestSearchFindsAmongMany(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		c := newCrowd(t, s, 3)
		c.most = 2
		var list []crm.ContactPerson
		for n := range 4000 {
			list = append(list, crm.ContactPerson{CustomerID: c.customer(), Name: c.name(), Email: fmt.Sprintf("m%d@y.example", n), Active: n%3 > 0})
		}
		from, err := s.Store.Read().LastNumbers(t.Context())
		c.must(err)
		c.must(s.Store.Write(t.Context(), func(tx store.Tx) error { return tx.InsertContacts(t.Context(), list) }))
		for i, k := range list {
			k.ID = from.Contacts + 1 + int64(i)
			c.contacts[k.ID] = k
		}
		for _, entries := range []int{5000, 70} { // the most in a segment
			s.Store.SplitSearchAt(entries)
			c.must(s.Store.RebuildSearch(t.Context()))
			c.checkCounts()
			for range 25 {
				c.checkTerm(c.term())
			}
			for n := range 12 {
				c.checkTerm(fmt.Sprintf("m%d %s", n*331, c.term()))
			}
			c.change(30)
		}
	})
}
