package doctor

import (
	"cmp"
	"path/filepath"
	"regexp"

	"ldirectord/parser"
)

// judgePaths warns of relative paths. They are meant to start at the folder of the file, or at the current folder, but
// the daemon usually runs in /. judgePaths leaves out execute, which names configurations.
func judgePaths(cfg *parser.Config) parser.Diagnostics {
	var f findings
	judge := func(at parser.Position, path string) {
		if path != "" && !filepath.IsAbs(path) {
			folder := filepath.Dir(cmp.Or(at.File, cfg.Name))
			f.addAt(at, "relative-path", path, filepath.Join(folder, path))
		}
	}
	global := cfg.Global
	judge(global.At["maintenancedir"], global.MaintenanceDir)
	eachCommand(cfg, func(directive, line string, at parser.Position) {
		switch directive {
		case "callback":
			judge(at, line)
		case "fallbackcommand", "onchange":
			judge(at, relativeWord.FindString(line))
		}
	})
	for _, v := range cfg.Virtuals {
		judge(cmp.Or(v.At["monitorfile"], global.At["monitorfile"]), v.MonitorFile)
		for _, check := range v.Checks() {
			judge(check.At["checkcommand"], relativeProgram(check))
		}
	}
	return f.diagnostics(cfg.Name)
}

// relativeWord matches the relative path of a program at the beginning of a command line. A word without a slash is
// looked for in PATH.
var relativeWord = regexp.MustCompile(`^[\w.+-]+/\S*`)

// relativeProgram returns the path of an external check's program if it is relative, or "".
func relativeProgram(check *parser.Virtual) string {
	switch path := check.CheckCommand; {
	case check.CheckType == parser.External && relativeWord.MatchString(path):
		return path
	case check.CheckType == parser.ExternalPerl && !filepath.IsAbs(path):
		return path
	}
	return ""
}
