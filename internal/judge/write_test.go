package judge

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// What is sent after which answer, batch after batch, and what is known then.
func TestWhatIsSentAfterWhichAnswer(t *testing.T) {
	answers := map[string]Answer{"refused": Refused, "unanswered": Unanswered, "missing": Missing}
	for _, row := range testkit.Table(t, "../../testdata/judge/written.txt", 5) {
		one, two := sectionWith("servers=1/1/1/1, 2 3 4 absent, "+row[1]), sectionWith("servers=1, 1 absent")
		a, b := virtualService(1, one.Have), virtualService(2, two.Have)
		want, there := virtualService(1, nil), virtualService(2, lvs.Dests{two.Members[0].Dest})
		for _, m := range one.Members[1:] {
			want.Dests.Put(m.Dest)
		}
		edited := strings.HasPrefix(row[2], "-E A")
		if edited {
			want.Settings.Scheduler = "wlc"
		}
		first, second := NewWrite(&one, a, want), NewWrite(&two, b, there)
		sent := sendAll(NewWrites([]*Write{first, second}), func(op string) Outcome {
			if how, is := strings.CutPrefix(row[2], op+" "); is {
				return Outcome{answers[how], errors.New("oops")}
			}
			return Outcome{}
		})
		known := serversIn(one.Have) + word(first.Err != nil, ", an error")
		testkit.Same(t, []string{sent, known}, row[3:], row[0])
		refused := row[2] == "-E A refused"
		if (first.Answer == Missing) != (row[2] == "-a A3 missing") || second.Err != nil {
			t.Errorf("%s: %+v; of the other service %v", row[0], first.Outcome, second.Err)
		}
		isOld := first.Written == a.Settings
		if (first.Refused != nil) != refused || isOld != (row[2] != "-E A") {
			t.Errorf("%s: the settings are %v, %v", row[0], first.Written, first.Refused)
		}
		if refused && first.Want.Settings != a.Settings {
			t.Errorf("wanted are still %v", first.Want.Settings)
		}
	}
}

// A table that is silent gets nothing more of a service, in this round and in the later ones.
func TestNothingIsSentToASilentTable(t *testing.T) {
	c := sectionWith("servers=1/1, 2 absent")
	want := virtualService(1, nil)
	want.Dests.Put(c.Members[1].Dest)
	one := NewWrite(&c, virtualService(1, c.Have), want)
	writes := NewWrites([]*Write{one})
	testkit.Equal(t, len(writes.Next()), 1, "operations")
	silent := errors.New("silent")
	writes.Skip(silent)
	if n := len(writes.Next()); n != 0 || one.Err != silent || serversIn(c.Have) != "1:1" {
		t.Errorf("%d operations more; %v; %s", n, one.Err, serversIn(c.Have))
	}
}

// Operations are sent in batches, and each batch waits for the answers to the one before. More removals than a batch
// are sent from the last one on.
func TestAWriteIsSentInBatches(t *testing.T) {
	for _, row := range []struct {
		n                    int
		batches, first, last string
	}{
		{lvs.Batch, "64", "-d A1 ", " -d A64"},
		{2*lvs.Batch + 1, "64 64 1", "-d A129 ", " -d A1"},
	} {
		c := inService(make([]uint32, row.n)...)
		writes := NewWrites([]*Write{NewWrite(&c, virtualService(1, c.Have), virtualService(1, nil))})
		sent := sendAll(writes, func(string) Outcome { return Outcome{} })
		var sizes []string
		for batch := range strings.SplitSeq(sent, " / ") {
			sizes = append(sizes, fmt.Sprint(strings.Count(batch, "-d A")))
		}
		testkit.Equal(t, strings.Join(sizes, " "), row.batches, row.n, "removals")
		if !strings.HasPrefix(sent, row.first) || !strings.HasSuffix(sent, row.last) {
			t.Errorf("%d removals: %s", row.n, sent)
		}
	}
}

// virtualService has the mark n.
func virtualService(n uint32, dests lvs.Dests) lvs.VirtualService {
	return lvs.VirtualService{Key: lvs.Key{Protocol: lvs.Mark, Mark: n},
		Settings: lvs.Settings{Scheduler: "rr"}.Stored(false),
		Dests:    append(lvs.Dests{}, dests...)}
}

// serversIn are the servers of a table, and their weights.
func serversIn(have lvs.Dests) string {
	places := dests{}
	for _, d := range have {
		places[d.Addr] = d
	}
	return placed(places)
}

// sendAll sends all operations, and returns them with the services A and B, and the numbers of their servers.
func sendAll(writes *Writes, answer func(op string) Outcome) string {
	var batches []string
	for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
		var sent []string
		for i, op := range ops {
			text := strings.Fields(op.String())[0] + " " + string(rune('A'+op.Key.Mark-1))
			if op.Kind >= lvs.AddDest {
				text += fmt.Sprint(op.Dest.Addr.Addr().As4()[3])
			}
			sent = append(sent, text)
			writes.Answered(i, answer(text))
		}
		batches = append(batches, strings.Join(sent, " "))
	}
	return strings.Join(batches, " / ")
}
