package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/runfile"
)

func TestTheRoleAfterAChange(t *testing.T) {
	for last, want := range map[Role]map[RoleChange]Role{
		NoRole:  {ToServe: Started, ToLeave: Stopped, ToStayUp: Active},
		Started: {ToServe: Started, ToLeave: Stopped, ToStayUp: Active},
		Stopped: {ToServe: Started, ToLeave: Stopped, ToStayUp: Active},
		Active:  {ToServe: Active, ToLeave: Standby, ToStayUp: Active},
		Standby: {ToServe: Active, ToLeave: Standby, ToStayUp: Standby},
	} {
		for change, role := range want {
			if got := change.After(last); got != role || !change.IsKnown() {
				t.Errorf("%s after %q: %q, want %q", change, last, got, role)
			}
		}
	}
	if RoleChange("go").IsKnown() {
		t.Error("go is no change")
	}
}

func TestRoleFile(t *testing.T) {
	f := RoleFile(filepath.Join(t.TempDir(), "role"))
	read := func(want RoleOrder) {
		t.Helper()
		if got, err := f.Read(); got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	clearRole := func() {
		t.Helper()
		if err := f.Clear(); err != nil {
			t.Error(err)
		}
		read(RoleOrder{})
	}
	clearRole()
	for _, r := range []Role{NoRole, Standby, Active, Stopped, Started} {
		if err := f.Write(RoleOrder{r, 7}); err != nil {
			t.Fatal(err)
		}
		read(RoleOrder{r, 7})
	}
	if err := f.Write(RoleOrder{Active, runfile.SinceBoot() + time.Hour}); err != nil {
		t.Fatal(err)
	}
	read(RoleOrder{Active, 0})                                    // it was given before the last boot
	for _, before := range []string{"active\n", "active\nby\n"} { // without the line of the format
		if err := os.WriteFile(string(f), []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		read(RoleOrder{Active, 0})
	}
	if err := os.WriteFile(string(f), []byte("\x1b[2J\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("invalid content: %v", err)
	}
	clearRole()
}
