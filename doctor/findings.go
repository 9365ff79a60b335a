package doctor

import (
	_ "embed" // the findings are part of the program
	"fmt"
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
type row struct{ severity, directive, text string }

var rows = readRows()

func readRows() map[string]row {
	all := map[string]row{}
	for _, part := range strings.Split(findingsText, "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n#") // the next chapter
		words := append(strings.Split(title, ", "), "")
		all[words[0]] = row{words[1], words[2], strings.Join(strings.Fields(text), " ")}
	}
	return all
}

// finding returns a finding by its name, with the command that fixes it; "" if none does.
func finding(name, command string, args ...any) Finding {
	r := rows[name]
	kind, _, _ := strings.Cut(name, " ")
	return Finding{Severity: r.severity, Kind: kind, Text: fmt.Sprintf(r.text, args...), Command: command,
		directive: r.directive}
}
