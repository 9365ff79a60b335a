package perlre

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// enough is a time limit that no small text reaches.
const enough = time.Second

// answer is our result: 1 matches, 0 does not, E refuses the pattern, B exceeds the limit, which only the
// backtracking engine may do.
func answer(t *testing.T, pattern, text string) string {
	t.Helper()
	m, err := Compile(pattern)
	if err != nil {
		return "E"
	}
	ok, err := m.Match([]byte(text), enough, new(time.Duration))
	if errors.Is(err, ErrBudget) && m.back != nil {
		return "B"
	}
	if err != nil {
		t.Errorf("%q on %q: %v", pattern, text, err)
	}
	if ok {
		return "1"
	}
	return "0"
}

// notations are the pattern as it is passed to each engine.
func notations(pattern string) string {
	all, err := scan(pattern)
	if err != nil {
		return err.Error()
	}
	text := "backtracking " + backtracking.Replace(all.text)
	if r, err := Compile(pattern); err == nil && r.linear != nil {
		text += ", linear " + r.linear.String()
	}
	return text
}

type receiveCase struct{ pattern, text, perl, ours string }

func receiveCases(t *testing.T) (cases []receiveCase) {
	t.Helper()
	table := testkit.Read(t, "../../testdata/checker/receive.tsv")
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		c := receiveCase{unescape(t, fields[0]), unescape(t, fields[1]), fields[2], fields[2]}
		if len(fields) > 3 {
			c.ours = fields[3]
		}
		cases = append(cases, c)
	}
	return cases
}

func unescape(t *testing.T, s string) string {
	t.Helper()
	return testkit.Must(strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`))(t)
}

func TestReceiveDecidesAsRecorded(t *testing.T) {
	for _, c := range receiveCases(t) {
		testkit.Equal(t, answer(t, c.pattern, c.text), c.ours, c.pattern, "on", c.text, notations(c.pattern))
	}
}

func TestRecordIsWhatPerlSays(t *testing.T) {
	perl := startPerl(t)
	for _, c := range receiveCases(t) {
		testkit.Equal(t, perl.answer(c.pattern, c.text), c.perl, c.pattern, "on", c.text, "by perl")
	}
}

func TestReceiveDecidesAsPerlOnRandomPatterns(t *testing.T) {
	perl := startPerl(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		pattern := randomPattern(random, 3)
		for range 3 {
			perl.agrees(t, pattern, randomText(random))
		}
	}
}

// onPurpose are the messages for patterns that we refuse and Perl accepts. All other patterns that we refuse are
// refused by Perl too.
var onPurpose = regexp.MustCompile(`not supported|no group before it has this number or name`)

// accepted are patterns that Perl refuses and we accept: \K in a look-around, where it has no effect.
var accepted = regexp.MustCompile(`(?s)\(\?<?[=!].*\\K`)

// repeatedBreak is a line break that is repeated: Perl 5.36 may match half of "\r\n" there, see docs/compatibility.md.
var repeatedBreak = regexp.MustCompile(`\\[RX](?:[*+?]|\{[0-9, ]+\})`)

// emptyLook is a look-ahead that may match an empty text: after it Perl 5.36 misses matches, see
// docs/compatibility.md.
var emptyLook = regexp.MustCompile(`\(\?=[^()]*(?:[?*]|\{,)`)

// agrees fails the test if our answer differs from Perl's.
func (p *perlProcess) agrees(t *testing.T, pattern, text string) (got, want string) {
	t.Helper()
	got, want = answer(t, pattern, text), p.answer(pattern, text)
	switch {
	case got == "E" && want != "E" && onPurpose.MatchString(notations(pattern)):
		return got, want
	case want == "E" && accepted.MatchString(pattern):
		return got, want
	case got == "B", got == "1" && want == "0" && emptyLook.MatchString(pattern):
		return got, want
	case repeatedBreak.MatchString(pattern) && strings.Contains(text, "\r\n"):
		return got, want
	case got != want:
		t.Errorf("%q on %q: %s, perl %s (%s)", pattern, text, got, want, notations(pattern))
	}
	return got, want
}

// perlProcess is a perl that answers the same questions.
type perlProcess struct {
	t   testing.TB
	in  *bufio.Writer
	out *bufio.Scanner
}

func startPerl(t testing.TB) *perlProcess {
	t.Helper()
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("needs perl")
	}
	cmd := exec.CommandContext(t.Context(), "perl", "../../testdata/checker/receive.pl")
	in := testkit.Must(cmd.StdinPipe())(t)
	out := testkit.Must(cmd.StdoutPipe())(t)
	testkit.OK(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &perlProcess{t, bufio.NewWriter(in), bufio.NewScanner(out)}
}

func (p *perlProcess) answer(pattern, text string) string {
	fmt.Fprintf(p.in, "%s\t%s\n", hex.EncodeToString([]byte(pattern)), hex.EncodeToString([]byte(text)))
	p.in.Flush()
	if !p.out.Scan() {
		p.t.Fatalf("perl ended at %q", pattern)
	}
	return p.out.Text()
}

// The parts of random patterns. Constructs for which Perl's own results are inconsistent are left out: lookbehind of
// variable or no width, conditions without a "no", repeated \K, {3,2}.
var (
	randomAtoms = strings.Split(`a b c K k 0 1 _ - # { } ] . ^ $ \A \z \Z \b \B \d \D \w \W \s \S \h \H \v \V \N `+
		`\R \X \n `+
		`\t \e \cA \x41 \x{61} \x{e9} \101 \0 \12 \1 \2 \10 \8 \g1 \g{-1} \g{2} \k<n> \k{n} (?P=n) \G \Q \E `+
		`\U \y \. \/ \_ `+
		`[a-c] [^a-c] [\w-] [[:alpha:]] [[:^upper:]] [[:lower:]k] []a] [^]a] [a\]b] [\d-z] [\1\b] `+
		`[a-[:digit:]] [$@] `+
		`[\x00-\x1f] [^\n] [\W] [^\W_] [[:punct:]] [[:^space:]\n] [^[:cntrl:]] [\h\R] [\V] [^\H\d] [A-\xff] `+
		`[z-a] [[:foo:]] [a [-a] [a-]`, " ")
	// randomRefused are constructs that we refuse on purpose.
	randomRefused = strings.Split(`\x{100} \p{Lu} \pL \P{L} \p{IsUpper} \N{U+e9} [\N{U+41}] (?xx) (?u) `+
		`(?|(a)|(b)) (?a:\w) (*pla:a) (*atomic:a*) `+
		`(?:(a)|b)(?(1)b|a) (?(?=a)\w|b) (?1) (*SKIP)`, " ")
	randomBytes  = []string{"\n", " ", "\xe9", "\xc9", "\xdf", "[\xe0-\xff]", "[a b]"}
	randomGroups = strings.Split(`( (?: (?= (?! (?> (?<n> (?'m' (?P<n> (?i: (?s: (?m: (?x: (?n: (?^: (?^i: `+
		`(?i-s: (?-i:`, " ")
	randomRepeats = []string{"", "", "", "", "", "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,}",
		"{,2}", "{1,2}?", "{1}+", "{ 1, 2 }", "{x}", " *"}
	randomOthers = []string{"(?i)", "(?s)", "(?m)", "(?x)", "(?-i)", "(?^)", "(?n)", "(?#c)", "(*FAIL)", "|", "|",
		"|", " # x\n", ")", "*"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func randomPattern(r *rand.Rand, depth int) string {
	var b strings.Builder
	for range r.IntN(4) + 1 {
		switch kind := r.IntN(20); {
		case r.IntN(100) == 0:
			b.WriteString(pick(r, randomRefused))
		case kind < 5 && depth > 0:
			b.WriteString(pick(r, randomGroups) + randomPattern(r, depth-1) + ")" + pick(r, randomRepeats))
		case kind == 5:
			b.WriteString(pick(r, randomOthers))
		case kind < 8:
			b.WriteString(pick(r, randomBytes) + pick(r, randomRepeats))
		case kind < 14:
			b.WriteString(pick(r, randomAtoms[:14]) + pick(r, randomRepeats))
		default:
			b.WriteString(pick(r, randomAtoms) + pick(r, randomRepeats))
		}
	}
	return b.String()
}

func randomText(r *rand.Rand) string {
	const alphabet = "aabbcckK01\n _-\xe9\xc9\xdfAB.\x85\xa0\r\t#{}]"
	text := make([]byte, r.IntN(8))
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(text)
}

func TestCatastrophicPatternsAreCutOff(t *testing.T) {
	hostile := []struct{ pattern, text string }{
		{`^(\w+\s?)*$`, strings.Repeat("abcdefg ", 20) + "!"},
		{`(a+)+$`, strings.Repeat("a", 5000) + "b"},
		{`(a|aa)+$`, strings.Repeat("a", 5000) + "b"},
		{`(.*)*\?`, strings.Repeat("Lorem ipsum ", 80000)},
		{`(?:(?:a*)*)*b`, strings.Repeat("a", 1<<20)},
		{`(a?){40}a{40}$`, strings.Repeat("a", 39) + "b"},
		{`(?=(a+))*(?:\1b)+$`, strings.Repeat("a", 10000)},
	}
	for _, c := range hostile {
		m, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		spent := startClock()
		ok, err := m.Match([]byte(c.text), 50*time.Millisecond, new(time.Duration))
		if took := spent.read(); took > time.Second {
			t.Errorf("%s took %v", c.pattern, took)
		}
		if ok {
			t.Errorf("%s matches (%v)", c.pattern, err)
		}
	}
}

func TestHostilePatternsAreCompiledOrRefusedInTime(t *testing.T) {
	words := ""
	for i := range 16000 {
		words += fmt.Sprintf("|%c%c%c", 'a'+i/676, 'a'+i/26%26, 'a'+i%26)
	}
	for _, pattern := range []string{
		strings.Repeat("(", 100000),
		strings.Repeat("(", 60000) + strings.Repeat(")", 5536),
		strings.Repeat("[", maxPattern),
		strings.Repeat("a", maxPattern+1),
		strings.Repeat("a{", 30000) + "*+",
		strings.Repeat("(?", 30000),
		strings.Repeat("[[:", 20000),
		"[" + strings.Repeat("[:a", 20000),
		strings.Repeat("a{1", 20000),
		`((((a{60000}){60000}){60000}){60000}){60000})`,
		strings.Repeat(`\k<n>`, 12000),
		strings.Repeat("(?:a*)", 10000),
		strings.Repeat(`\pL`, 5000),
		strings.Repeat(`\W`, 30000),
		strings.Repeat("(?u)", 16000) + `\b`,
		"(?:" + words[1:64000] + ")*(?=x)",
	} {
		spent := startClock()
		m, err := Compile(pattern)
		if err == nil {
			_, err = m.Match([]byte(strings.Repeat("a", 10000)), 10*time.Millisecond, new(time.Duration))
		}
		if took := spent.read(); took > time.Second {
			t.Errorf("%.20q... took %v (%v)", pattern, took, err)
		}
	}
}

// The message about a refused pattern names the place and what is allowed, above all where Perl accepts the pattern.
func TestRefusalsNameTheConstruct(t *testing.T) {
	const groups = " is not supported: a group is (…), (?:…), (?<name>…), (?=…), (?!…), (?<=…), (?<!…) or (?>…), " +
		"with modifiers i, m, n, s and x"
	rows := testkit.Table(t, "testdata/refused.txt", 2)
	rows = append(rows, []string{"\xe9(?xx)[a-c ]", `"(?xx)[a-c ]" is no group, at character 2 of the pattern`})
	for _, row := range rows {
		_, err := Compile(row[0])
		testkit.Fails(t, err, strings.Replace(row[1], " is no group", groups, 1), row[0])
	}
}

func TestPlainTextIsSearchedForAsBytes(t *testing.T) {
	for pattern, plain := range map[string]bool{
		"Test Page": true, `a\.b`: true, "caf\xe9": true, `\x41\n`: true, "a{": true, "": true,
		"a.b": false, "(?i)a": false, "a|b": false, "^a": false, "a?": false, "[ab]": false, `\d`: false,
		"(?#c)a": true, "(?:a)b": true,
	} {
		m := testkit.Must(Compile(pattern))(t)
		testkit.Equal(t, m.linear == nil && m.back == nil, plain, pattern, "plain")
	}
}

func BenchmarkReceive(b *testing.B) {
	page := []byte(strings.Repeat("<p>Lorem ipsum dolor sit amet</p>\n", 100) + "Test Page")
	for _, c := range []struct{ name, pattern string }{
		{"literal", "Test Page"}, {"engine", "Test +Page$"}, {"folded", "(?i)test page"},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := Compile(c.pattern)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			var spent time.Duration
			for b.Loop() {
				if ok, err := m.Match(page, time.Second, &spent); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
