package seal

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// careless is a protocol that panics.
type careless func()

func (c careless) Check(context.Context) checker.Result {
	c.parse()
	return checker.Result{OK: true}
}

func (c careless) parse() { c() }

func TestAPanicIsOneFailedCheckWithItsPlace(t *testing.T) {
	var answer []byte
	for name, c := range map[string]struct {
		panics func()
		detail string
	}{
		"index": {func() { _ = answer[5] },
			"panic while handling the answer: index out of range [5] with length 0"},
		"error": {func() { panic(errors.New("no \x1b[2J length")) },
			`panic while handling the answer: no \x1b[2J length`},
		"words": {func() { panic("bad s3cret99") }, "panic while handling the answer: bad …"},
		"again": {func() { defer func() { panic("second") }(); panic("first") },
			"panic while handling the answer: second"},
		"memory": {func() { var s *checker.Spec; s.Host = "" },
			"panic while handling the answer: invalid memory address or nil pointer dereference"},
	} {
		t.Run(name, func(t *testing.T) {
			check := &sealed{Checker: careless(c.panics),
				hidden: &untold{always: newSecrets(
					checker.Spec{Account: settings.Account{Passwd: "s3cret99"}})}}
			r := check.Check(t.Context())
			if r.OK || r.Cause == checker.Shortage || r.Detail != c.detail || r.Cause != checker.Other {
				t.Errorf("%+v\nwant %s", r, c.detail)
			}
			if !strings.HasPrefix(r.Warning, "a fault in ldirectord: panic at seal.") ||
				!strings.Contains(r.Warning, " < seal.careless.parse sealed_test.go:") ||
				strings.Contains(r.Warning, "testing") || strings.Contains(r.Warning, "runtime.") {
				t.Errorf("the place is %s", r.Warning)
			}
			testkit.Equal(t, check.Check(t.Context()).Warning, r.Warning, "told once more")
		})
	}
}

func TestServersShareTheSecretsOfTheirSection(t *testing.T) {
	known := &Secrets{}
	of := func(target string) *untold {
		return known.of(checker.Spec{Account: settings.Account{Passwd: "s3cret99"},
			Target: netip.MustParseAddrPort(target)})
	}
	testkit.Equal(t, of("192.0.2.1:80"), of("192.0.2.2:80"), "equal secrets are made once")
}
