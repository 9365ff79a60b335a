package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/instance"
	"ldirectord/internal/testkit"
)

func packaged(t *testing.T, name string) string {
	t.Helper()
	text := testkit.Read(t, "../../packaging/"+name)
	return text
}

// Both units have the same rights and end in the same way.
func TestTheUnitsDifferOnlyInTheFile(t *testing.T) {
	one, many := packaged(t, "systemd/ldirectord.service"), packaged(t, "systemd/ldirectord@.service")
	many = strings.NewReplacer(" %i.cf ", " ", "/%i.cf", "/ldirectord.cf", " for %i.cf", "").Replace(many)
	_, one, _ = strings.Cut(one, "\n") // the first line is a comment, which differs
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
		case "SystemCallErrorNumber", "ReadWritePaths", "UMask", "WantedBy": // these are not restrictions
			continue
		}
		if !regexp.MustCompile(`(?m)^` + m[1] + `=`).MatchString(dropIn) {
			t.Errorf("external-programs.conf does not lift %s", m[1])
		}
	}
}

// Restrictions that may prevent an operator's own programs are in the drop-in that the operator installs, not in the
// unit.
func TestAUserOfItsOwnIsAsked(t *testing.T) {
	unit, dropIn := packaged(t, "systemd/ldirectord.service"), packaged(t, "systemd/user.conf")
	for _, line := range []string{"User=ldirectord", "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
		"RuntimeDirectory=ldirectord",
		"LogsDirectory=ldirectord", "UMask=0077", "ProtectHome=yes", "MemoryDenyWriteExecute=yes",
		"NoExecPaths=/run /var/log"} {
		if strings.Contains(unit, "\n"+line+"\n") || !strings.Contains(dropIn, "\n"+line+"\n") {
			t.Errorf("%s is the unit's, or not user.conf's", line)
		}
	}
	if filepath.Base(instance.UnitFolder) != "ldirectord" || filepath.Dir(instance.UnitFolder) != instance.Folder {
		t.Errorf("commands look in %s, not in the drop-in's folder", instance.UnitFolder)
	}
}

// The exit statuses after which the unit doesn't start the daemon again are those of the program.
func TestTheUnitKnowsTheExitStatuses(t *testing.T) {
	if want := "\nRestartPreventExitStatus=78 255\n"; exitForegroundConfig != 78 || exitUsage != 255 ||
		!strings.Contains(packaged(t, "systemd/ldirectord.service"), want) {
		t.Errorf("the unit lacks %q", want)
	}
}

// The header of the init script is in the form that insserv and others read (LSB, 22.7).
func TestTheHeaderOfTheInitScript(t *testing.T) {
	text := packaged(t, "init/ldirectord")
	_, header, begun := strings.Cut(text, "\n### BEGIN INIT INFO\n")
	header, _, ended := strings.Cut(header, "\n### END INIT INFO\n")
	if !begun || !ended || !strings.HasPrefix(text, "#!/bin/sh\n### BEGIN") {
		t.Fatalf("no header:\n%s", text)
	}
	line := regexp.MustCompile(`^# ([A-Z][A-Za-z-]+): +(\S.*\S|\S)$`)
	fields := map[string][]string{}
	for _, l := range strings.Split(header, "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil || fields[m[1]] != nil {
			t.Errorf("not one field: %q", l)
			continue
		}
		fields[m[1]] = strings.Fields(m[2])
	}
	facilities := []string{"$local_fs", "$network", "$named", "$portmap", "$remote_fs", "$syslog", "$time", "$all"}
	for _, name := range []string{"Required-Start", "Required-Stop", "Should-Start", "Should-Stop"} {
		for _, f := range fields[name] {
			if !slices.Contains(facilities, f) {
				t.Errorf("%s has %s, which is no facility", name, f)
			}
		}
	}
	needed := strings.Fields("Provides Required-Start Required-Stop Default-Start Default-Stop Short-Description")
	for _, name := range needed {
		if len(fields[name]) == 0 {
			t.Errorf("no %s", name)
		}
	}
	for _, level := range fields["Default-Start"] {
		if !strings.Contains("12345", level) || slices.Contains(fields["Default-Stop"], level) {
			t.Errorf("it starts in %s, and stops in %v", level, fields["Default-Stop"])
		}
	}
	for _, f := range []string{"$network", "$remote_fs", "$syslog"} { // for syslog and a remote /usr
		for _, when := range []string{"Required-Start", "Required-Stop"} {
			if !slices.Contains(fields[when], f) {
				t.Errorf("%s lacks %s", when, f)
			}
		}
	}
	testkit.Same(t, fields["Provides"], []string{"ldirectord"}, "it provides")
}

// keepalived's example promotes and demotes the daemon that the example drop-in starts, with both files unchanged.
func TestTheShippedStandbyFilesFit(t *testing.T) {
	dir := t.TempDir()
	config := "virtual = 10.1.0.1:7000\n\treal = 10.2.0.1:7000 gate\n\tchecktype = on\n"
	testkit.Write(t, filepath.Join(dir, "ldirectord.cf"), config)
	table := filepath.Join(dir, "table")
	call := func(line string) *exec.Cmd {
		words := strings.Fields(line)
		cmd := exec.Command(program(t), append([]string{"--rundir", dir, "--ipvs", "memory:" + table},
			words[1:]...)...)
		cmd.Env = append(os.Environ(), "TEST_CONFIGS="+dir)
		return cmd
	}
	unit := regexp.MustCompile(`(?m)^ExecStart=(/usr/sbin/ldirectord .*)$`).FindStringSubmatch(
		packaged(t, "systemd/standby.conf"))
	if unit == nil {
		t.Fatal("the drop-in starts nothing")
	}
	orders := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s*notify_(\w+) "(.*)"$`).FindAllStringSubmatch(
		packaged(t, "../examples/keepalived/standby.conf"), -1) {
		orders[m[1]] = m[2]
	}
	director := call(unit[1])
	testkit.OK(t, director.Start())
	within(t, "daemon that has checked", func() bool {
		said, err := call("ldirectord status -v").Output()
		return err == nil && strings.Contains(string(said), " 1 of 1 up\n")
	})
	serves := func() bool {
		text, err := os.ReadFile(table)
		return err == nil && strings.Contains(string(text), "-r 10.2.0.1:7000")
	}
	for _, state := range []string{"master", "backup", "master", "fault", "master", "stop"} {
		if out, err := call(orders[state]).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", state, err, out)
		}
		testkit.Equal(t, serves(), state == "master", state, "it serves")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "ldirectord.*.pid")); len(left) != 1 {
		t.Errorf("the pid files are %q", left)
	}
	if out, err := call("ldirectord stop").CombinedOutput(); err != nil {
		t.Errorf("stop: %v\n%s", err, out)
	}
	if err := director.Wait(); err != nil {
		t.Errorf("the director: %v", err)
	}
}

// The first heading of the changelog is the version that is built.
func TestTheChangelogHasTheVersion(t *testing.T) {
	version, changelog := packaged(t, "../VERSION"), packaged(t, "../CHANGELOG.md")
	m := regexp.MustCompile(`(?m)^## \[(.*?)\]`).FindStringSubmatch(changelog)
	if m == nil || m[1]+"\n" != version {
		t.Errorf("VERSION has %q, the changelog begins with %q", version, m)
	}
}

// A build of the tagged commit has the version of the file. Versions of earlier builds sort before it, those of later
// builds after it.
func TestTheVersionFollowsTheTag(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	run := func(argv ...string) string {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.org")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testkit.OK(t, os.WriteFile(path, []byte(text), mode))
	}
	version := func(want string) {
		t.Helper()
		testkit.Equal(t, run("packaging/version"), want, "version")
	}
	write("packaging/version", packaged(t, "version"), 0o755)
	write("VERSION", "1.2.0\n", 0o644)
	version("1.2.0") // in an unpacked archive, without git
	run("git", "init", "-q")
	run("git", "add", ".")
	run("git", "commit", "-q", "-m", "one")
	version("1.2.0~git1")
	run("git", "tag", "v1.2.0")
	version("1.2.0")
	run("git", "commit", "-q", "--allow-empty", "-m", "two")
	version("1.2.0+git1")
	write("VERSION", "1.3.0\n", 0o644)
	version("1.3.0~git2.changed")
	run("git", "commit", "-q", "-a", "-m", "three")
	version("1.3.0~git3")
}

// make uninstall removes all that make install installs, except the operator's own files.
func TestUninstallTakesAwayWhatInstallPutThere(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program") // newer than every source, so make builds nothing
	for _, file := range []string{program, program + "-oracle", program + "-import"} {
		testkit.OK(t, os.WriteFile(file, nil, 0o755))
	}
	install := func(targets ...string) {
		t.Helper()
		cmd := exec.Command("make", append(
			[]string{"-s", "-o", program, "-o", program + "-oracle", "-o", program + "-import", "PROGRAM=" +
				program, "VERSION=1.2.3", "DESTDIR=" + dir + "/root"}, targets...)...)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %v: %v\n%s", targets, err, out)
		}
	}
	left := func() (files []string) {
		err := filepath.WalkDir(dir+"/root", func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files = append(files, strings.TrimPrefix(path, dir+"/root"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	install("install-files", "install-sysv")
	if files := left(); len(files) < 50 {
		t.Fatalf("only %d files are installed: %q", len(files), files)
	} else {
		for _, file := range []string{"ldirectord", "ldirectord-oracle", "ldirectord-import"} {
			if !slices.Contains(files, "/usr/sbin/"+file) ||
				!slices.Contains(files, "/usr/share/man/man8/"+file+".8.gz") {
				t.Errorf("%s or its man page is missing: %q", file, files)
			}
		}
	}
	brokenLinks(t, dir+"/root/usr/share/doc/ldirectord")
	install("uninstall")
	if files := left(); len(files) > 0 {
		t.Errorf("left over: %q", files)
	}
	install("install-files", "install-sysv")
	testkit.OK(t, os.WriteFile(dir+"/root/etc/default/ldirectord", []byte("# mine\n"), 0o644))
	install("uninstall")
	if files := left(); len(files) != 1 || files[0] != "/etc/default/ldirectord" {
		t.Errorf("left over: %q, want what was changed alone", files)
	}
}

// brokenLinks returns the links in a folder's guides that lead to no file.
func brokenLinks(t *testing.T, dir string) {
	t.Helper()
	followed := 0
	for _, pattern := range []string{"/*.md", "/docs/*.md", "/docs/measured/*.md"} {
		guides, _ := filepath.Glob(dir + pattern)
		for _, guide := range guides {
			text := testkit.Read(t, guide)
			for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(text,
				-1) {
				followed++
				if _, err := os.Stat(filepath.Join(filepath.Dir(guide), m[1])); err != nil {
					t.Errorf("%s: the link %s leads nowhere", strings.TrimPrefix(guide, dir), m[1])
				}
			}
		}
	}
	if followed < 40 {
		t.Errorf("only %d links in %s", followed, dir)
	}
}

// deb/written has the sums of all files that some version of the package wrote. The package takes a file with one of
// them for unchanged. So lines are only added, and today's files must be among them.
func TestThePackageKnowsWhatItWrites(t *testing.T) {
	known := packaged(t, "deb/written")
	for file, source := range map[string]string{
		"default/ldirectord":     "init/default",
		"init.d/ldirectord":      "init/ldirectord",
		"logrotate.d/ldirectord": "logrotate",
	} {
		line := fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(packaged(t, source))), file)
		if !strings.Contains(known, line) {
			t.Errorf("packaging/deb/written lacks the line %s", line)
		}
	}
}
