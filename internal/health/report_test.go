package health

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// told reads an answer of the test's table: the words of an agent, or "silent".
func report(t *testing.T, answer string) (a Report) {
	t.Helper()
	for word := range strings.FieldsSeq(answer) {
		switch word {
		case "silent":
			a.Silent = true
		case "drain", "maint", "ready":
			a.Admin = map[string]Admin{"drain": Drain, "maint": Maint, "ready": Ready}[word]
		case "up":
			a.State = Up
		case "down":
			a.State = Down
		case "-":
			a.Wordless = true
		case "none":
		default:
			a.Weighs = true
			if _, err := fmt.Sscanf(word, "%d%%", &a.Percent); err != nil {
				t.Fatalf("%s: %v", answer, err)
			}
		}
	}
	return a
}

func shown(w Words) string {
	down := map[bool]string{true: "down"}[w.Down]
	return strings.Join(strings.Fields(fmt.Sprintf("%d%% %s %s", w.Percent(), w.Admin, down)), " ")
}

// Answers are separated by commas, and so are the states expected after each of them.
func TestTelling(t *testing.T) {
	one, three := Rule{Fall: 1, Rise: 1}, Rule{Fall: 3, Rise: 1}
	for _, c := range []struct {
		name    string
		rule    Rule
		answers string
		want    string
	}{
		{"nothing is told", one, "-,-", "100%,100%"},
		{"a percentage counts until the next", one, "75%,-,20%,100%", "75%,75%,20%,100%"},
		{"more than all is all", one, "150%", "100%"},
		{"drain counts until ready", one, "drain,50%,up,100%,ready",
			"100% drain,50% drain,50% drain,100% drain,100%"},
		{"ready keeps the percentage", one, "drain 30%,ready", "30% drain,30%"},
		{"maint counts until ready", one, "maint,-,ready", "100% maint,100% maint,100%"},
		{"drain ends maint, maint ends drain", one, "maint,drain,maint", "100% maint,100% drain,100% maint"},
		{"ready does not end down, up does not end drain", one, "down drain,ready,drain up,ready up",
			"100% drain down,100% down,100% drain,100%"},
		{"down counts until up", one, "down,50%,up", "100% down,50% down,50%"},
		{"one stray drain moves nothing", three, "ready,drain,ready,drain,drain,ready",
			"100%,100%,100%,100%,100%,100%"},
		{"the third in a row counts", three, "drain,drain,drain", "100%,100%,100% drain"},
		{"a word that stays counts again", three, "drain,-,50%", "100%,100%,100% drain"},
		{"what gives back counts at once", three, "10%,10%,10%,60%,100%", "100%,100%,10%,60%,100%"},
		{"of three percentages the highest counts", three, "50%,80%,60%", "100%,100%,80%"},
		{"the others count when they come again", three, "50%,80%,60%,60%,60%", "100%,100%,80%,80%,60%"},
		{"a stray drain among percentages", three, "50%,drain 50%,ready 50%", "100%,100%,50%"},
		{"a stray maint in a drain", three, "drain,drain,maint,drain", "100%,100%,100% drain,100% drain"},
		{"one kind gives, the other takes", three, "drain,drain,drain,ready 10%,-,-",
			"100%,100%,100% drain,100%,100%,10%"},
		{"a window counts its failures in a row", Rule{Fall: 1, Need: 2, Of: 3}, "drain,ready,drain,drain",
			"100%,100%,100%,100% drain"},
		{"silence: the percentage is forgotten, drain is not", one,
			"drain 20%,silent,silent,silent,silent,ready",
			"20% drain,20% drain,20% drain,100% drain,100% drain,100%"},
		{"silence: down stays", one, "down,silent,silent,silent", "100% down,100% down,100% down,100% down"},
		{"an answer without a word is not silence", one, "20%,silent,silent,-,silent,silent",
			"20%,20%,20%,20%,20%,20%"},
		{"a check that asks for no words", one, "drain 20% down,none", "20% drain down,100%"},
		{"silence does not count as an answer", three, "drain,silent,drain,silent,drain",
			"100%,100%,100%,100%,100% drain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now Telling
			var got []string
			for answer := range strings.SplitSeq(c.answers, ",") {
				now = now.Next(report(t, answer), c.rule)
				got = append(got, shown(now.Words))
			}
			if got := strings.Join(got, ","); got != c.want {
				t.Errorf("%s\n gives %s\n want  %s", c.answers, got, c.want)
			}
		})
	}
}

func TestASilentServerThatNeverAnswered(t *testing.T) {
	var now Telling
	for n := range Silences {
		if now.IsSilent() {
			t.Errorf("silent after %d checks", n)
		}
		now = now.Next(Report{Silent: true}, Rule{Fall: 1, Rise: 1})
	}
	if !now.IsSilent() || now.Words != (Words{}) {
		t.Errorf("%+v", now)
	}
	if now = now.Next(Report{Wordless: true}, Rule{Fall: 1, Rise: 1}); now != (Telling{}) {
		t.Errorf("after an answer: %+v", now)
	}
}

func TestWordsFromARecordCountUntilTheNext(t *testing.T) {
	now := Tells(Words{Admin: Drain, Less: 40}).Next(Report{Wordless: true}, Rule{Fall: 3, Rise: 1})
	if now.Words != (Words{Admin: Drain, Less: 40}) {
		t.Errorf("%+v", now)
	}
	if now = now.Next(Report{Admin: Ready}, Rule{Fall: 3, Rise: 1}); now.Words != (Words{Less: 40}) {
		t.Errorf("after ready: %+v", now)
	}
}

func TestWordsAsText(t *testing.T) {
	for w, want := range map[Words]string{{}: "100%", {Less: 30}: "70%", {Admin: Drain}: "drain",
		{Admin: Maint, Less: 100}: "maint, 0%"} {
		testkit.Equal(t, w.String(), want)
	}
}

func TestAsks(t *testing.T) {
	for w, want := range map[Words]Admin{{}: NoAdmin, {Less: 99}: NoAdmin, {Less: 100}: Drain,
		{Admin: Drain}: Drain,
		{Admin: Maint}: Maint, {Admin: Maint, Less: 100}: Maint} {
		testkit.Equal(t, w.Asks(), want, w)
	}
}
