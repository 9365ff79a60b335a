package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ldirectord/internal/doctor"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
)

// maxSecret is the maximum size of a file with a password, in bytes.
const maxSecret = 4 << 10

// readSecret returns the only line of a file with a password, or of a credential that systemd passes to the daemon
// (systemd.exec(5), Credentials). It refuses a file that other users can write to, and returns a warning if they can
// read it. Missing credentials are only a warning for a command that starts no daemon, because systemd passes them to
// the daemon alone.
func (s Source) readSecret(path string) (secret, warning string, err error) {
	if name, is := strings.CutPrefix(path, "credential:"); is {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" && !s.Runs {
			return "", "systemd passes it only to the daemon, so it is not known here", nil
		} else if dir == "" {
			return "", "", errors.New("systemd has passed no credentials; the unit needs LoadCredential=")
		}
		path = filepath.Join(dir, name)
	}
	text, err := readTrusted(path, maxSecret)
	if err != nil {
		return "", "", err
	}
	if info, err := runfile.Stat(path); err == nil && info.Mode()&0o004 != 0 {
		warning = "other users can read it; to fix it: chmod o-r " + printable.ShellWord(path)
	}
	secret, more, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	secret = strings.TrimSuffix(secret, "\r")
	switch {
	case more != "":
		err = errors.New("it has more than one line")
	case secret == "":
		err = errors.New("it is empty")
	case strings.Contains(secret, "\x00"):
		err = errors.New("it has a zero byte")
	}
	return secret, warning, err
}

// readTrusted returns the text of a file, unless the file changes while it is being read. It refuses a file that other
// users can write to. It also refuses a file if they can replace it or, for a symbolic link, its target. It fails if
// the file system hangs.
func readTrusted(path string, limit int64) ([]byte, error) {
	return runfile.InTime(path, func() ([]byte, error) { return readUnchanged(path, limit) })
}

func readUnchanged(path string, limit int64) ([]byte, error) {
	before := stamp(path)
	text, err := runfile.ReadFile(path, limit)
	if err != nil {
		return nil, err
	}
	if after := stamp(path); after.FileInfo == nil || !after.same(before) {
		return nil, errors.New("it changed while it was being read")
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	for _, one := range []string{target, filepath.Dir(path), filepath.Dir(target)} {
		if why, command := doctor.OpenToOthers(one); why != "" {
			return nil, fmt.Errorf("other users can write to it: %s; to fix it: %s", why, command)
		}
	}
	return text, nil
}
