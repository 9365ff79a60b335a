package health

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

// agentWords are the words of HAProxy's agent-check, other than percentages and maxconn:N.
var agentWords = map[string]Report{
	"ready":   {Admin: Ready},
	"drain":   {Admin: Drain},
	"maint":   {Admin: Maint},
	"up":      {State: Up},
	"down":    {State: Down},
	"fail":    {State: Down},
	"stopped": {State: Down},
}

// ReadAgent reads the words of an agent, in any order. The last word of a kind counts, as in HAProxy. ReadAgent reports
// whether the line contains a known word or no words at all.
func ReadAgent(line string) (report Report, known bool) {
	strange := false
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
		if word[0] == '#' { // the reason, for operators
			break
		}
		meaning, is := agentWords[strings.ToLower(word)]
		report.Admin, report.State = cmp.Or(meaning.Admin, report.Admin), cmp.Or(meaning.State, report.State)
		switch {
		case is:
		case word[0] >= '0' && word[0] <= '9' && strings.Contains(word, "%"):
			report.Percent, report.Weighs = readPercent(word)
			is = report.Weighs
		default:
			is = strings.HasPrefix(strings.ToLower(word), "maxconn:")
		}
		known, strange = known || is, strange || !is
	}
	report.Wordless = report == (Report{})
	return report, known || !strange
}

// readPercent reads a number with a percent sign. A number above 100 counts as 100.
func readPercent(word string) (percent uint8, ok bool) {
	digits, after, _ := strings.Cut(word, "%")
	n, err := strconv.ParseUint(digits, 10, 64)
	if after != "" || err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return uint8(min(n, 100)), true
}
