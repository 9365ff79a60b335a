package protocol

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// changes are words that change a check otherwise than by a value in one of its fields.
var changes = map[string]func(*Spec){
	"soon": soon, "ipv6": onIPv6, "late": func(s *Spec) { *s = late(*s) },
}

// apply changes a check as a row of text says: "NAME=VALUE; NAME=VALUE", or words of changes. A value may be quoted.
func apply(t testing.TB, s *Spec, words string) {
	t.Helper()
	for word := range strings.SplitSeq(words, "; ") {
		name, value, _ := strings.Cut(word, "=")
		value = bare(t, value)
		if name == "" {
			continue
		}
		if change := changes[name]; change != nil {
			change(s)
			continue
		}
		switch name {
		case "port":
			s.Target = netip.MustParseAddrPort(net.JoinHostPort(s.Target.Addr().String(), value))
			continue
		case "header":
			s.HTTPHeaders = checker.ListOf(append(slices.Collect(s.HTTPHeaders.All()), value)...)
			continue
		case "send", "expect":
			step := settings.Step{Send: name == "send", Text: value}
			s.Steps = checker.ListOf(append(slices.Collect(s.Steps.All()), step)...)
			continue
		}
		field := reflect.ValueOf(s).Elem().FieldByNameFunc(func(field string) bool {
			return strings.EqualFold(field, name)
		})
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(value == "yes")
		case reflect.String:
			field.SetString(value)
		case reflect.Int:
			field.SetInt(int64(testkit.Must(strconv.Atoi(value))(t, word)))
		default:
			t.Fatalf("%q changes nothing of a check", word)
		}
	}
	if s.Target.IsValid() {
		s.URL = strings.ReplaceAll(s.URL, "{target}", s.Target.String())
	}
}

// bare is a text without its quotes, if it has any.
func bare(t testing.TB, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, `"`) {
		return text
	}
	return testkit.Must(strconv.Unquote(text))(t, text)
}

// dialogues is a file of testdata/checker/dialogues, whose head says what a row is.
type dialogues struct {
	t     *testing.T
	rows  [][]string
	names map[string][]string // rows whose settings and steps other rows name
	plain map[string]step
}

// goodSpecs are the checks that the rows of some services change. Those of the others change one of nothing.
var goodSpecs = map[string]Spec{"ldap": goodLDAP, "mysql": goodMySQL, "oracle": goodOracle,
	"pgsql": goodPgSQL, "redis": goodRedis,
	"http": {URL: "http://{target}/index.html", Receive: "All good", HTTP: settings.HTTP{HTTPMethod: "GET"}}}

func newDialogues(t *testing.T, path string) dialogues {
	return dialogues{t, testkit.Table(t, path, 4), map[string][]string{}, plainSteps(t)}
}

const dialogueFolder = "../../testdata/checker/dialogues/"

func TestDialogues(t *testing.T) {
	needsOracle(t)
	for _, path := range testkit.Files(t, dialogueFolder+"*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) { checkDialogues(t, path) })
	}
}

func checkDialogues(t *testing.T, path string) {
	d := newDialogues(t, path)
	var cases []fakeCase
	for _, words := range d.services() {
		for _, row := range d.cases(words) {
			service := strings.TrimSuffix(filepath.Base(path), ".txt")
			s := goodSpecs[service]
			s.Service = service
			apply(t, &s, row[1])
			cases = append(cases, fakeCase{row[0], s, d.script(row[2]), row[3]})
		}
	}
	checkFakes(t, cases)
}

// services are what replaces words in braces, for each service that the file names.
func (d dialogues) services() (all []*strings.Replacer) {
	for _, row := range d.rows {
		service, is := strings.CutPrefix(row[0], "for ")
		if !is {
			continue
		}
		words := []string{"{service}", service}
		for word := range strings.SplitSeq(row[1], "; ") {
			name, value, _ := strings.Cut(word, "=")
			words = append(words, "{"+name+"}", value)
		}
		all = append(all, strings.NewReplacer(words...))
	}
	if all == nil {
		return []*strings.Replacer{strings.NewReplacer()}
	}
	return all
}

// cases are the rows with a verdict, without names and braces.
func (d dialogues) cases(words *strings.Replacer) (cases [][]string) {
	for _, row := range d.rows {
		row = slices.Clone(row)
		for i := range row {
			row[i] = words.Replace(row[i])
		}
		if row[3] == "" {
			d.names[row[0]] = row
			continue
		}
		row[1], row[2] = d.expand(row[1], 1), d.expand(row[2], 2)
		cases = append(cases, row)
	}
	return cases
}

// expand replaces the names in a cell by what the cells of the same column in their rows are.
func (d dialogues) expand(cell string, column int) string {
	words := strings.Split(cell, "; ")
	for i, word := range words {
		if strings.HasPrefix(word, "@") {
			row, known := d.names[word]
			if !known {
				d.t.Fatalf("no row has the name %s", word)
			}
			words[i] = d.expand(row[column], column)
		}
	}
	return strings.Join(words, "; ")
}

func (d dialogues) script(cell string) script {
	script := script{}
	for text := range strings.SplitSeq(cell, "; ") {
		if text != "" {
			script = append(script, d.step(text))
		}
	}
	return script
}

// step is a step by its words: what the server says (<), expects (>), or does. A text may be quoted.
func (d dialogues) step(text string) step {
	if step := d.plain[text]; step != nil {
		return step
	}
	word, rest, _ := strings.Cut(text, " ")
	if word == "transfer" {
		return transfer(d.script(rest)...)
	}
	of := textSteps[word]
	if of == nil {
		d.t.Fatalf("%q is no step", text)
	}
	return of(bare(d.t, rest))
}

var textSteps = map[string]func(string) step{
	"pieces": pieces, "<": say, ">": await, "raw": raw, "all": awaitAll, "bytes": awaitBytes,
	"drip": drip, "endless": endless,
	"listen": listenData, "connect": connectData,
	"tls-for": turnFor, "redis>": redisAwait, "my": mySay, "my>": myAwait,
	"dns":      func(text string) step { return zoneOf(text).tcp },
	"refuse":   func(words string) step { return raw(tnsRefuse(words)) },
	"accept":   func(version string) step { n, _ := strconv.Atoi(version); return raw(tnsAccepted(uint16(n))) },
	"redirect": tnsRedirected,
	"skip":     skip, "ldap": ldapSay, "ldap>": ldapAwait, "pg": pgSay, "pg-endless": pgFlood, "pg>": pgAwait,
}

// plainSteps are the steps without a text.
func plainSteps(t *testing.T) map[string]step {
	secure := serverTLS(t)
	return map[string]step{
		"silent": silent, "stay": stay, "reset": reset, "ended": ended, "hang up": hangUp,
		"await hello": hangOn, "await header": hearHeader, "closed port": closedData, "transfer": transfer(),
		"transfer half": transfer(raw("some"), stay),
		"tls":           turn(secure), "tls old": turn(oldTLS(t)), "tls refused": refusedTurn(secure),
		"resumed": resumed(secure), "unended": unended(secure), "close": closeFirst, "rows": myRows,
		"null packets":   endless("0\x82\x7f\xfc" + strings.Repeat("\x05\x00", 0x3ffe)),
		"await question": func(c *client) bool { readDNS(c); return true },
		"await connect":  func(c *client) bool { return tnsHear(c) != "" },
		"quiet": func(c *client) bool { // the client sends nothing
			c.SetReadDeadline(time.Now().Add(slowly))
			_, err := c.read.Peek(1)
			return os.IsTimeout(err)
		},
		"long": raw(strings.Repeat("x", 5000)),
	}
}
