package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func packaged(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What one unit may and how it ends is right for the other.
func TestTheUnitsDifferOnlyInTheFile(t *testing.T) {
	one, many := packaged(t, "systemd/ldirectord.service"), packaged(t, "systemd/ldirectord@.service")
	many = strings.NewReplacer(" %i.cf ", " ", "/%i.cf", "/ldirectord.cf", " for %i.cf", "").Replace(many)
	_, one, _ = strings.Cut(one, "\n") // the comment that tells them apart
	_, many, _ = strings.Cut(many, "\n")
	if one != many {
		t.Errorf("the unit and its template differ:\n%s\n%s", one, many)
	}
}

// Each restriction of the unit is lifted by the drop-in for programs that need more.
func TestExternalProgramsGetEveryRightBack(t *testing.T) {
	_, rights, _ := strings.Cut(packaged(t, "systemd/ldirectord.service"), "\n# The rights")
	dropIn := packaged(t, "systemd/external-programs.conf")
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=`).FindAllStringSubmatch(rights, -1) {
		switch m[1] {
		case "SystemCallErrorNumber", "ReadWritePaths", "UMask", "WantedBy": // they restrict nothing by themselves
			continue
		}
		if !regexp.MustCompile(`(?m)^` + m[1] + `=`).MatchString(dropIn) {
			t.Errorf("external-programs.conf does not lift %s", m[1])
		}
	}
}

// The exit statuses after which the unit does not try again are those of the program.
func TestTheUnitKnowsTheExitStatuses(t *testing.T) {
	if want := "\nRestartPreventExitStatus=78 255\n"; exitKeptConfig != 78 || exitUsage != 255 || !strings.Contains(packaged(t, "systemd/ldirectord.service"), want) {
		t.Errorf("the unit lacks %q", want)
	}
}
