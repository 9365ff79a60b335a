package history

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

var (
	passed  = checker.Result{OK: true, Took: 2 * time.Millisecond}
	refused = checker.Result{Cause: checker.Refused, Stage: wire.AtConnect, Detail: "connect: refused",
		Took: time.Millisecond}
)

// line is a history as text, a few words for each record.
func (h *History) line() string {
	var words []string
	for _, r := range h.Records() {
		if r.Check == None {
			words = append(words, fmt.Sprintf("%d×%s %d %s", r.Times, r.Kind, r.Weight, r.Text))
		} else {
			words = append(words, fmt.Sprintf("%d×%s %s", r.Times, r.Kind, r.Text))
		}
	}
	return strings.Join(words, "; ")
}

func TestEqualResultsInARowAreOneRecord(t *testing.T) {
	var h History
	other, slow := refused, passed
	other.Detail = "status 500"
	slow.Took = 10 * time.Millisecond
	for i, r := range []checker.Result{passed, slow, passed, refused, refused, other, passed} {
		h.Result(Moment(i), 0, map[bool]Kind{true: Passed, false: Failed}[r.OK], &r, Outcome{uint16(i), 9})
	}
	h.Result(7, 0, Stalled, &refused, Outcome{})
	h.Result(8, 1, Passed, &passed, Outcome{}) // of another check
	h.Result(9, 0, Stalled, &refused, Outcome{})
	want := "3×passed ; 2×failed connect: refused; 1×failed status 500; 1×passed ; 2×stalled connect: refused; " +
		"1×passed "
	testkit.Equal(t, h.line(), want)
	first := h.Records()[0]
	if !first.First.Time().IsZero() || first.Last.Time() != time.Unix(0, 2).UTC() || first.Took != 2000 {
		t.Errorf("%+v", first)
	}
	if failed := h.Records()[1]; failed.Count != 4 || failed.Needed != 9 || failed.Cause != checker.Refused {
		t.Errorf("%+v: not as the last one", failed)
	}
}

func TestNumbersThatMayBeOfAnotherCheckAreNotContinued(t *testing.T) {
	var h History
	h.Result(0, 0, Passed, &passed, Outcome{})
	h.Retire()
	h.Result(1, 0, Passed, &passed, Outcome{})
	testkit.Equal(t, len(h.Records()), 2)
	testkit.Equal(t, h.Records()[0].Check, Former)
}

// Of a server that comes and goes, each event is below the result that it rests on: a pass between two failures stays.
func TestPassesBetweenFailuresStay(t *testing.T) {
	var h History
	h.Result(0, 1, Passed, &passed, Outcome{}) // of another check, for a long time
	for i := range Moment(3 * maxRecords) {
		h.Result(10*i+1, 0, Failed, &refused, Outcome{})
		h.Do(10*i+1, Down, 0, "1 of 1 failures")
		h.Result(10*i+2, 0, Passed, &passed, Outcome{})
		h.Do(10*i+2, Up, 0, "1 of 1 successes")
		h.Result(10*i+2, 1, Passed, &passed, Outcome{})
	}
	all := h.Records()
	if first := all[0]; len(all) != maxRecords || first.Check != 1 || first.First != 0 {
		t.Errorf("%s", h.line())
	}
	rests := map[Kind]Kind{Up: Passed, Down: Failed}
	for i, r := range all[2:] {
		if want := rests[r.Kind]; want != Nothing && all[i+1].Kind != want {
			t.Errorf("%d: %s", i, h.line())
		}
	}
}

func TestWhatIsDoneToAServer(t *testing.T) {
	testkit.Scenes(t, "testdata/deeds.txt", func(t *testing.T, _ []string) func(step string) any {
		var h History
		return func(step string) any {
			words := strings.SplitN(step+"  ", " ", 3)
			text := strings.TrimSpace(words[2])
			for k := Up; k <= Changed; k++ {
				switch {
				case k.String() != words[0]:
				case k == Order:
					h.Order(1, text)
				default:
					h.Do(1, k, uint32(testkit.Must(strconv.Atoi(words[1]))(t)), text)
				}
			}
			return fmt.Sprintf("held %v, down %v: %s", h.IsHeld(), h.IsDown(), strings.TrimSpace(h.line()))
		}
	})
}

func TestTheRuleInWords(t *testing.T) {
	for want, got := range map[string]string{
		"2 of 3 failures":                Outcome{2, 3}.Words(false, 0),
		"2 of 2 successes":               Outcome{2, 2}.Words(true, 0),
		"3 of 3 successes in the last 5": Outcome{3, 3}.Words(true, 5),
		"the first result":               Outcome{}.Words(false, 5),
	} {
		testkit.Equal(t, got, want)
	}
}

// Whatever a server answers, its history stays small, and contains the last result.
func TestAHistoryIsBounded(t *testing.T) {
	for seed := range uint64(200) {
		var h History
		random := rand.New(rand.NewPCG(seed, 0))
		for i := range Moment(300) {
			r := checker.Result{Detail: strings.Repeat(fmt.Sprint(random.IntN(20)), random.IntN(300)),
				Cause: checker.Cause(random.IntN(int(checker.Causes)))}
			o := Passed + Kind(random.IntN(5))
			h.Result(i, uint8(random.IntN(3)), o, &r, Outcome{})
			if !slices.ContainsFunc(h.records, func(r Record) bool { return r.Last == i }) {
				t.Fatalf("seed %d: the last result is lost", seed)
			}
			if random.IntN(2) == 0 {
				h.Do(i, Up+Kind(random.IntN(9)), uint32(random.IntN(3)), r.Detail)
				if h.last(None).Last != i {
					t.Fatalf("seed %d: the last deed is lost", seed)
				}
			}
			if h.Clone().Size() > h.Size() {
				t.Fatalf("seed %d: a copy of %d bytes has %d", seed, h.Size(), h.Clone().Size())
			}
			if h.Size() > Limit || len(h.records) > maxRecords {
				t.Fatalf("seed %d: %d bytes, %d records", seed, h.Size(), len(h.records))
			}
		}
	}
}

// The test measures the memory of a healthy server that was added to the table, and of one with failures all the
// time, as the allocator counts it.
func TestTheMemoryOfTenThousandServers(t *testing.T) {
	for name, c := range map[string]struct {
		most int64
		live func(*History)
	}{
		"healthy": {300, func(h *History) {
			h.Do(0, Add, 1, "")
			for i := range Moment(3) {
				h.Result(i, 0, Passed, &passed, Outcome{})
			}
		}},
		"in trouble": {2 << 10, func(h *History) {
			for i := range Moment(40) {
				r := checker.Result{Detail: strings.Repeat(fmt.Sprint(i), 30)}
				h.Result(i, 0, Failed, &r, Outcome{})
				h.Do(i, Edit, 0, r.Detail)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := testkit.InUse()
			all := make([]History, 10_000)
			for i := range all {
				c.live(&all[i])
			}
			each := (testkit.InUse() - before) / int64(len(all))
			if t.Logf("%d bytes a server", each); each > c.most {
				t.Errorf("%d bytes a server, want at most %d", each, c.most)
			}
			runtime.KeepAlive(all)
		})
	}
}

func TestACopyStaysAsItIs(t *testing.T) {
	var h History
	h.Result(1, 0, Passed, &passed, Outcome{})
	before := h.Clone()
	h.Result(2, 0, Passed, &passed, Outcome{})
	testkit.Equal(t, before.line(), "1×passed ", "the copy")
	testkit.Equal(t, h.line(), "2×passed ", "the other")
}

// Equal texts are kept once, including the text of the first record.
func TestEqualTextsShareTheirMemory(t *testing.T) {
	var h History
	for i, text := range []string{"refused", "reset", "refused", "reset"} {
		h.Do(Moment(i), Edit, uint32(i), strings.Clone(text))
	}
	for i, r := range h.Records()[2:] {
		if unsafe.StringData(r.Text) != unsafe.StringData(h.Records()[i].Text) {
			t.Errorf("%q is kept twice", r.Text)
		}
	}
	if one, two := (&History{h.records[:2:2]}).Size(), (&History{h.records[1:3:3]}).Size(); one != two {
		t.Errorf("%d and %d bytes for two records with two texts", one, two)
	}
}

// Most histories stay short: a list has room for its records and at most two more.
func TestAListGrowsByLittle(t *testing.T) {
	var list []Record
	for i, want := range []int{1, 2, 4, 4, 6, 6, 8, 8} {
		list = added(list, Record{Times: uint32(i)})
		testkit.Equal(t, cap(list), want, "room for", len(list))
	}
	for i, r := range list {
		testkit.Equal(t, r.Times, uint32(i))
	}
}

func TestATimeIsKeptWithinItsBounds(t *testing.T) {
	const most = 1<<32 - 1
	kept := map[time.Duration]uint32{-time.Second: 0, 0: 0, time.Millisecond: 1000, 2 * time.Hour: most}
	for took, want := range kept {
		var h History
		h.Result(1, 0, Passed, &checker.Result{OK: true, Took: took}, Outcome{})
		testkit.Equal(t, h.Records()[0].Took, want, took)
	}
}

// A history may take all of Limit, and not a byte more.
func TestAHistoryMayTakeItsLimit(t *testing.T) {
	fill := func(n, last int) *History {
		var h History
		for i := range n {
			h.Do(Moment(i), Order, 0, fmt.Sprintf("%0*d", maxText, i))
		}
		h.Do(Moment(n), Order, 0, strings.Repeat("x", last))
		return &h
	}
	for n := range maxRecords {
		for last := 1; last < maxText; last++ {
			if h := fill(n, last); len(h.records) == n+1 && h.Size() == Limit {
				if h := fill(n, last+1); len(h.records) > n || h.Size() > Limit {
					t.Errorf("%d records take %d bytes", len(h.records), h.Size())
				}
				return
			}
		}
	}
	t.Errorf("no history takes %d bytes", Limit)
}
