package doctor

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"ldirectord/internal/runfile"
)

// This file finds what the kernel has no room for.

// gauge shows how full a table or cache of the kernel is.
type gauge struct {
	name       string // of its finding
	used, most int    // most: 0 if it is not known
	setting    string // the kernel setting that has the value most
}

// drops contains the number of packets that were dropped because a processor's queue had no room, and the period in
// which this happened.
type drops struct {
	packets int
	during  string
}

// roomy is the largest number of connections that a row of IPVS's connection table should hold. The table never becomes
// full, but it is slow with more connections.
const roomy = 8

// maxList is the maximum size, in bytes, of a list that is read at each look.
const maxList = 1 << 20

// fills finds tables that are at least 90 % full, and dropped packets.
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

// readGauges reads the gauges and the drops. The settings must have been read before.
func (f *facts) readGauges() {
	rows, used := f.connectionTable()
	f.gauges = []gauge{
		{"conntrack-full", f.number(connections), f.number(trackable), trackable},
		{"neighbours-full", f.entries("arp_cache"), f.number(neighbours4), neighbours4},
		{"neighbours-full", f.entries("ndisc_cache"), f.number(neighbours6), neighbours6},
		{"connection-table", used, roomy * rows, ""},
	}
	f.drops.packets = sum(f.proc("softnet_stat"), "", 16, 1)
}

// connectionTable returns the number of rows of IPVS's connection table, and of connections in it. Both are 0 without
// IPVS.
func (f *facts) connectionTable() (rows, used int) {
	f.eachInTable(func(line string) {
		if _, size, is := strings.Cut(line, "(size="); is {
			fmt.Sscanf(size, "%d", &rows)
		}
		used += sum(line, "->", 10, 4, 5)
	})
	return rows, used
}

// eachInTable calls do for each line of the kernel's table. Each server has a line. Without IPVS there are no lines.
func (f *facts) eachInTable(do func(line string)) {
	file, err := os.Open(f.root + "/proc/net/ip_vs")
	if err != nil {
		return
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		do(lines.Text())
	}
}

// number returns a setting as a number, or 0 if it is missing.
func (f *facts) number(setting string) int {
	n, _ := strconv.Atoi(f.settings[setting])
	return n
}

// proc returns the text of a file in /proc/net, or "" if the file is missing or too large.
func (f *facts) proc(name string) string {
	text, _ := runfile.ReadFile(f.root+"/proc/net/"+name, maxList)
	return string(text)
}

// entries returns the number of neighbours in a cache, which is the first number below the column heads.
func (f *facts) entries(cache string) (n int) {
	_, numbers, _ := strings.Cut(f.proc("stat/"+cache), "\n")
	fmt.Sscanf(numbers, "%x", &n)
	return n
}

// sum adds up the numbers in some columns, counted from 0, of all lines whose first word starts with the text begin.
func sum(text, begin string, base int, columns ...int) (all int) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		for _, at := range columns {
			if len(words) > at && strings.HasPrefix(words[0], begin) {
				n, _ := strconv.ParseUint(words[at], base, 32)
				all += int(n)
			}
		}
	}
	return all
}
