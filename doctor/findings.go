package doctor

import (
	_ "embed" // the findings are part of the program
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Severities that decide something, see findings.txt.
const (
	broken  = "broken"
	warning = "warning"
	note    = "note"
	refused = "refused"
)

//go:embed findings.txt
var findingsText string

// row is a finding of findings.txt.
type row struct{ severity, directive, text, fix string }

var rows = readRows()

func readRows() map[string]row {
	all := map[string]row{}
	for _, part := range strings.Split(findingsText, "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n#") // the next chapter
		text, fix, _ := strings.Cut(text, "\nfix: ")
		words := append(strings.Split(title, ", "), "")
		all[words[0]] = row{words[1], words[2], strings.Join(strings.Fields(text), " "), strings.TrimSpace(fix)}
	}
	return all
}

// finding returns a finding by its name, with these values in its text and its command.
func finding(name string, values ...any) Finding {
	value := func(place string) string {
		n, _ := strconv.Atoi(place) // every place is a number
		return fmt.Sprint(values[n-1])
	}
	r := rows[name]
	kind, _, _ := strings.Cut(name, " ")
	return Finding{Severity: r.severity, Kind: kind, Text: os.Expand(r.text, value),
		Command: os.Expand(r.fix, value), directive: r.directive}
}
