package status

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/view"
)

// A fallback server is said to pass or to fail only where it is checked; one that fails by its name, wherever a virtual
// service is shown. Server 22 fails, 21 passes.
func TestWhatIsSaidOfAFallback(t *testing.T) {
	const check = "\nfallbackcheck = connect"
	for name, c := range map[string]struct {
		config, row, remark, object, metric string
		trouble                             Trouble
	}{
		"waits, not checked": {"real = 192.0.2.21:80 gate\nfallback = 192.0.2.22:80", "waits\n", "",
			`"active":false,"table_weight":null}`, "", Fine},
		"serves, not checked": {"real = 192.0.2.22:80 gate\nfallback = 192.0.2.23:80", "serves, not checked\n",
			"", `"rule":"fallback"}`, "", Broken},
		"waits, passes": {"real = 192.0.2.21:80 gate\nfallback = 192.0.2.23:80" + check,
			"waits; 2.38ms, 0s ago\n", "",
			`"table_weight":null,"state":"up","last_check":{"time":"2000-01-01T00:00:0`, " 1", Fine},
		"serves, passes": {"real = 192.0.2.22:80 gate\nfallback = 192.0.2.23:80" + check,
			"serves; 2.38ms, 0s ago\n", "", `"state":"up",`, " 1", Broken},
		"waits, fails": {"real = 192.0.2.21:80 gate\nfallback = 192.0.2.22:80" + check,
			"waits; answer, 0s ago\n    body does not match",
			"the fallback 192.0.2.22:80 fails: body does not match",
			`"state":"down","reason":"body does not match`, " 0", Doubt},
		"serves, fails": {"real = 192.0.2.22:81 masq\nfallback = 192.0.2.22:80" + check,
			"serves; answer, 0s ago\n",
			"the fallback 192.0.2.22:80 fails: body does not match", `"state":"down",`, " 0", Broken},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(t, c.config, nil, false)
			metric, _, _ := strings.Cut(
				strings.TrimPrefix(
					strings.TrimLeft(
						got.metrics[max(0,
							strings.Index(got.metrics, "\nldirectord_fallback_up{")):],
						"\n"), "# "), "\n")
			if !strings.HasPrefix(metric,
				`ldirectord_fallback_up{virtual="tcp:192.0.2.10:80",real="192.0.2.2`) {
				metric = ""
			}
			_, server, _ := strings.Cut(c.config, "fallback = ")
			server, _, _ = strings.Cut(server, "\n")
			place, _, checked := strings.Cut(strings.TrimSpace(c.row), ";")
			state := "fallback"
			if checked {
				state = map[bool]string{false: "up", true: "down"}[c.remark != ""]
			}
			_, its, _ := strings.Cut(got.why, server+" of tcp:192.0.2.10:80: "+state+" since 2000-01-01 ")
			for what, is := range map[string]bool{
				"its own why": strings.Contains(its, "\n  fallback: "+place+"\n") &&
					strings.Contains(its, " passed in ") == (state == "up") &&
					strings.Contains(its, "table: added with weight 1") == strings.HasPrefix(place,
						"serves") && strings.Contains(its, "due ") == checked,
				"the row": strings.Contains(got.text, "fallback                            "+c.row),
				"the remark": strings.Contains(got.text, "\n  the fallback ") == (c.remark != "") &&
					strings.Contains(got.text, "\n  "+c.remark),
				"why": strings.Contains(got.why, "\n  the fallback ") == (c.remark != "") &&
					strings.Contains(got.why, "\n  "+c.remark),
				"JSON":       strings.Contains(got.object, c.object),
				"the metric": (metric == "") == (c.metric == "") && strings.HasSuffix(metric, c.metric),
				"trouble":    got.trouble == c.trouble,
			} {
				if !is {
					t.Errorf("%s is wrong, trouble %v:\n%s\n%s\n%s\n%s", what, got.trouble,
						got.text, got.why, got.object, metric)
				}
			}
		})
	}
}

// That the entry of a fallback server was changed by hand is said once, whether it is checked or not.
func TestAFallbackChangedByHandIsSaidOnce(t *testing.T) {
	for state, known := range map[string][]view.Condition{"": nil, "up": {view.ByHand}} {
		v := Virtual{Fallback: &Fallback{ByHand: true, State: state, Conditions: known}}
		if got := ServerRemarks(v.Rows()[0].Server, time.Now()); len(got) != 1 || got[0] != view.ByHand.Text {
			t.Errorf("%q: %q", state, got)
		}
	}
}
