package docs

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

const configPage = "../../docs/man/ldirectord.cf.5"

func TestManPageHasTheChecks(t *testing.T) {
	_, text, _ := strings.Cut(testkit.Read(t, configPage), "\n.Sh CHECK TYPES\n")
	types, text, _ := strings.Cut(text, "\n.Sh SERVICES\n")
	services, _, _ := strings.Cut(text, "\n.Sh ")
	names := func(text string) (list []string) {
		for _, m := range regexp.MustCompile(`(?m)^\.It Cm (.*)$`).FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	// which is written as a number
	sameNames(t, "the check types of docs/man/ldirectord.cf.5", append(names(types), "combined"), protocol.Types())
	var want []string
	for s := range settings.Services() {
		if s.Port > 0 {
			s.Name += fmt.Sprintf(" Pq %d", s.Port)
		}
		want = append(want, s.Name)
	}
	sameNames(t, "the services of docs/man/ldirectord.cf.5", names(services), want)
}

// Every example of the page is good, without a warning.
func TestManPageExamples(t *testing.T) {
	literal := regexp.MustCompile(`(?s)\.Bd -literal -offset indent\n(.*?)\.Ed`)
	examples := literal.FindAllStringSubmatch(testkit.Read(t, configPage), -1)
	if len(examples) < 5 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		checkExample(t, strings.ReplaceAll(e[1], `\e`, `\`))
	}
}

// The programs that show man pages give no warning about ours. Those that are not installed are left out.
func TestManPagesAreClean(t *testing.T) {
	for _, page := range []string{configPage, "../../docs/man/ldirectord.8", "../../docs/man/ldirectord-oracle.8",
		"../../docs/man/ldirectord-import.8"} {
		for _, command := range []string{"mandoc -Tlint -Wwarning", "man --warnings -E UTF-8 -l -Tutf8 -Z"} {
			judgePage(t, append(strings.Fields(command), page))
		}
	}
}

func judgePage(t *testing.T, argv []string) {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Logf("%s is not installed", argv[0])
		return
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var said strings.Builder
	cmd.Stderr = &said
	if argv[0] == "mandoc" {
		cmd.Stdout = &said
	}
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, said.String())
	}
}
