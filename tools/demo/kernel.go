package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// procTable is the kernel's own view of its table (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show).
const procTable = "/proc/net/ip_vs"

// kernelReady says what is missing for the kernel's table, and what to do.
func kernelReady() error {
	if os.Geteuid() != 0 {
		return errors.New("the kernel's table needs root: sudo KERNEL=1 make demo")
	}
	if _, err := os.Stat(procTable); err != nil {
		return fmt.Errorf(
			"no IPVS in this kernel (%s is missing): load it with `modprobe ip_vs`, or run `make demo` "+
				"without KERNEL=1", procTable)
	}
	return nil
}

// kernelTable reads one virtual TCP service of IPv4 out of the kernel's table.
func kernelTable(virtual string) (string, error) {
	proc, err := readFile(procTable)
	if err != nil {
		return "", err
	}
	return fromProc(proc, virtual), nil
}

// fromProc puts the lines of one virtual service into the form of `ipvsadm -Sn`.
func fromProc(proc, virtual string) string {
	var out strings.Builder
	ours := false
	for line := range strings.Lines(proc) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "TCP":
			ours = procAddr(f[1]) == virtual
			if ours {
				fmt.Fprintf(&out, "-A -t %s -s %s\n", virtual, f[2])
			}
		case len(f) >= 4 && f[0] == "->" && ours:
			fmt.Fprintf(&out, "-a -t %s -r %s %s -w %s\n", virtual, procAddr(f[1]), procMethod(f[2]), f[3])
		case len(f) > 0 && f[0] != "->":
			ours = false
		}
	}
	return out.String()
}

// procAddr reads 7F000001:1F90; "" for anything else.
func procAddr(word string) string {
	b, err := hex.DecodeString(strings.Replace(word, ":", "", 1))
	if err != nil || len(b) != 6 {
		return ""
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port).String()
}

// procMethod is ipvsadm's flag for a forwarding method.
func procMethod(word string) string {
	switch word {
	case "Masq":
		return "-m"
	case "Tunnel":
		return "-i"
	default: // Route and Local
		return "-g"
	}
}
