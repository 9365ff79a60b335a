package parser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// What a list says, and which lists are refused as a whole.
func TestListsOfRealServers(t *testing.T) {
	rows := testkit.Table(t, "../testdata/parser/lists.txt", 2)
	rows = append(rows, []string{strings.Repeat("a\\n", maxOfList+1), "it has more than 10000 servers"})
	for _, row := range rows {
		list, err := ReadList([]byte(asWritten.Replace(row[0])))
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		testkit.Equal(t, got, row[1], fmt.Sprintf("%.40s", row[0]))
	}
}

// Whatever a list has, each server of it is a real server of the section, or the file is refused.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"10.2.0.1\n", "web:80\n",
		`[{"targets": ["a:1"], "labels": {"weight": "3", "method": "ipip"}}]`, "[fe00::1]:80\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ReadList(text)
		if err != nil || len(list) > 100 {
			return
		}
		names := map[string]bool{}
		for _, one := range list {
			if _, addr, _ := splitTarget(one.Target); addr.Is4() {
				names[one.Target] = true
			}
		}
		o := Options{Lists: map[string]List{"/x": {Servers: list}}, Wait: true}
		c, found := Parse(t.Context(), "a.cf",
			[]byte("virtual = 10.1.0.1:80\n\trealfile = /x masq 2 \"r\", \"a\" u:7\n\tservice = http\n"), o)
		if found.HasErrors() {
			for _, d := range found.Errors() {
				if !strings.Contains(d.Text, "virtual service itself") &&
					!strings.Contains(d.Text, "cannot be") &&
					!strings.Contains(d.Text, "has no address") &&
					!strings.Contains(d.Text, "is not allowed") {
					t.Errorf("%q: %v", text, d)
				}
			}
			return
		}
		if len(c.Virtuals) != 1 || len(c.Virtuals[0].Reals) > len(list) || len(c.Virtuals[0].Reals) == 0 &&
			len(names) > 0 {
			t.Errorf("%q: %d virtual services of %v", text, len(c.Virtuals), list)
		}
	})
}

// The lists that a text names, in parts too.
func TestTheListsOfAFile(t *testing.T) {
	for text, want := range map[string]string{
		"emptyok = yes\nvirtual = 1\n\trealfile = /a gate\n# realfile = /c gate\n\trealfile=/b masq\n" +
			"\trealfile = x gate\nvirtual = 10.1.0.1:80\n" +
			"\trealfile = /a ipip\n": "map[/a:{{ false} [invalid IP 10.1.0.1] [true false] true} " +
			"/b:{{ false} [invalid IP] [true false] true}] true",
		"virtual = 10.1.0.1:80\n\trealnames = web:80 gate\nvirtual6 = [fe00::1]:80\n" +
			"\trealnames = web:81 masq\n" +
			"virtual = 1\n\trealnames = web:82 gate\n" +
			"\trealnames = 10.2.0.1:80 gate\n": "map[web (IPv4):{{web false} [10.1.0.1 invalid " +
			"IP] [true false] false} web (IPv6):{{web true} [fe00::1] [false true] false}] false",
		"\ufeffvirtual6 = [fe00::1]:80\n\trealnames = web:80 gate\n": "map[web (IPv6):{{web true} [fe00::1] " +
			"[false true] false}] false",
	} {
		lists, empty := RealLists([]byte(text))
		testkit.Equal(t, fmt.Sprint(lists, empty), want, text)
	}
}

// A list that leads to a virtual address is not used, whatever the form of the address.
func TestNoListLeadsToItsVirtualAddress(t *testing.T) {
	lists, _ := RealLists([]byte("virtual6 = [fe00:0::1]:80\n\trealfile = /a gate\n"))
	for text, want := range map[string]string{
		"[fe00::1]\n":      "[fe00::1] is the address of the virtual service itself",
		"[fe00::0:1]:81\n": "[fe00::1]:81 is the address of the virtual service itself",
		"[fe00::2]\n":      "<nil>",
	} {
		list, err := ReadList([]byte(text))
		if err == nil {
			err = lists["/a"].Check(list)
		}
		testkit.Equal(t, fmt.Sprint(err), want, text)
	}
}

// Each address of a name is a server with the port and the words of the line, in the family of the section. A name has
// one list, whatever the ports.
func TestTheAddressesOfAName(t *testing.T) {
	o := Options{Lists: map[string]List{
		"web (IPv4)": {Servers: []ListedReal{{Target: "10.2.0.1"}, {Target: "10.2.0.2"}}},
		"web (IPv6)": {Servers: []ListedReal{{Target: "[fe00::2]"}}, Trouble: "no answer"},
	}}
	c, found := parse(t.Context(), "a.cf", []byte("resolve = 9\nvirtual = 10.1.0.1:80\n\tservice = http\n"+
		"\trealnames = web:81 masq 5 \"a\", \"b\" tags=c\n"+
		"\trealnames = web:82 gate\n\treal = 10.2.0.2:82 ipip\n"+
		"virtual6 = [fe00::1]:80\n\trealnames = web:80 gate u:9\n"), o)
	var got []string
	for _, v := range c.Virtuals {
		for _, r := range v.Reals {
			got = append(got,
				fmt.Sprint(r.Addr, " ", r.Forward, " ", r.Weight, " ", r.Tags, r.Upper, r.Own != nil))
		}
	}
	want := "10.2.0.1:81 masq 5 c0 true|10.2.0.2:81 masq 5 c0 true|10.2.0.1:82 gate 1 0 false|10.2.0.2:82 ipip 1 " +
		"0 false|[fe00::2]:80 gate 1 9 false"
	testkit.Equal(t, strings.Join(got, "|"), want)
	for _, text := range []string{"10.2.0.2 in web (IPv4) is also in line 6, which takes precedence",
		"web (IPv6): no answer"} {
		if !slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Text == text }) {
			t.Errorf("no %q in %v", text, found)
		}
	}
}

// What the servers of a list make of the lines beside them: that refuses no file, which would keep a director down. A
// reload refuses what brings a check without its port, or a watch that locks this machine out, unless it is in force.
func TestListsBesideLines(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/beside.txt", 4) {
		list := testkit.Must(ReadList([]byte(asWritten.Replace(row[0]))))(t)
		o := options(t)
		o.Lists = map[string]List{"/a": {Servers: list}}
		c, found := Parse(t.Context(), "a.cf", []byte(rowOf(row[1])), o)
		var servers []string
		said := strings.ReplaceAll(strings.Join(each(found, Diagnostic.String), "; "), "a.cf:", "")
		testkit.Equal(t, said, row[2], row[0], "beside", row[1])
		for _, v := range c.Virtuals {
			for _, r := range v.Reals {
				one := r.Addr.String()
				if r.Backup {
					one = "backup " + one
				}
				if r.Comeback == lvs.ByOrder {
					one += " by order"
				}
				if r.Weight != 1 {
					one += fmt.Sprint(" weight ", r.Weight)
				}
				if r.Tags != "" {
					one += " tags=" + string(r.Tags)
				}
				servers = append(servers, one)
			}
		}
		testkit.Equal(t, strings.Join(servers, ", "), row[3], row[0], "beside", row[1])
		o.Before = c
		_, again := Parse(t.Context(), "a.cf", []byte(rowOf(row[1])), o)
		testkit.Equal(t, again.HasErrors(), found.HasErrors(), "again", row[1])
		o.Before = &Config{}
		_, again = Parse(t.Context(), "a.cf", []byte(rowOf(row[1])), o)
		brings := slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Kind == incomplete })
		testkit.Equal(t, again.HasErrors(), found.HasErrors() || brings, "at a reload", row[1])
		o.Returns = true
		_, again = Parse(t.Context(), "a.cf", []byte(rowOf(row[1])), o)
		testkit.Equal(t, again.HasErrors(), found.HasErrors(), "that comes back", row[1])
	}
}
