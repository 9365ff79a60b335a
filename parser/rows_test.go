package parser

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// usual are lines of many rows.
var usual = map[string]string{
	"virtual":  "virtual=192.0.2.1:80",
	"virtual6": "virtual6=[2001:db8::1]:80",
	"real":     "real=192.0.2.2:80 masq",
	"gate":     "real=192.0.2.2:80 gate",
	"real2":    "real=192.0.2.3:80 masq",
}

// asWritten is the text of a file whose ends of lines and tabs are written out in a row.
var asWritten = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t")

// rowOf is the file of a row.
func rowOf(lines string) (file string) {
	indent := ""
	for line := range strings.SplitSeq(lines, "; ") {
		if is := usual[line]; is != "" {
			line = is
		}
		name, _, _ := strings.Cut(line, "=")
		if isHead := strings.Contains("virtual6 defaults checkdef", name); isHead {
			file += line + "\n"
			indent = "\t"
			continue
		}
		file += indent + line + "\n"
	}
	return file
}

// Findings about single lines: the rows of lines.txt, and some that it can't hold.
func TestWhatIsSaidOfLines(t *testing.T) {
	const virtual, real = "virtual=192.0.2.1:80\n", "\treal=192.0.2.2:80 masq\n"
	rows := [][]string{
		{rowOf("fastinterval=1; virtual; real; fastinterval=2; virtual=192.0.2.9:80; real; failurecount=2"),
			"", "\nno-effect"},
		{virtual + "\treal=192.0.2.2:80 masq 5,\tu:9\n", "", `"5"`},
		{virtual + real + "\tfallback=192.0.2.300:web\n",
			" zeros\nfallback-port-unresolved a.cf:3:23: error: the port \"web\" cannot be used", ""},
		{"fallback=192.0.2.300:65536\n",
			" zeros\nfallback-port-unresolved a.cf:1:22: error: the port \"65536\" cannot be used", ""},
		{virtual + "    \v\n", "a line of the section has only blanks", ""},
		{virtual + "   \v\v\n", "", "a line of the section has only blanks"},
		{"checktimeout=1\rchecktimeout=3\r", "a.cf:1:15: error: the lines end in CR alone; they", "is read as"},
		{virtual + "\tservicename=a\rb\n", "", "CR"},
		{"checktimeout=1\r\r\n", "", "CR alone"},
		{virtual + "supervised\n", "supervised has no value", "unknown"},
	}
	for _, row := range testkit.Table(t, "../testdata/parser/lines.txt", 3) {
		rows = append(rows, []string{rowOf(row[0]), row[1], row[2]})
	}
	for _, row := range rows {
		_, found := Parse(t.Context(), "a.cf", []byte(row[0]), Options{})
		var all strings.Builder
		for _, d := range found {
			all.WriteString(d.Kind + " " + d.String() + "\n")
		}
		said, not := row[1], row[2]
		if !strings.Contains(all.String(), said) || not != "" && strings.Contains(all.String(), not) {
			t.Errorf("%q: want %q and not %q, got\n%s", row[0], said, not, all.String())
		}
	}
}
