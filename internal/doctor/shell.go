package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/checker/oracle"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/mail"
	"ldirectord/internal/runfile"
	"ldirectord/internal/subprocess"
	"ldirectord/parser"
)

// Kinds of findings of JudgePrograms for which check and plan refuse a file.
const (
	NoShell  = "missing-shell"
	NoOracle = "missing-oracle"
)

// JudgePrograms finds programs that the configuration needs and this machine lacks, and relative paths. It always looks
// for our own programs and those of checks. It looks for the others only if there is no shell, as in an image with only
// ldirectord, because elsewhere they may still be installed later. The daemon starts anyway.
func JudgePrograms(cfg *parser.Config) parser.Diagnostics {
	return slices.Concat(judgePrograms(cfg, notify.Shell("")[0], mail.HasProgram()), judgeOracle(cfg),
		judgeExternal(cfg), judgePaths(cfg))
}

// judgeExternal warns of external checks whose program can't be run or, for external-perl, read. All servers with such
// a check would be down.
func judgeExternal(cfg *parser.Config) parser.Diagnostics {
	var f findings
	must := map[string]string{parser.External: "run", parser.ExternalPerl: "read"}
	tried := map[[2]string]error{} // many sections have the same program
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			at, written := check.At["checkcommand"]
			if !written || must[check.CheckType] == "" || relativeProgram(check) != "" {
				continue // judgePaths finds relative paths
			}
			program := [2]string{check.CheckType, check.CheckCommand}
			err, known := tried[program]
			if !known {
				err = tryProgram(check)
				tried[program] = err
			}
			if err != nil {
				f.addAt(at, "missing-program", must[check.CheckType], err)
			}
		}
	}
	return f.diagnostics(cfg.Name)
}

// tryProgram returns an error if the program of an external check can't be used. If its file system hangs, further
// programs in its folder fail at once.
func tryProgram(check *parser.Virtual) error {
	path := check.CheckCommand
	err := runfile.Try(filepath.Dir(path), func() error {
		if check.CheckType == parser.External {
			_, err := exec.LookPath(path)
			return cmp.Or(errors.Unwrap(err), err) // its text has the path twice
		}
		f, err := runfile.OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil && check.CheckType == parser.External && strings.Contains(path, " ") {
		return fmt.Errorf("%w; arguments belong in checkargs", err)
	}
	return err
}

func judgeOracle(cfg *parser.Config) parser.Diagnostics {
	if _, err := subprocess.FindOwn(oracle.Program); err == nil {
		return nil
	}
	var f findings
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			if check.Negotiates() && check.Service == "oracle" {
				f.addAt(cmp.Or(check.At["service"], check.At["virtual"]), NoOracle, oracle.Program)
			}
		}
	}
	return f.diagnostics(cfg.Name)
}

func judgePrograms(cfg *parser.Config, sh string, canMail bool) parser.Diagnostics {
	if _, err := exec.LookPath(sh); err == nil {
		return nil
	}
	var f findings
	eachCommand(cfg, func(directive, line string, at parser.Position) {
		missing, instead := sh, ""
		switch directive {
		case "callback":
			missing = lacking(line)
		case "checkcommand":
			return // tested below, because not every type runs it
		case "onchange":
			instead = "; webhook needs no shell"
		}
		if line != "" && missing != "" {
			f.addAt(at, NoShell, missing, directive, instead)
		}
	})
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			at, written := check.At["checkcommand"]
			commands := map[string]string{parser.External: check.CheckCommand, parser.ExternalPerl: "perl"}
			if missing := lacking(commands[check.CheckType]); written && missing != "" {
				f.addAt(at, NoShell, missing, "checkcommand", "")
			}
		}
		if v.Mail.To != "" && v.Mail.SMTP == "" && !canMail {
			f.addAt(cmp.Or(v.At["emailalert"], cfg.Global.At["emailalert"]), NoShell+" mail")
		}
	}
	return f.diagnostics(cfg.Name)
}

const maxFirstLine = 4 << 10 // bytes

// lacking returns what is missing to run a file: the file itself or the interpreter that its first line names. It
// returns "" if nothing is missing. It also does so if the file system hangs, which is reported when the file is run.
func lacking(path string) string {
	missing, _ := runfile.InTime(filepath.Dir(path), func() (string, error) { return lacks(path), nil })
	return missing
}

// lacks does what lacking does, without a time limit.
func lacks(path string) string {
	if _, err := exec.LookPath(path); err != nil {
		return path
	}
	file, err := runfile.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer file.Close()
	var interpreter string
	_, err = fmt.Fscanf(io.LimitReader(file, maxFirstLine), "#!%s", &interpreter)
	if _, missing := exec.LookPath(interpreter); err == nil && missing != nil {
		return interpreter + " for " + path
	}
	return ""
}
