package ipvsctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/subprocess"
)

// These are sizes of buffers for answers, in bytes. For each answer the kernel allocates and clears as much memory as
// the largest buffer that has been used to read the socket, up to 32 kB (netlink_dump in net/netlink/af_netlink.c). If
// the buffer has at least shortAnswer bytes, an answer always fits.
const (
	maxAnswer   = 1 << 16 // for whole tables
	shortAnswer = 1 << 13 // for a service
)

// moduleTimeout is the time limit for modprobe.
const moduleTimeout = 10 * time.Second

// connect opens sockets to the kernel. Before a process opens the first ones, connect finds IPVS, because only then
// may moby/ipvs be opened. That can't be given up if the kernel hangs.
func (k *kernel) connect(ctx context.Context) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	room := maxAnswer
	if k.raw {
		room = shortAnswer
	}
	g := &genl{file: os.NewFile(uintptr(fd), "netlink"), timeout: cmp.Or(k.timeout, answerTimeout),
		in: make([]byte, room)}
	if !isSetUp.Load() {
		uncut := context.AfterFunc(ctx, g.close)
		err = g.look(ctx)
		if !uncut() {
			return nil, over(ctx)
		}
	}
	c := &conn{genl: g}
	if err == nil {
		c.moby, err = openMoby()
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return c, nil
}

// find finds IPVS for new sockets.
func (c *conn) find(ctx context.Context) error {
	if c.found {
		return nil
	}
	if err := c.genl.look(ctx); err != nil {
		return err
	}
	setFamily(int(c.genl.family))
	c.found = true
	return nil
}

// look finds IPVS, and fails if the process may not use it.
func (g *genl) look(ctx context.Context) error {
	if err := findFamily(ctx, g); err != nil {
		return err
	}
	return g.probe()
}

// lookup finds the number of the netlink family IPVS. It returns ENOENT if the kernel does not have that family.
func (g *genl) lookup() error {
	g.family = 0
	g.wait()
	name := nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated("IPVS"))
	err := g.ask(nl.GENL_ID_CTRL, nl.GENL_CTRL_CMD_GETFAMILY, 0, func(a attrs) error {
		g.family = num16(a[nl.GENL_CTRL_ATTR_FAMILY_ID])
		return nil
	}, name)
	if err == nil && g.family == 0 {
		err = errors.New("an answer without a family")
	}
	return err
}

// isCurrent reports whether IPVS still has the number that was looked up. The number changes when the module is loaded
// again.
func (g *genl) isCurrent() bool {
	was := g.family
	return g.lookup() == nil && g.family == was
}

// probe requests the destinations of a service that may not exist. It fails if the process lacks privileges.
func (g *genl) probe() error {
	return g.dests(&lvs.VirtualService{Key: lvs.Key{Protocol: lvs.Mark, Mark: FirstPrivate}})
}

// lineFailed reports whether an error may be a failure of the sockets. Other errors are refusals by the kernel. ENOENT
// may be a refusal, but may also mean that the module has been unloaded.
func lineFailed(err error) bool {
	errno, is := errors.AsType[syscall.Errno](err)
	if !is {
		return err != nil
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOBUFS, syscall.EAGAIN, syscall.EBADF:
		return true
	}
	return false
}

func (g *genl) close() { g.file.Close() }

func (c *conn) close() {
	c.moby.Close()
	c.genl.close()
}

// findFamily looks up IPVS before moby/ipvs is used, and loads the module if needed. If the library doesn't find IPVS,
// it mistakes the kernel's answers for success.
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

// absentError means that the kernel has no IPVS. why is the reason why the module could not be loaded.
type absentError struct{ why error }

func (e *absentError) Error() string { return "the kernel has no IPVS" }
func (e *absentError) Unwrap() error { return syscall.ENOENT }

func loadModule(ctx context.Context) error {
	modprobe, err := subprocess.Find("modprobe")
	if err != nil {
		return err
	}
	answer := &subprocess.Output{Max: 4096}
	err = subprocess.Run(ctx, subprocess.Command{
		Argv: []string{modprobe, "ip_vs"}, Limit: moduleTimeout, Stdout: answer, Stderr: answer,
	})
	var exit *exec.ExitError
	switch first, _, _ := strings.Cut(string(answer.Text), "\n"); {
	case err == nil:
		return nil
	case errors.As(err, &exit) && first != "":
		return fmt.Errorf("%w: %q", err, first)
	}
	return fmt.Errorf("modprobe: %w", err)
}

// openError adds advice to the error from opening a table.
func openError(err error) error {
	e := &OpError{Op: "open", Err: err}
	var absent *absentError
	switch {
	case errors.As(err, &absent):
		e.Hint = fmt.Sprintf("the module ip_vs can't be loaded: %v", absent.why)
	case errors.Is(err, syscall.EPERM):
		e.Hint = hintPermission
	}
	return e
}
