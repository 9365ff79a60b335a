package announce

import (
	"errors"
	"fmt"
	"slices"

	"ldirectord/instance"
)

// settling is one Sync for one address.
type settling struct {
	*Announcer
	Want
	kernel kernel
	now    state
	repair bool
	known  []string // the devices on which it may be, as the record had it
	unsafe error    // why nothing may be put: no claim, or no record

	at      string // the device on which it is announced
	trouble string // the first one
	failed  bool   // a change: those that follow it would be in the wrong order
}

func (s *settling) settle() {
	if errors.Is(s.unsafe, instance.ErrClaimed) {
		s.say(s.unsafe.Error())
		return
	}
	ours, foreign := s.found()
	for _, h := range ours {
		if name := s.now.name(h.device); s.now.device(name).up {
			s.at = name
		}
	}
	if s.Undecided {
		return
	}
	target, reason := s.target(ours, foreign)
	s.say(reason)
	serves, local := s.Local || s.Device != "", slices.Contains(s.now.local, s.Addr)
	if serves && !local {
		s.do(step{putRoute, s.Addr, 0, target})
	}
	for _, h := range ours {
		if h.device != target.index && reason == "" { // it stays where it is while its new device can't have it
			if s.do(step{takeAddress, s.Addr, h.bits, device{index: h.device}}) && s.at == s.now.name(h.device) {
				s.at = ""
			}
		}
	}
	if s.Device != "" && reason == "" {
		s.put(target, ours)
	}
	if !serves && local {
		s.do(step{takeRoute, s.Addr, 0, target})
	}
	switch {
	case s.failed || reason != "":
	case serves:
		s.recorded[s.Addr] = union(nil, s.Devices)
	default:
		delete(s.recorded, s.Addr)
	}
}

// put puts the address on its device, unless it is there.
func (s *settling) put(target device, ours []holding) {
	if !slices.ContainsFunc(ours, func(h holding) bool { return h.device == target.index }) {
		s.do(step{putAddress, s.Addr, s.Addr.BitLen(), target})
	}
	if !s.failed {
		s.at, s.placed[s.Addr] = target.name, target.index
	}
}

// found are the address's places in the kernel: ours, by their marks, and those of others on our devices.
func (s *settling) found() (ours, foreign []holding) {
	for _, h := range s.now.held {
		name := s.now.name(h.device)
		switch known := slices.Contains(s.known, name); {
		case h.addr != s.Addr || !known && !slices.Contains(s.Devices, name):
		case h.marked || h.alike && known:
			ours = append(ours, h)
		default:
			foreign = append(foreign, h)
		}
	}
	return ours, foreign
}

// target is the device that should have the address, and why it can't.
func (s *settling) target(ours, foreign []holding) (d device, reason string) {
	last := s.placed[s.Addr]
	delete(s.placed, s.Addr)
	for _, h := range foreign {
		reason = fmt.Sprintf("is on %s, but not by ldirectord: it is left alone there", s.now.name(h.device))
		s.say(reason)
	}
	if s.Device == "" {
		return device{}, ""
	}
	d = s.now.device(s.Device)
	has := func(h holding) bool { return h.device == d.index }
	switch {
	case d.index == 0:
		return d, fmt.Sprintf("device %s is missing", s.Device)
	case !d.dummy: // a card would answer ARP for the address
		return d, fmt.Sprintf("device %s is not a dummy device", s.Device)
	case !d.up:
		return d, fmt.Sprintf("device %s is down", s.Device)
	case slices.ContainsFunc(foreign, has):
		return d, reason
	case last == d.index && !slices.ContainsFunc(ours, has) && !s.repair:
		s.placed[s.Addr] = last
		return d, fmt.Sprintf("was removed from %s by hand", s.Device)
	}
	return d, ""
}

// do changes the kernel, unless a change before failed, and reports success.
func (s *settling) do(c step) bool {
	if s.failed {
		return false
	}
	err := s.unsafe
	if c.what == takeAddress || c.what == takeRoute || err == nil {
		err = s.kernel.do(c)
	}
	if err != nil {
		s.failed = true
		s.say(err.Error())
	}
	return !s.failed
}

// say keeps the first trouble.
func (s *settling) say(trouble string) {
	if s.trouble == "" {
		s.trouble = trouble
	}
}
