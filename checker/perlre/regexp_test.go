package perlre

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// enough is a budget that no small text needs.
const enough = time.Second

// answer asks our matcher: 1 matches, 0 does not, E refuses the pattern.
func answer(t *testing.T, pattern, text string) string {
	t.Helper()
	m, err := Compile(pattern)
	if err != nil {
		return "E"
	}
	ok, err := m.Match([]byte(text), enough, new(time.Duration))
	if err != nil {
		t.Errorf("%q on %q: %v", pattern, text, err)
	}
	if ok {
		return "1"
	}
	return "0"
}

// notations are what the engines are given.
func notations(pattern string) string {
	all, err := scan(pattern)
	if err != nil {
		return err.Error()
	}
	text := "backtracking " + backtracking.Replace(all.text)
	if l := newLinear(all); l != nil {
		text += ", linear " + l.re.String()
	}
	return text
}

type receiveCase struct{ pattern, text, perl, ours string }

func receiveCases(t *testing.T) (cases []receiveCase) {
	t.Helper()
	table, err := os.ReadFile("../../testdata/checker/receive.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
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
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReceiveDecidesAsRecorded(t *testing.T) {
	for _, c := range receiveCases(t) {
		if got := answer(t, c.pattern, c.text); got != c.ours {
			t.Errorf("%q on %q: %s, want %s (%s)", c.pattern, c.text, got, c.ours, notations(c.pattern))
		}
	}
}

func TestRecordIsWhatPerlSays(t *testing.T) {
	perl := startPerl(t)
	for _, c := range receiveCases(t) {
		if got := perl.answer(c.pattern, c.text); got != c.perl {
			t.Errorf("%q on %q: perl %s, recorded %s", c.pattern, c.text, got, c.perl)
		}
	}
}

func TestReceiveDecidesAsPerlOnRandomPatterns(t *testing.T) {
	perl := startPerl(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		pattern := randomPattern(random, 3)
		for range 3 {
			text := randomText(random)
			got, want := answer(t, pattern, text), perl.answer(pattern, text)
			if got != want {
				t.Errorf("%q on %q: %s, perl %s (%s)", pattern, text, got, want, notations(pattern))
			}
		}
	}
}

// perlProcess answers from Perl itself.
type perlProcess struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Scanner
}

func startPerl(t *testing.T) *perlProcess {
	t.Helper()
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("needs perl")
	}
	cmd := exec.CommandContext(t.Context(), "perl", "../../testdata/checker/receive.pl")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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

// What random patterns are made of. Left out is what Perl itself decides oddly: lookbehind of
// variable or no width, conditions without a "no", repeated \K, {3,2}.
var (
	randomAtoms = strings.Split(`a b c K k 0 1 _ - # { } ] . ^ $ \A \z \Z \b \B \d \D \w \W \s \S \h \H \v \V \N \R \X \n `+
		`\t \e \cA \x41 \x{61} \x{e9} \x{100} \101 \0 \12 \1 \2 \10 \8 \g1 \g{-1} \g{2} \k<n> \k{n} (?P=n) \G \Q \E \U \y \. \/ \_ `+
		`[a-c] [^a-c] [\w-] [[:alpha:]] [[:^upper:]] [[:lower:]k] []a] [^]a] [a\]b] [\d-z] [\1\b] [a-[:digit:]] [$@] `+
		`[\x00-\x1f] [^\n] [\W] [^\W_] [\N{U+41}] \N{U+e9} \p{Lu} \pL \P{L} \p{IsUpper} [[:punct:]] [\h\R] [z-a] [[:foo:]] [a [-a] [a-]`, " ")
	randomBytes   = []string{"\n", " ", "\xe9", "\xc9", "\xdf", "[\xe0-\xff]", "[a b]"}
	randomGroups  = strings.Split(`( (?: (?= (?! (?> (?<n> (?'n' (?P<n> (?| (?i: (?s: (?m: (?x: (?xx: (?n: (?a: (?u: (?^: (?^i: (?i-s: (?-i: (*pla: (*atomic:`, " ")
	randomRepeats = []string{"", "", "", "", "", "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,}", "{,2}", "{1,2}?", "{1}+", "{ 1, 2 }", "{x}", " *"}
	randomOthers  = []string{"(?i)", "(?s)", "(?m)", "(?x)", "(?-i)", "(?^)", "(?n)", "(?#c)", "(*FAIL)", "|", "|", "|", " # x\n", ")", "*", "(?xx)", "(?u)"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func randomPattern(r *rand.Rand, depth int) string {
	var b strings.Builder
	for range r.IntN(4) + 1 {
		switch kind := r.IntN(20); {
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
		if took := spent.stop(); took > time.Second {
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
		if took := spent.stop(); took > time.Second {
			t.Errorf("%.20q... took %v (%v)", pattern, took, err)
		}
	}
}

func TestRefusalsNameTheConstruct(t *testing.T) {
	for pattern, want := range map[string]string{
		`a(?1)`:              `"(?1)" is not supported: nor are recursion, embedded code and verbs, at character 2 of the pattern`,
		`(?R)`:               `"(?R)" is not supported: nor are recursion, embedded code and verbs, at character 1 of the pattern`,
		`x(?&n)(?<n>a)`:      `"(?&n)(?<n>a)" is not supported: nor are recursion, embedded code and verbs, at character 2 of the pattern`,
		`a(*SKIP)b`:          `"(*SKIP)b" is not supported: nor are recursion, embedded code and verbs, at character 2 of the pattern`,
		`(?{ system "id" })`: `"(?{ system \"" is not supported: nor are recursion, embedded code and verbs, at character 1 of the pattern`,
		`[[:foo:]]`:          `unknown class [:foo:], at character 2 of the pattern`,
		`(a`:                 `unmatched (, at character 1 of the pattern`,
		`a)`:                 `unmatched ), at character 2 of the pattern`,
		`[a`:                 `unmatched [, at character 1 of the pattern`,
		`(?xx)[a- `:          `unmatched [, at character 6 of the pattern`,
		`*`:                  `quantifier * follows nothing, at character 1 of the pattern`,
		`a**`:                `nested quantifiers, at character 3 of the pattern`,
		`a\`:                 `trailing \, at character 2 of the pattern`,
		`\p{Klingon}`:        `\p{Klingon}: this property is not supported, at character 1 of the pattern`,
		`\N{DIGIT ONE}`:      `\N{DIGIT ONE}: named characters are not supported, write \x{...}, at character 1 of the pattern`,
		`(?<n>a)\k<m>`:       `reference to a group "m" that does not exist, at character 8 of the pattern`,
		`a{70000}`:           `quantifier bigger than 65534, at character 2 of the pattern`,
	} {
		_, err := Compile(pattern)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestPlainTextIsSearchedForAsBytes(t *testing.T) {
	for pattern, plain := range map[string]bool{
		"Test Page": true, `a\.b`: true, "caf\xe9": true, `\x41\n`: true, "a{": true, "": true,
		"a.b": false, "(?i)a": false, "a|b": false, "^a": false, "a?": false, "[ab]": false, `\d`: false, "(?#c)a": true, "(?:a)b": true,
	} {
		m, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.plain(); got != plain {
			t.Errorf("%q: plain %v, want %v", pattern, got, plain)
		}
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
