package main

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// checkWeb looks at how the CRM is reached.
func (c *doctorCommand) checkWeb(d *doctor) {
	loopback := isLoopback(c.Listen)
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		d.fail("web", "set --listen to an address and a port, such as 127.0.0.1:8080", "--listen is %q, which is no address", c.Listen)
		return
	}
	switch {
	case loopback && len(c.TrustedProxies) == 0:
		d.ok("web", "%s is reached from this machine alone. If a proxy before it serves others, set --trusted-proxies to its address", c.Listen)
	case loopback:
		d.ok("web", "%s is reached through a proxy on this machine", c.Listen)
	case c.SecureCookies:
		d.ok("web", "%s is reached from elsewhere, by HTTPS alone: cookies aren't sent otherwise, so a proxy must stand before it", c.Listen)
	default:
		d.warn("web", "put a proxy with TLS before it, and take --no-secure-cookies away", "%s is reached from elsewhere without TLS: who listens in can be anybody", c.Listen)
	}
	proxies, _ := c.proxies() // serve's own check came before
	for _, p := range proxies {
		d.proxy(p)
	}
	if !loopback && c.Local && len(c.TrustedProxies) == 0 && c.Token == "" {
		d.ok("web", "/metrics answers programs on this machine alone; with a proxy there that adds no headers, set --no-metrics.local")
	}
	c.checkLinks(d)
}

// proxy finds one that is too many: whoever may say for whom it asks can say anything.
func (d *doctor) proxy(p netip.Prefix) {
	const widest4, widest6 = 8, 16
	if (p.Addr().Is4() && p.Bits() < widest4) || (p.Addr().Is6() && p.Bits() < widest6) {
		d.warn("web", "name the proxies' own addresses in --trusted-proxies", "--trusted-proxies holds %s: a large part of the world may claim to come from anywhere", p)
		return
	}
	d.ok("web", "what %s says for whom it asks is believed", p)
}

func (c *doctorCommand) checkLinks(d *doctor) {
	if c.Host == "" || c.Links == "" {
		return
	}
	u, err := url.Parse(c.Links)
	if err != nil {
		return // serve refuses it
	}
	if u.Scheme == "http" && c.SecureCookies && !isLoopback(c.Listen) {
		d.warn("web", "set --mail.links to the https address", "links in mails begin with %s://, and people sign in by HTTPS alone", strings.ToLower(u.Scheme))
	}
}
