package parser

import (
	"strings"
	"testing"
)

// Findings about single lines. A row is a file, a text that some message has, and a text that none has.
func TestWhatIsSaidOfLines(t *testing.T) {
	const virtual, virtual6 = "virtual=192.0.2.1:80\n", "virtual6=[2001:db8::1]:80\n"
	const real = "\treal=192.0.2.2:80 masq\n"
	const masq2 = real + "\treal=192.0.2.3:80 masq\n"
	const observesNone = "observe has no effect: it compares servers of one section that answer TCP clients"
	gate := strings.ReplaceAll(real, "masq", "gate")
	for _, row := range []struct{ src, said, not string }{
		// address.go
		{"virtual=192.0.2.1:80/tcp\n", `the text after port "80" is ignored`, ""},
		{"virtual=192.0.2.1:/tcp\n", "has no port", "the text after"},
		{"virtual=192.0.2.1:80\n", "", "the text after"},
		{"virtual=[1::a::]:80\n", "use virtual6 for it", ""},
		{"virtual=[1::f::]:80\n", "use virtual6 for it", ""},
		{"virtual=[1::F::]:80\n", "use virtual6 for it", ""},
		{"virtual=[1::g::]:80\n", "is not an IPv6 address", ""},
		{"virtual=[1::@::]:80\n", "is not an IPv6 address", ""},
		{virtual + "\treal=" + strings.Repeat("h", 255) + " masq\n", "names are not looked up here", ""},
		{virtual + "\treal=" + strings.Repeat("h", 256) + " masq\n", "it is not a host name", ""},
		{virtual + "\treal=0x masq\n", "four numbers from 0 to 255", ""},
		{virtual + "\treal=0xaf.1 masq\n", "four numbers from 0 to 255", ""},
		{virtual + "\treal=0xzz masq\n", "names are not looked up here", "four numbers"},
		{virtual + "\treal=0xg masq\n", "names are not looked up here", "four numbers"},
		{virtual6 + "\treal6=::1 masq\n", "an IPv6 address is written in brackets", ""},
		{virtual + "\treal=2001:db8::1 masq\n", "it is an IPv6 address; IPv4 is needed", ""},
		{virtual6 + "\treal6=192.0.2.2 masq\n", "it is an IPv4 address; IPv6 is needed", ""},
		{virtual6 + "\treal6=2001:db8::2 masq\n", "an IPv6 address is written in brackets", ""},
		{virtual + "\treal=[192.0.2.2]:80 masq\n", "only an IPv6 address is written in brackets", ""},
		{virtual + "\treal=[2001:db8::2]:80 masq\n", "it is an IPv6 address; IPv4 is needed", ""},
		{virtual + "\treal=192.0.2.2-192.0.2.5 masq\n", "a range is written FIRST->LAST", ""},
		{virtual + "\treal=web1-192.0.2.5 masq\n", "names are not looked up here", "FIRST->LAST"},
		{virtual + "\treal=192.0.2.2:65535 masq\n", "", "out of range"},
		{virtual + "\treal=192.0.2.2:65536 masq\n", "it is out of range; a port is a number from 0 to 65535", ""},

		// checkvip.go
		{virtual + real + "\tcheckvip=maybe\n", "checkvip is no, yes or an address", ""},
		{virtual + real + "\tcheckvip=192.0.2.0/28\n", "is not the address of one service; checkvip is no, yes or an address", ""},
		{virtual + real + "\tcheckvip=2001:db8::1\n", "is an IPv6 address; under virtual the address must be IPv4", ""},
		{virtual + real + "\tcheckvip=0.0.0.0\n", "is not the address of a machine", ""},
		{virtual + gate + "\tcheckvip=127.0.0.1\n", "checkvip leads to 127.0.0.1, which never leaves this machine; it must be an address that clients can reach", ""},
		{"virtual6=[::1]:80\n\treal6=[2001:db8::2]:80 gate\n\tcheckvip=yes\n", "checkvip leads to ::1", ""},
		{virtual + real + "\tcheckvip=yes\n\tchecktype=ping\n", "checkvip is given with checktype=ping, but IPVS forwards no echo requests", ""},
		{virtual + real + "\tcheckvip=yes\n\tchecktype=connect\n\tprotocol=udp\n", "checktype=connect, but IPVS forwards no echo requests", ""},
		{virtual + real + "\tcheckvip=yes\n\tchecktype=external\n", "sockets of a program cannot be marked", ""},
		{virtual + real + "\tcheckvip=yes\n\tchecktype=on\n", "but that checks nothing", ""},
		{virtual + gate + "\tcheckvip=no\n\tchecktype=on\n", "", "checkvip"},
		{virtual + gate + "\tcheckvip=yes\n\tchecktype=connect\n", "", "checkvip"},
		{virtual + gate + "\tcheckvip=yes\n\tchecktype=3\n\talsocheck=ping\n", "", "checkvip"},
		{"virtual=7\n" + real + "\tservice=http\n\tcheckvip=yes\n", "checkvip=yes is under a mark, and no mark line has a single address; write checkvip=ADDRESS", ""},
		{"virtual=7\n" + real + "\tservice=http\n\tmark=192.0.2.0/28 tcp 80\n\tcheckvip=yes\n", "no mark line has a single address", ""},
		{"virtual=7\n" + gate + "\tservice=http\n\tcheckvip=192.0.2.9\n", "", "checkvip"},

		// advice.go
		{virtual + gate + "\treal=192.0.2.2:81 gate\n", "with gate the kernel has this server and that of line 2 once, as 192.0.2.2:80; only masq changes the port", ""},
		{virtual + gate + "\treal=192.0.2.4:81 gate\n", "", "once"},
		{virtual + gate + "\treal=192.0.2.2:81 masq\n", "", "once"},
		{virtual + gate + "\treal=192.0.2.2:80 masq\n", "192.0.2.2:80 is in this virtual already, in line 2", ""},
		{"virtual=3\n" + gate + "\treal=192.0.2.2:81 gate\n", "", "once"},
		{"virtual=127.0.0.1:80\n" + gate + "\treal=192.0.2.2:81 ipip\n", "with ipip the kernel has this server", ""},
		{"failurecount=2\nfastinterval=1\n" + virtual + real, "", "fastinterval"},
		{"fastinterval=1\n" + virtual + real + "\trisecount=2\n", "", "fastinterval"},
		{"fastinterval=1\n" + virtual + real + "\twindow=2/3\n", "", "fastinterval"},
		{"fastinterval=1\n" + virtual + real, "fastinterval has no effect where one result decides", ""},
		{"fastinterval=1\n" + virtual + real + "virtual=192.0.2.9:80\n" + real + "\tfailurecount=2\n", "", "fastinterval"},
		{"fastinterval=0\n" + virtual + real, "", "fastinterval"},
		{"fastinterval=1\n", "", "fastinterval has"},
		{"failurecount=2\n" + virtual + real + "\tfastinterval=10\n", "fastinterval has no effect: it is not shorter than checkinterval, 10s", ""},
		{"failurecount=2\n" + virtual + real + "\tfastinterval=9.9\n", "", "fastinterval"},
		{"failurecount=2\nfastinterval=1s\n" + virtual + real + "\tfastinterval=0\n", "", "fastinterval has"},
		{"draintime=315360001\n", "315360001 is out of range; it must be a time from 100 ms to 10 years", ""},
		{"draintime=315360000\n", "", "out of range"},
		{"checkinterval=5256001m\n", "it must be a time from 100 ms to 10 years", ""},
		{"resolve=315360001\n", "it must be a time from a second to 10 years", ""},
		{"keepserving=2\n" + virtual + real + "\treal=192.0.2.4:80 masq\n", "keepserving = 2 is all servers of the section, 2: checks take out none", ""},
		{"keepserving=50%\n" + virtual + real, "keepserving = 50% is all servers of the section, 1", ""},
		{"keepserving=51%\n" + virtual + real + "\treal=192.0.2.4:80 masq\n", "keepserving = 51% is all servers of the section, 2", ""},
		{"keepserving=50%\n" + virtual + real + "\treal=192.0.2.4:80 masq\n", "", "all servers"},
		{"keepserving=1\n" + virtual + real + "\treal=192.0.2.4:80 masq\n", "", "all servers"},
		{"keepserving=1\n" + virtual + real + "\treal=192.0.2.3:80 gate 0\n", "keepserving = 1 is all servers of the section, 1", ""},
		{"keepserving=100%\n" + virtual + real, "", "all servers"},
		{virtual + real, "", "all servers"},
		{virtual + real + "\tcheckvip=yes\n", "checkvip is for gate and ipip: a masq server", ""},
		{virtual + gate + "\tcheckvip=yes\n", "", "checkvip"},
		{virtual + gate + "\tcheckvip=192.0.2.77\n", "checkvip = 192.0.2.77 is not an address of", ""},
		{"virtual=3\n" + gate + "\tcheckvip=192.0.2.77\n", "", "checkvip"},
		{"virtual=3\n" + gate + "\tmark=192.0.2.64/28 tcp 80\n\tcheckvip=192.0.2.77\n", "", "checkvip"},
		{"lastresort=lvs1\n" + virtual + gate, "lastresort has an effect only with announce", ""},
		{"lastresort=lvs1\n" + virtual + gate + "\tannounce=lvs0\n", "", "lastresort counts"},
		{virtual + gate + "\tlastresort=lvs1\n", "lastresort has an effect only with announce", ""},
		{virtual + gate + "\tlastresort=no\n", "", "lastresort counts"},
		{"withdrawwait=5\n" + virtual + gate, "withdrawwait has an effect only with announce", ""},
		{"withdrawwait=5\n" + virtual + gate + "\tannounce=lvs0\n", "", "withdrawwait counts"},
		{"virtual=3\n" + gate + "\tannounceaddress=192.0.2.77\n", "announceaddress has an effect only with announce", ""},
		{"virtual=3\n" + gate + "\tannounceaddress=192.0.2.77\n\tannounce=lvs0\n", "", "announceaddress counts"},
		{"fastinterval=1h\n", "it must be a time from 100 ms to 10 years", ""},
		{"fastinterval=5 s\n", "it must be a time from 100 ms to 10 years", ""},
		{"fastinterval=99ms\n", "99ms is out of range", ""},
		{virtual + real + "\tservice=smtp\n\treceive=\"x\"\n\tchecktype=3\n", "receive applies only to", ""},
		{virtual + real + "\tservice=smtp\n\treceive=\"x\"\n\tchecktype=connect\n", "", "receive applies only to"},
		{virtual + real + "\tchecktype=external-perl\n", "checktype=external-perl without a checkcommand runs /bin/true", ""},
		{virtual + real + "\tchecktype=external\n", "checktype=external without a checkcommand runs /bin/true", ""},
		{virtual + real + "\tchecktype=external-perl\n\tcheckcommand=/x\n", "", "checkcommand"},
		{virtual + real + "\tcheckcommand=/x\n", "checkcommand has an effect only with", ""},
		{virtual + real + "\tservice=http\n\trequest=\"http://x/\"\n", "each server is asked for the URL as a path", ""},
		{virtual + real + "\tservice=https\n\trequest=\"http://x/\"\n", "each server is asked for the URL as a path", ""},
		{virtual + real + "\tservice=http_proxy\n\trequest=\"http://x/\"\n", "", "each server is asked for the URL as a path"},
		{virtual + real + "\tservice=http\n\trequest=\"x\"\n", "", "each server is asked for the URL as a path"},
		{virtual + "\treal=192.0.2.2:80 masq l:5 u:5\n", "", "lower threshold"},
		{virtual + "\treal=192.0.2.2:80 masq l:6 u:5\n", "the lower threshold 6 is above the upper one, 5", ""},
		{virtual + "\treal=192.0.2.2:80 masq l:6 u:0\n", "the lower threshold 6 has no upper one", ""},
		{virtual + "\treal=192.0.2.2:80 masq l:6\n", "the lower threshold 6 has no upper one", ""},
		{virtual + "\treal=192.0.2.2:80 masq u:6\n", "", "threshold"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 udp 80\n\tmark=192.0.2.1 tcp 80\n\tpename=sip\n\tpersistent=5\n", "the kernel drops the other packets of line 4", ""},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80\n\tmark=192.0.2.1 udp 80\n\tpename=sip\n\tpersistent=5\n", "the kernel drops the other packets of line 3", ""},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80\n\tpename=sip\n", "pename has an effect only with persistent", "the kernel drops"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80\n\tpersistent=5\n", "", "the kernel drops"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tchecktype=connect\n", "the check asks port 80 alone, so a server whose 443 does not answer", ""},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tchecktype=5\n", "the check asks port 80 alone", ""},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tservice=http\n", "the check asks port 80 alone", ""},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tservice=none\n", "", "the check asks"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tchecktype=ping\n", "", "the check asks"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,443\n\tchecktype=external\n", "", "the check asks"},
		{"virtual=3\n\treal=192.0.2.2 masq\n\tmark=192.0.2.1 tcp 80\n\tchecktype=connect\n", "real servers have no port to check", "the check asks"},
		{"virtual=3\n" + real + "\tmark=192.0.2.1 tcp 80,1:9\n\tchecktype=connect\n", "", "the check asks"},
		{virtual + real + "\tchecktype=0\n", "0 connects between two negotiate checks is the same as negotiate", ""},
		{virtual + real + "\tchecktype=1\n", "", "0 connects"},
		{virtual + real + "\tchecktype=9999999999999999999\n", "is too large", ""},

		{virtual + "\treal=192.0.2.2:81 gate\n\treal=192.0.2.3:82 gate\n", "at port 80, not 81", "not 82"},

		// fallback.go
		{virtual + real + "\tfallback=192.0.2.9]:80\n", "it is not a host name", ""},
		{virtual + "\tfallback=:80\n", "the address is missing", ""},
		{virtual + "\tfallback=[192.0.2.9]:80\n", "is not an IPv6 address and has no brackets", ""},
		{virtual6 + "\tfallback6=2001:db8::9:80\n", "is in brackets before a port", ""},

		{virtual + "    \v\n", "a line of the section has only blanks", ""},
		{virtual + "   \v\v\n", "", "a line of the section has only blanks"},

		// overlap.go: a line is reported only once
		{"virtual=3\n\tmark=192.0.2.1 tcp 20:30\nvirtual=4\n\tmark=192.0.2.1 tcp 10:20\nvirtual=5\n\tmark=192.0.2.1 tcp 15\n", "by line 2", "by line 4"},

		// real.go
		{virtual + "\treal=192.0.2.2 gate \" \"x\"\n", "cannot be read", ""},
		{virtual + "\treal=192.0.2.2 gate x y\n", `"x" cannot be read`, ""},
		{virtual + "\treal=192.0.2.2 gate x \"a\", \"b\" y\n", `"y" cannot be read`, ""},
		{virtual + "\treal=192.0.2.2 gate x \"a\", \"b\"\n", `"x" is ignored`, "cannot be read"},
		{virtual + "\treal=192.0.2.2 tun\n", "(tunnelling is ipip)", ""},
		{virtual + "\treal=192.0.2.2 droute\n", "(direct routing is gate)", ""},
		{virtual + "\treal=192.0.2.2 nat\n", "(NAT is masq)", ""},

		// unknown.go
		{"supervised # now\n", "a comment follows the directive", ""},
		{"supervised\n", "supervised has no value", "a comment follows"},

		// globalvalues.go
		{"statusgroup=" + strings.Repeat("g", 32) + "\n", "", "is not a group"},
		{"statusgroup=" + strings.Repeat("g", 33) + "\n", "is not a group", ""},
		{"statusgroup=-g\n", "is not a group", ""},
		{"webhook=https://me:pw@hooks.example:65535/a?b=c\n", "", "webhook"},
		{"webhook=\"http://[::1]/\"\n", "", "webhook"},
		{"webhook=https://hooks.example:0/pw\n", "is not the URL of a webhook", "pw"},
		{"webhook=https://hooks.example:65536/pw\n", "is not the URL of a webhook", "pw"},
		{"webhook=https://:443/pw\n", "is not the URL of a webhook", "pw"},
		{"webhook=ftp://me:pw@hooks.example/\n", "is not the URL of a webhook", "pw"},
		{"webhook=https://me:pw@hooks.example/%zz\n", "is not the URL of a webhook", "pw"},
		{"webhook=\"https://hooks.example/#pw\"\n", "is not the URL of a webhook", "pw"},
		{"webhook=\n", "is not the URL of a webhook", ""},
		{virtual + "\twebhook=https://hooks.example/pw\n" + real, "webhook", "pw"},

		{"metrics=small\n", "", "is not allowed"},
		{"statuspage=on\n", `"on" is neither yes nor no`, "no effect"},
		{"timeouts=0/0/0\n", "timeouts has no effect: 0 leaves each as it is", ""},
		{"timeouts=0/0/1\n", "", "no effect"},
		{"statuspage=yes\n", "statuspage has no effect without listen", ""},
		{"statuspage=yes\nlisten=127.0.0.1:97\nstatushost=lb.example.com\n", "", "no effect"},
		{"statuspage=no\n", "", "no effect"},
		{"listen=127.0.0.1:97\nstatushost=lb\n", "statushost has no effect without statuspage=yes", ""},
		{"statushost=http://lb/\n", `"http://lb/" is not a host name; it must be a name such as lb.example.com`, "no effect"},
		{"statushost=lb:80\n", `"lb:80" is not a host name`, ""},
		{"metrics=much\n", `"much" is not allowed; it must be one of small, full`, ""},

		// lex.go
		{"checkinterval=# 5\n", `"" is not a number`, ""},
		{"checkinterval=5#6\n", "the rest is ignored", ""},
		{"checkinterval=5 # 6\n", "", "the rest is ignored"},
		{virtual + "\tcheckinterval=5# 6\n", "", "is not a number"},

		// parse.go, unknown.go
		{virtual + "supervised\n", "supervised has no value", "unknown"},
		{virtual + "\tsupervised\n", "supervised is not followed by =", "has no value"},

		// real.go
		{virtual + "\treal=192.0.2.2 gate\"a\", \"b\"\n", `'"a", "b"' cannot be read`, ""},
		{virtual + "\treal=192.0.2.2 gate \"\" \"b\" \"c\"\n", "cannot be read", ""},
		{virtual + "\treal=192.0.2.2 gate \"\"x\"\n", "cannot be read", ""},
		{virtual + "\treal=192.0.2.2 gate \"a\", \"b\"\n", "", "cannot be read"},

		// servicevalues.go
		{"virtual=3\n\tprotocol=udp\n", "udp is dropped, fwm is allowed", ""},
		{"virtual=3\n\tprotocol=tcp\n", "tcp is dropped, fwm is allowed", ""},
		{"virtual=3\n\tprotocol=sctp\n", "is not allowed under a firewall mark", ""},
		{virtual + "\tprotocol=fwm\n", "is not allowed for an address and port", ""},
		{virtual6 + "\tnetmask=1\n", "", "is not a prefix length"},
		{virtual6 + "\tnetmask=128\n", "", "is not a prefix length"},
		{virtual6 + "\tnetmask=0\n", "is not a prefix length", ""},
		{virtual6 + "\tnetmask=129\n", "is not a prefix length", ""},
		{virtual + "\tnetmask=255.255.255.0\n", "", "has holes"},
		{virtual + "\tnetmask=255.0.255.0\n", "has holes", ""},

		// watch.go
		{"watch=maybe\n", `"maybe" is not allowed; it must be yes, no, or whole seconds from 1 to 3600, such as 5 or 1m`, ""},
		{"watch=0\n", "is not allowed", ""},
		{"watch=1\n", "", "watch"},
		{"watch=1m\n", "", "watch"},
		{"watch=3600\n", "", "watch"},
		{"watch=3601\n", "is not allowed", ""},
		{"watch=1.5\n", "is not allowed", ""},
		{"watch=1h\n", "is not allowed", ""},
		{virtual + real + "\twatch=yes\n\tservice=http\n", "", "watch"},
		{virtual + real + "\twatch=yes\n\tchecktype=ping\n", "watch has no effect: no check of the section is made over TCP", ""},
		{virtual + real + "\twatch=no\n\tchecktype=ping\n", "", "watch"},
		{virtual + real + "\twatch=yes\n\tchecktype=external\n\tcheckcommand=/x\n\talsocheck=connect 81\n", "", "watch"},
		{virtual + "\twatch=yes\n\tchecktype=ping\n", "", "watch has"},
		{"watch=yes\n" + virtual + real + "\tchecktype=ping\n", "", "watch"},
		{"watch=yes\n" + virtual + real + "\tservice=smtp\n", "watch leaves out smtp, whose servers greet first or count connections; watch in the section includes them", ""},
		{"watch=yes\n" + virtual + real + "\tservice=smtp\n\twatch=no\n", "", "watch"},
		{virtual + real + "\tservice=smtp\n\twatch=yes\n", "", "watch"},
		{"watch=yes\n" + virtual + real + "\tservice=http\n\talsocheck=imap\n\talsocheck=connect 22\n", "watch leaves out imap", "watch leaves out http"},
		{"watch=yes\n" + virtual + real + "\tservice=http\n\talsocheck=connect 22\n", "watch leaves out ssh", ""},
		{"watch=yes\n" + virtual + real + "\tchecktype=connect\n\tcheckport=25\n", "watch leaves out smtp", ""},
		{"watch=yes\n" + virtual + real + "\tservice=mysql\n", "watch leaves out mysql", "logs in"},
		{virtual + real + "\tservice=mysql\n\twatch=yes\n", "watch needs a check of mysql that logs in", ""},
		{virtual + real + "\tchecktype=connect\n\tcheckport=3306\n\twatch=yes\n", "watch needs a check of mysql that logs in", ""},
		{virtual + real + "\tservice=mysql\n\tlogin=\"a\"\n\tpasswd=\"b\"\n\trequest=\"SELECT 1\"\n\twatch=yes\n", "", "watch"},
		{virtual + masq2 + "\tobserve=yes\n", "", "observe"},
		{virtual + masq2 + "\tobserve=no\n", "", "observe"},
		{virtual + masq2 + "\tobserve=out\n", "observe=out needs keepserving, the number of servers that stay in service, and " +
			"holddown, the time after which a server comes back", ""},
		{virtual + masq2 + "\tobserve=out\n\tkeepserving=1\n", "observe=out needs keepserving", ""},
		{virtual + masq2 + "\tobserve=out\n\tholddown=10\n", "observe=out needs keepserving", ""},
		{"keepserving=1\nholddown=10\n" + virtual + masq2 + "\tobserve=out\n", "", "observe"},
		{"keepserving=51%\nholddown=10\n" + virtual + masq2 + "\tobserve=out\n", "observe=out leaves no server out", ""},
		{"keepserving=51%\nholddown=10\n" + virtual + masq2 + "\tobserve=yes\n", "", "leaves no server out"},
		{"keepserving=1\nholddown=10\n" + virtual + masq2 + "\tprotocol=udp\n\tobserve=out\n",
			"observe=out needs a service of tcp", ""},
		{virtual + masq2 + "\tobserve=Yes\n", `"Yes" is not allowed; it must be yes, out or no`, ""},
		{"observe=yes\n", "observe", ""},
		{virtual + masq2 + "\tprotocol=udp\n\tobserve=yes\n", observesNone, ""},
		{virtual + masq2 + "\tprotocol=udp\n\tobserve=no\n", "", "observe"},
		{virtual + strings.ReplaceAll(masq2, "masq", "gate") + "\tobserve=yes\n", observesNone, ""},
		{virtual + strings.Replace(masq2, "masq", "ipip", 1) + "\tobserve=yes\n", observesNone, ""},
		{virtual + strings.Replace(masq2, "masq", "gate", 1) + masq2 + "\tobserve=yes\n", "", "observe has"},
		{"virtual=1\n" + masq2 + "\tobserve=yes\n", "", "observe"},
		{"virtual=1\n\tmark=192.0.2.1 tcp 80,443\n" + masq2 + "\tobserve=yes\n", "", "observe"},
		{"virtual=1\n\tmark=192.0.2.1 tcp 80,443\n\tmark=192.0.2.1 udp 443\n" + masq2 + "\tobserve=yes\n", observesNone, ""},
		{"virtual=1\n\tmark=192.0.2.1 all all\n" + masq2 + "\tobserve=yes\n", observesNone, ""},
		{virtual + "\tobserve=yes\n", "", "observe has"},
		{"watch=yes\n" + virtual + real + "\tservice=pgsql\n", "a watched pgsql server has one more connection, and a process for it", "leaves out"},

		// values.go
		{"emailalert=\"\"\n", "the value of emailalert is empty; it must be text", ""},
		{"emailalert=a\"b\n", "a quote is not closed", ""},
		{"emailalert=a\"\"b\n", "", "a quote is not closed"},
		{virtual + "\treceive=“OK”\n", "not in double quotes but in typographic ones", ""},
		{virtual + "\treceive='OK'\n", "not in double quotes but in single ones", ""},
		{"logfile=/tmp/x.log\n", `of logfile is not in double quotes; write logfile = "/tmp/x.log"`, ""},
		{"fallbackcommand=\"\"\n", "the value of fallbackcommand is empty", ""},
		{virtual + "\tfallbackcommand=\"\"\n", "the value of fallbackcommand is empty; it must be text", ""},
	} {
		_, found := Parse(t.Context(), "a.cf", []byte(row.src), Options{})
		var said strings.Builder
		for _, d := range found {
			said.WriteString(d.Text + "\n")
		}
		if !strings.Contains(said.String(), row.said) || row.not != "" && strings.Contains(said.String(), row.not) {
			t.Errorf("%q: want %q and not %q, got\n%s", row.src, row.said, row.not, said.String())
		}
	}
}
