package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// convert runs the program for the director d1, and returns its status and what it wrote.
func convert(t *testing.T, path string) (status int, text string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "ldirectord.cf")
	status = run(path, "d1", out)
	written, err := os.ReadFile(out)
	if err != nil && status != failed {
		t.Fatal(err)
	}
	return status, string(written)
}

// loads fails if the parser of ldirectord refuses a file.
func loads(t *testing.T, text string) {
	t.Helper()
	_, found := parser.Parse(t.Context(), "ldirectord.cf", []byte(text), parser.Options{})
	for _, e := range found.Errors() {
		t.Errorf("%v", e)
	}
}

// Each keepalived.conf of testdata becomes the ldirectord.cf next to it, which loads.
func TestExamples(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.conf")
	if len(files) != 10 {
		t.Fatalf("%d examples", len(files))
	}
	for _, file := range files {
		status, text := convert(t, file)
		golden := strings.TrimSuffix(file, ".conf") + ".cf"
		testkit.Golden(t, golden, text)
		wantStatus := 0
		if strings.Contains(text, "\n# testdata/") {
			wantStatus = missing
		}
		testkit.Equal(t, status, wantStatus, file, "status")
		loads(t, text)
	}
}

// keepalived takes the same files, except the one with what it warns of.
func TestKeepalivedTakesTheExamples(t *testing.T) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Skip("keepalived is not installed")
	}
	for _, file := range testkit.Files(t, "testdata/*.conf") {
		if filepath.Base(file) == "odd.conf" {
			continue
		}
		path := testkit.Must(filepath.Abs(file))(t)
		out, _ := exec.Command("keepalived", "-t", "-i", "d1", "-f", path).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, file) || strings.Contains(line, "parts/") ||
				strings.Contains(line, "missing") {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
}

// The samples of Debian's keepalived load, whatever has no equivalent in them.
func TestSamplesLoad(t *testing.T) {
	files, _ := filepath.Glob("/usr/share/doc/keepalived/samples/keepalived.conf.*")
	if len(files) == 0 {
		t.Skip("keepalived is not installed")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			status, text := convert(t, file)
			if status == failed {
				t.Error("it is not understood")
			}
			loads(t, text)
		})
	}
}

// A file that can't be understood writes nothing, and leaves what is there.
func TestAFailureWritesNothing(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "ldirectord.cf")
	broken := filepath.Join(dir, "keepalived.conf")
	for file, text := range map[string]string{out: "before", broken: "virtual_server 192.0.2.1 80 {\n"} {
		testkit.Write(t, file, text)
	}
	for _, path := range []string{broken, filepath.Join(dir, "none"), dir} {
		testkit.Equal(t, run(path, "", out), failed, path, "status")
	}
	testkit.Equal(t, testkit.Read(t, out), "before")
	testkit.Equal(t, run("testdata/web.conf", "", filepath.Join(dir, "none", "ldirectord.cf")), failed,
		"a result that can't be written: status")
}

// A result that is written to /dev/stdout or /dev/null must not take its place.
func TestADeviceIsNotReplaced(t *testing.T) {
	device := filepath.Join(t.TempDir(), "stdout")
	testkit.OK(t, os.Symlink(os.DevNull, device))
	testkit.Equal(t, run("testdata/web.conf", "d1", device), failed, "status")
	if target, err := os.Readlink(device); target != os.DevNull {
		t.Errorf("it is replaced: %v", err)
	}
}
