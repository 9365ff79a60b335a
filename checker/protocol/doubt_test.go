package protocol

import (
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// A check that always fails, because a required setting is missing, is reported as such before it is made. Other
// checks are not.
func TestChecksThatCanOnlyFail(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"dns", Spec{Type: "negotiate", Service: "dns", Request: "/www.example.org"},
			"service: receive is empty: no answer can match it, so its checks fail"},
		{"dns with a type", Spec{Type: "negotiate", Service: "dns", Request: "/www.example.org", DNSType: "A"},
			""},
		{"mysql", Spec{Type: "negotiate", Service: "mysql", Account: settings.Account{Login: "u"}},
			"service: mysql needs a login and a request, so its checks fail"},
		{"combined", Spec{Type: "combined", Service: "radius",
			Account: settings.Account{Login: "u", Passwd: "p"}},
			"service: secret is not set, so its checks fail"},
		{"on", Spec{Type: "on"}, ""},
		{"connect", Spec{Type: "connect"}, ""},
	} {
		check := testkit.Must(New(c.spec, &Env{}))(t, c.name)
		got := ""
		if err := checker.Idle(check); err != nil {
			got = err.Error()
		}
		testkit.Equal(t, got, c.want, c.name)
	}
}
