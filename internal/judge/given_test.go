package judge

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// What holds before something happens is a script of clauses, divided by commas. A clause is a directive, as in the
// file ("keepserving=2", times in seconds), a fact of the section ("back", "not known"), or servers and their facts
// ("1 2 down held", "3 table=0 byhand"). A name is that of a field, of a server's first check too, or is listed in fact
// and factOf. There are events too ("1 fails", "2 order=drain", "written"), which happen at that place in the script.
// Times are relative to noon ("climbs=-18s"), and noon without a value.
func (c *Case) given(script string) {
	for clause := range strings.SplitSeq(script, ", ") {
		var servers []int
		not := false
		for word := range strings.FieldsSeq(clause) {
			if n, err := strconv.Atoi(word); err == nil {
				servers = append(servers, n)
				continue
			} else if word == "not" {
				not = true
				continue
			}
			name, value, _ := strings.Cut(word, "=")
			if servers == nil {
				c.fact(name, value, not)
			}
			for _, n := range servers {
				c.factOf(byte(n), name, value, not)
			}
			not = false
		}
	}
}

// sectionWith is a section of servers 1 and 2, of weight 4, before something happens.
func sectionWith(script string) Case {
	c := inService(4, 4)
	c.given(script)
	return c
}

func (c *Case) fact(name, value string, not bool) {
	switch name {
	case "standby":
		c.Owner = ActiveDirector
	case "lost":
		c.Lost()
	case "vanished":
		c.Vanished()
	case "left":
		c.Left()
	case "empty":
		c.Have = lvs.Dests{}
	case "found":
		c.Found = map[netip.AddrPort]bool{}
		for _, n := range numbersOf(value) {
			c.Found[at(byte(n))] = true
		}
	case "servers": // others, with these weights
		*c = inService(numbersOf(value)...)
	case "leaver":
		c.Departing = nil
		for _, n := range numbersOf(value) {
			c.Departing = append(c.Departing, Departure{Addr: at(byte(n))})
		}
	case "fallback":
		c.Fallbacks = fallbackAt(byte(number(value)))
	case "checkedfallbacks":
		c.Fallbacks, c.FallbackServers = nil, nil
		for _, n := range numbersOf(value) {
			m := fallbackAt(byte(n))[0]
			m.Unchecked = false
			c.Fallbacks = append(c.Fallbacks, m)
			c.FallbackServers = append(c.FallbackServers, Server{Member: m, More: []Check{{}}})
		}
	case "paths": // their number
		c.Paths = make([]Path, number(value))
	case "obey":
		c.Obey(!not)
	case "gather": // a server is back
		c.Gather(noon.Add(after(value)))
	case "looked": // at the one that leaves
		c.Looked(&c.Departing[0], false, noon)
	case "decided", "written":
		d := Decide(*c, noon)
		if c.Adopt(d.State); name == "written" {
			c.Wrote(lvs.DestsOf(d.Places))
		}
	case "wrote":
		c.Wrote(c.Have)
	case "restart":
		c.restart()
	case "over": // of the one that leaves
		c.Departing[0].Over = map[string]Ending{"drained": Drained, "late": Late}[value]
	case "nofallbacks":
		c.Fallbacks = nil
	case "waiting": // the weights of servers without an address
		c.Waiting = numbersOf(value)
	default:
		put(fieldOf(reflect.ValueOf(c), name), value, not)
	}
}

// factOf is about the server at an address, or about that address.
func (c *Case) factOf(at_ byte, name, value string, not bool) {
	switch name {
	case "table":
		c.has(at_, uint32(number(value)))
		return
	case "bygate": // its weight in the table
		c.Have.Put(lvs.Dest{Addr: at(at_), Forward: lvs.Route, Weight: uint32(number(value))})
		return
	case "absent":
		c.Have.Remove(at(at_))
		return
	case "added", "removed":
		c.Did(lvs.Dest{Addr: at(at_)}, name == "removed")
		return
	case "byhand":
		c.byHand(at_)
		return
	case "hand": // an operator gives it a weight
		c.has(at_, uint32(number(value)))
		c.Changed(at(at_), true, false)
		return
	case "leaves":
		l := Departure{Addr: at(at_)}
		if value != "" {
			l.Until = noon.Add(after(value))
		}
		c.SendOff(l, noon)
		return
	}
	s := c.numbered(at_)
	switch name {
	case "passes", "fails", "lies":
		loss := map[string]Loss{"fails": NotReached, "lies": WrongAnswer}[name]
		c.Result(s, &s.First, name == "passes", loss)
	case "checked": // through the virtual address
		c.Accuse(Spot{Server: s.At}, noon)
	case "tells": // its check passes, with these words, or none
		reported := health.Report{Silent: true}
		if value != "" {
			reported, _ = health.ReadAgent(strings.ReplaceAll(value, "+", " "))
		}
		c.Report(s, &s.First, reported)
		c.Result(s, &s.First, reported.State != health.Down && !s.First.Telling.Down, WrongAnswer)
	case "deep": // its check that weighs
		s.More[0].Health = assumed(value)
	case "ready":
		s.Forgive()
	case "replaced": // a reload replaces its check by another one
		was := *c
		c.State = State{Have: was.Have}
		for _, m := range was.Members {
			c.Servers = append(c.Servers, Server{Member: m})
		}
		c.Carry(&was, true, was.entry, func(i, _ int) *Check {
			if i == int(s.At) {
				return nil
			}
			return &was.Servers[i].First
		})
	case "assumed":
		s.Assume()
	case "looks", "wonders", "answered", "rests":
		s.Observed(map[string]*Witness{
			"looks":    seen(true, true, false),  // it is suspected, and others got answers
			"wonders":  seen(true, false, false), // it is suspected, and others got no answers either
			"answered": seen(false, true, true),
			"rests":    seen(false, true, false), // it has no clients
		}[name])
	case "up", "down", "unknown":
		s.AssumeAll(assumed(name))
	case "drained":
		s.Order.Kind = Drain
	case "maint":
		s.Order.Kind = Maint
	case "ordered": // another weight
		s.Order = Order{Weigh, uint32(number(value))}
	case "gate":
		s.Dest.Forward = lvs.Route
	case "weight":
		s.Dest.Weight = uint32(number(value))
	case "at": // another address
		s.Dest.Addr = at(byte(number(value)))
	case "moved": // its name is that of another server now
		s.MovedTo = int32(number(value) - 1)
	case "says":
		s.First.Telling = health.Tells(health.Words{
			Admin: map[string]health.Admin{"drain": health.Drain, "maint": health.Maint}[value]})
	case "bears": // a percentage
		s.First.Telling = health.Tells(health.Words{Less: 100 - uint8(number(value))})
	case "vipfails": // through the virtual address alone
		s.First.Took(Passage{Began: noon, Own: true}, c.Back)
	case "vippasses":
		s.First.Took(Passage{Began: noon, OK: true, Passed: true}, c.Back)
	case "took": // the result of a check that began then
		s.First.Took(Passage{Began: noon.Add(after(value)), OK: !not}, c.Back)
	case "ends": // a check that began then, without a result
		s.First.Answered(noon.Add(after(value)), c.Back)
	case "noway": // without checkvip and announce
		s.First.Way = nil
	case "also": // the states of its further checks
		s.More = nil
		for state := range strings.SplitSeq(value, "/") {
			s.More = append(s.More, Check{Way: &Way{}, Health: assumed(state)})
		}
	case "order":
		s.Ordered(Order{map[string]OrderKind{"drain": Drain, "maint": Maint, "weigh": Weigh}[value], 1})
	case "maintained":
		s.Maintained(!not)
	case "wrong":
		s.First.Loss = WrongAnswer
	default:
		put(fieldOf(reflect.ValueOf(s), name), value, not)
	}
	c.Index()
}

// numbered is the server at an address, or the fallback server.
func (c *Case) numbered(n byte) *Server {
	if i := c.FallbackAt(at(n)); i >= 0 {
		return &c.FallbackServers[i]
	}
	return &c.Servers[n-1]
}

func assumed(state string) health.Health {
	return health.Assume(map[string]health.State{"up": health.Up, "down": health.Down}[state])
}

// fieldOf follows a path like "strength.known" or "paths.1.holds". Without a number the first of a list is meant.
func fieldOf(of reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		if of.Kind() == reflect.Slice {
			n, err := strconv.Atoi(name)
			if of = of.Index(n); err == nil {
				continue
			}
		}
		named := func(s string) bool { return strings.EqualFold(s, name) }
		field := reflect.Indirect(of).FieldByNameFunc(named)
		if s, is := of.Interface().(*Server); is && !field.IsValid() {
			field = reflect.ValueOf(&s.First).Elem().FieldByNameFunc(named)
		}
		of = field
	}
	return of
}

// fields are what a section has at these paths. A path that begins with a number is that of a server.
func (c *Case) fields(paths string) string {
	var all []string
	for path := range strings.FieldsSeq(paths) {
		of := reflect.ValueOf(c)
		first, rest, _ := strings.Cut(path, ".")
		if n, err := strconv.Atoi(first); err == nil {
			of, path = reflect.ValueOf(c.numbered(byte(n))), rest
		}
		all = append(all, shown(fieldOf(of, path).Interface()))
	}
	return strings.TrimSpace(strings.Join(all, ", "))
}

func shown(value any) string {
	switch v := value.(type) {
	case time.Time:
		if v.IsZero() {
			return "never"
		}
		return v.Sub(noon).String()
	case map[netip.AddrPort]bool:
		return word(v == nil, "nothing") + addresses(func(a netip.AddrPort) bool { return v[a] })
	case []Departure:
		text := ""
		for _, l := range v {
			text += fmt.Sprintf("%d %s until %s ", l.Addr.Addr().As4()[3], l.Name, shown(l.Until))
		}
		return strings.Join(strings.Fields(text), " ")
	}
	return fmt.Sprint(value)
}

// fill sets fields to what a script says: "at=lvs1 not known" is text, and a fact that does not hold.
func fill(of any, script string) {
	not := false
	for word := range strings.FieldsSeq(script) {
		if word == "not" {
			not = true
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		put(fieldOf(reflect.ValueOf(of), name), value, not)
		not = false
	}
}

// put sets a field to a value, which is written as in the file.
func put(of reflect.Value, value string, not bool) {
	low, high, two := strings.Cut(value, "/")
	switch field := of.Addr().Interface().(type) {
	case *bool:
		*field = !not
	case *string:
		*field = value
	case *time.Time:
		if *field = noon.Add(after(value)); not {
			*field = time.Time{}
		}
	case *time.Duration:
		*field = time.Duration(number(value)) * time.Second
	case *lvs.Share:
		*field = shareOf(value)
	case *lvs.LowHigh:
		if *field = (lvs.LowHigh{Low: shareOf(low), High: shareOf(low)}); two {
			field.High = shareOf(high)
		}
	case *lvs.Pace:
		*field = lvs.Pace{Share: shareOf(low), Every: time.Duration(number(high)) * time.Second}
	case *lvs.HoldDown:
		first, most, two := strings.Cut(value, ",")
		field.First = time.Duration(number(first)) * time.Second
		if field.Most = 4 * field.First; two {
			field.Most = time.Duration(number(most)) * time.Second
		}
	case *lvs.OnFail:
		var known bool
		if *field, known = map[string]lvs.OnFail{"keep": lvs.Keep, "cut": lvs.Cut,
			"byquiescent": 0}[value]; !known {
			*field = lvs.OnFail(number(value)) * lvs.OnFail(time.Second)
		}
	case *lvs.Comeback:
		*field = value == lvs.ByOrder.String()
	case *lvs.Observe:
		*field = map[string]lvs.Observe{"yes": lvs.Reported, "out": lvs.LeftOut}[value]
	case *Name:
		*field = map[string]Name{"up": Up, "down": Down, "draining": Draining}[value]
	default:
		putNumber(of, number(value))
	}
}

func putNumber(field reflect.Value, n int) {
	if field.CanInt() {
		field.SetInt(int64(n))
	} else {
		field.SetUint(uint64(n))
	}
}

func shareOf(value string) (s lvs.Share) {
	digits, percent := strings.CutSuffix(value, "%")
	return lvs.Share{N: int32(number(digits)), Percent: percent}
}

// numbersOf are divided by slashes.
func numbersOf(value string) (all []uint32) {
	for n := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '/' }) {
		all = append(all, uint32(number(n)))
	}
	return all
}

// number is 0 without a value.
func number(value string) int {
	n, err := strconv.Atoi(cmp.Or(value, "0"))
	if err != nil {
		panic(err)
	}
	return n
}

// after is a time since noon.
func after(value string) time.Duration {
	d, err := time.ParseDuration(cmp.Or(value, "0"))
	if err != nil {
		panic(err)
	}
	return d
}
