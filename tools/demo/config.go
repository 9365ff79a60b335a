package main

import (
	"fmt"
	"net/netip"
	"regexp"
)

var (
	directive = regexp.MustCompile(`(?m)^[ \t]*(virtual|real|fallback|listen)[ \t]*=[ \t]*(127\.0\.0\.1:\d+)`)
	loopback  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// places are the addresses that an example configuration names.
type places struct {
	virtual, fallback, listen netip.AddrPort
	reals                     []netip.AddrPort
}

// findPlaces reads them from a configuration with one virtual service, a fallback server and metrics on loopback.
func findPlaces(conf string) (places, error) {
	var p places
	for _, m := range directive.FindAllStringSubmatch(conf, -1) {
		addr, err := netip.ParseAddrPort(m[2])
		if err != nil {
			return p, err
		}
		switch m[1] {
		case "virtual":
			p.virtual = addr
		case "fallback":
			p.fallback = addr
		case "listen":
			p.listen = addr
		case "real":
			p.reals = append(p.reals, addr)
		}
	}
	if !p.virtual.IsValid() || !p.fallback.IsValid() || !p.listen.IsValid() || len(p.reals) == 0 {
		return p, fmt.Errorf("the demo needs virtual, real, fallback and listen lines on 127.0.0.1")
	}
	return p, nil
}

// moveTo writes the configuration with other addresses for those in moved.
func moveTo(conf string, moved map[string]string) string {
	return loopback.ReplaceAllStringFunc(conf, func(old string) string {
		if addr, ok := moved[old]; ok {
			return addr
		}
		return old
	})
}

// setWeight gives the real server at addr another weight in the configuration.
func setWeight(conf, addr, weight string) (string, error) {
	line := regexp.MustCompile(`(?m)^([ \t]*real[ \t]*=[ \t]*` + regexp.QuoteMeta(addr) + `[ \t]+\w+)([ \t]+\d+)?`)
	if !line.MatchString(conf) {
		return "", fmt.Errorf("the file has no real server %s", addr)
	}
	return line.ReplaceAllString(conf, "${1} "+weight), nil
}
