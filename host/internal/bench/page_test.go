package bench

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
)

// pages measures whole pages over HTTP, eight at once: with modules and without, switched and not, and
// beside better-auth's.
func (b *run) pages(t *testing.B) {
	rounds, requests := b.rounds(30), 400
	s := section{Title: "Pages over HTTP, 8 at once"}
	sites := map[int]*site{}
	var all []*contender
	turns := map[string]*contender{}
	add := func(name string, c *contender) {
		turns[name] = c
		all = append(all, c)
	}
	for _, n := range []int{0, 1, 20, 50} {
		b.progress("a site with %d modules", n)
		sites[n] = plan{packages: packages(t, n)}.start(t)
		add(fmt.Sprint("admin ", n), visits(t, sites[n], "/admin/customers", requests, sites[n].admins))
	}
	for _, n := range []int{1, 50} {
		own := sites[n].contacts[:crowd/2]
		switched := sites[n].admins[crowd/2:]
		c, err := dial(sites[n].origin)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range switched {
			if err := m.start(c); err != nil {
				t.Fatal(err)
			}
		}
		add(fmt.Sprint("own ", n), visits(t, sites[n], "/", requests, own))
		add(fmt.Sprint("switched ", n), visits(t, sites[n], "/", requests, switched))
	}
	// On the sites with switches only those who are themselves ask for the admin area.
	for _, n := range []int{1, 50} {
		*turns[fmt.Sprint("admin ", n)] = *visits(t, sites[n], "/admin/customers", requests, sites[n].admins[:crowd/2])
	}
	peer, err := b.peer(t, "NORMAL")
	if err == nil {
		add("peer", peer.pages(t, requests))
	}
	before := calls(t, sites[50])
	b.progress("pages")
	contend(rounds, all...)
	made := calls(t, sites[50]) - before
	for name, c := range turns {
		if n, err := c.failed(); n > 0 {
			t.Errorf("%s: %d pages failed: %v", name, n, err)
		}
	}
	none := turns["admin 0"]
	s.Rows = append(s.Rows, told("list of customers, no module", fmt.Sprintf("%s, p99 %s", perSecond(none.of(spell.rate)), duration(quantile(none.all(), 0.99))), ""))
	for _, n := range []int{1, 20, 50} {
		c := turns[fmt.Sprint("admin ", n)]
		s.Rows = append(s.Rows, compared(fmt.Sprintf("list of customers, %d modules, against none", n), fmt.Sprintf("%s, p99 %s", perSecond(c.of(spell.rate)), duration(quantile(c.all(), 0.99))),
			perSecond(none.of(spell.rate)), c.to(none, spell.rate), atLeast(0.97)))
	}
	for _, n := range []int{1, 50} {
		c, own := turns[fmt.Sprint("switched ", n)], turns[fmt.Sprint("own ", n)]
		s.Rows = append(s.Rows, compared(fmt.Sprintf("portal while switched, %d modules, against not", n), fmt.Sprintf("%s, p99 %s", perSecond(c.of(spell.rate)), duration(quantile(c.all(), 0.99))),
			perSecond(own.of(spell.rate)), c.to(own, spell.rate), atLeast(0.93)))
	}
	s.Rows = append(s.Rows, row{"calls to 50 modules by all these pages", fmt.Sprint(made), "", "", "0", map[bool]string{true: "yes", false: "no"}[made == 0]})
	one := turns["admin 1"]
	ours := fmt.Sprintf("%s, %.1f KB", perSecond(one.of(spell.rate)), float64(size(t, sites[1], "/admin/customers", sites[1].admins[0]))/1e3)
	if err == nil {
		p := turns["peer"]
		ratio := one.to(p, spell.rate)
		s.Rows = append(s.Rows, compared("list of customers against a 12 KB page of better-auth", ours, perSecond(p.of(spell.rate)), ratio, atLeast(2)),
			recorded("  against Symfony", ours, ratio*peerPage/symfonyPage, 3))
	} else {
		s.Rows = append(s.Rows, absent("list of customers against a 12 KB page of better-auth", ours, err.Error(), atLeast(2)))
	}
	b.add(s)
}

// visits is a contender whose turn is so many requests of one page by these people.
func visits(t *testing.B, s *site, path string, requests int, who []*member) *contender {
	t.Helper()
	open := connections(t, s.origin, 8)
	var next atomic.Int64
	return &contender{turn: func() spell {
		list := open()
		first := int(next.Add(int64(requests)))
		return load(requests, len(list), func(worker, i int) error {
			a, err := list[worker].get(path, who[(first+i)%len(who)].cookie())
			if err != nil {
				return err
			}
			return a.want(http.StatusOK)
		})
	}}
}

func size(t *testing.B, s *site, path string, m *member) int64 {
	t.Helper()
	c, err := dial(s.origin)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.get(path, m.cookie())
	if err == nil {
		err = a.want(http.StatusOK)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a.size
}

var callsLine = regexp.MustCompile(`(?m)^understudy_module_call_seconds_count\{([^}]*)\} (\S+)$`)

// calls is how many calls modules were made for people: health checks come by themselves.
func calls(t *testing.B, s *site) (n int) {
	t.Helper()
	response, err := http.Get(s.origin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range callsLine.FindAllStringSubmatch(string(text), -1) {
		if regexp.MustCompile(`"check_health"|"health"`).MatchString(found[1]) {
			continue
		}
		count, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		n += int(count)
	}
	return n
}
