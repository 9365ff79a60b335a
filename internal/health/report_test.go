package health

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// report reads an answer of the test's table: the words of an agent, or "silent".
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

func TestTelling(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/telling.txt", 4) {
		var now Telling
		var got []string
		for answer := range strings.SplitSeq(row[2], ",") {
			now = now.Next(report(t, answer), ruleOf(row[1]))
			got = append(got, shown(now.Words))
		}
		testkit.Equal(t, strings.Join(got, ","), row[3], row[0])
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
	testkit.Equal(t, now.Words, Words{Admin: Drain, Less: 40})
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
