package checker

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// maxRedirects is how many redirects are followed, as by the reference (LWP's max_redirect).
const maxRedirects = 7

// httpCheck asks a server by http or https, or as a proxy, and compares the answer: the status must
// be 2xx and the body must match.
type httpCheck struct {
	target   netip.AddrPort
	timeout  time.Duration
	method   string
	proxy    bool   // the server is a proxy: requests carry the whole URL
	follow   string // redirects: yes, server or no
	sni      string
	receive  *matcher
	ours     func(netip.AddrPort) bool
	sessions tls.ClientSessionCache
	first    hop
}

// hop is one request of a check: the first, or one that a redirect asked for.
type hop struct {
	url     *url.URL
	to      netip.AddrPort // where it is asked; invalid while the name is not looked up
	request []byte
	tls     *tls.Config // nil for http
	away    bool        // not asked of the server being checked
}

func newHTTP(s Spec, e *Env) (Checker, error) {
	receive, err := e.matcher(s.Receive)
	if err != nil {
		return nil, &SpecError{"receive", err}
	}
	c := &httpCheck{
		target:  netip.AddrPortFrom(s.Target.Addr().Unmap(), s.Target.Port()),
		timeout: s.NegotiateTimeout,
		method:  s.Method,
		proxy:   s.Service == "http_proxy",
		follow:  s.FollowRedirect,
		sni:     serverName(s.SNI, s.Host),
		receive: receive,
		ours:    e.Ours,
	}
	if c.method == "" {
		c.method = "GET"
	}
	u, err := parseTarget(s.URL)
	if err != nil {
		return always{Detail: "request: " + err.Error()}, nil
	}
	host := cleanField(s.Host)
	switch {
	case c.proxy:
		host = u.Host
	case host == "":
		host = hostOf(c.target.Addr())
	}
	c.first = c.newHop(u, host, c.sni)
	if to, ok := literalAddr(u); ok && to == c.target {
		c.first.to = to
	}
	return c, nil
}

// newHop prepares a request. Where to send it is known only for a proxy.
func (c *httpCheck) newHop(u *url.URL, host, name string) hop {
	h := hop{url: u}
	target := u.RequestURI()
	if c.proxy && u.Scheme == "http" {
		h.to = c.target
		target = "http://" + u.Host + target
	}
	h.request = requestBytes(c.method, target, host, u.User)
	if u.Scheme == "https" {
		if c.sessions == nil {
			c.sessions = tls.NewLRUClientSessionCache(tlsSessions)
		}
		h.tls = tlsConfig(serverName(name, u.Host), c.sessions)
	}
	return h
}

func requestBytes(method, target, host string, user *url.Userinfo) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: ldirectord\r\nConnection: close\r\n", method, target, host)
	if user != nil {
		password, _ := user.Password()
		token := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		b = fmt.Appendf(b, "Authorization: Basic %s\r\n", token)
	}
	return append(b, "\r\n"...)
}

// cleanField takes out what would end a header field.
func cleanField(value string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value))
}

// Check implements Checker.
func (c *httpCheck) Check(ctx context.Context) Result {
	deadline := time.Now().Add(c.timeout)
	buf := answerPool.Get().(*[]byte)
	r := answerReader{timeout: c.timeout, buf: *buf}
	result := c.ask(ctx, &r, deadline)
	if cap(r.buf) <= maxPooledAnswer {
		*buf = r.buf
		answerPool.Put(buf)
	}
	return result
}

// ask makes the request and those that redirects lead to.
func (c *httpCheck) ask(ctx context.Context, r *answerReader, deadline time.Time) Result {
	at := trail{hop: c.first}
	seen, err := c.walk(ctx, &at, r, deadline)
	result := Result{OK: true, Detail: seen}
	if err != nil {
		result = failed(ctx, err)
		result.Detail = at.via + result.Detail
	}
	result.Warning = at.warning
	return result
}

// trail is how far a check has got.
type trail struct {
	hop     hop
	via     string // the redirect that led here, for messages
	warning string
}

// walk follows redirects as far as it may, judges the last answer, and returns its status line.
func (c *httpCheck) walk(ctx context.Context, at *trail, r *answerReader, deadline time.Time) (seen string, err error) {
	if err := c.locate(ctx, &at.hop, deadline); err != nil {
		return "", err
	}
	if at.hop.away {
		at.warning = "request " + showURL(at.hop.url) + " is not asked of the server being checked"
	}
	for followed := 0; ; followed++ {
		a, err := c.exchange(ctx, &at.hop, r, deadline)
		if err != nil {
			return "", err
		}
		if !c.redirects(&a, followed) {
			return c.judge(&a, deadline)
		}
		next, err := c.redirected(ctx, &at.hop, &a, deadline)
		if next.away && c.follow == "server" {
			return c.judge(&a, deadline)
		}
		at.hop, at.via = next, "redirected to "+showURL(next.url)+": "
		if next.away {
			at.warning = "redirect to " + showURL(next.url) + " leaves the server being checked"
		}
		if err != nil {
			return "", err
		}
	}
}

// locate finds out where to send a request.
func (c *httpCheck) locate(ctx context.Context, h *hop, deadline time.Time) error {
	if h.to.IsValid() {
		return nil
	}
	port, err := urlPort(h.url)
	if err != nil {
		return err
	}
	addrs, err := resolve(ctx, h.url.Hostname(), deadline)
	if err != nil {
		return err
	}
	h.to, h.away = c.route(h.url.Scheme, addrs, port)
	return nil
}

// route chooses among the addresses of a URL's host. The server being checked stands in for our
// virtual services: through them its peers would answer for it.
func (c *httpCheck) route(scheme string, addrs []netip.Addr, port uint16) (to netip.AddrPort, away bool) {
	for _, a := range addrs {
		to := netip.AddrPortFrom(a, port)
		switch {
		case c.ours != nil && c.ours(to) && scheme == c.first.url.Scheme:
			return c.target, false
		case c.ours != nil && c.ours(to):
			return netip.AddrPortFrom(c.target.Addr(), port), false
		case a == c.target.Addr():
			return to, false
		}
	}
	for _, a := range addrs {
		if a.Is4() == c.target.Addr().Is4() {
			return netip.AddrPortFrom(a, port), true
		}
	}
	return netip.AddrPortFrom(addrs[0], port), true
}

// exchange sends a request and reads the answer, with its body when the status is the wanted one.
func (c *httpCheck) exchange(ctx context.Context, h *hop, r *answerReader, deadline time.Time) (httpAnswer, error) {
	tcp, err := connect(ctx, h.to, deadline, c.timeout)
	if err != nil {
		return httpAnswer{}, err
	}
	defer tcp.Close()
	var stream io.ReadWriter = tcp
	if h.tls != nil {
		t := tls.Client(tcp, h.tls)
		if err := handshake(t); err != nil {
			return httpAnswer{}, err
		}
		defer t.CloseWrite()
		stream = t
	}
	if _, err := stream.Write(h.request); err != nil {
		return httpAnswer{}, stageFault("sending the request", err)
	}
	r.reset(stream)
	a, err := r.answer()
	if err != nil || a.status/100 != 2 || c.method == "HEAD" {
		return a, err
	}
	a.body, a.cut, err = r.body(&a)
	return a, err
}

// redirects tells whether an answer is a redirect that is to be followed.
func (c *httpCheck) redirects(a *httpAnswer, followed int) bool {
	switch a.status {
	case 301, 302, 303, 307, 308:
		return c.follow != "no" && followed < maxRedirects && a.location != ""
	}
	return false
}

// redirected is the request that a redirect asks for.
func (c *httpCheck) redirected(ctx context.Context, from *hop, a *httpAnswer, deadline time.Time) (hop, error) {
	u, err := parseURL(a.location)
	if err != nil {
		return hop{url: &url.URL{Path: a.location}}, err
	}
	u = from.url.ResolveReference(u)
	if err := checkURL(u); err != nil {
		return hop{url: u}, err
	}
	h := c.newHop(u, u.Host, u.Host)
	return h, c.locate(ctx, &h, deadline)
}

// judge compares an answer with what is wanted, and returns its status line.
func (c *httpCheck) judge(a *httpAnswer, deadline time.Time) (seen string, err error) {
	if a.status/100 != 2 {
		return "", fmt.Errorf("status %03d, want 2xx", a.status)
	}
	ok, err := c.receive.match(a.body, time.Until(deadline))
	switch {
	case err != nil:
		return "", fmt.Errorf("body does not match %s: %w", c.receive, err)
	case ok:
		return a.statusLine(), nil
	case a.cut:
		return "", fmt.Errorf("body does not match %s in its first %d bytes: got %s", c.receive, maxBody, excerpt(a.body))
	}
	return "", fmt.Errorf("body does not match %s: got %s", c.receive, excerpt(a.body))
}
