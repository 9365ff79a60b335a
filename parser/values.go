package parser

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is the text after a directive's =, with its position and warnings. If a value has a problem, the result of its
// reader is ignored.
type value struct {
	text string
	line
	form      Form
	commented bool // a comment follows
	notes     []*Diagnostic
	problem   *Diagnostic // the first one

	opts    *Options
	globals *globals // of the file
	section *section // the section of the value; nil for a global one
}

// refuse records a problem of the value. Only the first problem is kept.
func (v *value) refuse(kind, format string, args ...any) *Diagnostic {
	p := refuse(kind, format, args...)
	v.problem = cmp.Or(v.problem, p)
	return p
}

// wrong refuses the value. The message describes the mistake and what is allowed.
func (v *value) wrong(format string, args ...any) *Diagnostic {
	return v.refuse(badValue, format, args...)
}

// bad is like wrong, but puts the quoted value at the beginning of the message.
func (v *value) bad(format string, args ...any) {
	v.wrong("%q %s", v.text, say(format, args...))
}

func (v *value) warn(kind, format string, args ...any) *Diagnostic {
	p := &Diagnostic{Severity: Warning, Kind: kind, Text: say(format, args...)}
	if v.problem == nil {
		v.notes = append(v.notes, p)
	}
	return p
}

// only warns that only part of the value counts, unless part is the whole value. Enclosing quotes cause no warning.
func (v *value) only(part string) {
	if unquote(v.text) != part {
		v.warn(loose, "of %q only %q counts", v.text, part)
	}
}

// refuse returns an error about a value. The caller that reports it adds the position.
func refuse(kind, format string, args ...any) *Diagnostic {
	return &Diagnostic{Severity: Error, Kind: kind, Text: say(format, args...)}
}

func yesNo(v *value) bool {
	if v.text != "yes" && v.text != "no" {
		v.bad("is neither yes nor no; it must be one of them, in lower case and without quotes")
	}
	return v.text == "yes"
}

// maxDigits is the maximum number of digits in a number.
const maxDigits = 18

// trimZeros drops leading zeros. If all digits are zeros, it keeps one of them.
func trimZeros(s string) string {
	t := strings.TrimLeft(s, "0")
	if t == "" && s != "" {
		return "0"
	}
	return t
}

// natural reads a whole number within bounds. The text must consist of digits.
func natural(text string, low, high uint64) (n int, ok bool) {
	number, err := strconv.ParseUint(text, 10, 64)
	return int(number), err == nil && low <= number && number <= high
}

// number returns a function that reads the first whole number in a value. The number must be within bounds; if high is
// 0, its only upper limit is maxDigits.
func number(low, high int64) func(*value) int {
	return func(v *value) int {
		allowed := fmt.Sprintf("a whole number of at least %d", low)
		switch {
		case v.form == Time:
			allowed = timeAllowed
		case high > 0:
			allowed = fmt.Sprintf("a whole number from %d to %d", low, high)
		}
		text := trimZeros(firstRun(v.text, isDigit)) // as the Perl ldirectord does
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case text == "":
			v.bad("is not a number; it must be %s", allowed)
		case len(text) > maxDigits:
			v.wrong("the number %q is too large; it has at most %d digits", text, maxDigits)
		case err != nil || n < low || high > 0 && n > high:
			v.wrong("%s is out of range; it must be %s", text, allowed)
		}
		unit := ""
		if v.form == WholeSeconds || v.form == Time {
			unit = " seconds"
		}
		if trimZeros(unquote(v.text)) != text {
			v.warn(loose, "%q is read as %s%s; the rest is ignored", v.text, text, unit)
		}
		return int(min(n, math.MaxInt))
	}
}

// minTime is the shortest time that most directives accept, and maxTime, ten years, is the longest. Duration returns
// maxTime for longer times, which the Perl ldirectord accepts, so sums and products of times do not overflow.
const (
	minTime Seconds = 0.1
	maxTime Seconds = 3650 * 24 * 60 * 60
)

const timeAllowed = "a time from 100 ms to 10 years: seconds, such as 5 or 0.5, or a number " +
	"with ms, s, m, h or d after it, such as 500ms"

var timeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?$`)

// ParseSeconds reads a number, which may have a fraction. A unit may follow it directly: ms, s, m, h or d. Without a
// unit, the number is in seconds.
func ParseSeconds(text string) (s Seconds, unit string, ok bool) {
	m := timeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, "", false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if m[2] == "ms" {
		n /= 1000 // n * 0.001 would not always be the nearest floating-point value
	}
	n *= cmp.Or(map[string]float64{"m": 60, "h": 3600, "d": 24 * 3600}[m[2]], 1)
	return Seconds(n), m[2], err == nil
}

// timeWithin reads a time within limits.
func timeWithin(text string, low, high Seconds) (Seconds, bool) {
	s, _, ok := ParseSeconds(unquote(text))
	return s, ok && low <= s && s <= high
}

// timeFrom returns a reading for a time within limits.
func timeFrom(low, high Seconds, allowed string) reading {
	return parsed(func(text string) (Seconds, bool) { return timeWithin(text, low, high) },
		"is not allowed; it must be "+allowed)
}

// exactTime reads a time from minTime to maxTime, without other text.
func exactTime(v *value) Seconds {
	s, _, ok := ParseSeconds(unquote(v.text))
	switch {
	case !ok:
		v.bad("is not a time; it must be %s", timeAllowed)
	case s < minTime || s > maxTime:
		v.wrong("%s is out of range; it must be %s", v.text, timeAllowed)
	}
	return s
}

// timeOrNone reads a time, or 0.
func timeOrNone(v *value) Seconds {
	if v.text == "0" {
		return 0
	}
	s := exactTime(v)
	if v.problem != nil {
		v.problem.Text += "; or 0 for none"
	}
	return s
}

func durationOrNone(v *value) time.Duration { return timeOrNone(v).Duration() }

// perlTime reads a time for a directive of the Perl ldirectord, which reads only the first digits of a value. So does
// perlTime, unless the value has a fraction or a unit.
func perlTime(v *value) Seconds {
	text := unquote(v.text)
	if _, _, ok := ParseSeconds(text); !ok || all(text, isDigit) {
		return Seconds(number(1, 0)(v))
	}
	s := exactTime(v)
	perl := trimZeros(firstRun(text, isDigit))
	if perl == strconv.FormatFloat(float64(s), 'f', -1, 64) {
		return s
	}
	reads := perl + " seconds"
	if perl == "0" {
		reads = "0 and refuses the file"
	}
	p := v.warn(otherTime, "%q is %v here; the Perl ldirectord reads %s", v.text, s.Duration(), reads)
	if v.opts.Strict {
		p.Severity = Error
	}
	return s
}

// between returns the text between the first and the last double quote, if the value begins with a quote.
func (v *value) between() (text string, ok bool) {
	last := strings.LastIndexByte(v.text, '"')
	if last < 1 || v.text[0] != '"' {
		return "", false
	}
	if last < len(v.text)-1 {
		v.warn(loose, "the text after the last quote is ignored")
	}
	return v.text[1:last], true
}

// inQuotes reads text that must be in double quotes.
func inQuotes(v *value) string {
	text, ok := v.between()
	if !ok {
		v.refuse(unknownDirective, "the value is not in double quotes%s; it must be \"…\"", v.oddQuotes())
	}
	return text
}

// quoted is like inQuotes, but refuses an empty text.
func quoted(v *value) string { return v.notEmpty(inQuotes(v), "text in double quotes") }

func (v *value) notEmpty(text, allowed string) string {
	if text == "" {
		v.wrong("the value is empty; it must be %s", allowed)
	}
	return text
}

func (v *value) oddQuotes() string {
	if strings.ContainsAny(v.text, "“”„") {
		return " but in typographic ones"
	}
	if strings.HasPrefix(v.text, "'") {
		return " but in single ones"
	}
	return ""
}

// optionallyQuoted reads text with or without double quotes. The text must not be empty.
func optionallyQuoted(v *value) string {
	return v.notEmpty(v.withoutQuotes(), "text, in double quotes if you like")
}

func (v *value) withoutQuotes() string {
	if text, ok := v.between(); ok {
		return text
	}
	return v.paired(v.text)
}

// paired returns the text, and warns if it has an unpaired quote.
func (v *value) paired(text string) string {
	if strings.Count(text, `"`)%2 == 1 {
		v.warn(suspicious, "a quote is not closed; it is taken as part of the value")
	}
	return text
}

// unquote drops double quotes that enclose the whole value.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2 {
		return s[1 : len(s)-1]
	}
	return s
}

// textOrNone is like plainText, but empty quotes mean no value.
func textOrNone(v *value) string {
	if v.text == `""` {
		v.warn(noEffect, "the value is empty")
		return ""
	}
	return plainText(v)
}

// plainText reads text that must not be empty. It drops quotes that enclose the whole text.
func plainText(v *value) string { return v.notEmpty(v.paired(unquote(v.text)), "text") }

// rawText reads text as written. The text must not be empty.
func rawText(v *value) string { return v.notEmpty(v.text, "text") }

// freeText reads text as written.
func freeText(v *value) string { return v.text }

// word returns the first word of the value. A word consists of letters, digits and _.
func (v *value) word() string { return firstRun(v.text, isWordByte) }

// oneOf reads the first word of the value, which must be one of a list.
func oneOf(list ...string) reading {
	return of(func(v *value) string {
		word := v.word()
		if !slices.Contains(list, word) {
			v.bad("is not allowed%s; it must be one of %s", DidYouMean(word, list),
				strings.Join(list, ", "))
		}
		v.only(word)
		return word
	})
}

// oneValue reads one of a list of values. A value is written in the file as its String method writes it.
func oneValue[T fmt.Stringer](allowed string, list ...T) reading {
	return parsed(func(text string) (got T, ok bool) {
		i := slices.Index(each(list, T.String), text)
		if i >= 0 {
			got = list[i]
		}
		return got, i >= 0
	}, "is not allowed; it must be "+allowed)
}

// upperWord reads one of a list of words in any case, and returns it in upper case.
func upperWord(list ...string) reading {
	return parsed(func(text string) (string, bool) {
		word := strings.ToUpper(unquote(text))
		return word, slices.Contains(list, word)
	}, "is not allowed; it must be one of "+strings.Join(list, ", "))
}

// matching reads a text that must match an expression. The expression is compiled only when a value is read, because
// compiling all expressions would delay each start by a millisecond.
func matching(expression, what string) reading {
	return parsed(func(text string) (string, bool) {
		text = unquote(text)
		return text, regexp.MustCompile(expression).MatchString(text)
	}, what)
}

// parsed reads a value with parse. If parse refuses the value, the message is the value followed by the argument what.
// That text describes the mistake and what is allowed.
func parsed[T any](parse func(string) (T, bool), what string) reading {
	return of(func(v *value) T {
		got, ok := parse(v.text)
		if !ok {
			v.bad("%s", what)
		}
		return got
	})
}

// readList reads a list whose items are separated by commas, which may have blanks around them. It calls read with each
// item and the text from that item to the end of the list.
func readList[T any](v *value, text string, read func(item, from string) T) (list []T) {
	for rest, more := text, true; more && v.problem == nil; {
		from, item := trimLeft(rest), ""
		item, rest, more = strings.Cut(from, ",")
		list = append(list, read(trimRight(item), from))
		if v.problem != nil {
			v.problem.part = from
		}
	}
	return list
}
