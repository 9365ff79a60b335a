package judge

import (
	"net/netip"
	"testing"

	"ldirectord/internal/lvs"
)

func markRule(mark uint32, packets string) lvs.MarkRule {
	r := lvs.MarkRule{Mark: mark, Packets: lvs.Packets{Dest: netip.MustParsePrefix(packets + "/32"),
		Protocol: "tcp"}}
	if r.Dest.Addr().Is6() {
		r.Dest = netip.PrefixFrom(r.Dest.Addr(), 128)
	}
	return r
}

// marked are marks of which these rules are wanted and those are set.
func marked(want, set []lvs.MarkRule) Marks {
	m := Marks{Kept: true, Want: want}
	m.Took(set)
	return m
}

// What a director does with its mark rules: at a change of the file, at each look, and at its end.
func TestWhenMarkRulesAreSet(t *testing.T) {
	web := []lvs.MarkRule{markRule(1, "192.0.2.10")}
	for _, row := range []struct {
		what               string
		m                  Marks
		order, look, clear bool
	}{
		{"nothing keeps them", Marks{Want: web, Fails: true, Busy: true}, false, false, true},
		{"none, at the start", Marks{Kept: true}, false, true, false},
		{"none, and none was left", marked(nil, nil), false, false, true},
		{"some are wanted", marked(web, nil), true, true, false},
		{"some are set", marked(web, web), true, true, false},
		{"some are left", marked(nil, web), true, false, false},
		{"none, while an order is in progress", Marks{Kept: true, Busy: true, Looked: true}, true, false, true},
		{"none, and the order failed", Marks{Kept: true, Fails: true}, true, true, false},
		{"none, and a later order failed", Marks{Kept: true, Looked: true, Fails: true}, true, true, true},
	} {
		m := &row.m
		if m.NeedsOrder() != row.order || m.NeedsLook() != row.look || m.IsClear() != row.clear {
			t.Errorf("%s: order %t, look %t, clear %t; want %+v", row.what, m.NeedsOrder(), m.NeedsLook(),
				m.IsClear(), row)
		}
	}
}

func TestWhetherMarkRulesChanged(t *testing.T) {
	web, mail := markRule(1, "192.0.2.10"), markRule(2, "192.0.2.10")
	m := Marks{Kept: true}
	for i, row := range []struct {
		rules   []lvs.MarkRule
		changed bool
	}{
		{nil, false}, {[]lvs.MarkRule{web}, true}, {[]lvs.MarkRule{web}, false}, {[]lvs.MarkRule{mail}, true},
		{[]lvs.MarkRule{mail, web}, true}, {[]lvs.MarkRule{web, mail}, true},
	} {
		if changed := m.Took(row.rules); changed != row.changed || !m.Looked || !m.Has(row.rules) {
			t.Errorf("step %d: changed %t, %+v", i, changed, m)
		}
	}
}

// A virtual service that left the file serves while packets have no other one.
func TestAServiceStaysForItsMarkRules(t *testing.T) {
	old, now := markRule(1, "192.0.2.10"), markRule(2, "192.0.2.10")
	six := markRule(1, "2001:db8::10")
	mark := lvs.Key{Protocol: lvs.Mark, Mark: 1}
	tcp := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}
	elsewhere := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.11:80")}
	for _, row := range []struct {
		what      string
		want, set []lvs.MarkRule
		busy      bool
		fails     bool
		key       lvs.Key
		holds     bool
	}{
		{what: "its rule is still set", set: []lvs.MarkRule{old}, key: mark, holds: true},
		{what: "only that of the other family is", set: []lvs.MarkRule{six}, key: mark},
		{what: "another mark has the packets", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{now}, key: mark},
		{what: "rules are about to change", want: []lvs.MarkRule{now}, busy: true, key: tcp, holds: true},
		{what: "rules are checked again", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{now}, busy: true,
			key: tcp},
		{what: "the rule that replaces it can't be set", want: []lvs.MarkRule{now}, fails: true, key: tcp,
			holds: true},
		{what: "… and is tried again", want: []lvs.MarkRule{now}, fails: true, busy: true, key: tcp,
			holds: true},
		{what: "another rule can't be set", want: []lvs.MarkRule{now}, fails: true, key: elsewhere},
		{what: "… and is tried again", want: []lvs.MarkRule{now}, fails: true, busy: true, key: elsewhere},
		{what: "the rule that replaces it is set, another one fails", want: []lvs.MarkRule{now},
			set: []lvs.MarkRule{now}, fails: true, key: tcp},
		{what: "the rule that replaces it is not ordered yet", want: []lvs.MarkRule{now}, key: tcp},
	} {
		m := marked(row.want, row.set)
		m.Busy, m.Fails = row.busy, row.fails
		if holds := m.Holds(row.key); holds != row.holds {
			t.Errorf("%s: %t", row.what, holds)
		}
	}
}

// Whether packets to an address get the mark of the section of the mark 2, whose rule takes the packets of mark 1 over.
func TestWhetherPacketsGetAMark(t *testing.T) {
	old, now := markRule(1, "192.0.2.10"), markRule(2, "192.0.2.10")
	wider := now
	wider.Protocol = "all"
	other := markRule(1, "192.0.2.11")
	for _, row := range []struct {
		what      string
		want, set []lvs.MarkRule
		given     func(m *Marks)
		at        string
		is, known bool
	}{
		{what: "its rule is set", set: []lvs.MarkRule{now}, is: true, known: true},
		{what: "nothing keeps rules", given: func(m *Marks) { m.Kept = false }, is: true, known: true},
		{what: "no order was carried out", given: func(m *Marks) { m.Looked = false }},
		{what: "the first order failed", given: func(m *Marks) { m.Looked, m.Fails = false, true },
			known: true},
		{what: "another rule of its mark is set", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{wider},
			given: func(m *Marks) { m.Busy = true }, is: true, known: true},
		{what: "… and nothing is ordered", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{wider}, known: true},
		{what: "the rule that it replaces is set", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{old},
			at:    "lvs0",
			given: func(m *Marks) { m.Busy = true }, is: true, known: true},
		{what: "… and the address is on no device", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{old},
			given: func(m *Marks) { m.Busy = true }, known: true},
		{what: "… and its mark stays", want: []lvs.MarkRule{now, other}, set: []lvs.MarkRule{old}, at: "lvs0",
			given: func(m *Marks) { m.Busy = true }, known: true},
		{what: "a rule for another address", want: []lvs.MarkRule{now}, set: []lvs.MarkRule{other}, at: "lvs0",
			given: func(m *Marks) { m.Busy = true }, known: true},
		{what: "a rule of its mark for another address", want: []lvs.MarkRule{now},
			set:   []lvs.MarkRule{markRule(2, "192.0.2.11")},
			given: func(m *Marks) { m.Busy = true }, known: true},
		{what: "the rule that it replaces had more packets", want: []lvs.MarkRule{now}, at: "lvs0",
			set:   []lvs.MarkRule{{Mark: 1, Packets: wider.Packets}},
			given: func(m *Marks) { m.Busy = true }, known: true},
	} {
		m := marked(row.want, row.set)
		if row.given != nil {
			row.given(&m)
		}
		a := &Address{At: row.at, Want: lvs.Wanted{Addr: netip.MustParseAddr("192.0.2.10")}}
		if is, known := m.Serve([]lvs.MarkRule{now}, a); is != row.is || known != row.known {
			t.Errorf("%s: %t, known %t", row.what, is, known)
		}
		if is, known := m.Serve(nil, a); !is || !known {
			t.Errorf("%s: without rules of its own %t, known %t", row.what, is, known)
		}
	}
}
