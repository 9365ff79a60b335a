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
	"time"

	"ldirectord/internal/daemon"
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
	testkit.Equal(t, one, many, "the unit and its template")
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
		"RuntimeDirectory=ldirectord", "LogsDirectory=ldirectord", "ProtectProc=default", "UMask=0077",
		"ProtectHome=yes", "MemoryDenyWriteExecute=yes", "NoExecPaths=/run /var/log"} {
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

// An upgrade ends no daemon whose file the next one would refuse. The program is asked with the words of the unit.
func TestAnUpgradeReplacesWhereTheFileIsGood(t *testing.T) {
	dir := t.TempDir()
	testkit.Script(t, dir+"/systemctl", `#!/bin/sh
[ "$1" = list-units ] && printf '%s loaded active running x y\n' good.service bad.service other.service && exit
case $5 in
good.service) words="$DIR/program --rundir /x good.cf standby --foreground" ;;
bad.service) words="$DIR/program bad.cf start --foreground" ;;
other.service) words=/opt/wrapper ;;
esac
echo "{ path=${words%% *} ; argv[]=$words ; ignore_errors=no ; start_time=[n/a] ; pid=0 }"
`)
	testkit.Script(t, dir+"/program", `#!/bin/sh
[ "$*" != "--rundir /x good.cf check --no-lookup" ] || exit 0
echo "asked: $*"
exit 2
`)
	cmd := exec.Command("sh", "-c", packaged(t, "systemd/restartable"))
	cmd.Env = append(os.Environ(), "DIR="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	var why strings.Builder
	cmd.Stderr = &why
	units := testkit.Must(cmd.Output())(t)
	testkit.Equal(t, string(units), "good.service\nother.service\n", why.String())
	testkit.Equal(t, strings.Contains(why.String(), "asked: bad.cf check --no-lookup\n"), true, why.String())
}

// The removal of the rpm ends and disables every daemon. systemctl stops by a pattern, and disables by names alone.
func TestTheRemovedRpmLeavesNoDaemon(t *testing.T) {
	const want = "stop ldirectord.service ldirectord@*.service\n" +
		"--no-reload disable ldirectord.service ldirectord@.service\n"
	for left, want := range map[string]string{"0": want, "1": ""} {
		dir := t.TempDir()
		testkit.Write(t, dir+"/asked", "")
		testkit.Script(t, dir+"/systemctl", "#!/bin/sh\necho \"$*\" >>${0%/*}/asked\n")
		cmd := exec.Command("sh", "-c", packaged(t, "rpm/preremove"), "preremove", left)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		testkit.OK(t, cmd.Run())
		testkit.Equal(t, testkit.Read(t, dir+"/asked"), want, left, "left")
	}
}

// The Debian package names the daemons that still run the program before, and the command that replaces each. The name
// in the pid file's path is ldirectord if the command line has no file.
func TestThePackageNamesOldDaemons(t *testing.T) {
	_, script, _ := strings.Cut(packaged(t, "deb/postinst"), "\nsay_old()")
	script, _, _ = strings.Cut(script, "\n}\n")
	for line, want := range map[string]string{
		"/usr/sbin/ldirectord start":      `"ldirectord restart"`,
		"/usr/sbin/ldirectord a.cf start": `"ldirectord a.cf restart"`,
	} {
		dir := t.TempDir()
		testkit.OK(t, os.Mkdir(dir+"/7", 0o755))
		testkit.OK(t, os.Symlink("/usr/bin/perl", dir+"/7/exe"))
		testkit.Write(t, dir+"/7/cmdline", "perl\x00"+strings.ReplaceAll(line, " ", "\x00")+"\x00")
		text := "say_old()" + strings.ReplaceAll(script, "/proc/", dir+"/") + "\n}\nsay_old 7 ldirectord"
		said, err := exec.Command("sh", "-c", text).CombinedOutput()
		testkit.OK(t, err)
		testkit.Contains(t, string(said), want, line)
	}
}

// A purge of the Debian package removes the links of every instance, which would lead nowhere.
func TestAPurgeLeavesNoLinkOfAnInstance(t *testing.T) {
	dir := t.TempDir()
	wants := dir + "/etc/systemd/system/multi-user.target.wants"
	for _, folder := range []string{wants, dir + "/bin"} {
		testkit.OK(t, os.MkdirAll(folder, 0o755))
	}
	for _, program := range []string{"update-rc.d", "deb-systemd-helper"} {
		testkit.Script(t, dir+"/bin/"+program, "#!/bin/sh\n")
	}
	for _, unit := range []string{"ldirectord@one", "ldirectord@two", "other"} {
		testkit.OK(t, os.Symlink("/nonexistent/"+unit, wants+"/"+unit+".service"))
	}
	here := strings.NewReplacer(" /etc/", " "+dir+"/etc/", " /var/", " "+dir+"/var/")
	cmd := exec.Command("sh", "-c", here.Replace(packaged(t, "deb/postrm")), "postrm", "purge")
	cmd.Env = []string{"PATH=" + dir + "/bin:/bin:/usr/bin"}
	testkit.OK(t, cmd.Run())
	left := testkit.Must(filepath.Glob(wants + "/*"))(t)
	testkit.Same(t, left, []string{wants + "/other.service"})
}

// The rpm's agent is a link, which takes no other package's place: resource-agents of SUSE has that file.
func TestTheAgentOfTheRpm(t *testing.T) {
	for _, row := range []struct{ before, left, between, after string }{
		{"", "0", "link", ""},
		{"", "1", "link", "link"},
		{"file", "0", "file", "file"},
	} {
		dir := t.TempDir()
		folder := dir + "/ocf/resource.d/heartbeat"
		testkit.OK(t, os.MkdirAll(dir+"/bin", 0o755))
		testkit.Script(t, dir+"/bin/systemctl", "#!/bin/sh\n")
		if row.before != "" {
			testkit.OK(t, os.MkdirAll(folder, 0o755))
			testkit.Write(t, folder+"/ldirectord", "")
		}
		run := func(script, want string) {
			text := strings.ReplaceAll(packaged(t, "rpm/"+script), "/usr/lib/", dir+"/")
			cmd := exec.Command("sh", "-c", text, script, row.left)
			cmd.Env = append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"))
			testkit.OK(t, cmd.Run())
			is := ""
			if info, err := os.Lstat(folder + "/ldirectord"); err == nil && info.Mode().IsRegular() {
				is = "file"
			} else if err == nil {
				is = "link"
			}
			testkit.Equal(t, is, want, fmt.Sprint(row), "after", script)
		}
		run("posttrans", row.between)
		run("preremove", row.after)
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

// What the agent of pacemaker asks the program, and the exit status that follows from the answers.
func TestTheAgentOfPacemaker(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/agent.txt", 4) {
		action, lacks, dialogue := row[0], row[1], row[2]
		dir := t.TempDir()
		testkit.Write(t, dir+"/agent", packaged(t, "ocf/ldirectord"))
		testkit.Write(t, dir+"/a.cf", "")
		testkit.Write(t, dir+"/rest", strings.ReplaceAll(dialogue, ", ", "\n")+"\n")
		testkit.Script(t, dir+"/program", `#!/bin/sh
IFS==: read -r asked status words <rest
sed -i 1d rest
echo "$words"
[ "$asked" = "${2:-sleep}" ] && exit "$status"
echo "${2:-sleep}, not $asked" >>wrong
`)
		testkit.OK(t, os.Symlink("program", dir+"/sleep"))
		if lacks != "" {
			testkit.OK(t, os.Remove(dir+"/"+lacks))
		}
		cmd := exec.Command("sh", "agent", action)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "OCF_RESKEY_configfile="+dir+"/a.cf",
			"OCF_RESKEY_ldirectord="+dir+"/program", "PATH="+dir+":"+os.Getenv("PATH"))
		said, _ := cmd.CombinedOutput()
		testkit.Equal(t, fmt.Sprint(cmd.ProcessState.ExitCode()), row[3], row, string(said))
		wrong, _ := os.ReadFile(dir + "/wrong")
		rest := testkit.Read(t, dir+"/rest")
		testkit.Equal(t, string(wrong)+strings.TrimSpace(rest), "", row, "asked otherwise:")
	}
}

// Pacemaker waits longer for a stop than that may take, and for a start, which waits for a daemon that is stopping.
func TestPacemakerWaitsForAStop(t *testing.T) {
	limits := regexp.MustCompile(`(?:name="|op )(?:start|stop)"?(?: interval="0")? timeout="?(\w+)`)
	for file, want := range map[string]int{
		"ocf/ldirectord": 2, "../docs/managers.md": 4, "../examples/pacemaker/resources.xml": 4,
	} {
		found := limits.FindAllStringSubmatch(packaged(t, file), -1)
		testkit.Equal(t, len(found), want, "timeouts in", file)
		for _, m := range found {
			if limit, err := time.ParseDuration(m[1]); err != nil || limit <= daemon.EndTimeout {
				t.Errorf("%s: %s, while a stop may take %v", file, m[0], daemon.EndTimeout)
			}
		}
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
		testkit.Contains(t, known, line, "packaging/deb/written:")
	}
}
