package parser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A section that uses a block means what it means with the lines of the block written out.
func TestDefaultsMeanTheirLines(t *testing.T) { meanTheirLines(t, "blocks.txt", withoutOrigin) }

// meanTheirLines plays rows of files with blocks, and of the same files without them. No file may have a finding.
func meanTheirLines(t *testing.T, file string, meaning func(t *testing.T, cfg *Config) string) {
	of := func(src string) string {
		cfg, found := parseText(t, src)
		if len(found) > 0 {
			t.Fatalf("%v in\n%s", found, src)
		}
		return meaning(t, cfg)
	}
	for _, row := range testkit.Table(t, "../testdata/parser/"+file, 4) {
		uses, blocks, want := rowOf(row[1]), rowOf(row[2]), of(rowOf(row[3]))
		for _, src := range []string{uses + blocks, blocks + uses} {
			testkit.Equal(t, of(src), want, row[0], src)
		}
	}
}

// withoutOrigin is what a file means, without the names and places of blocks.
func withoutOrigin(t *testing.T, cfg *Config) string {
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
	if len(found) != 1 || !strings.HasPrefix(found[0].String(),
		"ld.cf:2:7: error: 2001:db8::7 is an IPv6 address") {
		t.Error(found)
	}
}

// JSON has the place of each value that is written, with its block.
func TestOriginOfValues(t *testing.T) {
	src := "checkinterval=9\ndefaults=a\n\tscheduler=rr\nvirtual=192.0.2.1:80\n\tuse=a\n" +
		"\treal=192.0.2.2:80 masq\n\tchecktype=on\n"
	cfg, _ := parseText(t, src)
	got, _ := json.Marshal(cfg.virtual(cfg.Virtuals[0])["from"])
	const want = `{"checkinterval":{"defaults":null,"file":"ld.cf","line":1},` +
		`"checktype":{"defaults":null,"file":"ld.cf","line":7},` +
		`"real":{"defaults":null,"file":"ld.cf","line":6},` +
		`"scheduler":{"defaults":"a","file":"ld.cf","line":3},` +
		`"use":{"defaults":null,"file":"ld.cf","line":5}}`
	testkit.Equal(t, string(got), want)
	testkit.Equal(t, cfg.Taken(cfg.Virtuals[0]), "block a: scheduler (line 3)")
}
