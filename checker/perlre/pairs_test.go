package perlre

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
)

// How many patterns are tried against perl, and from which seed.
var (
	pairs = flag.Int("pairs", 20000, "pairs of pattern and text that are tried against perl")
	seed  = flag.Uint64("seed", 3, "where the pairs are drawn from")
)

// moreAtoms are what the other test's atoms leave out: words, lookbehind of a known width, characters of UTF-8,
// conditions with both branches.
var moreAtoms = strings.Split("status ok ready <h1> 200 \\d+ \\w+ .* .*? .+ .*+ \\s* [0-9.]+ (a|b) (?:a|ab) (?:|a) (\\w)\\1 (?<=a) (?<!b) (?<=\\w)b (?<=\xe9) (?=b) (?!b) (?!$) "+
	"\xc3\xa9 \xe2\x82\xac [\xc3\xa9] [^\x80-\xff] \xff+ (?i:\xe9) (?iu:\xe9) (?:(a)|b)(?(1)b|a) (?(?=a)\\w|b) (?:a*)* (?:a|b?)+ (?:^a|b)* (?:a$|b)* ^$ $$ ^^ \\n? \\Z\\n \\b\\w+\\b "+
	"(?m:^) (?m:$) (?m:^a$) (?m:b$\\n) (?m:^)* (?:\\b)+ (?:\\B)? a{2,3} (?:ab){2} [ab]{0} (?:a{1,2}){2,} [[:space:]]+ \\x{e9} \\.$ (?s:.)", " ")

// A pattern means what it means to perl, whichever engine it runs on. Texts are drawn from the pattern itself, and
// changed a little: else hardly one would match.
func TestPatternsMeanWhatTheyMeanToPerl(t *testing.T) {
	perl := startPerl(t)
	random := rand.New(rand.NewPCG(*seed, 7))
	counts := map[string]int{}
	for n := 0; n < *pairs; {
		pattern := drawnPattern(random)
		tree, _, err := parse(pattern)
		for range 4 {
			text := randomText(random)
			if err == nil && random.IntN(5) > 0 {
				text = changed(random, sample(random, tree))
			}
			got, want := answer(t, pattern, text), perl.answer(pattern, text)
			if got != want {
				t.Errorf("%q on %q: %s, perl %s (%s)", pattern, text, got, want, notations(pattern))
			}
			n++
			counts[got]++
			if r, err := Compile(pattern); err == nil && r.linear != nil {
				counts["linear"]++
			}
		}
	}
	t.Logf("%d match, %d don't, %d are refused; %d ran in linear time", counts["1"], counts["0"], counts["E"], counts["linear"])
	if least := *pairs / 10; counts["1"] < least || counts["0"] < least || counts["linear"] < least {
		t.Error("the pairs are of one kind")
	}
}

func drawnPattern(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(4) + 1 {
		switch r.IntN(4) {
		case 0:
			b.WriteString(randomPattern(r, 1))
		case 1:
			b.WriteString(pick(r, moreAtoms) + "|" + pick(r, moreAtoms))
		default:
			b.WriteString(pick(r, moreAtoms))
		}
	}
	return b.String()
}

// sample is a text that a tree might match: it knows nothing of what looks around.
func sample(r *rand.Rand, n *node) string {
	const longest = 24
	var b strings.Builder
	switch n.kind {
	case single:
		for b.Len() == 0 && n.set.size() > 0 {
			if c := byte(r.IntN(256)); n.set.has(c) && (c >= ' ' || r.IntN(4) == 0) {
				b.WriteByte(c)
			} else if n.set.size() < 8 && n.set.has(c) {
				b.WriteByte(c)
			}
		}
	case choice, condition:
		return sample(r, n.subs[r.IntN(len(n.subs))])
	case repeat:
		for range min(n.low, 4) + r.IntN(3) {
			b.WriteString(sample(r, n.subs[0]))
		}
	case reference:
		return pick(r, []string{"a", "b", ""})
	case lineBegin, lineEnd, lastEnd:
		return pick(r, []string{"", "", "\n"})
	case look:
		if !strings.Contains(n.open, "!") && r.IntN(2) == 0 {
			return sample(r, n.subs[0])
		}
	default:
		for _, sub := range n.subs {
			b.WriteString(sample(r, sub))
		}
	}
	return b.String()[:min(b.Len(), longest)]
}

// changed is a text with something before, after, or wrong in it.
func changed(r *rand.Rand, text string) string {
	switch r.IntN(6) {
	case 0:
		return randomText(r) + text
	case 1:
		return text + randomText(r)
	case 2:
		return text + "\n"
	case 3:
		if i := r.IntN(len(text) + 1); i < len(text) {
			return text[:i] + text[i+1:]
		}
	case 4:
		if i := r.IntN(len(text) + 1); i < len(text) {
			return text[:i] + pick(r, []string{"a", "B", "\n", "\xe9", " "}) + text[i+1:]
		}
	}
	return text
}
