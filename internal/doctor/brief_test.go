package doctor

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

// A problem that many servers have is shown three times. The other servers are only named.
func TestFindingsAlikeAreCounted(t *testing.T) {
	var r Report
	for i := range 8 {
		r.Findings = append(r.Findings, Finding{
			Severity: broken, Kind: "masq-loopback", Virtuals: []string{"tcp:192.0.2.10:80"},
			Command: fmt.Sprint("fix ", i), Text: fmt.Sprintf("127.0.0.1:900%d is never reached", i+1),
		})
	}
	other := Finding{Severity: "warning", Kind: "other", Virtuals: []string{"fwm:1"}, Text: "another thing"}
	r.Findings = append(r.Findings, other)
	brief := r.Brief()
	if len(brief) != 5 || brief[4].Text != other.Text {
		t.Fatalf("%d findings: %v", len(brief), brief)
	}
	const want = "broken: tcp:192.0.2.10:80: the same is true of 5 more: 127.0.0.1:9004, 127.0.0.1:9005, " +
		"127.0.0.1:9006, 127.0.0.1:9007, 127.0.0.1:9008"
	testkit.Equal(t, brief[3].String(), want)
}
