package parser

import "testing"

// checkvip sets the virtual address for the section's check and for further ones, except pings and external ones.
func TestCheckVIPAddress(t *testing.T) {
	const real = "\treal=192.0.2.21:80 gate\n"
	for _, row := range []struct{ src, own, also string }{
		{"virtual=192.0.2.1:80\n" + real + "\talsocheck=connect\n", "invalid IP", "invalid IP"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=no\n\talsocheck=connect\n", "invalid IP", "invalid IP"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=yes\n\talsocheck=connect\n", "192.0.2.1", "192.0.2.1"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=yes\n\talsocheck=ping\n", "192.0.2.1", "invalid IP"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=yes\n\tcheckcommand=/bin/true\n\talsocheck=external\n",
			"192.0.2.1", "invalid IP"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=192.0.2.9\n\tcheckvip=yes\n\talsocheck=connect\n",
			"192.0.2.1", "192.0.2.1"},
		{"virtual=192.0.2.1:80\n" + real + "\tcheckvip=yes\n\tcheckvip=192.0.2.9\n\talsocheck=connect\n",
			"192.0.2.9", "192.0.2.9"},
		{"virtual=7\n" + real + "\tservice=http\n\tmark=192.0.2.0/28 all all\n\tmark=192.0.2.3 tcp 80\n" +
			"\tcheckvip=yes\n\talsocheck=http 80\n", "192.0.2.3", "192.0.2.3"},
	} {
		cfg, found := Parse(t.Context(), "t.cf", []byte(row.src), Options{})
		if cfg == nil || found.HasErrors() {
			t.Errorf("%q: %v", row.src, found)
			continue
		}
		v := cfg.Virtuals[0]
		if own, also := v.CheckVIP.String(), v.Check(1).CheckVIP.String(); own != row.own || also != row.also {
			t.Errorf("%q: %s and %s, want %s and %s", row.src, own, also, row.own, row.also)
		}
	}
}
