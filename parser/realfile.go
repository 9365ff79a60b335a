package parser

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// This file reads lines of `realfile` and `realnames`, and the lists that they name.

// List is a list of real servers. They come from a file, or are the addresses of a name.
type List struct {
	Servers []ListedReal
	Trouble string // why the list can't be used, and what is in force instead; "" if it is used
	Shrunk  bool   // the trouble: it has fewer than half as many servers as before, or none of a family any more
	Missing bool   // the trouble: no good list is known, not even an empty one
}

// ListedReal is a server in a list.
type ListedReal struct {
	Target string `json:"target"` // ADDRESS[:PORT] or NAME[:PORT]
	Method string `json:"method,omitempty"`
	Weight string `json:"weight,omitempty"` // "": that of the line
	Backup bool   `json:"backup,omitempty"`
	Tags   string `json:"tags,omitempty"` // separated by commas, as in a line
}

// maxOfList is the maximum number of servers in a list.
const maxOfList = 10000

// ListUse says how the sections of a configuration file use a list.
type ListUse struct {
	Name      resolve.Key  // the name in a realnames line; zero for a file
	Virtuals  []netip.Addr // the addresses of their virtual services
	Families  [2]bool      // the families of these services: IPv4, IPv6
	NeedsPort bool         // a realfile line under a firewall mark uses the list, so the section gives no port
}

// RealLists returns the lists that the realfile and realnames lines of a file use, by path or name. emptyOK reports
// whether lists may be empty.
func RealLists(text []byte) (lists map[string]ListUse, emptyOK bool) {
	if !bytes.Contains(text, []byte("realfile")) && !bytes.Contains(text, []byte("realnames")) {
		return nil, false
	}
	r, current := &reader{}, header{}
	lists = map[string]ListUse{}
	for one := range strings.SplitSeq(string(text), "\n") {
		switch l := readLine("", 0, strings.TrimPrefix(one, ByteOrderMark)); {
		case !l.equals:
		case l.name == "emptyok":
			r.read(l, byName["emptyok"], nil)
		case l.name == "virtual", l.name == "virtual6":
			current = header{line: l, Key: lvs.Key{IPv6: l.name == "virtual6"}}
			current.read(&value{text: trimRight(l.text[l.value:]), line: l})
		case l.name == "realfile":
			if path, _ := cutWord(l.text[l.value:]); isListPath(path) {
				lists[path] = lists[path].with(current, resolve.Key{})
			}
		case l.name == "realnames":
			word, _ := cutWord(l.text[l.value:])
			if name, port := readListName(word, current.IPv6); port != "" {
				lists[listOf(name)] = lists[listOf(name)].with(current, name)
			}
		}
	}
	return lists, r.globals.EmptyOK
}

// with returns u with one more section added, whose header is h.
func (u ListUse) with(h header, name resolve.Key) ListUse {
	_, own, _ := splitTarget(h.host)
	u.Name, u.Virtuals = name, append(u.Virtuals, own)
	u.Families = [2]bool{u.Families[0] || !h.IPv6, u.Families[1] || h.IPv6}
	u.NeedsPort = u.NeedsPort || h.Mark > 0 && name.Host == ""
	return u
}

// Check returns an error if the sections can't use a list. They can't if a server is the virtual address itself, or if
// it lacks a port that it needs.
func (u ListUse) Check(list []ListedReal) error {
	for _, one := range list {
		_, addr, port := splitTarget(one.Target)
		if addr.IsValid() && slices.Contains(u.Virtuals, addr) {
			return fmt.Errorf("%s is the address of the virtual service itself", one.Target)
		}
		if port == "" && u.NeedsPort {
			return fmt.Errorf("%s has no port, which it needs under a firewall mark", one.Target)
		}
	}
	return nil
}

// Lost returns an error if a list has lost all its servers of a family that virtual services use. A server with a host
// name counts for both families.
func (u ListUse) Lost(was, now []ListedReal) error {
	for i, family := range [2]string{"IPv4", "IPv6"} {
		isOf := func(l ListedReal) bool {
			_, addr, _ := splitTarget(l.Target)
			return !addr.IsValid() || addr.Is6() == (i == 1)
		}
		if u.Families[i] && slices.ContainsFunc(was, isOf) && !slices.ContainsFunc(now, isOf) {
			return fmt.Errorf("it no longer has an %s server; it is used after shrinkwait, "+
				"or at once with the command reload", family)
		}
	}
	return nil
}

func isListPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "\"\x00")
}

func readRealFile(v *value) {
	path, _ := cutWord(v.text)
	if !isListPath(path) {
		v.bad("has no path; it must be %s", realFileForm)
	}
	v.readListed(path, "")
}

// readListed adds each server of a list, with the settings of the line. A server without a port gets the given port.
// readListed reads the settings even if the list is empty.
func (v *value) readListed(list, port string) {
	r := realLine{line: v.line, Real: Real{At: v.position()}}
	if v.problem == nil {
		r.readSettings(v)
	}
	if r.problem = v.problem; r.problem != nil {
		v.section.reals = append(v.section.reals, r)
		return
	}
	r.list = list
	v.addListed(r, port)
}

// addListed adds the servers of a line's list that are of the section's family.
func (v *value) addListed(line realLine, port string) {
	list, s, excess := v.opts.Lists[line.list], v.section, ""
	for _, one := range list.Servers {
		hosts, addr, own := splitTarget(one.Target)
		if addr.IsValid() && addr.Is6() != s.IPv6 {
			continue
		}
		l := line
		l.hosts, l.port = hosts, cmp.Or(own, port, s.port)
		if err := l.takeLabels(one); err != nil {
			excess = cmp.Or(excess, fmt.Sprintf("%s of %s: %v", one.Target, line.list, err))
		}
		s.reals = append(s.reals, l)
	}
	if excess != "" {
		v.warn(suspicious, "%s; the tags of the list are ignored", excess)
	}
	if list.Missing {
		s.v.missing = append(s.v.missing, line.list)
	}
	if list.Trouble != "" {
		v.warn(suspicious, "%s: %s", line.list, list.Trouble)
	}
}

// takeLabels replaces settings of the line with the labels of a listed server, and adds its tags to those of the line.
// If there are too many tags in all, takeLabels returns an error and adds none.
func (r *realLine) takeLabels(one ListedReal) error {
	if one.Method != "" {
		r.Forward = lvs.Forwards[one.Method]
	}
	if one.Weight != "" {
		r.Weight, _ = natural(one.Weight, 0, maxWeight)
	}
	if r.Backup = one.Backup; r.Backup {
		r.Comeback = false // a backup can't have comeback=order
	}
	if one.Tags == "" {
		return nil
	}
	tags, err := r.Tags.With(one.Tags)
	if err == nil {
		r.Tags = tags
	}
	return err
}

const alsoInLine = "%s in %s is also in %s, which takes precedence"

// dropListed drops listed servers that are also in a line of the section. Of equal listed servers it keeps only the
// first. It can't compare a port whose service name has not been looked up.
func (r *reader) dropListed() {
	for _, s := range r.sections {
		r.dropListedOf(s)
	}
}

func (r *reader) dropListedOf(s *section) {
	if !slices.ContainsFunc(s.reals, func(l realLine) bool { return l.list != "" }) {
		return
	}
	first := map[string]realLine{}
	for _, l := range s.reals {
		if l.list == "" {
			first[r.endpoint(s, &l)] = l
		}
	}
	s.reals = slices.DeleteFunc(s.reals, func(l realLine) bool {
		at := r.endpoint(s, &l)
		was, again := first[at]
		switch {
		case l.list == "":
			return false
		case !again:
			first[at] = l
		case was.list == "":
			r.in(s, inLines).warn(repeated, l.At, alsoInLine, l.hosts[0], l.list, was.At.SeenFrom(l.At))
		}
		return again
	})
}

// dropBeside drops listed servers that a line of the section also has, by a host name or in a range. It also drops
// listed servers that have the virtual address. If the list and the header both write that address as a number,
// ListUse.Check has already refused the list.
func (a adviser) dropBeside() {
	if !a.has("realfile") && !a.has("realnames") {
		return
	}
	lists, lines := map[Position]string{}, map[netip.AddrPort]Position{}
	for i := range a.s.reals {
		lists[a.s.reals[i].At] = a.s.reals[i].list
	}
	for i := range a.Reals {
		if one := &a.Reals[i]; lists[one.At] == "" {
			lines[one.Addr] = one.At
		}
	}
	a.Reals = slices.DeleteFunc(a.Reals, func(one Real) bool {
		line, list := lines[one.Addr], lists[one.At]
		if list != "" && one.Addr.Addr() == a.Addr.Addr() {
			a.warn(suspicious, one.At, "%s in %s is the address of the virtual service itself, and is "+
				"left out", lvs.FormatAddr(one.Addr.Addr()), list)
			return true
		}
		if line.Line == 0 || list == "" {
			return false
		}
		a.warn(repeated, one.At, alsoInLine, lvs.FormatAddr(one.Addr.Addr()), list, line.SeenFrom(one.At))
		return true
	})
}

// endpoint identifies the server of a line in its section, regardless of how its address and port are written.
func (r *reader) endpoint(s *section, l *realLine) string {
	port := cmp.Or(l.port, s.port)
	if number := r.readPort(port, ""); number.Reason == "" {
		port = strconv.Itoa(int(number.Value))
	}
	hosts := slices.Clone(l.hosts)
	for i, host := range hosts {
		if _, addr, _ := splitTarget(host); addr.IsValid() {
			hosts[i] = addr.String()
		}
	}
	return strings.Join(hosts, "->") + " " + port
}

// ReadList reads a list. A list is JSON in the format of Prometheus's file_sd, or has one server per line. A list of
// lines is refused if its last line has no line feed, because it may be incomplete.
func ReadList(text []byte) ([]ListedReal, error) {
	text = bytes.TrimPrefix(text, []byte(ByteOrderMark))
	read := listLines
	if isJSON.Match(text) {
		read = listJSON
	}
	list, err := read(text)
	if len(list) > maxOfList {
		return nil, fmt.Errorf("it has more than %d servers", maxOfList)
	}
	return list, err
}

// AddressList returns a list of servers with the given addresses.
func AddressList(all []netip.Addr) (list []ListedReal, err error) {
	for _, addr := range all {
		if list, err = add(list, ListedReal{Target: lvs.FormatAddr(addr.Unmap())}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// add adds a server to a list if the server is valid.
func add(list []ListedReal, one ListedReal) ([]ListedReal, error) {
	if err := one.Check(); err != nil {
		return nil, err
	}
	one.Target = one.canonical()
	return append(list, one), nil
}

// isJSON matches the beginning of a list of groups, but not an IPv6 address in brackets.
var isJSON = regexp.MustCompile(`^\s*\[\s*[{\]]`)

func listLines(text []byte) (list []ListedReal, err error) {
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		return nil, errors.New("its last line is not complete: it does not end with a line feed")
	}
	n := 0
	for one := range strings.Lines(string(text)) {
		n++
		one, _, _ = strings.Cut(one, "#")
		switch words := strings.Fields(one); len(words) {
		case 0:
		case 1:
			if list, err = add(list, ListedReal{Target: words[0]}); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		default:
			return nil, fmt.Errorf("line %d: %q follows the server; a line has one address or name", n,
				words[1])
		}
	}
	return list, nil
}

// listJSON reads groups of targets with labels. It ignores unknown labels.
func listJSON(text []byte) (list []ListedReal, err error) {
	var groups []struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		return nil, fmt.Errorf("as JSON: %w", err)
	}
	for _, g := range groups {
		for _, target := range g.Targets {
			one := ListedReal{Target: target, Method: g.Labels["method"], Weight: g.Labels["weight"],
				Tags: g.Labels["tags"]}
			switch backup := g.Labels["backup"]; backup {
			case "true", "yes":
				one.Backup = true
			case "", "false", "no":
			default:
				return nil, fmt.Errorf("backup=%q of %s must be yes or no", backup, target)
			}
			if list, err = add(list, one); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// Check returns an error if a server of a list is wrong.
func (l ListedReal) Check() error {
	hosts, addr, port := splitTarget(l.Target)
	if len(hosts) != 1 || !isEndpointHost(hosts[0]) {
		return fmt.Errorf("%q is not a server; it must be ADDRESS, NAME, ADDRESS:PORT or NAME:PORT", l.Target)
	}
	if looksLikeIPv6(hosts[0]) { // the last group may be meant as a port
		return fmt.Errorf("%s cannot be a server: %s", l.Target, bracketsMissing)
	}
	if _, ok := natural(port, 1, maxPort); port != "" && !ok {
		return fmt.Errorf("the port of %q must be a number from 1 to %d", l.Target, maxPort)
	}
	if what := resolve.NoHost(addr); what != "" {
		return fmt.Errorf("%s cannot be a server: it is %s", l.Target, what)
	}
	if why := notLookedUp(hosts[0]); !addr.IsValid() && why != "" {
		return fmt.Errorf("%s cannot be a server: %s", l.Target, why)
	}
	if _, known := lvs.Forwards[l.Method]; l.Method != "" && !known {
		return fmt.Errorf("method=%q of %s must be gate, masq or ipip", l.Method, l.Target)
	}
	if _, ok := natural(l.Weight, 0, maxWeight); l.Weight != "" && !ok {
		return fmt.Errorf("weight=%q of %s must be a whole number from 0 to %d", l.Weight, l.Target,
			maxWeight)
	}
	if _, err := lvs.ParseTags(l.Tags); l.Tags != "" && err != nil {
		return fmt.Errorf("tags of %s: %w", l.Target, err)
	}
	return nil
}

// splitTarget is like splitEndpoint, and also returns the address of the host. The address is invalid if the host is
// a name, or has a scope, which IPVS does not know.
func splitTarget(target string) (hosts []string, addr netip.Addr, port string) {
	hosts, port = splitEndpoint(target)
	if addr, _ = lvs.ParseAddr(hosts[0]); addr.Zone() != "" {
		addr = netip.Addr{}
	}
	return hosts, addr.Unmap(), port
}

// canonical returns the target as it is written in a line of real servers, with an IPv6 address in brackets.
func (l ListedReal) canonical() string {
	_, addr, port := splitTarget(l.Target)
	if !addr.IsValid() {
		return l.Target
	}
	n, _ := natural(port, 0, maxPort)
	return strings.TrimSuffix(netip.AddrPortFrom(addr, uint16(n)).String(), ":0")
}
