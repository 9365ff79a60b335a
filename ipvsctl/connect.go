//go:build linux

package ipvsctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/ipvs"
	"github.com/sirupsen/logrus"

	"ldirectord/program"
)

// moduleLimit is the longest wait for modprobe.
const moduleLimit = 10 * time.Second

var errReloaded = errors.New("the module ip_vs was unloaded and loaded again")

// connect opens a line; limit is the longest wait for an answer on it.
func connect(ctx context.Context, limit time.Duration) (*conn, error) {
	g, err := openGenl(limit)
	if err != nil {
		return nil, err
	}
	uncut := context.AfterFunc(ctx, g.close)
	err = findFamily(ctx, g)
	switch {
	case !uncut():
		return nil, context.Cause(ctx)
	case err != nil:
		g.close()
		return nil, err
	}
	handle, err := newHandle()
	if err != nil {
		g.close()
		return nil, err
	}
	c := &conn{handle: handle, genl: g}
	if err := c.probe(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// findFamily makes sure of IPVS before moby/ipvs is asked for anything: that one never looks twice, and
// without IPVS takes the kernel's answers for success.
func findFamily(ctx context.Context, g *genl) error {
	err := g.lookup()
	if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	loading := loadModule(ctx)
	if err := g.lookup(); !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return &absentError{cmp.Or(loading, errors.New("modprobe found nothing to do"))}
}

// absentError is a kernel without IPVS; why says how loading the module failed.
type absentError struct{ why error }

func (e *absentError) Error() string { return "the kernel has no IPVS" }
func (e *absentError) Unwrap() error { return syscall.ENOENT }

func loadModule(ctx context.Context) error {
	modprobe, err := program.Find("modprobe")
	if err != nil {
		return err
	}
	said := &program.Output{Max: 4096}
	err = program.Run(ctx, program.Command{Argv: []string{modprobe, "ip_vs"}, Limit: moduleLimit, Stdout: said, Stderr: said})
	var exit *exec.ExitError
	switch first, _, _ := strings.Cut(string(said.Text), "\n"); {
	case err == nil:
		return nil
	case errors.As(err, &exit) && first != "":
		return fmt.Errorf("%w: %q", err, first)
	}
	return fmt.Errorf("modprobe: %w", err)
}

// silenced is done when moby/ipvs has set itself up: it runs modprobe once more, and complains of its absence.
var silenced sync.Once

// newHandle keeps moby/ipvs from logging. Only its first handle does, and the level of a logger may be changed while
// others use it.
func newHandle() (*ipvs.Handle, error) {
	silenced.Do(func() {
		level := logrus.GetLevel()
		logrus.SetLevel(logrus.PanicLevel)
		defer logrus.SetLevel(level)
		if handle, err := ipvs.New(""); err == nil {
			handle.Close()
		}
	})
	handle, err := ipvs.New("")
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return handle, nil
}

// probe asks moby/ipvs for a service that can't be. Anything but ESRCH says that it may not ask, or asks
// the wrong family: it never looks the number up again, and an unloaded module comes back with another.
func (c *conn) probe(ctx context.Context) error {
	uncut := context.AfterFunc(ctx, c.close)
	_, err := c.handle.GetService(&ipvs.Service{AddressFamily: syscall.AF_INET, Address: net.IPv4zero})
	switch {
	case !uncut():
		return context.Cause(ctx)
	case errors.Is(err, syscall.ESRCH):
		return nil
	case errors.Is(err, syscall.EPERM):
		return err
	default:
		return fmt.Errorf("%w: %w", errReloaded, err)
	}
}

// openError says what to do about a table that can't be opened.
func openError(err error) error {
	e := &OpError{Op: "open", Err: err}
	var absent *absentError
	switch {
	case errors.As(err, &absent):
		e.Hint = fmt.Sprintf("the module ip_vs can't be loaded: %v", absent.why)
	case errors.Is(err, syscall.EPERM):
		e.Hint = hintPermission
	case errors.Is(err, errReloaded):
		e.Hint = "start this program anew"
	}
	return e
}
