package instance

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

func TestTheRoleAfterAChange(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/roles.txt", 4) {
		for i, change := range []RoleChange{ToServe, ToLeave, ToStayUp} {
			testkit.Equal(t, change.After(Role(row[0])), Role(row[i+1]), change, "after", row[0])
			testkit.Equal(t, change.IsKnown(), true, change)
		}
	}
	testkit.Equal(t, RoleChange("go").IsKnown(), false)
}

func TestRoleFile(t *testing.T) {
	f := RoleFile(filepath.Join(t.TempDir(), "role"))
	read := func(want RoleOrder) {
		t.Helper()
		testkit.Equal(t, testkit.Must(f.Read())(t), want)
	}
	clearRole := func() {
		t.Helper()
		testkit.OK(t, f.Clear())
		read(RoleOrder{})
	}
	clearRole()
	for _, r := range []Role{NoRole, Standby, Active, Stopped, Started} {
		testkit.OK(t, f.Write(RoleOrder{r, 7}))
		read(RoleOrder{r, 7})
	}
	testkit.OK(t, f.Write(RoleOrder{Active, runfile.SinceBoot() + time.Hour}))
	read(RoleOrder{Active, 0})                                    // it was given before the last boot
	for _, before := range []string{"active\n", "active\nby\n"} { // without the line of the format
		testkit.Write(t, string(f), before)
		read(RoleOrder{Active, 0})
	}
	testkit.Write(t, string(f), "\x1b[2J\n")
	if _, err := f.Read(); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("invalid content: %v", err)
	}
	clearRole()
}
