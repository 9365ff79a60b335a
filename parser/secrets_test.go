package parser

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A configuration that is shown has no values of secret directives and no log-ins in URLs. All else is shown as it
// is.
func TestAConfigurationIsShownWithoutItsSecrets(t *testing.T) {
	src := "webhook = https://s3cret:s3cret@host/s3cret?s3cret\nvirtual = 10.1.0.1:80\n real = 10.2.0.1:80 gate\n" +
		" service = http\n" +
		" alsocheck = http_proxy 81 \"http://me:s3cret@a.b/x\"\n" +
		" httpheader = \"X-Token: s3cret\"\n request = \"http://s3cret:s3cret@host/page\"\n"
	for _, d := range Directives() {
		if d.Secret && d.Section() && d.Name != "httpheader" {
			src += fmt.Sprintf(" %s = \"s3cret\"\n", d.Name)
		}
	}
	src += "virtual = 10.1.0.1:81\n service = http\n" +
		" real = 10.2.0.1:80 gate \"http://me:s3cret@10.2.0.1/page\", \"OK\"\n" +
		"virtual = 10.1.0.1:21\n real = 10.2.0.1:21 gate\n"
	cfg, found := parseWith(t, src, options(t))
	if cfg == nil {
		t.Fatal(found)
	}
	before := string(marshal(t, cfg))
	shown := string(marshal(t, cfg.WithoutSecrets()))
	if n := strings.Count(before, "s3cret"); n < 8 {
		t.Errorf("only %d secrets are there to be hidden:\n%s", n, before)
	}
	if strings.Contains(shown, "s3cret") {
		t.Errorf("secrets are shown:\n%s", shown)
	}
	for _, word := range []string{"http://…@host/page", "http://…@10.2.0.1/page", "X-Token: …", "anonymous",
		"http://…@a.b/x",
		`"webhook":"…"`} {
		testkit.Contains(t, shown, word)
	}
	testkit.Equal(t, string(marshal(t, cfg)), before, "the configuration itself")
}

// A password that changes while its file is read for several sections is noticed as a change.
func TestTheFirstSumOfAPasswordStays(t *testing.T) {
	const section = "\treal = 10.2.0.1:80 gate\n\tservice = redis\n\tpasswdfile = /p\n"
	secret := "old"
	read := func(string) (was, warning string, err error) {
		was, secret = secret, "new"
		return was, "", nil
	}
	cfg, _ := parseWith(t, "virtual = 10.1.0.1:80\n"+section+"virtual = 10.1.0.2:80\n"+section,
		Options{ReadSecret: read})
	testkit.Equal(t, cfg.Secrets["/p"], sha256.Sum256([]byte("old")))
}
