package keepalived

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check is a checker of a real server, as lines of ldirectord.cf.
type check struct {
	from             *statement
	kind             string   // for the name of a checkdef
	lines            []string // without these two:
	request, receive string
	timing           timing
}

// timing is when checks are made: words of a checker in keepalived, of a section here.
type timing struct {
	of              [3]*statement // the lines that say so, nil for defaults
	interval, delay float64       // seconds
	retries         uint64
}

var timingWords = [3]string{"delay_loop", "retry", "delay_before_retry"}

// all are the lines of the check.
func (k check) all() []string {
	lines := slices.Clone(k.lines)
	if k.request != "" {
		lines = append(lines, `request = "`+k.request+`"`)
	}
	if k.receive != "" {
		lines = append(lines, `receive = "`+k.receive+`"`)
	}
	return lines
}

// defaults are the usual values of checkers, where they have any of their own.
var defaults = map[string]timing{
	"HTTP_GET":   {retries: 1, delay: 3},
	"SSL_GET":    {retries: 1, delay: 3},
	"DNS_CHECK":  {retries: 3}, // after delay_loop,
	"MISC_CHECK": {retries: 0, delay: 1},
	"":           {retries: 1, delay: 1},
}

// checker reads the checks of a checker: one, or one for each url. The checker has the scope of its real server.
func (c *converter) checker(s *statement, real server, protocol string) []check {
	own := newScope(s, real.scope)
	k := check{from: s, timing: c.timing(s.name(), own)}
	timeout := seconds(c.seconds(own.find("connect_timeout"), 5))
	switch k.kind = kinds[s.name()]; k.kind {
	case "":
		return nil
	case "external":
		return c.program(k, own, real)
	case "ping":
		k.lines = []string{"checktype = ping", "checktimeout = " + timeout}
		return []check{k}
	}
	if port := c.port(own.find("connect_port"), 1); port > 0 && port != real.port {
		k.lines = append(k.lines, fmt.Sprintf("checkport = %d", port))
	} else if real.port > 0 && protocol == "fwm" {
		k.lines = append(k.lines, fmt.Sprintf("checkport = %d", real.port))
	}
	if k.kind == "connect" {
		k.lines = append(k.lines, "checktype = connect", "checktimeout = "+timeout)
		if s.name() == "TCP_CHECK" && protocol == "udp" {
			c.noEqual(s, "ldirectord pings the servers of a service of udp")
		}
		return []check{k}
	}
	k.lines = append(k.lines, "service = "+k.kind, "negotiatetimeout = "+timeout)
	switch k.kind {
	case "dns":
		k.request = own.text(".", "name")
		k.lines = append(k.lines, "dnstype = "+strings.ToUpper(own.text("SOA", "type")))
	case "http", "https":
		return c.pages(k, s, own)
	}
	return []check{k}
}

// kinds are the checkers with an equal, and UDP_CHECK, which becomes a ping.
var kinds = map[string]string{"TCP_CHECK": "connect", "HTTP_GET": "http", "SSL_GET": "https", "SMTP_CHECK": "smtp",
	"DNS_CHECK": "dns", "MISC_CHECK": "external", "PING_CHECK": "ping", "UDP_CHECK": "ping"}

func (c *converter) timing(kind string, own *scope) timing {
	t, known := defaults[kind]
	if !known {
		t = defaults[""]
	}
	t.of = [3]*statement{own.find("delay_loop"), own.find("retry", "nb_get_retry"), own.find("delay_before_retry")}
	t.interval = c.seconds(t.of[0], 60)
	t.retries = c.number(t.of[1], t.retries, 1<<31)
	t.delay = c.seconds(t.of[2], t.delay)
	return t
}

// seconds writes a time. ldirectord has none below a tenth of a second.
func seconds(n float64) string { return strconv.FormatFloat(max(n, 0.1), 'f', -1, 64) }

// differs returns the word that makes the times of two checks different, -1 for none. Different defaults don't count.
func (t timing) differs(other timing) int {
	equal := [3]bool{t.interval == other.interval, t.retries == other.retries, t.delay == other.delay}
	for i := range equal {
		if !equal[i] && (t.of[i] != nil || other.of[i] != nil) {
			return i
		}
	}
	return -1
}

// program is the check of MISC_CHECK. Its words are those after misc_path, or those of one quoted text.
func (c *converter) program(k check, own *scope, real server) []check {
	path := own.find("misc_path")
	if path == nil || path.arg(1) == "" {
		c.noEqual(k.from, "it names no program")
		return nil
	}
	var words []string
	for _, w := range path.words[1:] {
		words = append(words, w.text)
	}
	if len(words) == 1 {
		words = argument.FindAllString(words[0], -1)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "'", "")
		}
	}
	k.lines = append(k.lines, "checktype = external", `checkcommand = "`+words[0]+`"`, "checktimeout = "+
		seconds(c.seconds(own.find("misc_timeout"), k.timing.interval)))
	if len(words) > 1 {
		args, ok := real.arguments(words[1:])
		if !ok {
			c.noEqual(path, "checkargs can't have double quotes and braces in a word")
		}
		k.lines = append(k.lines, `checkargs = "`+args+`"`)
	}
	if c.yes(own.find("misc_dynamic")) {
		k.lines = append(k.lines, "externalweight = yes")
	}
	return []check{k}
}

// argument matches a word of a command: parts without blanks, and parts in single quotes.
var argument = regexp.MustCompile(`(?:[^\s']|'[^']*')+`)

// arguments are words for checkargs. The address and the port of the server become placeholders, which makes the lines
// of several servers equal.
func (r server) arguments(words []string) (text string, ok bool) {
	for i, w := range words {
		if strings.ContainsAny(w, `"{}`) {
			return strings.Join(words, " "), false
		}
		w = r.own.ReplaceAllString(w, "${1}{address}${2}")
		if w == strconv.Itoa(int(r.port)) {
			w = "{port}"
		}
		if strings.ContainsAny(w, " \t") || w == "" {
			w = `"` + w + `"`
		}
		words[i] = w
	}
	return strings.Join(words, " "), true
}

// pages are the checks of HTTP_GET and SSL_GET, one for each url.
func (c *converter) pages(k check, s *statement, own *scope) (all []check) {
	if k.kind == "https" {
		k.lines = append(k.lines, c.certificate()...)
	}
	for _, in := range s.block {
		if in.name() != "url" {
			continue
		}
		url, page := newScope(in, own), k
		page.lines = slices.Concat(k.lines, c.page(url))
		page.request, page.receive = url.text("/", "path"), c.pattern(url)
		all = append(all, page)
	}
	if all == nil {
		c.noEqual(s, "it has no url")
	}
	return all
}

func (c *converter) page(url *scope) []string {
	lines := []string{"followredirect = no"}
	if name := url.text("", "virtualhost"); name != "" {
		lines = append(lines, `virtualhost = "`+name+`"`)
	}
	if status := url.find("status_code"); status != nil {
		var list []string
		for _, w := range status.words[1:] {
			list = append(list, w.text)
		}
		lines = append(lines, "httpstatus = "+strings.Join(list, ","))
	}
	return lines
}

// pattern is the regular expression of a url, "" for none.
func (c *converter) pattern(url *scope) string {
	pattern := url.text("", "regex")
	if pattern == "" {
		return ""
	}
	flags := ""
	if options := url.find("regex_options"); options != nil {
		for _, w := range options.words[1:] {
			flag := map[string]string{"caseless": "i", "multiline": "m", "dotall": "s", "extended": "x"}[w.text]
			if flags += flag; flag == "" {
				c.noEqual(options, "of the options only caseless, multiline, dotall and extended have one")
			}
		}
	}
	if flags != "" {
		pattern = fmt.Sprintf("(?%s:%s)", flags, pattern)
	}
	if c.yes(url.find("regex_no_match")) {
		pattern = `\A(?!(?s:.*)(?:` + pattern + `))`
	}
	return pattern
}

// certificate is that of the block SSL.
func (c *converter) certificate() []string {
	cert, key := c.tls.text("", "certificate"), c.tls.text("", "key")
	if cert == "" || key == "" {
		return nil
	}
	return []string{"tlscert = " + cert, "tlskey = " + key}
}

// checks are the lines of a section about its checks: those of the first real server that has any.
func (c *converter) checks(servers []server) []string {
	i := slices.IndexFunc(servers, func(r server) bool { return len(r.checks) > 0 })
	if i < 0 {
		return []string{"checktype = on"}
	}
	want := servers[i].checks
	for i := range servers {
		c.compare(&servers[i], want)
	}
	t := want[0].timing
	lines := []string{"checkinterval = " + seconds(t.interval), fmt.Sprintf("failurecount = %d", t.retries+1)}
	if t.retries > 0 && t.delay > 0 && t.delay < t.interval {
		lines = append(lines, "fastinterval = "+seconds(t.delay))
	}
	lines = append(lines, want[0].all()...)
	for _, k := range want[1:] {
		lines = append(lines, "alsocheck = "+c.checkdef(k))
	}
	return lines
}

// compare notes what is not as in the section's checks.
func (c *converter) compare(r *server, want []check) {
	const all = "the checks of a section are for all of its servers"
	if len(r.checks) != len(want) {
		c.noEqual(r.of, all)
		return
	}
	for i, k := range r.checks {
		if n := k.timing.differs(want[0].timing); n >= 0 {
			c.noEqual(cmp.Or(k.timing.of[n], k.from), "a section has one "+
				[...]string{"checkinterval", "failurecount", "fastinterval"}[n])
		}
		switch w := want[i]; {
		case slices.Equal(k.all(), w.all()):
		case i == 0 && slices.Equal(k.lines, w.lines) && !strings.Contains(k.request+k.receive, `"`):
			r.pair = fmt.Sprintf(` "%s", "%s"`, k.request, k.receive)
		default:
			c.noEqual(k.from, all)
		}
	}
}

// checkdef is the name of a block with a further check.
func (c *converter) checkdef(k check) string {
	text := "\n        " + strings.Join(k.all(), "\n        ") + "\n"
	name := c.names[text]
	if name == "" {
		name = fmt.Sprintf("%s-%d", k.kind, len(c.names)+1)
		c.names[text] = name
	}
	c.uses = append(c.uses, "checkdef = "+name+text)
	return name
}
