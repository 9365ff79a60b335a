package perlre

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/dlclark/regexp2/v2"

	"ldirectord/internal/testkit"
)

// How many patterns are tried against perl, and from which seed.
var (
	pairs = flag.Int("pairs", 20000, "pairs of pattern and text that are tried against perl")
	seed  = flag.Uint64("seed", 3, "where the pairs are drawn from")
)

// moreAtoms are constructs that the other test doesn't use: words, lookbehind of a known width, characters of UTF-8,
// conditions with both branches.
var moreAtoms = strings.Split("status ok ready <h1> 200 \\d+ \\w+ .* .*? .+ .*+ \\s* [0-9.]+ (a|b) (?:a|ab) (?:|a) "+
	"(\\w)\\1 (?<=a) (?<!b) (?<=\\w)b (?<=\xe9) (?=b) (?!b) (?!$) "+
	"\xc3\xa9 \xe2\x82\xac [\xc3\xa9] [^\x80-\xff] \xff+ (?i:\xe9) (?:a*)* (?:a|b?)+ (?:^a|b)* (?:a$|b)* ^$ $$ "+
	"^^ \\n? \\Z\\n \\b\\w+\\b "+
	"(?m:^) (?m:$) (?m:^a$) (?m:b$\\n) (?m:^)* (?:\\b)+ (?:\\B)? a{2,3} (?:ab){2} [ab]{0} (?:a{1,2}){2,} "+
	"[[:space:]]+ \\x{e9} \\.$ (?s:.)", " ")

// A pattern means the same as in Perl, whichever engine runs it. Texts are made from the pattern itself, with small
// changes: few random texts would match.
func TestPatternsMeanWhatTheyMeanToPerl(t *testing.T) {
	perl := startPerl(t)
	random := rand.New(rand.NewPCG(*seed, 7))
	counts := map[string]int{}
	for n := 0; n < *pairs; n += textsPerPattern {
		perl.compares(t, random, counts)
	}
	t.Logf("%d match, %d don't, %d are refused, %d by us alone; %d ran in linear time", counts["1"], counts["0"],
		counts["E"],
		counts["ours"], counts["linear"])
	if least := *pairs / 10; counts["1"] < least || counts["0"] < least || counts["linear"] < least ||
		counts["ours"] > 2*least {
		t.Error("the pairs are of one kind")
	}
}

// The same with patterns and texts made from the fuzzer's numbers.
func FuzzPatternsMeanWhatTheyMeanToPerl(f *testing.F) {
	perl := startPerl(f)
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, number uint64) {
		perl.compares(t, rand.New(rand.NewPCG(number, 13)), map[string]int{})
	})
}

const textsPerPattern = 4

// compares makes a pattern and some texts at random, and compares Perl's answers with those of each engine.
func (p *perlProcess) compares(t *testing.T, random *rand.Rand, counts map[string]int) {
	t.Helper()
	pattern := drawnPattern(random)
	tree, err := sketch(pattern)
	for range textsPerPattern {
		text := randomText(random)
		if err == nil && random.IntN(5) > 0 {
			text = changed(random, sample(random, tree))
		}
		got, want := p.agrees(t, pattern, text)
		counts[got]++
		if got == "E" && want != "E" {
			counts["ours"]++
		}
		if both := eachEngine(t, pattern, text); both != "" {
			counts["linear"]++
			testkit.Equal(t, both, want+want, "Go and regexp2", pattern, text, notations(pattern))
		}
	}
}

// A character class matches the same bytes as in Perl, in each engine, with case ignored or not.
func TestSetsHoldTheBytesThatTheyHoldInPerl(t *testing.T) {
	perl := startPerl(t)
	sets := []string{`\N`, `[{-\xff]`, `[^{-\xff]`, `[\x00-@\[-\xff]`, `[\x80-\xff]`, `[A-\xff]`, "[\xe0-\xff]"}
	for _, escape := range "dDwWsShHvV" {
		sets = append(sets, `\`+string(escape), `[\`+string(escape)+"]", `[^\`+string(escape)+"]", `[b\`+
			string(escape)+"]")
	}
	for _, name := range strings.Fields("alpha alnum ascii blank cntrl digit graph lower print punct space upper " +
		"word xdigit") {
		sets = append(sets, "[[:"+name+":]]", "[[:^"+name+":]]", "[^[:"+name+":]]")
	}
	for _, set := range sets {
		for _, before := range []string{"", "(?i)", "(?=(?s:.))", "(?i)(?=(?s:.))"} {
			if strings.HasPrefix(before, "(?i)") && strings.HasPrefix(set, "[[:^") {
				if _, err := Compile(before + set); err == nil {
					t.Errorf("%s is not refused", before+set)
				}
				continue
			}
			r := compiled(t, before+set)
			for b := range 256 {
				text := string([]byte{byte(b)})
				got, err := r.Match([]byte(text), enough, new(time.Duration))
				if want := perl.answer(before+set, text); err != nil || got != (want == "1") {
					t.Errorf("%s on %q: %v %v, perl %s", before+set, text, got, err, want)
				}
			}
		}
	}
}

// eachEngine is the result of Go's engine and of the backtracking one, whichever Compile would choose. It is "" if
// Go's engine can't run the pattern as Perl does.
func eachEngine(t *testing.T, pattern, text string) string {
	t.Helper()
	r, err := Compile(pattern)
	if err != nil || r.linear == nil {
		return ""
	}
	all := testkit.Must(scan(pattern))(t)
	back, err := regexp2.Compile(backtracking.Replace(all.text), regexp2.RE2)
	if err != nil {
		t.Errorf("%q: %v", pattern, err)
		return ""
	}
	at, err := backtrack(back, []byte(text), enough, new(time.Duration))
	if err != nil {
		t.Errorf("%q on %q: %v", pattern, text, err)
	}
	where, err := (&Regexp{linear: r.linear}).Find([]byte(text), enough, new(time.Duration))
	if !slices.Equal(where, at) || err != nil {
		t.Errorf("%q on %q: Go at %v, regexp2 at %v (%s)", pattern, text, where, at, notations(pattern))
	}
	answers := map[bool]string{false: "0", true: "1"}
	return answers[where != nil] + answers[at != nil]
}

// Both engines have the same result with every pattern that Go's engine can run.
func TestEnginesAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, 11))
	linear := 0
	for range *pairs {
		pattern, text := drawnPattern(random), randomText(random)
		if tree, err := sketch(pattern); err == nil {
			text = changed(random, sample(random, tree))
		}
		switch both := eachEngine(t, pattern, text); both {
		case "":
			continue
		case "01", "10":
			t.Errorf("%q on %q: Go and regexp2 %s (%s)", pattern, text, both, notations(pattern))
		}
		linear++
	}
	if linear < *pairs/10 {
		t.Errorf("only %d of %d pairs ran in linear time", linear, *pairs)
	}
}

// For a repeat whose body may be empty, Go's engine finds another end than Perl. There the backtracking engine is
// used.
func TestWhatMatchesIsWherePerlFindsIt(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		begin, end    int
	}{{`(?:a*|b)*`, "ab", 0, 1}, {"b$", "ab\n", 1, 2}, {"b+", "abb", 1, 3}, {`a\.`, "a.a.", 0, 2},
		{`b(?=c)`, "abc", 1, 2}} {
		at, err := compiled(t, c.pattern).Find([]byte(c.text), enough, new(time.Duration))
		if !slices.Equal(at, []int{c.begin, c.end}) || err != nil {
			t.Errorf("%s on %q: %v %v, want %d %d", c.pattern, c.text, at, err, c.begin, c.end)
		}
	}
}

// The patterns that docs/checks.md lists are those that are matched in linear time.
func TestListOfTheDocumentsIsWhatRunsInLinearTime(t *testing.T) {
	text := testkit.Read(t, "../../docs/checks.md")
	_, list, _ := strings.Cut(text, "answer:\n\n")
	list, _, found := strings.Cut(list, "\n\n")
	if !found {
		t.Fatal("no list in docs/checks.md")
	}
	examples := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(list, -1)
	for _, example := range examples {
		if example[1] == "(?m)" || example[1] == "^" {
			continue
		}
		if r := compiled(t, example[1]); r.back != nil {
			t.Errorf("%s needs the engine that backtracks", example[1])
		}
	}
	if len(examples) < 30 {
		t.Errorf("%d examples", len(examples))
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
	if pattern := b.String(); !oddBreaks.MatchString(pattern) {
		return pattern
	}
	return drawnPattern(r)
}

// oddBreaks are repeated line breaks. When a repeat is lazy, Perl searches for what follows as if a line break were
// one byte: " \R*?]" does not match " \r\n]" there.
var oddBreaks = regexp.MustCompile(`\\[RX](?:[*+?]|\{[0-9, ]+\})\?`)

// sketch is a simpler pattern that matches about the same texts: without assertions, references to groups and atomic
// groups.
func sketch(pattern string) (*syntax.Regexp, error) {
	all, err := scan(pattern)
	if err != nil {
		return nil, err
	}
	text := engineGroups.ReplaceAllString(all.text, "(?:")
	text = backReferences.ReplaceAllString(text, "(?:a|b|)")
	return syntax.Parse(strings.ReplaceAll(text, `\Z`, `\n?`), syntax.Perl)
}

var (
	engineGroups   = regexp.MustCompile(`\(\?(?:<?[=!]|>|<own>)`)
	backReferences = regexp.MustCompile(`\(\?:\\[0-9]+\)`)
)

// sample is a text that probably matches a sketch.
func sample(r *rand.Rand, n *syntax.Regexp) string {
	const longest = 24
	var b strings.Builder
	times := func(low int) {
		for range min(low, 4) + r.IntN(3) {
			b.WriteString(sample(r, n.Sub[0]))
		}
	}
	switch n.Op {
	case syntax.OpLiteral:
		for _, c := range n.Rune {
			if n.Flags&syntax.FoldCase != 0 && r.IntN(2) == 0 && c < 0x80 {
				c = unicode.SimpleFold(c)
			}
			b.WriteByte(byte(c))
		}
	case syntax.OpCharClass:
		i := 2 * r.IntN(len(n.Rune)/2)
		c := n.Rune[i] + rune(r.IntN(int(n.Rune[i+1]-n.Rune[i])+1))
		if c >= 0x80 && c>>8 != beyond>>8 { // not a byte
			c = beyond + 0x80 + c%0x80
		}
		if c < ' ' && r.IntN(4) > 0 { // mostly no control character: draw again
			return sample(r, n)
		}
		b.WriteByte(byte(c))
	case syntax.OpAlternate:
		return sample(r, n.Sub[r.IntN(len(n.Sub))])
	case syntax.OpStar, syntax.OpQuest:
		times(0)
	case syntax.OpPlus:
		times(1)
	case syntax.OpRepeat:
		times(n.Min)
	case syntax.OpBeginLine, syntax.OpEndLine:
		return pick(r, []string{"", "", "\n"})
	default:
		for _, sub := range n.Sub {
			b.WriteString(sample(r, sub))
		}
	}
	return b.String()[:min(b.Len(), longest)]
}

// changed is a text with a small addition or error.
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
