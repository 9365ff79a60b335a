package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// A look that hangs is waited for once. Until it ends there is no other one, and what was seen before counts.
func TestLookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var files look[int]
		began, goes := time.Now(), make(chan int)
		step := func(see func() int, want int, after time.Duration) {
			t.Helper()
			testkit.Equal(t, files.now(see), want)
			testkit.Equal(t, time.Since(began), after)
		}
		second := func() int { t.Error("there are two looks"); return 0 }
		step(func() int { return 1 }, 1, 0)
		step(func() int { return <-goes }, 1, runfile.ReadTimeout)
		step(second, 1, runfile.ReadTimeout)
		goes <- 2
		synctest.Wait()
		for files.now(second) != 2 { // the result may come at the same time as the end of the wait
		}
		step(func() int { return 3 }, 3, runfile.ReadTimeout)
	})
}

func TestANewFileOfTheSameTimeAndSizeIsAnotherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ld.cf")
	testkit.Write(t, path, "weight 1")
	before := stamp(path)
	testkit.Equal(t, stamp(path).same(before), true, "an untouched file")
	testkit.Write(t, path+".new", "weight 2")
	testkit.OK(t, os.Chtimes(path+".new", before.ModTime(), before.ModTime()))
	testkit.OK(t, os.Rename(path+".new", path))
	testkit.Equal(t, stamp(path).same(before), false, "a new file")
	testkit.OK(t, os.Remove(path))
	testkit.Equal(t, stamp(path).same(before), false, "a missing file")
	testkit.Equal(t, stamp(path).same(stamp(path)), true, "a file that stays missing")
}
