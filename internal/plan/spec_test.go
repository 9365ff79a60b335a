package plan

import (
	"fmt"
	"testing"

	"ldirectord/checker"
	"ldirectord/parser"
)

// Which servers are checked through the virtual address, and by which method. Another forwarding method makes another
// check.
func TestSpecsThroughTheVirtualAddress(t *testing.T) {
	cfg, found := parser.Parse(t.Context(), "t.cf", []byte(`
virtual=192.0.2.10:80
	real=203.0.113.21:80 gate
	real=203.0.113.22:80 ipip
	real=203.0.113.23:80 masq
	checkvip=yes
	alsocheck=ping
virtual=192.0.2.10:8080
	real=203.0.113.21:80 ipip
	checkport=80
	service=http
	checkvip=yes
virtual=192.0.2.11:80
	real=203.0.113.21:80 gate
`), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	specs := map[checker.Spec]bool{}
	plan, _ := New(cfg, func(s checker.Spec) (checker.Checker, error) { specs[s] = true; return nil, nil })
	got := ""
	for _, c := range plan.ChecksOf("", "") {
		got += fmt.Sprintf("%s %s %v\n", c.Real, c.Name, c.Spec.Through)
	}
	want := `203.0.113.21:80 http 80 {192.0.2.10 203.0.113.21 gate}
203.0.113.21:80 ping {invalid IP invalid IP masq}
203.0.113.22:80 http 80 {192.0.2.10 203.0.113.22 ipip}
203.0.113.22:80 ping {invalid IP invalid IP masq}
203.0.113.23:80 http 80 {invalid IP invalid IP masq}
203.0.113.23:80 ping {invalid IP invalid IP masq}
203.0.113.21:80 http {192.0.2.10 203.0.113.21 ipip}
203.0.113.21:80 http {invalid IP invalid IP masq}
`
	if got != want || len(specs) != 8 {
		t.Errorf("%d different checks:\n%s\nwant\n%s", len(specs), got, want)
	}
}
