package parser

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Each NAME.cf of the test data has the diagnostics in NAME.err, and with Strict those in NAME.strict.err if there is
// one.
func TestDiagnosticsText(t *testing.T) {
	for _, file := range testkit.Files(t, filepath.Join(testdata, "*.cf")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src := testkit.Must(os.ReadFile(file))(t)
			name := strings.TrimSuffix(file, ".cf")
			o := options(t)
			_, found := parse(t.Context(), filepath.Base(file), src, o)
			golden(t, name+".err", found, src)
			if _, err := os.Stat(name + ".strict.err"); err == nil {
				o.Strict = true
				_, found = parse(t.Context(), filepath.Base(file), src, o)
				golden(t, name+".strict.err", found, src)
			}
		})
	}
}

func golden(t *testing.T, file string, found Diagnostics, src []byte) {
	t.Helper()
	var got bytes.Buffer
	for _, d := range found {
		got.WriteString(d.Render(src))
	}
	testkit.Golden(t, file, got.String())
}
