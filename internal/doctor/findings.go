package doctor

import (
	_ "embed" // the findings are part of the program
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"ldirectord/parser"
)

// The severities, which findings.txt explains.
const (
	broken  = "broken"
	warning = "warning"
	note    = "note"
	refused = "refused"
)

//go:embed findings.txt
var findingsText string

// row is a finding in findings.txt.
type row struct{ severity, directive, text, fix string }

// written matches a row of findings.txt: its name, severity and directive, the lines of its text, and the command.
var written = regexp.MustCompile(`(?m)^## (.+?), (\w+)(?:, (\w+))?\n((?:.+\n)+?)(?:fix: (.+)\n)?$`)

// rows reads findings.txt when the first finding is made.
var rows = sync.OnceValue(func() map[string]row {
	all := map[string]row{}
	for _, part := range written.FindAllStringSubmatch(findingsText, -1) {
		all[part[1]] = row{part[2], part[3], strings.Join(strings.Fields(part[4]), " "), part[5]}
	}
	return all
})

// finding returns the finding with this name, with the values put into its text and command.
func finding(name string, values ...any) Finding {
	value := func(place string) string {
		n, _ := strconv.Atoi(place) // every placeholder is a number
		return fmt.Sprint(values[n-1])
	}
	r := rows()[name]
	kind, _, _ := strings.Cut(name, " ")
	return Finding{Severity: r.severity, Kind: kind, Text: os.Expand(r.text, value),
		Command: os.Expand(r.fix, value), directive: r.directive}
}

// in returns the finding with its place in the file.
func (f Finding) in(at parser.Position) Finding {
	f.at = at
	return f
}
