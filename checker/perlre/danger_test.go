package perlre

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

func compiled(t *testing.T, pattern string) *Regexp {
	t.Helper()
	return testkit.Must(Compile(pattern))(t, pattern)
}

// Patterns as people write them are matched in linear time. Patterns that only look alike are not.
func TestWhatRunsInLinearTime(t *testing.T) {
	for pattern, want := range map[string]bool{
		`OK web[0-9]+`: true, `status.*ok`: true, `^OK$`: true, `(?i)ready`: true,
		`<h1>\s*Welcome\s*</h1>`: true, `(a+)+$`: true,
		`(foo|bar)$`: true, `\bready\b`: true, `(?m)^ok$`: true, `(?s)a.b`: true, "\xe9+?": true,
		`[^a]{1,3}`: true, `(a|b|ab)*c`: true,
		`a$b`: false, `(a$)+`: false, `(?m)^`: false, `(?=a)`: false, `(a)\1`: false, `a++`: false,
		`(?>a)`: false,
		`\R`:    false, `a{5000}b?`: false,
	} {
		testkit.Equal(t, compiled(t, pattern).linear != nil, want, pattern)
	}
}

// A text is searched only if it contains the strings that are part of each match.
func TestWhatEveryMatchContainsIsLookedForFirst(t *testing.T) {
	for pattern, want := range map[string]string{
		`status.*ok`: "[status ok]", `(?:ab)+c`: "[ab c]", `a(?:b|c)d`: "[a d]", `(?i)ab1`: "[1]",
		`ab?c`: "[a c]", `foo(?=bar)baz`: "[foobaz]",
		`x{0}y`: "[y]", `^a\b$`: "[a]", `(a)\1b`: "[a b]", `(?!abc)d`: "[d]", `a|b`: "[]", `(?>ab)c`: "[abc]",
	} {
		testkit.Equal(t, fmt.Sprint(compiled(t, pattern).needs), want, pattern)
	}
	if (&Regexp{needs: []string{"ab", "b"}}).worth([]byte("ab")) {
		t.Error("one byte is two texts")
	}
}
