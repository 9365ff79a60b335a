package checker

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"ldirectord/internal/runfile"
)

// maxPEM limits a file of certificates, in bytes. A file with all authorities that a system trusts has about 220 kB.
const maxPEM = 4 << 20

// TLSSums holds checksums of the files that checks read, so that a certificate renewed in place leads to a new check.
// Checks that read the same files share a checksum.
type TLSSums map[tlsFiles]string

// tlsFiles are the paths of a certificate, its key and the authorities; "" for none.
type tlsFiles [3]string

// Of returns the checksum of the files that a check reads; "" if it reads none. Of does not report unreadable files,
// because protocol.New refuses them.
func (t TLSSums) Of(s Spec) string {
	files := tlsFiles{s.TLSCert, s.TLSKey}
	if s.TLSVerify {
		files[2] = s.TLSCA
	}
	if _, known := t[files]; !known {
		t[files] = files.sum()
	}
	return t[files]
}

// Names returns the files, sorted.
func (t TLSSums) Names() []string { return t.names(func(tlsFiles) bool { return true }) }

// Renewed returns all files of each check that has a changed file, sorted.
func (t TLSSums) Renewed() []string { return t.names(func(f tlsFiles) bool { return f.sum() != t[f] }) }

func (t TLSSums) names(match func(tlsFiles) bool) (names []string) {
	for files := range t {
		if match(files) {
			names = append(names, files[:]...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

func (f tlsFiles) sum() string {
	if f == (tlsFiles{}) {
		return ""
	}
	sum := sha256.New()
	for _, path := range f {
		text, err := []byte(nil), error(nil)
		if path != "" {
			text, err = ReadPEM(path)
		}
		fmt.Fprintf(sum, "%d %s %v\n", len(text), text, err)
	}
	return string(sum.Sum(nil))
}

// ReadPEM reads a file that contains certificates or a key.
func ReadPEM(path string) ([]byte, error) { return runfile.ReadFile(path, maxPEM) }
