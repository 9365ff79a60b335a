package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/internal/director"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Which list is in force: that of the file, or in its place the one in force, or that of the last daemon, or none.
func TestWhichListIsInForce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web")
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "state"))
	listOf := func(words string) (list []parser.ListedReal) {
		for _, word := range strings.Fields(strings.TrimPrefix(words, "#none")) {
			list = append(list, parser.ListedReal{Target: word})
		}
		return list
	}
	for _, row := range testkit.Table(t, "testdata/lists.txt", 7) {
		what, saved, before, file := row[0], row[1], row[2], row[3]
		reader, want, trouble := row[4], row[5], row[6]
		os.RemoveAll(filepath.Join(dir, "state"))
		if saved != "" {
			testkit.OK(t, saveList(path, listOf(saved)))
		}
		if saved == "?" {
			testkit.Write(t, statePath("list", path), "[")
		}
		var inForce lists
		if before != "" {
			inForce = lists{path: {Servers: listOf(before)}}
		}
		if before == "?" {
			inForce = lists{path: {Missing: true}}
		}
		text, isCut := strings.CutSuffix(strings.ReplaceAll(file, " ", "\n"), "…")
		if !isCut {
			text += "\n"
		}
		testkit.Write(t, path, text)
		conf := "virtual = 10.1.0.1:80\n\trealfile = " + path + " gate\n"
		if reader == "emptyok" {
			conf = "emptyok = yes\n" + conf
		}
		got := Source{}.readLists(t.Context(), []byte(conf), inForce, reader != "command", nil)[path]
		testkit.Equal(t, targets(got), want, what)
		testkit.Contains(t, got.Trouble, trouble, what)
		testkit.Equal(t, got.Trouble == "", trouble == "", what, "no trouble")
		testkit.Equal(t, got.Missing, strings.Contains(trouble, "no servers from it"), what, "missing")
	}
}

// With emptyok = yes an empty list is meant, but none that is missing or too long.
func TestListsThatMayNotBeEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web")
	text := "emptyok = yes\nvirtual = 10.1.0.1:80\n\trealfile = " + path + " gate\n"
	inForce := lists{path: {Servers: []parser.ListedReal{{Target: "a"}}}}
	testkit.Write(t, path, strings.Repeat("# too long\n", 400_000))
	is(t, "too long", readOf(t, text, inForce)[path], "a", path+" is larger than 4194304 bytes")
	testkit.OK(t, os.Remove(path))
	is(t, "none", readOf(t, text, inForce)[path], "a", "open "+path)
}

// readOf are the lists of a text, as a daemon reads them.
func readOf(t *testing.T, text string, inForce lists) lists {
	return Source{}.readLists(t.Context(), []byte(text), inForce, true, nil)
}

// A list that was written is looked at when it has stayed the same from one look to the next, and one in trouble after
// shrinkwait.
func TestWhenAListIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web")
	w := newListWatch()
	w.reported = lists{path: {}}
	w.seen[path], w.read[path] = stamp(path), stamp(path)
	for i, row := range []struct {
		write string // ""; nothing is written
		want  bool
	}{{"", false}, {"a\n", false}, {"a\nb\n", false}, {"", true}, {"", false}, {"c\n", false}, {"", true}} {
		if row.write != "" {
			testkit.Write(t, path, row.write)
		}
		testkit.Equal(t, len(w.due(time.Minute, 0)) > 0, row.want, "look", i)
	}
	for since, want := range map[time.Duration]bool{59 * time.Second: false, 61 * time.Second: true} {
		w.since[path] = time.Now().Add(-since)
		due := w.due(time.Minute, 0)
		if isGuarded, got := due[path]; got != want || isGuarded {
			t.Errorf("in trouble for %v: %v, want %t", since, due, want)
		}
	}
	w.since[path] = time.Now().Add(-time.Hour)
	testkit.Write(t, path, "d\ne\n") // before Linux 6.13 two writes may have the same time
	for _, want := range []bool{false, true} {
		testkit.Equal(t, len(w.due(time.Minute, 0)) > 0, want, "in trouble, and just written")
	}
}

// A start may take long, by a name server that is dead. A list that changed meanwhile is read again.
func TestAListThatChangedDuringTheStartIsRead(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	path := filepath.Join(t.TempDir(), "web")
	f := &configFile{d: &daemon{}, current: &Loaded{Lists: lists{path: {}}}, lists: newListWatch()}
	f.d.tally = newTally(Options{})
	testkit.Write(t, path, "a\n")
	f.adoptLists()
	for look, want := range []bool{false, true, false} {
		testkit.Equal(t, len(f.lists.due(time.Minute, 0)) > 0, want, "look", look)
	}
}

// With many lists, a change of one of them must not read or write the files of the others.
func TestOnlyAListThatChangesIsSaved(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	f := &configFile{d: counted(), current: &Loaded{Lists: lists{}}, lists: newListWatch()}
	defer f.d.journal.Close(t.Context())
	saves := func(a, b string) (which string) {
		for id, server := range map[string]string{"a": a, "b": b} {
			f.current.Lists[id] = parser.List{Servers: []parser.ListedReal{{Target: server}}}
			os.Remove(statePath("list", id))
		}
		f.keepLists()
		for _, id := range []string{"a", "b"} {
			if _, is, _ := savedList(id); is {
				which += id
			}
		}
		return which
	}
	testkit.Equal(t, saves("1", "1"), "ab", "at first")
	testkit.Equal(t, saves("1", "2"), "b", "when one changed")
	testkit.Equal(t, saves("1", "2"), "", "when none changed")
}

// Names are looked up at the interval of resolve. Lists that can't be used are read sooner, also those of files that
// have not changed: after a second, then after twice as long, and so on; those that were refused with the rest after a
// minute. A file that is called as the list of a name changes nothing.
func TestWhenListsAreReadAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	const grows, grows30 = "1 3 7 15 31 63 123", "1 3 7 15 31 61 91 121"
	for _, row := range []struct {
		every      time.Duration
		trouble    string // of the list: name, file, refused
		name, file string // the seconds
	}{
		{0, "", "", ""},
		{30 * time.Second, "", "30 60 90 120", ""},
		{0, "name", grows, ""},
		{30 * time.Second, "name", grows30, ""},
		{0, "file", "", grows},
		{30 * time.Second, "file", grows30, grows30},
		{0, "refused", "60 120", "60 120"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &configFile{d: counted(), lists: newListWatch()}
			w := &f.lists
			is := func(what string) parser.List {
				if what == row.trouble {
					return parser.List{Trouble: "late"}
				}
				return parser.List{}
			}
			w.asked = time.Now()
			f.reportLists(lists{"web (IPv4)": is("name"), "/web": is("file")})
			if w.refused = row.trouble == "refused"; w.refused {
				w.retry = maxLookupRetry
			}
			at := map[string][]string{}
			for second := range 130 {
				if second == 10 {
					testkit.OK(t, os.WriteFile("web (IPv4)", nil, 0o644))
				}
				for id, isGuarded := range w.due(time.Hour, row.every) {
					at[id] = append(at[id], fmt.Sprint(second))
					if !isGuarded {
						t.Errorf("%s is not guarded after %d seconds", id, second)
					}
				}
				time.Sleep(time.Second - time.Millisecond) // as a clock that is not quite on time
			}
			testkit.Equal(t, strings.Join(at["web (IPv4)"], " "), row.name, row)
			testkit.Equal(t, strings.Join(at["/web"], " "), row.file, row)
			os.Remove("web (IPv4)")
			testkit.OK(t, f.d.journal.Close(t.Context()))
		})
	}
}

// A list that could not be used is used when what was wrong with something else is right again: the mode of its folder,
// or another file that the configuration needs. While it is written it is not read.
func TestAListIsUsedWhenTheReasonIsGone(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	env := NewEnvironment(icmp.NewPinger())
	defer env.Close()
	dir := filepath.Join(t.TempDir(), "lb")
	path, password := filepath.Join(dir, "web"), filepath.Join(dir, "password")
	testkit.OK(t, os.Mkdir(dir, 0o755))
	testkit.Write(t, path, "10.2.0.1\n")
	testkit.Write(t, password, "secret\n")
	text := "virtual = 10.1.0.1:6379\n\tservice = redis\n\tpasswdfile = " + password + "\n\trealfile = " + path +
		" gate\n"
	src := Source{Path: filepath.Join(dir, "ld.cf"), Checks: env}
	synctest.Test(t, func(t *testing.T) {
		f := &configFile{d: counted(), lists: newListWatch(), endLookups: func() {}}
		f.d.Config, f.d.Manager = src, &ServiceManager{}
		f.current = src.load(t.Context(), []byte(text), nil, true)
		f.adoptLists()
		look := func(seconds int) string {
			for range seconds {
				time.Sleep(time.Second)
				f.lookAtLists(t.Context())
				if f.lists.reading != nil {
					f.takeLists(t.Context(), <-f.lists.reading)
				}
			}
			return targets(f.lists.reported[path])
		}
		testkit.Equal(t, look(2), "10.2.0.1")
		testkit.Write(t, path, "10.2.0.1\n10.2.0.2\n")
		testkit.OK(t, os.Chmod(dir, 0o777))
		testkit.Equal(t, look(60), "10.2.0.1", "the folder is open")
		testkit.OK(t, errors.Join(os.Remove(password), os.Chmod(dir, 0o755)))
		testkit.Equal(t, look(60), "10.2.0.1 10.2.0.2", "the folder is closed")
		before := f.d.tally.process().Reloads.Refused
		look(120)
		if after := f.d.tally.process().Reloads.Refused; before == 0 || after != before+2 {
			t.Errorf("refused %d times and, in two minutes more, %d times", before, after)
		}
		testkit.Write(t, path, "")
		testkit.Equal(t, look(3), "10.2.0.1", "it is empty")
		for lines := 1; lines < 70 && !t.Failed(); lines++ {
			testkit.Write(t, path, strings.Repeat("10.2.0.3\n", lines))
			testkit.Equal(t, look(1), "10.2.0.1", "it is written")
		}
		testkit.OK(t, f.d.journal.Close(t.Context()))
	})
}

// The answer of a name server is taken as a whole or not at all, and one that is cut is asked for again over TCP.
func TestAnswersForLists(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	rows, said := testkit.Table(t, "testdata/answers.txt", 4), map[string]string{}
	for _, row := range rows {
		said[row[0]+"."] = row[1]
	}
	nameserver.Use(t, func(name string) string { return said[name] })
	for _, row := range rows {
		for _, emptyOK := range []string{"no", "yes"} {
			text := "emptyok = " + emptyOK + "\nvirtual = 10.1.0.1:80\n\trealnames = " + row[0] +
				".:80 gate\n"
			want, trouble := row[2], row[3]
			if want == "-" {
				want = ""
				if emptyOK == "yes" {
					trouble = ""
				}
			}
			is(t, row[0]+", emptyok "+emptyOK, readOf(t, text, nil)[row[0]+". (IPv4)"], want, trouble)
		}
	}
	const list = "virtual6 = [fe00::1]:80\n\trealnames = two.:80 gate\n"
	is(t, "IPv6", readOf(t, list, nil)["two. (IPv6)"], "[fe00::2] [fe00::3]", "")
	text := []byte(list)
	none := Source{}.readLists(t.Context(), text, nil, true, map[string]bool{})
	testkit.Equal(t, len(none), 0, "none is due")
	var four []parser.ListedReal
	for _, last := range "2345" {
		four = append(four, parser.ListedReal{Target: "[fe00::" + string(last) + "]"})
	}
	testkit.OK(t, saveList("two. (IPv6)", four))
	got := Source{Alone: true}.readLists(t.Context(), text, nil, true, nil)["two. (IPv6)"]
	if got.Trouble != "" || len(got.Servers) != 1 || !strings.HasPrefix(got.Servers[0].Target, "[f0") {
		t.Errorf("without look-ups: %v", got)
	}
}

// is compares the servers of a list, and the begin of its trouble.
func is(t *testing.T, what string, got parser.List, want, trouble string) {
	t.Helper()
	testkit.Equal(t, targets(got), want, what)
	if !strings.HasPrefix(got.Trouble, trouble) || trouble == "" && got.Trouble != "" {
		t.Errorf("%s: %q, want %q", what, got.Trouble, trouble)
	}
}

// targets are the servers of a list.
func targets(list parser.List) string {
	var all []string
	for _, one := range list.Servers {
		all = append(all, one.Target)
	}
	return strings.Join(all, " ")
}

// The example for Kubernetes writes a list of the ready pods, and leaves it as it is if kubectl fails.
func TestExampleOfKubernetes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web")
	// fails the second time
	testkit.Script(t, filepath.Join(dir, "sleep"), "#!/bin/sh\nrm "+dir+"/once 2>/dev/null\n")
	for _, row := range []struct{ pods, end, want string }{
		{"10.2.0.1\nfd00::2\n", "0", "10.2.0.1:8080 [fd00::2]:8080"},
		{"10.2.0.3\n", "1", "10.2.0.1:8080 [fd00::2]:8080"},
		{"10.2.0.2\n", "0", "10.2.0.2:8080"},
		{"", "0", ""},
	} {
		testkit.Write(t, filepath.Join(dir, "once"), "")
		testkit.Script(t, filepath.Join(dir, "kubectl"),
			"#!/bin/sh\ncase \"$*\" in *'-n shop web '*) printf '"+row.pods+"'; exit "+row.end+"; "+
				"esac\nexit 2\n")
		loop := exec.Command("sh", "../../examples/realfile/endpoints.sh", "shop", "web", "8080", path)
		loop.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, _ := loop.CombinedOutput() // it ends with sleep
		list, err := readList(path, resolve.Key{}, nil)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		is(t, row.pods, parser.List{Servers: list}, row.want, "")
	}
}

// Why a look-up failed has nothing that is different each time.
func TestWhyALookUpFailed(t *testing.T) {
	for text, want := range map[string]string{
		"read udp 127.0.0.1:40611->127.0.0.1:53: read: connection refused": "connection refused (asked " +
			"127.0.0.1:53)",
		"server misbehaving": "server misbehaving (asked 127.0.0.1:53)",
	} {
		testkit.Fails(t, brief(&net.DNSError{Err: text, Name: "web", Server: "127.0.0.1:53"}), want)
	}
}

// A file is trusted if only its owner, and the groups of root and of the daemon, may write it and replace it.
func TestWhoMayWriteAList(t *testing.T) {
	ids := map[string]int{"own": os.Getegid(), "other": 4711, "root": 0, "": -1}
	for _, row := range testkit.Table(t, "testdata/trusted.txt", 6) {
		var mode, folderMode uint32
		testkit.Must(fmt.Sscanf(row[1]+" "+row[2], "%o %o", &mode, &folderMode))(t, row)
		folder := filepath.Join(t.TempDir(), "lists")
		path := filepath.Join(folder, "web")
		testkit.OK(t, errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(path, []byte("secret\n"), 0o600)))
		owner, group := ids[row[3]], ids[row[4]]
		if err := errors.Join(os.Chown(path, owner, group), os.Chown(folder, owner, group)); err != nil {
			t.Logf("%s: not tried: %v", row[0], err)
			continue
		}
		testkit.OK(t, errors.Join(syscall.Chmod(path, mode), syscall.Chmod(folder, folderMode)))
		link := filepath.Join(t.TempDir(), "link")
		testkit.OK(t, os.Symlink(path, link))
		_, listErr := readList(path, resolve.Key{}, nil)
		_, linkErr := readList(link, resolve.Key{}, nil)
		_, _, secretErr := Source{}.readSecret(path)
		for _, err := range []error{listErr, linkErr, secretErr} {
			refused := err != nil && strings.Contains(err.Error(), "other users can write")
			testkit.Equal(t, refused, row[5] == "refused", row[0], err)
		}
	}
}

// A list that changes is no reload: what was changed by hand in another section stays, and so does what memory may grow
// to. Only warnings about the list are new.
func TestAListChangesNothingElse(t *testing.T) {
	t.Setenv("GOGC", "")
	defer collectAt(collectAt(maxGCPercent))
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	dir := t.TempDir()
	file, list := filepath.Join(dir, "ld.cf"), filepath.Join(dir, "web")
	testkit.Write(t, file, "logfile = \""+filepath.Join(dir, "log")+"\"\nsupervised\ncheckinterval = 1\n"+
		oneServer+"virtual = 10.1.0.2:7000\n\treal = 10.3.0.3:7000 gate\n\trealfile = "+list+
		" gate\n\tchecktype = on\n")
	testkit.Write(t, list, "10.3.0.1\n")
	synctest.Test(t, func(t *testing.T) {
		d, endRest := loadedDaemon(t, file)
		d.siblings, d.lock = &siblings{d: d}, &instance.Lock{}
		d.lock.State, d.lock.Names = filepath.Join(dir, "state"), filepath.Join(dir, "names")
		var warned []string
		d.journal.Close(t.Context())
		d.journal = notify.NewJournal(func(e notify.Event) {
			if e.Kind == notify.ConfigWarning {
				warned = append(warned, e.Text)
			}
		})
		table := ipvsctl.NewMemory(nil)
		d.director = director.New(director.Deps{Table: table})
		ctx, end := context.WithCancelCause(t.Context())
		go d.director.Run(ctx, d.Loaded.Plan)
		f := newConfigFile(d)
		f.adopt(ctx)
		f.current.forget()
		<-d.director.Settled()
		have := testkit.Must(table.Read(ctx))(t)
		for key, v := range have {
			if key.ID() == "tcp:10.1.0.1:7000" {
				v.Dests[0].Weight = 0
				table.Do(ctx, lvs.Op{Kind: lvs.EditDest, Key: key, Dest: v.Dests[0]})
			}
		}
		time.Sleep(2 * time.Second)
		testkit.Write(t, list, "10.3.0.1\n10.3.0.2\n10.3.0.3\n")
		adopted, endWatches := f.adopted, f.endWatches
		f.endWatches = func() { t.Error("the watches begin anew") }
		f.takeLists(ctx, f.d.Config.readLists(ctx, f.current.Text, f.current.Lists, true, nil))
		time.Sleep(time.Second) // until its first result
		testkit.Equal(t, collectAt(maxGCPercent), maxGCPercent)
		testkit.Equal(t, lvs.Format(testkit.Must(table.Read(ctx))(t)), `-A -t 10.1.0.1:7000 -s wrr
-a -t 10.1.0.1:7000 -r 10.2.0.1:7000 -g -w 0
-A -t 10.1.0.2:7000 -s wrr
-a -t 10.1.0.2:7000 -r 10.3.0.1:7000 -g -w 1
-a -t 10.1.0.2:7000 -r 10.3.0.2:7000 -g -w 1
-a -t 10.1.0.2:7000 -r 10.3.0.3:7000 -g -w 1
`)
		end(director.ErrHandover)
		testkit.Equal(t, f.adopted, adopted, "since when intervals count")
		endWatches()
		f.endLookups()
		endRest()
		testkit.Equal(t, len(warned), 1, "warnings:", warned)
		testkit.Contains(t, strings.Join(warned, ""), "10.3.0.3")
	})
}
