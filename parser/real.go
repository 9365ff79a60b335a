package parser

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// realLine is a line of real servers or of a fallback server, as written, or one server of a list. Problems of real
// servers are reported after the section, because the Perl ldirectord reads real servers last.
type realLine struct {
	line    line
	hosts   []string // one, or the ends of a range; none if they were refused
	port    string   // "" when there is none
	Real             // the settings of each of the servers, and their port, but no address
	list    string   // the list that it comes from; "" for a line of the file
	isOpen  bool     // it is a range of host names, whose size is not known without look-ups
	problem *Diagnostic
}

// isFixed reports whether the line's servers depend neither on a list nor on a host name.
func (r *realLine) isFixed() bool {
	isName := func(host string) bool { _, addr, _ := splitTarget(host); return !addr.IsValid() }
	return r.list == "" && !slices.ContainsFunc(r.hosts, isName)
}

func (r *realLine) isRange() bool { return len(r.hosts) > 1 }

// usualReals is the initial capacity for a section's lines of real servers.
const usualReals = 4

func readReal(v *value) {
	s := v.section
	if s.reals == nil {
		s.reals = make([]realLine, 0, usualReals)
	}
	s.reals = append(s.reals, v.realLine(v.name == "backup"))
}

// realLine reads a line of real servers, and records its problem if it has one.
func (v *value) realLine(isBackup bool) realLine {
	r := realLine{line: v.line, Real: Real{Backup: isBackup, At: v.position()}}
	if r.readEndpoint(v); v.problem == nil {
		r.readSettings(v)
	}
	r.problem = v.problem
	return r
}

// readEndpoint reads ADDRESS[->ADDRESS][:PORT] up to the first blank.
func (r *realLine) readEndpoint(v *value) {
	word, rest := cutWord(v.text)
	if rest == "" {
		v.refuse(badRealSyntax, "%q is not complete; it must be %s", v.text, realServerForm)
	}
	// the Perl ldirectord skips this quote, and refuses the one that closes it
	if len(word) > 1 && strings.LastIndexByte(word, '"') == 0 {
		word = word[1:]
		v.warn(loose, "the double quote before the address is ignored")
	}
	hosts, port := splitEndpoint(word)
	// two colons, as in an example of the Perl package
	if host, doubled := strings.CutSuffix(hosts[0], ":"); doubled && port != "" {
		hosts[0] = host
		v.warn(suspicious, "there are two colons before port %q; one is enough", port)
	}
	if !isEndpointHost(hosts[0]) || !isEndpointHost(hosts[len(hosts)-1]) {
		v.refuse(badRealSyntax, "%q is not a server%s; it must be %s", word, endpointHint(word), realServerForm)
	}
	if v.problem == nil {
		r.hosts, r.port = hosts, port
	}
}

// splitEndpoint splits a word into hosts and a port. It does not split an IPv6 address without brackets.
func splitEndpoint(word string) (hosts []string, port string) {
	hosts = strings.SplitN(word, "->", 2)
	switch last := &hosts[len(hosts)-1]; {
	case len(hosts) > 1 && (*last == "" || (*last)[0] == ':'):
		return []string{word}, "" // no host
	case !looksLikeIPv6(*last) && (!strings.HasPrefix(*last, "[") || strings.Contains(*last, "]")):
		*last, port = cutPort(*last)
	}
	return hosts, port
}

func isEndpointHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		_, rest, _ := strings.Cut(s, "]")
		return rest == "" // the address is validated later
	}
	return all(s, isHostByte) || looksLikeIPv6(s)
}

func endpointHint(word string) string {
	switch {
	case strings.Contains(word, "->"):
		return " (the port of a range is written once, after the last address)"
	case strings.ContainsAny(word, "/[-*"):
		return " (several servers are written FIRST->LAST)"
	default:
		return ""
	}
}

// readSettings reads the words after the address: method, weight, strings, thresholds. The Perl ldirectord searches for
// each of them and skips other words. readSettings warns of skipped words.
func (r *realLine) readSettings(v *value) {
	_, text := cutWord(v.text)
	method := firstRun(text, isWordByte)
	if method == "" {
		v.refuse(badForward, "the forwarding method is missing; it must be gate, masq or ipip")
	}
	forward, known := lvs.Forwards[method]
	if !known {
		v.refuse(badForward, "%q is not a forwarding method%s; it must be gate, masq or ipip", method,
			methodHint(method)).part = method
	}
	if v.problem != nil {
		return
	}
	skipped, rest, _ := strings.Cut(text, method)
	skipped = trim(skipped)
	if skipped != "" {
		v.warn(loose, "%q before the forwarding method is ignored", skipped)
	}
	if strings.HasSuffix(skipped, `"`) && quoteBeforeMore.MatchString(rest) {
		rest = rest[1:]
	}
	r.Forward, r.Weight = forward, 1
	r.readOptions(v, rest)
}

// quoteBeforeMore matches the quote that closes a forwarding method. The Perl ldirectord skips that quote only if more
// words follow.
var quoteBeforeMore = regexp.MustCompile(`^"[\s\v,]+[^\s\v,]`)

// methodHint suggests the forwarding method whose name in other tools is word.
func methodHint(word string) string {
	switch strings.ToLower(word) {
	case "gate", "dr", "droute", "route", "direct":
		return " (direct routing is gate)"
	case "masq", "nat", "masquerade", "masquerading":
		return " (NAT is masq)"
	case "ipip", "tun", "tunnel":
		return " (tunnelling is ipip)"
	default:
		return ""
	}
}

func (r *realLine) readOptions(v *value, text string) {
	text = r.readExtensions(v, text)
	open, end := strings.IndexByte(text, '"'), strings.LastIndexByte(text, '"')
	if open < 0 {
		r.readNumbers(v, text, "")
		return
	}
	request, receive, ok := splitPair(text[open : end+1])
	if !ok || !isSpace(text[max(open-1, 0)]) ||
		end+1 < len(text) && text[end+1] != ',' && !isSpace(text[end+1]) {
		v.trailer(text[open:])
		return
	}
	if quotedWord.MatchString(receive) {
		v.warn(suspicious, "%q is the RECEIVE of this server; tags and comeback are written without quotes",
			receive)
	}
	r.Own = &Exchange{withSlash(request), receive}
	v.section.asking = append(v.section.asking, r.At)
	r.readNumbers(v, text[:open], text[end+1:])
}

// quotedWord matches a tags or comeback that was meant to follow RECEIVE, but has quotes. As in Perl, the last quote of
// the line ends RECEIVE, so RECEIVE contains that word.
var quotedWord = regexp.MustCompile(`"\s+(tags|comeback)=`)

// readExtensions reads the words at the end of the line that the Perl ldirectord does not know. It returns the text
// before them.
func (r *realLine) readExtensions(v *value, text string) string {
	for {
		rest := trim(text)
		at := strings.LastIndexAny(rest, blanks)
		word := rest[at+1:]
		list, isTags := strings.CutPrefix(word, "tags=")
		switch {
		case word == "comeback=order" && !r.Backup:
			r.Comeback = lvs.ByOrder
		case isTags && !strings.Contains(word, `"`):
			tags, err := r.Tags.With(list)
			if err != nil {
				v.refuse(badRealTrailer, "%v", err).part = word
			}
			r.Tags = tags
		default:
			return text
		}
		text = rest[:at+1]
	}
}

// trailer refuses a part of the line after the forwarding method.
func (v *value) trailer(text string) {
	text = trim(text)
	v.refuse(badRealTrailer, "%q is not allowed here; the forwarding method may be followed, in this order, by "+
		`a weight, "REQUEST", "RECEIVE", l:N, u:N, tags=NAME,… and, for a real server, comeback=order`,
		text).part = text
}

// twoStrings matches two strings, separated by a comma or blanks. The strings may contain quotes. If there are several
// possible separators, the last one counts.
var twoStrings = regexp.MustCompile(`(?s)^"(.*)"[, ][\s\v]*"(.*)"$`)

// splitPair splits a text into two strings. It fails unless there is exactly one way to do so.
func splitPair(text string) (request, receive string, ok bool) {
	pair := twoStrings.FindStringSubmatch(text)
	if pair == nil || twoStrings.MatchString(`"`+pair[1]+`"`) {
		return "", "", false
	}
	return pair[1], pair[2], true
}

// parts splits a text into words. Commas may separate parts, so a comma at the end of a word becomes a word of its own,
// which is later skipped.
func parts(text string) []string {
	return words(strings.ReplaceAll(text, ", ", " , "))
}

// readNumbers reads the weight before the strings, and the thresholds before or after them.
func (r *realLine) readNumbers(v *value, before, after string) {
	list := parts(before)
	if r.Own != nil {
		list = append(append(list, ""), parts(after)...) // "" at the strings
	}
	weighted, skipped := false, ""
	for _, word := range list {
		isLower, isUpper := strings.HasPrefix(word, "l:"), strings.HasPrefix(word, "u:")
		switch isNumber := word != "" && isDigit(word[0]); {
		case word == "":
			weighted = true
		case isNumber && !weighted:
			r.Weight, weighted = v.bounded("weight", word, word, maxWeight), true
		case isLower && !r.hasLower:
			r.Lower, r.hasLower = v.bounded("threshold", word[2:], word, maxThreshold), true
		case isUpper && !r.hasUpper:
			r.Upper, r.hasUpper = v.bounded("threshold", word[2:], word, maxThreshold), true
		case isNumber || isLower || isUpper:
			v.trailer(word)
		default:
			skipped = cmp.Or(skipped, word)
			continue
		}
		if skipped != "" {
			last := ""
			if strings.HasPrefix(skipped, "tags=") || strings.HasPrefix(skipped, "comeback=") {
				last = "; write it last"
			}
			v.warn(loose, "%q is ignored%s", skipped, last)
			skipped = ""
		}
	}
	if skipped != "" {
		v.trailer(skipped)
	}
}

func (v *value) bounded(what, text, word string, high uint64) int {
	n, ok := natural(text, 0, high)
	if !ok {
		v.refuse(badRealTrailer, "the %s %q is not allowed; it must be a whole number from 0 to %d", what, text,
			high).part = word
	}
	return n
}

// These are limits for real servers. A range may have as many addresses as a /16, and a file as many servers as can be
// checked.
const (
	maxRange = 1 << 16
	maxReals = 1 << 18
)

// rangeSize returns the number of addresses from first to last, inclusive, or 0 if there are more than maxRange or last
// comes before first.
func rangeSize(first, last netip.Addr) int {
	size := 1
	for ; first != last; first = first.Next() {
		if size++; size > maxRange {
			return 0
		}
	}
	return size
}
