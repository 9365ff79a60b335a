package checker

import (
	"testing"

	"ldirectord/lvs"
)

// Who asks nobody is known before the first check; who asks is not.
func TestChecksThatCanOnlyFail(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"dns", Spec{Type: "negotiate", Service: "dns", Request: "/www.example.org"}, "service: receive is empty: no answer can match it, so its checks fail"},
		{"dns with a type", Spec{Type: "negotiate", Service: "dns", Request: "/www.example.org", DNSType: "A"}, ""},
		{"mysql", Spec{Type: "negotiate", Service: "mysql", Login: "u"}, "service: mysql needs a login and a request, so its checks fail"},
		{"combined", Spec{Type: "combined", Service: "radius", Login: "u", Passwd: "p"}, "service: secret is not set, so its checks fail"},
		{"on", Spec{Type: "on"}, ""},
		{"connect", Spec{Type: "connect"}, ""},
	} {
		check, err := New(c.spec, &Env{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := ""
		if err := Idle(check); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestPatternsThatMayTakeForeverAreDoubtful(t *testing.T) {
	const slow, fine = `(?=x)(a+)+b`, `^OK [a-z]+`
	const why = "it repeats what is itself repeated, over the same characters, at character 10 of the pattern: " +
		"an answer that nearly matches may take too long to be judged"
	expect := func(pattern string) Spec {
		return Spec{Receive: fine, Steps: ListOf(lvs.Step{Send: true, Text: slow}, lvs.Step{Text: fine}, lvs.Step{Text: pattern})}
	}
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"receive":      {Spec{Receive: slow}, "receive: " + why},
		"good receive": {Spec{Receive: fine}, ""},
		"no pattern":   {Spec{Receive: "("}, ""},
		"expect":       {expect(slow), "expect: " + why},
		"good expect":  {expect(fine), ""},
	} {
		got := ""
		if doubt := Doubt(c.spec); doubt != nil {
			got = doubt.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
