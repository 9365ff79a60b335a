package parser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A section that uses a block means what it means with the lines of the block written out.
func TestDefaultsMeanTheirLines(t *testing.T) {
	const virtual, real = "virtual=192.0.2.1:80\n", "\treal=192.0.2.2:80 masq\n"
	const virtual6, real6 = "virtual6=[2001:db8::1]:80\n", "\treal6=[2001:db8::2]:80 masq\n"
	for name, row := range map[string]struct{ uses, blocks, written string }{
		"a word": {virtual + real + "\tuse=a\n", "defaults=a\n\tscheduler=rr\n", virtual + real + "\tscheduler=rr\n"},
		"own before the block's": {virtual + real + "\tscheduler=wlc\n\tuse=a\n", "defaults=a\n\tscheduler=rr\n\tchecktype=ping\n",
			virtual + real + "\tscheduler=wlc\n\tchecktype=ping\n"},
		"the block before the global": {"failurecount=9\n" + virtual + real + "\tuse=a\n", "defaults=a\n\tfailurecount=3\n",
			"failurecount=9\n" + virtual + real + "\tfailurecount=3\n"},
		"the nearer block": {virtual + real + "\tuse=a\n", "defaults=b\n\tscheduler=lc\n\tchecktype=ping\ndefaults=a\n\tuse=b\n\tscheduler=rr\n",
			virtual + real + "\tscheduler=rr\n\tchecktype=ping\n"},
		"several lines": {virtual + real + "\talsocheck=ping\n\tuse=a\n", "defaults=a\n\talsocheck=connect 81\n\talsocheck=connect 82\n",
			virtual + real + "\talsocheck=ping\n\talsocheck=connect 81\n\talsocheck=connect 82\n"},
		"a dialogue": {virtual + real + "\tuse=a\n", "defaults=a\n\tservice=simpletcp\n\tsend=\"x\"\n\texpect=\"y\"\n",
			virtual + real + "\tservice=simpletcp\n\tsend=\"x\"\n\texpect=\"y\"\n"},
		"no dialogue beside a request": {virtual + real + "\trequest=\"r\"\n\tuse=a\n", "defaults=a\n\tservice=simpletcp\n\tsend=\"x\"\n",
			virtual + real + "\trequest=\"r\"\n\tservice=simpletcp\n"},
		"no window beside a count": {virtual + real + "\tfailurecount=3\n\tuse=a\n", "defaults=a\n\twindow=3/4\n\trisecount=2\n",
			virtual + real + "\tfailurecount=3\n\trisecount=2\n"},
		"fallback by family": {virtual + real + "\tuse=a\n" + virtual6 + real6 + "\tuse=a\n",
			"defaults=a\n\tfallback=192.0.2.9:80\n\tfallback6=[2001:db8::9]:80\n",
			virtual + real + "\tfallback=192.0.2.9:80\n" + virtual6 + real6 + "\tfallback6=[2001:db8::9]:80\n"},
		"an own fallback": {virtual + real + "\tfallback=192.0.2.8:80\n\tuse=a\n", "defaults=a\n\tfallback=192.0.2.9:80\n",
			virtual + real + "\tfallback=192.0.2.8:80\n"},
		"a backup": {virtual + real + "\tuse=a\n", "defaults=a\n\tbackup=192.0.2.9:80 masq\n",
			virtual + real + "\tbackup=192.0.2.9:80 masq\n"},
		"a mark of IPv6": {"virtual6=7\n" + real6 + "\tuse=a\n", "defaults=a\n\tmark=2001:db8::7 tcp 80\n\tchecktype=on\n",
			"virtual6=7\n" + real6 + "\tmark=2001:db8::7 tcp 80\n\tchecktype=on\n"},
		"a timeout fills the other": {"negotiatetimeout=20\n" + virtual + real + "\tuse=a\n", "defaults=a\n\tchecktimeout=2\n",
			"negotiatetimeout=20\n" + virtual + real + "\tchecktimeout=2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			want := withoutOrigin(t, row.written)
			for _, src := range []string{row.uses + row.blocks, row.blocks + row.uses} {
				if got := withoutOrigin(t, src); got != want {
					t.Errorf("of\n%s\n%s\nwant\n%s", src, got, want)
				}
			}
		})
	}
}

// withoutOrigin is what a file means, without the names and places of blocks. It must have no finding.
func withoutOrigin(t *testing.T, src string) string {
	t.Helper()
	cfg, found := parseText(t, src)
	if len(found) > 0 {
		t.Fatalf("%v in\n%s", found, src)
	}
	var all struct{ Virtuals []map[string]any }
	testkit.OK(t, json.Unmarshal(marshal(t, cfg), &all))
	for _, v := range all.Virtuals {
		delete(v, "use")
		delete(v, "from")
	}
	text, _ := json.Marshal(all)
	return string(text)
}

// A mistake in a block is told once, however many sections use it. A word without effect in one section is none.
func TestMistakesInBlocksAreToldOnce(t *testing.T) {
	src := "defaults=a\n\tmark=2001:db8::7 tcp 80\n\treceive=\"x\"\n\tchecktype=ping\n"
	for i := range 50 {
		src += fmt.Sprintf("virtual=%d\n\tuse=a\n\treal=192.0.2.%d:80 masq\n", i+1, i+1)
	}
	_, found := parseText(t, src)
	if len(found) != 1 || !strings.HasPrefix(found[0].String(), "ld.cf:2:7: error: 2001:db8::7 is an IPv6 address") {
		t.Error(found)
	}
}

// A small file can't make a large configuration of its blocks.
func TestBlocksAreBounded(t *testing.T) {
	src := strings.Builder{}
	fmt.Fprintf(&src, "defaults=a\n\tcomment=%s\n", strings.Repeat("x", 1<<20))
	for i := range 65 {
		fmt.Fprintf(&src, "virtual=%d\n\tuse=a\n\treal=192.0.2.1:80 masq\n\tchecktype=on\n", i+1)
	}
	_, found := parseText(t, src.String())
	if errors := found.Errors(); len(errors) != 1 || errors[0].Kind != tooLarge || errors[0].At().Line != 256 {
		t.Error(errors)
	}
}

// JSON has the place of each value that is written, with its block.
func TestOriginOfValues(t *testing.T) {
	src := "checkinterval=9\ndefaults=a\n\tscheduler=rr\nvirtual=192.0.2.1:80\n\tuse=a\n\treal=192.0.2.2:80 masq\n\tchecktype=on\n"
	cfg, _ := parseText(t, src)
	got, _ := json.Marshal(shown{cfg}.virtual(cfg.Virtuals[0])["from"])
	const want = `{"checkinterval":{"defaults":null,"file":"ld.cf","line":1},"checktype":{"defaults":null,"file":"ld.cf","line":7},` +
		`"real":{"defaults":null,"file":"ld.cf","line":6},"scheduler":{"defaults":"a","file":"ld.cf","line":3},` +
		`"use":{"defaults":null,"file":"ld.cf","line":5}}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	testkit.Equal(t, cfg.Taken(cfg.Virtuals[0]), "block a: scheduler (line 3)")
}
