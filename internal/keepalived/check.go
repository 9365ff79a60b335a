package keepalived

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"ldirectord/checker/perlre"
)

// check is a check of a real server, as lines of an ldirectord.cf.
type check struct {
	lines
	kind
	from    *statement
	differs string // how it differs from the checker in keepalived; "" if it does the same
	// the check interval, the retries and their delay. keepalived sets them for a checker, ldirectord for a section
	timing [3]*statement // nil for the usual values
	times  [3]float64
}

// kind is a checktype or a service of ldirectord, with keepalived's defaults for retry and delay_before_retry. A delay
// of 0 means the value of delay_loop.
type kind struct {
	name         string
	retry, delay float64
}

// kinds are the checkers that can be converted. UDP_CHECK has no equivalent, so a ping replaces it.
var kinds = map[string]kind{
	"TCP_CHECK":  {"connect", 1, 1},
	"HTTP_GET":   {"http", 1, 3},
	"SSL_GET":    {"https", 1, 3},
	"SMTP_CHECK": {"smtp", 1, 1},
	"DNS_CHECK":  {"dns", 3, 0},
	"MISC_CHECK": {"external", 0, 1},
	"PING_CHECK": {"ping", 1, 1},
	"UDP_CHECK":  {"ping", 1, 1},
}

// checker converts a checker to one check, or to one check for each url. It returns none for other lines, and for a
// command without an equivalent.
func (c *converter) checker(s *statement, r server, protocol string) []check {
	own := newScope(s.block, r.scope)
	k := check{from: s, kind: kinds[s.name()], timing: [3]*statement{own.find("delay_loop"),
		own.find("retry"), own.find("delay_before_retry")}}
	k.times[0] = c.number(k.timing[0], 60)
	k.times[1] = c.number(k.timing[1], k.retry)
	k.times[2] = c.number(k.timing[2], cmp.Or(k.delay, k.times[0]))
	timeout := c.number(own.find("connect_timeout"), 5)
	hasPort := k.name != "external" && k.name != "ping" // these two need no port: a server of a mark may have 0
	port := cmp.Or(own.text("connect_port"), r.of.arg(2))
	if hasPort && (port != r.of.arg(2) || protocol == "fwm") {
		k.set("checkport", port)
	}
	switch k.name {
	case "":
		return nil
	case "external":
		if !c.program(&k, own, r) {
			return nil
		}
	case "connect", "ping":
		k.set("checktype", k.name)
		k.set("checktimeout", timeout)
	default:
		k.set("service", k.name)
		k.set("negotiatetimeout", timeout)
	}
	c.retries(&k)
	switch k.name {
	case "connect":
		if protocol == "udp" {
			k.differs = "for a UDP service, connect pings the servers"
		}
	case "ping":
		if s.name() == "UDP_CHECK" {
			k.differs = "the servers are pinged instead"
		}
	case "dns":
		k.quote("request", cmp.Or(own.text("name"), "."))
		k.set("dnstype", cmp.Or(own.text("type"), "SOA"))
		k.set("dnsrcode", "NOERROR") // as in keepalived, this code is enough, even without a record
	case "http", "https":
		return c.pages(k, own)
	}
	return []check{k}
}

// shortest is the shortest interval that ldirectord accepts, in seconds.
const shortest = 0.1

// retries adds a comment if ldirectord retries a check earlier or later than keepalived does. Between retries,
// keepalived makes no other checks.
func (c *converter) retries(k *check) {
	loop, retry, s := k.times[0], k.times[1], cmp.Or(k.timing[2], k.timing[0])
	if retry == 0 || loop < shortest { // ldirectord refuses such a checkinterval
		return
	}
	if k.times[2] < shortest {
		c.differs(s, fmt.Sprintf("retries come after %v s", shortest))
		k.times[2] = shortest
	}
	delay := k.times[2]
	perLoop := math.Ceil(math.Round(1000*loop) / math.Round(1000*delay)) // 2.1 is more than 3 * 0.7
	if retry < perLoop || math.Round(1000*perLoop*delay) <= math.Round(1000*loop) {
		return
	}
	last := math.Floor(retry/perLoop)*loop + math.Mod(retry, perLoop)*delay
	c.differs(s, fmt.Sprintf("checks of delay_loop count as retries: the last one comes after %.4g s, not %.4g s",
		last, retry*delay))
}

var (
	// argument matches a word of a command (parts without blanks, and parts in quotes), or a quote that is not
	// closed.
	argument   = regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+|["']`)
	innerQuote = strings.NewReplacer(`\"`, `"`, `\'`, `'`)
	// unwritable matches text that a word of checkargs can't contain, that looks like a placeholder, or that
	// versions of keepalived read differently.
	unwritable = regexp.MustCompile(`^'$|["\\]|\{[^{}\s]*\}`)
)

// program converts the command of MISC_CHECK, which consists of several words or is one quoted text. It reports whether
// the command has an equivalent. In checkargs it replaces the address of the server with {address}, so that the lines
// are the same for several servers.
func (c *converter) program(k *check, own *scope, r server) bool {
	path := own.find("misc_path")
	text := unquote(path.arg(1))
	list := argument.FindAllString(innerQuote.Replace(text), -1)
	if path.arg(2) != "" {
		list = path.words[1:]
	}
	if len(list) == 0 {
		c.fail(k.from, "a misc_path")
		return false
	}
	for i, text := range list {
		list[i] = unquote(text)
		if found := unwritable.FindString(list[i]); found != "" {
			c.noEqual(path, "; the command can't contain "+found+"; no check is made in its place")
			return false
		}
	}
	if strings.Contains(text, `\`) {
		c.differs(path, "it is read as in keepalived before 2.3.2, where "+
			"\\\" is a quote of the command")
	}
	args := ""
	for _, text := range list[1:] {
		if text == "" || strings.Contains(text, " ") {
			text = `"` + text + `"`
		}
		args += " " + text
	}
	address := regexp.MustCompile(`\b` + regexp.QuoteMeta(r.of.arg(1)) + `\b`)
	k.set("checktype", "external")
	k.quote("checkcommand", list[0])
	k.quote("checkargs", strings.TrimSpace(address.ReplaceAllString(args, "{address}")))
	k.set("checktimeout", c.number(own.find("misc_timeout"), k.times[0]))
	if own.has("misc_dynamic") {
		k.set("externalweight", "yes")
		k.differs = "misc_dynamic becomes externalweight: the exit status is a percentage of the weight"
	}
	return true
}

var (
	// escape matches a backslash and what follows it. keepalived rightly removes the backslash before the character
	// in group 1. It replaces the escape in group 2 with the character that this escape means. It also removes the
	// backslash in group 3, although the pattern needs it.
	escape = regexp.MustCompile(`\\(["'\\/#])|(\\(?:[afnrt]|x[01][[:xdigit:]]|c[A-Z]))|(\\.)`)
	// hash replaces each #, which would begin a comment.
	hash = strings.NewReplacer(`\\`, `\\`, `\#`, `\x23`, "#", `\x23`)
)

// pattern converts the regex of a line. s may be nil. It keeps the backslashes that the pattern needs, even if
// keepalived removes them.
func (c *converter) pattern(s *statement) string {
	text := unquote(s.arg(1))
	for _, m := range escape.FindAllStringSubmatch(text, -1) {
		if m[3] != "" {
			c.differs(s, "keepalived removes the backslash from "+m[3]+"; ldirectord keeps it")
			break
		}
	}
	return hash.Replace(escape.ReplaceAllString(text, "$1$2$3"))
}

// pages returns the checks of an HTTP_GET or SSL_GET, one for each url with a path.
func (c *converter) pages(k check, own *scope) (all []check) {
	k.set("followredirect", "no")
	for _, s := range k.from.block {
		if s.name() != "url" {
			continue
		}
		url, page := newScope(s.block, own), k
		if !url.has("path") {
			c.noEqual(s, "; keepalived ignores a url without a path")
			continue
		}
		page.lines = slices.Clone(k.lines)
		page.quote("virtualhost", url.text("virtualhost"))
		page.quote("request", url.text("path"))
		page.set("httpstatus", strings.Join(statuses(s.block), ","))
		pattern := c.pattern(url.find("regex"))
		if url.has("regex_no_match") && pattern != "" {
			pattern = `\A(?!(?s:.*)(?:` + pattern + `))`
		}
		if _, err := perlre.Compile(pattern); err != nil {
			c.noEqual(url.find("regex"), "; "+err.Error())
			pattern = ""
		}
		page.quote("receive", pattern)
		all = append(all, page)
	}
	if all == nil {
		c.fail(k.from, "a url with a path")
	}
	return all
}

// statuses returns the status codes in all lines of a url.
func statuses(url []*statement) (all []string) {
	for _, s := range url {
		if s.name() == "status_code" {
			all = append(all, s.words[1:]...)
		}
	}
	return all
}

// checks returns a section's lines for the checks of its first real server. blocks contains the checkdef blocks for the
// second and later checks. Interval, retries and delay come from the check with the most retries.
func (c *converter) checks(servers []server) (all lines, blocks string) {
	want := servers[0].checks
	var most check
	for _, k := range want {
		if most.from == nil || k.times[1] > most.times[1] {
			most = k
		}
	}
	for _, r := range servers {
		c.compare(r, want, most)
	}
	if len(want) == 0 {
		return lines{"checktype = on"}, ""
	}
	loop, retry, delay := most.times[0], most.times[1], most.times[2]
	all.set("checkinterval", loop)
	all.set("failurecount", retry+1)
	if retry > 0 && delay < loop {
		all.set("fastinterval", delay)
	}
	all = append(all, want[0].lines...)
	for _, k := range want[1:] {
		c.blocks++
		name := fmt.Sprint(k.name, "-", c.blocks)
		all.set("alsocheck", name)
		blocks += k.under("\ncheckdef = " + name)
	}
	return all, blocks
}

// compare adds comments about differences between a server's checks and the section's, and about times that differ from
// those of most, the check with the most retries. Different default times get a comment only if the section has several
// checks. If it has only one check, different defaults mean a check of another kind, which gets a comment anyway.
func (c *converter) compare(r server, want []check, most check) {
	if len(r.checks) != len(want) {
		c.differs(r.of, "it has a different number of checks, and gets those of the first server: "+names(want))
		return
	}
	for i, k := range r.checks {
		for n, s := range k.timing {
			s = cmp.Or(s, most.timing[n])
			switch {
			case k.times[n] == most.times[n], n == 2 && k.times[1] == 0:
			case s != nil:
				c.differs(s, "a section has the same value for all of its checks")
			case len(want) > 1:
				c.differs(k.from, "a section has the same retry and delay_before_retry for all checks")
			}
		}
		switch {
		case !slices.Equal(k.lines, want[i].lines):
			c.differs(k.from, "its server gets the check of the first server: "+want[i].name)
		case k.differs != "":
			c.differs(k.from, k.differs)
		}
	}
}

// changesWeight reports whether the check sets the weight. Only the first check of a section can do that.
func (k check) changesWeight() bool { return slices.Contains(k.lines, "externalweight = yes") }

// names lists the checktypes and services of checks, as the section names them.
func names(checks []check) string {
	var all []string
	for _, k := range checks {
		all = append(all, k.name)
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}
