//go:build linux

package ipvsctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"ldirectord/program"
)

// moduleTimeout is how long modprobe may take.
const moduleTimeout = 10 * time.Second

var errReloaded = errors.New("the module ip_vs was unloaded and loaded again")

// connect opens a line. Timeout is how long each answer on it is waited for.
func connect(ctx context.Context, timeout time.Duration) (*conn, error) {
	g, err := openGenl(timeout)
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
	m, err := openMoby()
	if err != nil {
		g.close()
		return nil, err
	}
	c := &conn{moby: m, genl: g}
	uncut = context.AfterFunc(ctx, c.close)
	err = m.probe()
	switch {
	case !uncut():
		return nil, context.Cause(ctx)
	case err != nil:
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
	err = program.Run(ctx, program.Command{Argv: []string{modprobe, "ip_vs"}, Limit: moduleTimeout, Stdout: said, Stderr: said})
	var exit *exec.ExitError
	switch first, _, _ := strings.Cut(string(said.Text), "\n"); {
	case err == nil:
		return nil
	case errors.As(err, &exit) && first != "":
		return fmt.Errorf("%w: %q", err, first)
	}
	return fmt.Errorf("modprobe: %w", err)
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
