package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/printable"
	"ldirectord/internal/testkit"
)

// For a server or a virtual service the completion offers those of the file.
func TestCompletionOffersWhatTheFileNames(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	script := testkit.Must(filepath.Abs("../../packaging/completion/ldirectord.bash"))(t)
	dir := t.TempDir()
	config := "# real = 192.0.2.9:80 gate\nvirtual = 192.0.2.10:80\n\treal=192.0.2.21:80 gate 5\n" +
		"    real = 192.0.2.22:80 masq\n" +
		"\treal = 192.0.2.30->192.0.2.40:80 gate\n\trequest = \"a\"\nvirtual6 = [2001:db8::10]:80\n" +
		"\treal6 = [2001:db8::21]:80 gate\n" +
		"virtual = 3\n\treal = 192.0.2.21:80 gate\n"
	testkit.Write(t, filepath.Join(dir, "a.cf"), config)
	for words, want := range map[string]string{ // the words as bash splits them: at blanks, colons and =
		"a.cf drain ":                  "192.0.2.21:80 192.0.2.22:80 [2001:db8::21]:80",
		"a.cf set 192.0.2.22:80 m":     "maint",
		"a.cf wait 192.0.2.22:80 u":    "up",
		"a.cf undo 192.0.2.22":         "192.0.2.22:80",
		"a.cf why 192.0.2.22":          "192.0.2.22:80",
		"a.cf undrain 192.0.2.2":       "192.0.2.21:80 192.0.2.22:80",
		"a.cf drain 192.0.2.21 : 8":    "80",
		"a.cf drain [2001 : db8 :: 21": "21]:80",
		"a.cf connections ":            "192.0.2.10:80 3 [2001:db8::10]:80",
		"a.cf withdraw ":               "192.0.2.10 2001:db8::10",
		"a.cf announce 192":            "192.0.2.10",
		"a.cf withdraw 2001 : db":      "db8::10",
		"a.cf stop ":                   "",
		"--rundir /x a.cf withdraw ":   "192.0.2.10 2001:db8::10",
		"--rundir = /x a.cf withdraw ": "192.0.2.10 2001:db8::10",
		"--ipvs = m":                   "memory",
		"--help w":                     "why wait withdraw",
		"a.cf stop --":                 "--debug --help --version --ipvs --log-format --rundir --keep",
		"--help st":                    "start stop status standby",
		"a.cf dr":                      "drain",
		"none.cf drain ":               "",
	} {
		list := strings.Split(words, " ")
		line := strings.NewReplacer(" : ", ":", " :: ", "::", " = ", "=").Replace(words)
		var quoted []string
		for _, w := range append([]string{"ldirectord"}, list...) {
			quoted = append(quoted, printable.ShellWord(w))
		}
		cmd := exec.Command(bash, "-c", fmt.Sprintf(`. %s
COMP_WORDS=(%s) COMP_CWORD=%d COMP_LINE=%s COMP_WORDBREAKS=$' \t\n:='
COMP_POINT=${#COMP_LINE}
_ldirectord
echo "${COMPREPLY[*]}"`,
			printable.ShellWord(script), strings.Join(quoted, " "), len(list),
			printable.ShellWord("ldirectord "+line)))
		cmd.Dir = dir
		testkit.Equal(t, strings.TrimSpace(testkit.Run(t, cmd)), want, words)
	}
}
