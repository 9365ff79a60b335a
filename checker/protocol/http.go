package protocol

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// maxRedirects is the maximum number of redirects that a check follows, as in the Perl ldirectord (LWP's
// max_redirect).
const maxRedirects = 7

// httpCheck sends a request over http or https, or to a proxy, and judges the answer. The status must be accepted, and
// the body must match. If receiveheader is set, a header field must match, too. If drainstatus contains the status,
// nothing else is judged.
type httpCheck struct {
	*httpRules
	target   netip.AddrPort
	server   *netip.Addr    // the server's own address if target is a virtual address; otherwise nil
	sessions *wire.Sessions // nil before the first request over https
	names    wire.Names

	// The first request.
	url    string // the first request's URL, validated
	host   string // virtualhost; "" for none
	sni    string
	text   []byte
	direct bool        // the URL contains target itself: no name is looked up
	tls    *tls.Config // nil for http
}

// httpRules are settings that the checks of many servers share.
type httpRules struct {
	settings.HTTP
	timeout time.Duration
	proxy   bool                  // the server is a proxy; a request that goes through it contains the whole URL
	drains  settings.HTTPStatuses // statuses with which the server reports drain
	fields  []string              // from the configuration, for the request's header
	login   string                // the field with the user and password; "" for none
	rules   wire.TLSRules
	receive *matcher
	field   string   // the field whose value wants matches
	wants   *matcher // nil: any header will do
	portOf  func(virtual, server netip.AddrPort) (port uint16, isChecked bool)
}

// hop is one request of a check: the first, or one that follows a redirect.
type hop struct {
	url     *url.URL       // nil: the check's own URL, not parsed yet
	to      netip.AddrPort // the address for the request; invalid before the name is looked up
	request []byte
	tls     *tls.Config // nil for http
	away    bool        // the request does not go to the server being checked

	seeOther bool // a redirect answered a POST: this request is a GET (RFC 9110, 15.4)
}

func newHTTP(s Spec, e *Env, receive *matcher) (Checker, error) {
	common := s
	common.Target, common.URL, common.Request, common.Host, common.SNI = netip.AddrPort{}, "", "", "", ""
	common.Through = checker.Through{}
	rules, err := e.http.Get(common, func() (*httpRules, error) { return newHTTPRules(common, e, receive) })
	if err != nil {
		return nil, err
	}
	c := &httpCheck{httpRules: rules, target: netip.AddrPortFrom(s.Target.Addr().Unmap(), s.Target.Port()),
		url: s.URL, host: s.Host, sni: s.SNI}
	if s.Through.Server.IsValid() {
		server := s.Through.Server
		c.server = &server
	}
	u, err := parseTarget(s.URL)
	if err != nil {
		return always{Detail: "request: " + err.Error()}, nil
	}
	host := wire.CleanField(s.Host)
	switch {
	case c.proxy:
		host = u.Host
	case host == "":
		host = lvs.FormatAddr(c.target.Addr())
	}
	addr, noAddr := netip.ParseAddr(u.Hostname())
	port, _ := urlPort(u) // parseTarget has checked it
	c.direct = noAddr == nil && netip.AddrPortFrom(addr.Unmap(), port) == c.target
	first := hop{url: u}
	c.prepare(&first, host, true, s.SNI, s.Host, u.Host)
	c.tls = first.tls
	c.text, _ = e.requests.Get(string(first.request), func() ([]byte, error) { return first.request, nil })
	return c, nil
}

func newHTTPRules(s Spec, e *Env, receive *matcher) (c *httpRules, err error) {
	c = &httpRules{
		HTTP:    s.HTTP,
		timeout: s.NegotiateTimeout,
		proxy:   s.Service == "http_proxy",
		drains:  s.DrainStatus,
		receive: receive,
		portOf:  e.PortOf,
	}
	c.HTTPMethod = cmp.Or(c.HTTPMethod, "GET")
	if c.rules, err = e.tlsRules(s); err != nil {
		return nil, err
	}
	for header := range s.HTTPHeaders.All() {
		c.fields = append(c.fields, wire.CleanField(header))
	}
	if name, pattern, is := strings.Cut(s.ReceiveHeader, ": "); is {
		c.field = name
		if c.wants, err = e.matcher("receiveheader", pattern); err != nil {
			return nil, err
		}
	}
	if c.HTTPUser != "" {
		c.login = basicField(c.HTTPUser, c.HTTPPasswd)
		if c.proxy {
			c.login = "Proxy-" + c.login
		}
	}
	return c, nil
}

// address returns the URL of a request.
func (c *httpCheck) address(h *hop) *url.URL {
	if h.url == nil {
		h.url, _ = parseTarget(c.url) // newHTTP parsed it
	}
	return h.url
}

// byProxy reports whether a request goes through the proxy being checked.
func (c *httpCheck) byProxy(u *url.URL) bool { return c.proxy && u.Scheme == "http" }

// brackets escapes [ and ] in a path or query, as LWP does: Tomcat rejects a request that contains them.
var brackets = strings.NewReplacer("[", "%5B", "]", "%5D")

// prepare builds a request. The argument home is true for the first request, and for a later one to the same address
// with the same scheme (and, through a proxy, to the same host). Other requests get no headers, body, certificate or
// log-in from the configuration, except a proxy's own log-in, because a redirect must not carry these to other servers.
func (c *httpCheck) prepare(h *hop, host string, home bool, names ...string) {
	target := brackets.Replace(h.url.RequestURI())
	if c.byProxy(h.url) {
		target = "http://" + h.url.Host + target
	}
	method, body := c.HTTPMethod, c.HTTPBody
	if h.seeOther || !home && method == "POST" { // only home gets a body
		method, body = "GET", ""
	}
	h.request = requestBytes(method, target, host, c.fieldsFor(h.url, home), body)
	if h.url.Scheme == "https" {
		if c.sessions == nil {
			c.sessions = wire.NewSessions()
		}
		rules := c.rules
		if !home {
			rules.Own = nil
		}
		h.tls = rules.Config(c.sessions, names...)
	}
}

// Check implements Checker.
func (c *httpCheck) Check(ctx context.Context) Result {
	return c.Resume(ctx, nil)
}

func (c *httpCheck) Opening() (Opening, bool) {
	return Opening{To: c.target, Request: c.text, Timeout: c.timeout}, c.tls == nil && c.direct &&
		c.target.Port() != 0
}

// Resume makes the request, unless it was already sent on the connection begun, and follows redirects.
func (c *httpCheck) Resume(ctx context.Context, begun *wire.Conn) Result {
	at := trail{httpCheck: c, answerReader: newAnswerReader(ctx, c.timeout, c.receive.limits),
		hop: hop{request: c.text, tls: c.tls}} // the URL is parsed again if it is needed, which is rare
	defer at.close()
	at.wanted = c.field
	if c.direct {
		at.hop.to = c.target
	}
	seen, err := at.walk(begun)
	result := passed(seen)
	result.Report = at.report
	if err != nil {
		result = failed(err)
		result.Detail = at.via + result.Detail
	}
	result.Body = at.body
	result.Warning = at.warning
	if at.warning != "" && at.ending != "" {
		result.Warning += "; "
	}
	result.Warning += at.ending
	if begun.InLoop() == nil { // in the loop a check never uses TLS, and may be repeated
		c.sessions.Ended(result.OK && result.Warning == "")
	}
	return result
}

// trail is the progress of a check.
type trail struct {
	*httpCheck
	answerReader
	hop     hop
	via     string // the redirect that led here, for messages
	warning string
	ending  string // the first warning about a certificate
	body    string // the text of the last answer for Result.Body
	foreign bool   // a redirect led to another server: its text is not reported
	report  health.Report
}

// lead sets the next request. Messages do not name the target of a foreign server's redirect.
func (at *trail) lead(to hop) {
	at.hop = to
	if at.foreign {
		at.via = strings.TrimSuffix(strings.TrimSuffix(at.via, ": "), " and on") + " and on: "
		return
	}
	at.via = "redirected to " + showURL(to.url) + ": "
	if to.away {
		at.warning = "redirect to " + showURL(to.url) + " leads away from the server being checked"
	}
}

// withoutForeignText removes the text of a foreign server from an error.
func (at *trail) withoutForeignText(err error) error {
	if !at.foreign {
		return err
	}
	switch failed(err).Cause {
	case checker.Timeout, checker.Refused, checker.Closed, checker.Unreachable, checker.Shortage:
		return err
	case checker.TLS:
		return wire.NewFault(err, "no TLS there, or a certificate that is not trusted")
	}
	return wire.NewFault(err, "the answer there can't be used")
}

// walk follows redirects up to the limit, judges the last answer, and returns its status line.
func (at *trail) walk(begun *wire.Conn) (seen string, err error) {
	if err := at.locate(&at.hop); err != nil {
		return "", err
	}
	home := at.hop
	if at.hop.away {
		at.warning = "request " + showURL(at.address(&at.hop)) + " does not go to the server being checked"
	}
	for followed := 0; ; followed++ {
		at.foreign = at.hop.away && followed > 0
		a, err := at.exchange(begun)
		if part := begun.InLoop(); part != nil && err == nil &&
			(at.redirects(&a, followed) || at.receive.isHeavy(a.body) || at.wants.isHeavy(a.field)) {
			part.Waits = true
			return "", wire.ErrWaits
		}
		begun = nil
		if err != nil {
			return "", at.withoutForeignText(err)
		}
		if at.foreign {
			a.reason = ""
		}
		if !at.redirects(&a, followed) {
			return at.judge(&a)
		}
		next, err := at.redirected(&home, &a)
		if next.away && at.FollowRedirect == "server" {
			return at.judge(&a)
		}
		at.lead(next)
		if err != nil {
			return "", at.withoutForeignText(err)
		}
	}
}

// locate finds out where to send a request.
func (at *trail) locate(h *hop) error {
	if h.to.IsValid() && !at.proxy {
		return nil
	}
	u := at.address(h)
	if at.byProxy(u) {
		h.to = at.target
	}
	if h.to.IsValid() {
		return nil
	}
	port, _ := urlPort(u) // parseTarget, or redirected, has checked it
	addrs, err := at.names.Resolve(at.ctx, u.Hostname(), at.target.Addr().Is6(), at.timeout)
	switch {
	case err != nil && at.foreign:
		return wire.NewFault(err, "a name there can't be looked up")
	case err != nil:
		return err
	}
	h.to, h.away = at.route(u.Scheme == "https", addrs, port)
	return nil
}

// route chooses among the addresses of a URL's host. A request to one of our virtual services goes to the server being
// checked, because otherwise another server of the service might answer.
func (c *httpCheck) route(secure bool, addrs []netip.Addr, port uint16) (to netip.AddrPort, away bool) {
	for _, a := range addrs {
		to := netip.AddrPortFrom(a, port)
		if here := c.here(secure, to); here.IsValid() {
			return here, false
		}
		if a == c.target.Addr() {
			return to, false
		}
	}
	alike := slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Is4() == c.target.Addr().Is4() })
	return netip.AddrPortFrom(addrs[max(alike, 0)], port), true
}

// here returns the address at which the server being checked answers a request to one of our virtual services. The port
// is usually the server's port in that service. It is the check's port if that service checks the server there, and if
// the request uses TLS exactly when the check does. The result is invalid if portOf returns no port.
func (c *httpCheck) here(secure bool, virtual netip.AddrPort) (to netip.AddrPort) {
	if c.portOf == nil {
		return to
	}
	server := c.target
	if c.server != nil {
		server = netip.AddrPortFrom(*c.server, c.target.Port())
	}
	port, isChecked := c.portOf(virtual, server)
	switch {
	case port == 0:
		return to
	case isChecked && secure == (c.tls != nil):
		return c.target
	}
	return netip.AddrPortFrom(c.target.Addr(), port)
}

// exchange sends a request, unless it was already sent on the connection begun, and reads the answer. It reads the body
// only if the status is accepted.
func (at *trail) exchange(begun *wire.Conn) (a httpAnswer, err error) {
	server := begun
	if begun == nil {
		if server, err = at.request(); err != nil {
			return a, err
		}
	}
	defer server.End()
	at.reset(server)
	a, err = at.answer()
	if err == nil && at.good(a.status) && at.HTTPMethod != "HEAD" {
		err = at.readBody(&a)
	}
	return a, err
}

// request connects to a server and sends the request.
func (at *trail) request() (*wire.Conn, error) {
	h := &at.hop
	server, err := wire.Connect(at.ctx, h.to, at.timeout)
	if err == nil {
		err = server.OpenTLS(h.tls)
	}
	if err != nil {
		return nil, err
	}
	at.ending = cmp.Or(at.ending, at.rules.Warning(server))
	return server, server.Send("the request", h.request)
}

// redirects reports whether an answer is a redirect to follow. A redirect whose status is accepted, or in drainstatus,
// is not followed.
func (c *httpCheck) redirects(a *httpAnswer, followed int) bool {
	if c.good(a.status) || c.drains.Has(a.status) {
		return false
	}
	switch a.status {
	case 301, 302, 303, 307, 308:
		return c.FollowRedirect != "no" && followed < maxRedirects && a.location != ""
	}
	return false
}

// redirected returns the request that follows a redirect. home is the first request of the check.
func (at *trail) redirected(home *hop, a *httpAnswer) (hop, error) {
	base := at.address(&at.hop)
	location := a.location
	if path, is := strings.CutPrefix(location, base.Scheme+":/"); is && !strings.HasPrefix(path, "/") {
		location = "/" + path // as LWP and browsers read http:/path
	}
	u, err := wire.ParseURL(location)
	if err != nil {
		return hop{url: &url.URL{Opaque: a.location}}, errors.New("this is not a URL")
	}
	u = base.ResolveReference(u)
	if err := checkURL(u); err != nil {
		return hop{url: u}, err
	}
	h := hop{url: u, seeOther: at.hop.seeOther || at.HTTPMethod == "POST" && a.status < 304}
	first, sni := at.address(home), ""
	if at.named(first, u) {
		h.to, sni = home.to, at.sni
	}
	if err := at.locate(&h); err != nil {
		return h, err
	}
	same := u.Scheme == first.Scheme && h.to == home.to && (!at.proxy || u.Host == first.Host)
	host, name := u.Host, ""
	if u.Scheme == first.Scheme && u.Host == first.Host { // as after a relative redirect
		sni, name = at.sni, at.host
		if !at.proxy {
			host = cmp.Or(wire.CleanField(at.host), u.Host)
		}
	}
	at.prepare(&h, host, same, sni, name, u.Host)
	return h, nil
}

// named reports whether a URL leads to the server being checked, because it has the name in virtualhost, the scheme of
// the first request, and the port in virtualhost or, without one, of the first request. No look-up is needed then.
func (c *httpCheck) named(first, u *url.URL) bool {
	name, at := &url.URL{Scheme: u.Scheme, Host: c.host}, first
	if name.Port() != "" {
		at = name
	}
	want, _ := urlPort(at)
	port, _ := urlPort(u)
	return c.direct && u.Scheme == first.Scheme && port == want && strings.EqualFold(u.Hostname(), name.Hostname())
}

// judge compares an answer with the settings, and returns its status line.
func (at *trail) judge(a *httpAnswer) (seen string, err error) {
	switch {
	case at.drains.Has(a.status) && !at.foreign:
		at.report.Admin = health.Drain
		return a.statusLine() + ", reports drain", nil
	case at.drains != "":
		at.report.Admin = health.Ready
	}
	if !at.good(a.status) {
		at.body = firstWords(a.statusText())
		return "", fmt.Errorf("status %03d, want %s", a.status, cmp.Or(at.HTTPStatus, "2xx"))
	}
	wire.WatchOf(at.ctx).Mark(wire.MarkAnswer)
	if at.wants != nil {
		if ok, err := at.wants.match(at.ctx, a.field); err != nil || !ok {
			got := ": it is missing"
			switch {
			case a.field == nil:
			case at.foreign:
				got = ""
			default:
				got = ": got " + wire.Excerpt(a.field)
			}
			return "", cmp.Or(err, mismatch("header %s does not match %s%s", at.field, at.wants, got))
		}
	}
	ok, err := at.receive.match(at.ctx, a.body)
	switch {
	case err != nil:
		return "", err
	case ok:
		return a.statusLine(), nil
	}
	if at.foreign {
		at.body = firstWords(a.statusText())
		return "", mismatch("body does not match %s", at.receive)
	}
	page, where := firstWords(a.body), ""
	at.body = cmp.Or(page, firstWords(a.statusText()))
	if a.cut {
		where = fmt.Sprintf(" in its first %d bytes", maxText)
	}
	return "", mismatch("body does not match %s%s: got %s", at.receive, where, wire.Excerpt(page))
}
