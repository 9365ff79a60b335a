package fwmark

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

func TestMarkOfARule(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/fwmark/markof.txt", 2) {
		got := ""
		if s, ok := markOf(row[0]); ok {
			got = fmt.Sprintf("%#x/%#x", s.Mark, s.Mask)
		}
		testkit.Equal(t, got, row[1], row[0])
	}
}

func TestChainsReachedFromPrerouting(t *testing.T) {
	table := parseListing(`# Warning: iptables-legacy tables present, use iptables-legacy to see them
-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-N a
-N b
-N c
-N loop
-A PREROUTING -i eth0 -j a
-A OUTPUT -j c
-A a -g b
-A a -j MARK --set-xmark 0x1/0xffffffff
-A b -j loop
-A loop -j a
`)
	want := []string{"PREROUTING", "a", "b", "loop"}
	testkit.Same(t, table.reachable(prerouting), want)
}

// The ruleset is printed by nft 1.0.6, and shortened.
func TestMarksThatNFTSets(t *testing.T) {
	var m Machine
	err := m.parseNFT([]byte(`{"nftables": [{"metainfo": {"version": "1.0.6"}},
{"table": {"family": "inet", "name": "fw", "handle": 3}},
{"chain": {"family": "inet", "table": "fw", "name": "pre", "handle": 1,
 "type": "filter", "hook": "prerouting", "prio": 0}},
{"chain": {"family": "inet", "table": "fw", "name": "out", "handle": 2, "type": "filter", "hook": "output", "prio": 0}},
{"chain": {"family": "inet", "table": "fw", "name": "more", "handle": 3}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 4, "expr": [
 {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "192.0.2.1"}},
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 5, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 8]}}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 6, "expr": [
 {"counter": {"packets": 0, "bytes": 0}},
 {"jump": {"target": "more"}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 11, "expr": [
 {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv6"}},
 {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}, "right": false}},
 {"drop": null}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 12, "expr": [
 {"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}},
 {"accept": null}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 13, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"map": {
  "key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[80, 1], [443, 1]]}}}}}]}},
{"map": {"family": "inet", "table": "fw", "name": "named", "handle": 17, "type": "inet_service", "map": "verdict",
 "elem": [[24, {"drop": null}], [25, {"goto": {"target": "mail"}}]]}},
{"map": {"family": "inet", "table": "fw", "name": "other", "handle": 18, "type": "inet_service", "map": "verdict",
 "elem": [[26, {"jump": {"target": "unused"}}]]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 19, "expr": [
 {"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [
  [{"range": [1, 9]}, {"accept": null}], [8080, {"jump": {"target": "web"}}], ["*", {"drop": null}]]}}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "pre", "handle": 20, "expr": [
 {"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@named"}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "web", "handle": 21, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "mail", "handle": 22, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 2}}]}},
{"chain": {"family": "inet", "table": "fw", "name": "in", "handle": 24, "type": "filter", "hook": "input", "prio": 0}},
{"rule": {"family": "inet", "table": "fw", "chain": "in", "handle": 25, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 4}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "unused", "handle": 23, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 3}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "out", "handle": 10, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"ct": {"key": "mark"}}}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "more", "handle": 7, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"&": [{"meta": {"key": "mark"}}, 2303]}, 2048]}}}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "more", "handle": 8, "expr": [
 {"mangle": {"key": {"ct": {"key": "mark"}}, "value": 3}},
 {"xt": {"type": "target", "name": "MARK"}},
 {"accept": null}]}},
{"rule": {"family": "inet", "table": "fw", "chain": "out", "handle": 9, "expr": [
 {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 9}}]}}]}`))
	testkit.OK(t, err)
	got := inWords(m.Settings) + "of packets that are sent:\n" + inWords(m.Outgoing)
	testkit.Golden(t, "../../testdata/fwmark/nft.golden", got+"filters: "+strings.Join(m.Filters, ", ")+"\n")
	if err := m.parseNFT([]byte(`{"nftables": [`)); err == nil {
		t.Error("half an answer is no error")
	}
}

// inWords has a line for each setting.
func inWords(all []Setting) (text string) {
	for _, s := range all {
		text += fmt.Sprintf("%v: %#x/%#x, IPv6 %v, ours %v, unclear %v, by map %v\n",
			s, s.Mark, s.Mask, s.IPv6, s.Ours, s.Unclear, s.ByMap)
	}
	return text
}

func TestRoutingRulesWithMarks(t *testing.T) {
	var m Machine
	testkit.OK(t, m.parseRouting([]byte(`[{"priority":0,"src":"all","table":"local"},
{"priority":32764,"src":"all","fwmark":"0x9","table":"101"},
{"priority":32765,"src":"all","fwmark":"0x8","fwmask":"0xff","table":"100"},
{"priority":32766,"src":"all","table":"main"}]`), false))
	want := []RoutingRule{
		{Priority: 32764, Mark: 9, Mask: wholeMark, Table: "101"},
		{Priority: 32765, Mark: 8, Mask: 0xff, Table: "100"},
	}
	testkit.Same(t, m.Routing, want)
}

func TestSettingGivesTheMarkThatItsBitsAreOf(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/fwmark/gives.txt", 6) {
		s := Setting{BackEnd: BackEnd(row[0]), IPv6: row[1] == "IPv6", Chain: row[2]}
		var family string
		var mark uint32
		testkit.Must(fmt.Sscanf(row[3], "%v/%v", &s.Mark, &s.Mask))(t, row)
		s.Restores, s.Unclear = strings.HasSuffix(row[3], "restored"), strings.HasSuffix(row[3], "unclear")
		testkit.Must(fmt.Sscan(row[4], &family, &mark))(t, row)
		got := !(Machine{Settings: []Setting{s}}).NothingSets(mark, family == "IPv6")
		testkit.Equal(t, got, row[5] == "yes", row)
	}
}

func TestRoutingRuleUsesMarksOfItsMask(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/fwmark/uses.txt", 3) {
		var r RoutingRule
		var family string
		var mark uint32
		testkit.Must(fmt.Sscanf(row[0]+" "+row[1], "%s %v/%v %v", &family, &r.Mark, &r.Mask, &mark))(t, row)
		r.IPv6 = family == "IPv6"
		testkit.Equal(t, fmt.Sprint(r.Uses(mark, false)), row[2], row)
	}
}

func TestWhatARuleDoesToMarks(t *testing.T) {
	const first, bits = 0x4c000000, 0xff000000
	for _, row := range testkit.Table(t, "../../testdata/fwmark/sets.txt", 3) {
		rule, reaches := row[0], row[2] == "yes"
		table := parseListing("-P OUTPUT ACCEPT\n-N a\n-A OUTPUT -j a\n-A a " + rule + "\n")
		found := table.settings(mangle, Legacy, false, "OUTPUT")
		if row[1] == "" && len(found) == 0 {
			continue
		}
		want := "a rule in chain a (iptables-legacy) " + row[1] + ": " + rule
		if len(found) != 1 || found[0].String() != want || found[0].Reaches(first, bits, false) != reaches ||
			found[0].Reaches(first, bits, true) {
			t.Errorf("%s: %v, want %s, reaches: %v", rule, found, want, reaches)
		}
	}
}

func TestWhatDivertsAMark(t *testing.T) {
	byMap := Setting{BackEnd: Native, Chain: "ip kube mark", Rule: "handle 6", Mark: 0x4000, Mask: 0x4000,
		ByMap: true}
	m := Machine{Routing: []RoutingRule{{Priority: 5, Mark: 7, Mask: wholeMark, Table: "vpn"}}, Outgoing: []Setting{
		{BackEnd: Native, Chain: "ip lb out", Rule: "handle 5", Mask: wholeMark, Unclear: true}, byMap,
		{BackEnd: Native, IPv6: true, Chain: "ip6 vpn out", Rule: "handle 4", Restores: true}}}
	diverts := func(mark uint32, ipv6 bool, want string) {
		t.Helper()
		rule, sure := m.Diverts(mark, ipv6)
		testkit.Equal(t, fmt.Sprint(sure, " ", rule), want)
	}
	diverts(7, false, "true ip rule 5 sends them to table vpn")
	diverts(8, false, "false a rule in chain ip lb out (nft) sets marks: handle 5")
	diverts(8, true, "true a rule in chain ip6 vpn out (nft) restores the marks of connections: handle 4")
	m.Outgoing = []Setting{byMap}
	diverts(8, false, "false a rule in chain ip kube mark (nft) sets some bits of marks: handle 6")
	m.Outgoing = nil
	diverts(8, false, "false ")
}

// Before 1.8 a program of iptables had no name of its back end. A program of that name has the rules of no other one.
func TestAProgramBeforeItsBackEndHadAName(t *testing.T) {
	old := script(t, "echo iptables v1.6.1")
	t.Setenv("PATH", filepath.Dir(old)+":"+os.Getenv("PATH"))
	testkit.Equal(t, backEndHere(t.Context()), Legacy)
	const unnamed, other BackEnd = "iptables-a", "iptables-b"
	testkit.Equal(t, testkit.Must(unnamed.find(unnamed, false))(t), old)
	_, err := other.find(unnamed, false)
	testkit.OKOr(t, err, "iptables-b: not installed")
}
