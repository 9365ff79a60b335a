package parser

import (
	"cmp"
	"crypto/sha256"
	"strings"
)

// This file reads passwords from files.

const secretFileForm = "a path that begins with /, or credential:NAME"

// credential is the prefix of a systemd credential's name.
const credential = "credential:"

// readSecretFile reads the path of a password file, and gives the section the password in that file.
func readSecretFile(v *value) string {
	path := optionallyQuoted(v)
	name, isCredential := strings.CutPrefix(path, credential)
	if !strings.HasPrefix(path, "/") && (!isCredential || !blockName.MatchString(name)) {
		v.bad("is not allowed; it must be %s", secretFileForm)
	}
	if v.problem != nil {
		return path
	}
	secret := hidden // used if the file is not read
	if v.opts.ReadSecret != nil {
		known, warning, err := v.opts.ReadSecret(path)
		if err != nil {
			v.refuse(unreadable, "%s cannot be used: %v", path, err)
			return path
		}
		if warning != "" {
			v.warn(suspicious, "%s: %s", path, warning)
		}
		secret = cmp.Or(known, secret)
	}
	if v.name == "smtppasswdfile" { // that file is read for each mail
		return path
	}
	// if a file changes between two sections, its first hash is kept, so that the change is noticed
	if _, again := v.globals.secrets[path]; !isCredential && !again {
		if v.globals.secrets == nil {
			v.globals.secrets = map[string][sha256.Size]byte{}
		}
		v.globals.secrets[path] = sha256.Sum256([]byte(secret))
	}
	own := &v.section.v
	*map[string]*string{"passwdfile": &own.Passwd, "secretfile": &own.Secret,
		"httppasswdfile": &own.HTTPPasswd}[v.name] = secret
	return path
}

// mailLogin refuses a user without a password file, a password file without a user, and a log-in without TLS.
func (f finder) mailLogin(s *Settings) {
	for _, name := range []string{"smtpuser", "smtppasswdfile", "smtptls"} {
		at, is := s.At[name]
		switch {
		case !is:
		case (s.User == "") != (s.PasswdFile == ""):
			f.error(incomplete, at, "smtpuser and smtppasswdfile belong together; give both or neither")
			return
		case s.User != "" && s.TLS == MailInClear:
			f.error(conflict, at,
				"smtpuser needs smtptls = required or offered: a password is not sent in clear text")
			return
		}
	}
}

// inFiles lists the directives whose value may be in a password file instead.
var inFiles = []string{"passwd", "secret", "httppasswd"}

// SecretAt returns the position of the section's first password in the configuration itself, or the zero Position.
func (v *Virtual) SecretAt() (at Position) {
	for _, name := range inFiles {
		if v.At[name] != v.At[name+"file"] {
			at = cmp.Or(at, v.At[name])
		}
	}
	return at
}

// oneSecret refuses a password that is both in the configuration and in a file. A password in a file counts as if it
// were written in the section.
func (a adviser) oneSecret() {
	for _, name := range inFiles {
		at, inFile := a.At[name+"file"]
		if _, written := a.At[name]; inFile && written && a.At[name] != at {
			a.refuse(name+"file", conflict, "%sfile and %[1]s are given; use only one of them", name)
		} else if inFile {
			a.At[name] = at
		}
	}
}
