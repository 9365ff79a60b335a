package judge

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const (
	stories      = "../../testdata/stories"
	storySteps   = 400
	chapterSteps = 20 // between two sums
	further      = 600
)

// What the rules decide stays as it was, to the letter: of random worlds with one, two and up to eight capabilities,
// testdata/stories has sums of all that is decided at each step. After a change of the code the same events must lead
// to the same places, operations, rules, names and times. STORY=NAME prints one story, to compare it with that of a
// former commit. Whoever changes a decision on purpose writes the file anew, with -update, and says why in the commit.
func TestStoriesStayAsTheyWere(t *testing.T) {
	var all strings.Builder
	wanted := map[string]string{}
	text, err := os.ReadFile(stories)
	if err != nil && !testkit.Update() {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, sums, _ := strings.Cut(strings.TrimSpace(line), ": ")
		wanted[name] = sums
	}
	for _, one := range tales() {
		sums, story := one.play()
		if fmt.Fprintf(&all, "%s: %s\n", one, sums); os.Getenv("STORY") == one.String() {
			fmt.Print(story)
		}
		if want := wanted[one.String()]; !testkit.Update() && sums != want {
			t.Errorf("another story than before, from step %d on: STORY=%q go test -run Stories "+
				"./internal/judge",
				differsAt(strings.Fields(sums), strings.Fields(want))*chapterSteps, one)
		}
	}
	if testkit.Update() {
		testkit.OK(t, os.WriteFile(stories, []byte(all.String()), 0o644))
	}
}

func differsAt(a, b []string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// tale is a random story of a slice.
type tale struct {
	has    capability
	checks int
	seed   uint64
}

func (s tale) String() string { return fmt.Sprintf("%d-%d-%d", s.has, s.checks, s.seed) }

// tales are those of each capability alone, of each pair, and of more at random.
func tales() (all []tale) {
	add := func(has capability, checks int) {
		onlyOne := has&(timed|cuts) == timed|cuts || has&policy != 0 && has&policies == 0
		if !onlyOne {
			all = append(all, tale{has, checks, uint64(len(all))})
		}
	}
	for i := range storied {
		add(1<<i, 1)
		add(1<<i, 2)
		for k := range i {
			add(1<<i|1<<k, 1+(i+k)%2)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range further {
		has := capability(0)
		for range 3 + r.IntN(6) {
			has |= 1 << r.IntN(storied)
		}
		add(has, 1+r.IntN(2))
	}
	return all
}

// play returns a sum of each chapter, and the story.
func (s tale) play() (sums, story string) {
	r := rand.New(rand.NewPCG(s.seed, 7))
	sl := newSlice(s.has, s.checks)
	roots := sl.roots()
	w := roots[r.IntN(len(roots))]
	sum := fnv.New32a()
	var text, chapters strings.Builder
	for step := range storySteps {
		events := w.events(nil)
		if len(events) == 0 { // nothing can happen any more
			break
		}
		e := events[r.IntN(len(events))]
		if sl.has(crashes) && r.IntN(8) == 0 {
			e.mishap = mishap{mishapKind(1 + r.IntN(int(mishapKinds)-1)), r.IntN(3)}
		}
		w.apply(e)
		line := fmt.Sprintf("%d %d %d %d %d: %s\n", step, e.kind, e.a, e.b, e.c, w.decided())
		text.WriteString(line)
		sum.Write([]byte(line))
		if (step+1)%chapterSteps == 0 {
			fmt.Fprintf(&chapters, " %08x", sum.Sum32())
		}
	}
	return strings.TrimSpace(chapters.String()), text.String()
}

// decided is all that the last decision says, and what was done.
func (w *world) decided() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", strings.Join(w.did, ", "))
	for _, d := range w.reported.wanted() {
		fmt.Fprintf(&b, "; %s", describeDest(d))
	}
	for i := range addrs {
		if by := w.reported.Others[addrs[i]]; by != 0 {
			fmt.Fprintf(&b, "; %s by %s", slotNames[i], by)
		}
	}
	if fmt.Fprintf(&b, "; held %v", w.reported.Held); !w.reported.Again.IsZero() {
		fmt.Fprintf(&b, "; again in %v", w.reported.Again.Sub(instant))
	}
	for i := range w.Servers {
		s := &w.Servers[i]
		fmt.Fprintf(&b, "; %v by %s", s.Name, s.Why)
		if !s.Until.IsZero() {
			fmt.Fprintf(&b, " until %v", s.Until.Sub(instant))
		}
		if s.Held {
			b.WriteString(" held")
		}
		if s.Waits() {
			b.WriteString(" waits")
		}
		if w.InService(s) {
			b.WriteString(" serves")
		}
	}
	fmt.Fprintf(&b, "; %t %t %+v", w.Backed, w.Obeys, w.Strength)
	return b.String()
}
