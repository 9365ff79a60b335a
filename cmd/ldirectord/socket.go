package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"

	"ldirectord/instance"

	"golang.org/x/sys/unix"
)

// answersAtOnce is how many questions are answered at a time.
const answersAtOnce = 16

// longestPath is what a socket's address holds of a path, unix(7).
const longestPath = len(unix.RawSockaddrUnix{}.Path) - 1

// socket is that of the daemon which this command line means.
func (o *options) socket() instance.Socket { return instance.Socket(o.instance().Files().Socket) }

// roleFile is that of the daemon which this command line means.
func (o *options) roleFile() instance.RoleFile { return instance.RoleFile(o.instance().Files().Role) }

func (d *daemon) roleFile() instance.RoleFile { return instance.RoleFile(d.hold.Role) }

// control is the socket on which commands talk to the running daemon: HTTP beside its pid file.
type control struct {
	path   string
	server *http.Server

	mu    sync.Mutex // guards what follows
	group string     // that may use it as well
}

// listen makes the control socket. Only who holds the instance may: what another daemon left behind is
// replaced, in one step. Root alone may use it until allow says otherwise. Requests end with ctx.
func listenAt(ctx context.Context, path string, handler http.Handler) (*control, error) {
	l, err := openSocket(ctx, path)
	if err != nil {
		return nil, err
	}
	c := &control{path: path, server: newServer(ctx, handler)}
	go c.server.Serve(door{l})
	return c, nil
}

func openSocket(ctx context.Context, path string) (net.Listener, error) {
	fresh := path + ".new"
	if len(fresh) > longestPath {
		return nil, fmt.Errorf("making the control socket: the path %s is longer than %d bytes; --rundir names another folder", fresh, longestPath)
	}
	for _, way := range []string{path, fresh} {
		if err := socketOrNothing(way); err != nil {
			return nil, err
		}
	}
	if err := removeSocket(fresh); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{Control: ownerOnly}).Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Rename(fresh, path); err != nil {
		return nil, errors.Join(fmt.Errorf("making the control socket: %w", err), l.Close(), removeSocket(fresh))
	}
	return l, nil
}

// restore makes the socket again when it was lost.
func (c *control) restore(ctx context.Context) error {
	if instance.Exists(c.path) {
		return nil
	}
	l, err := openSocket(ctx, c.path)
	if err != nil {
		return err
	}
	go c.server.Serve(door{l})
	c.mu.Lock()
	group := c.group
	c.mu.Unlock()
	return c.allow(group)
}

// ownerOnly sets the mode that the socket will have in the file system: unix(7) takes it from here, so
// that no moment is without it.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var mode error
	err := c.Control(func(fd uintptr) { mode = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, mode)
}

// allow lets the members of a group, by name or number, use the socket as well; "" and a group that
// there isn't leave it to its owner.
func (c *control) allow(group string) error {
	c.mu.Lock()
	c.group = group
	c.mu.Unlock()
	if err := os.Chmod(c.path, 0o600); err != nil { // before the group changes, so that no other one gets in
		return fmt.Errorf("closing the control socket to groups: %w", err)
	}
	if group == "" {
		return nil
	}
	gid, err := groupID(group)
	if err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	if err := os.Lchown(c.path, -1, gid); err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	if err := os.Chmod(c.path, 0o660); err != nil {
		return fmt.Errorf("statusgroup: %w", err)
	}
	return nil
}

func groupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	id, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("there is no group %s", name)
	}
	return int(id), nil
}

// close ends the socket and removes it.
func (c *control) close() error { return errors.Join(c.server.Close(), removeSocket(c.path)) }

func socketOrNothing(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("making the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("making the control socket: %s is in the way: it is not a socket", path)
	}
	return nil
}

// removeSocket removes a socket, never anything else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return os.Remove(path)
}
