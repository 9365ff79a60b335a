package parser

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// own are the values that may differ between directors that do the same: names and places of the machine, comments, and
// where in the file a value is written.
var own = []string{"listen", "statushost", "emailalertfrom", "logfile", "include", "comment", "own", "from", "use",
	"checkdef"}

// Sum is a hash of the effective configuration, in 16 hexadecimal digits: directors with one sum decide alike.
// Passwords and log-ins have no effect on it. A server with a name counts by it, whatever its address is. The sum needs
// the positions in At.
func (c *Config) Sum() string {
	h := sha256.New()
	to := json.NewEncoder(h)
	s := shown{c.WithoutSecrets()}
	global := common(s.global(&c.Global), &c.Global.Settings)
	for _, name := range []string{"checktimeout", "negotiatetimeout"} {
		delete(global, name) // their effective values are there too
	}
	_ = to.Encode(global) // JSON of the parser can't fail
	for _, v := range c.Virtuals {
		o := common(s.virtual(v), &v.Settings)
		for i, real := range o["reals"].([]jsonObject) {
			if named := v.Reals[i].Named; named != nil {
				real["server"], real["url"] = named.Host, nil
			}
		}
		for _, w := range v.Waiting {
			o["reals"] = append(o["reals"].([]jsonObject), jsonObject{"waits": w.Name})
		}
		_ = to.Encode(o)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// common removes what may differ between directors, and log-ins that nobody has written: they may have the host name.
func common(o jsonObject, at *Settings) jsonObject {
	for _, name := range own {
		delete(o, name)
	}
	for _, d := range directives {
		if d.Secret && !at.has(d.Name) {
			delete(o, d.Name)
		}
	}
	return o
}
