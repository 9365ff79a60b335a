package parser

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// What a list says, and which lists are refused as a whole.
func TestListsOfRealServers(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "[]",
		"# none\n\n":                      "[]",
		"10.2.0.1\nweb:80 # the second\n": "[{10.2.0.1   false } {web:80   false }]",
		"fe00::1\n[fe00::2]:80\r\n":       "[{fe00::1   false } {[fe00::2]:80   false }]",
		`[{"targets": ["a:1", "b"], "labels": {"weight": "3", "method": "gate", "backup": "yes", "x": "y"}}, {"targets": ["c"]}]`: "[{a:1 gate 3 true } {b gate 3 true } {c   false }]",
		"[]":              "[]",
		"10.2.0.1":        "its last line is not complete: it does not end with a line feed",
		"10.2.0.1 gate\n": `line 1: "gate" follows the server; a line has one address or name`,
		"a/b\n":           `"a/b" is not a server; it must be ADDRESS, NAME, ADDRESS:PORT or NAME:PORT`,
		"a->b\n":          `"a->b" is not a server; it must be ADDRESS, NAME, ADDRESS:PORT or NAME:PORT`,
		"a:http\n":        `the port of "a:http" must be a number from 1 to 65535`,
		"a:0\n":           `the port of "a:0" must be a number from 1 to 65535`,
		"0.0.0.0:80\n":    "0.0.0.0:80 cannot be a server: it is not the address of a host",
		"[ff02::1]:80\n":  "[ff02::1]:80 cannot be a server: it is a multicast address",
		`[{"targets": ["a"], "labels": {"weight": "-1"}}]`:  `weight="-1" of a must be a whole number from 0 to 2147483647`,
		`[{"targets": ["a"], "labels": {"method": "nat"}}]`: `method="nat" of a must be gate, masq or ipip`,
		`[{"targets": ["a"], "labels": {"backup": "1"}}]`:   `backup="1" of a must be yes or no`,
		`[{"targets": ["a"]`:                                "as JSON: unexpected end of JSON input",
		`[{"targets": [""]}]`:                               `"" is not a server; it must be ADDRESS, NAME, ADDRESS:PORT or NAME:PORT`,
		strings.Repeat("a\n", maxOfList+1):                  "it has more than 10000 servers",
	} {
		list, err := ReadList([]byte(text))
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40q: %s, want %s", text, got, want)
		}
	}
}

// Whatever a list has, each server of it is a real server of the section, or the file is refused.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"10.2.0.1\n", "web:80\n", `[{"targets": ["a:1"], "labels": {"weight": "3", "method": "ipip"}}]`, "[fe00::1]:80\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ReadList(text)
		if err != nil || len(list) > 100 {
			return
		}
		names := map[string]bool{}
		for _, one := range list {
			if addr, isNumber := one.address(); isNumber && addr.Is4() {
				names[one.Target] = true
			}
		}
		o := Options{Lists: map[string]List{"/x": {Servers: list}}, Wait: true}
		c, found := Parse(t.Context(), "a.cf", []byte("virtual = 10.1.0.1:80\n\trealfile = /x masq 2 \"r\", \"a\" u:7\n\tservice = http\n"), o)
		if found.HasErrors() {
			for _, d := range found.Errors() {
				if !strings.Contains(d.Text, "virtual service itself") && !strings.Contains(d.Text, "cannot be") &&
					!strings.Contains(d.Text, "has no address") && !strings.Contains(d.Text, "is not allowed") {
					t.Errorf("%q: %v", text, d)
				}
			}
			return
		}
		if len(c.Virtuals) != 1 || len(c.Virtuals[0].Reals) > len(list) || len(c.Virtuals[0].Reals) == 0 && len(names) > 0 {
			t.Errorf("%q: %d virtual services of %v", text, len(c.Virtuals), list)
		}
	})
}

// The lists that a text names, in parts too.
func TestTheListsOfAFile(t *testing.T) {
	lists, empty := RealFiles([]byte("emptyok = yes\nvirtual = 1\n\trealfile = /a gate\n# realfile = /c gate\n\trealfile=/b masq\n\trealfile = x gate\nvirtual = 10.1.0.1:80\n\trealfile = /a ipip\n"))
	testkit.Equal(t, fmt.Sprint(lists, empty), "map[/a:{[ 10.1.0.1] true} /b:{[] true}] true")
}
