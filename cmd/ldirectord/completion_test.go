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
	for _, row := range testkit.Table(t, "../../testdata/completion.txt", 2) {
		words := strings.TrimSuffix(row[0], "_")
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
		testkit.Equal(t, strings.TrimSpace(testkit.Run(t, cmd)), row[1], words)
	}
}
