package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"ldirectord/internal/runfile"
)

// This file finds what the kernel has no room for.

// gauge is how full something of the kernel is.
type gauge struct {
	name       string // of its finding
	used, most int    // most: 0 if it is not known
	setting    string // of the kernel, which is most
}

// drops are packets for which a processor's queue had no room, and when that was.
type drops struct {
	packets int
	during  string
}

// roomy is for how many connections the table of IPVS has room in each row: with more it is slow. It is never full.
const roomy = 8

// maxList is the maximum size of a list that is read at each look, in bytes.
const maxList = 1 << 20

// fills tells from 90 % on.
func (e *examination) fills() {
	if len(e.services) == 0 {
		return
	}
	first := e.of(e.services[0])
	for _, g := range e.gauges {
		if g.most > 0 && 10*g.used >= 9*g.most {
			first.tell(g.name, g.used, g.most, g.setting, 2*g.most)
		}
	}
	if e.drops.packets > 0 {
		first.tell("packets-dropped", e.drops.packets, e.drops.during)
	}
}

// readGauges needs the settings.
func (f *facts) readGauges() {
	rows, carried := parseTable(f.proc("ip_vs"))
	f.gauges = []gauge{
		{"conntrack-full", f.number(connections), f.number(trackable), trackable},
		{"neighbours-full", parseEntries(f.proc("stat/arp_cache")), f.number(neighbours4), neighbours4},
		{"neighbours-full", parseEntries(f.proc("stat/ndisc_cache")), f.number(neighbours6), neighbours6},
		{"connection-table", carried, roomy * rows, ""},
	}
	f.drops.packets = parseDrops(f.proc("softnet_stat"))
}

// number is a setting; 0 if it is missing.
func (f *facts) number(setting string) int {
	n, _ := strconv.Atoi(f.settings[setting])
	return n
}

// proc is a file of /proc/net; "" if it is missing, or too large.
func (f *facts) proc(name string) string {
	text, _ := runfile.ReadFile(f.root+"/proc/net/"+name, maxList)
	return string(text)
}

// parseTable reads the number of rows of the table of IPVS, and how many connections its servers have.
func parseTable(text string) (rows, carried int) {
	_, size, _ := strings.Cut(text, "(size=")
	fmt.Sscanf(size, "%d)", &rows)
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 6 && words[0] == "->" {
			active, _ := strconv.Atoi(words[4])
			inactive, _ := strconv.Atoi(words[5])
			carried += active + inactive
		}
	}
	return rows, carried
}

// parseEntries reads the number of neighbours: the first number below the heads of the columns.
func parseEntries(text string) (n int) {
	_, numbers, _ := strings.Cut(text, "\n")
	fmt.Sscanf(numbers, "%x", &n)
	return n
}

// parseDrops adds up the second number of each processor's line.
func parseDrops(text string) (all int) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 1 {
			n, _ := strconv.ParseUint(words[1], 16, 32)
			all += int(n)
		}
	}
	return all
}
