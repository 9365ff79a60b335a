package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"ldirectord/internal/runfile"

	"golang.org/x/sys/unix"
)

// maxPath is the maximum length of a socket's path, in bytes (unix(7)).
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// lastWords is how long pending answers may take after the socket is closed.
const lastWords = 100 * time.Millisecond

// Server is the daemon's HTTP server for commands.
type Server struct {
	path   string
	server *http.Server
	last   net.Listener // of the last socket; nil before the first
	group  atomic.Value // the group that may also use the socket, a string
}

// Listen creates the control socket. Only the instance's daemon may call it, because it replaces the socket of a
// previous daemon in one step. Until Allow is called, only root and the daemon's user may use the socket. Requests end
// when ctx is done. Even if it fails, Listen returns a Server, so that Restore can try again.
func Listen(ctx context.Context, path string, handler http.Handler) (*Server, error) {
	c := &Server{path: path, server: NewServer(ctx, handler)}
	return c, runfile.While("making the control socket", c.bind(ctx))
}

// bind creates the socket and begins to serve requests on it.
func (c *Server) bind(ctx context.Context) error {
	fresh := c.path + ".new"
	if len(fresh) > maxPath {
		return fmt.Errorf("the path %s is longer than %d bytes; name another folder with --rundir",
			fresh, maxPath)
	}
	for _, way := range []string{c.path, fresh} {
		if err := inTheWay(way); err != nil {
			return err
		}
	}
	if err := removeSocket(fresh); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{Control: ownerOnly}).Listen(ctx, "unix", fresh)
	if err != nil {
		return err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Rename(fresh, c.path); err != nil {
		return errors.Join(err, l.Close(), removeSocket(fresh))
	}
	go Serve(c.server, l)
	if c.last != nil {
		c.last.Close() // its socket was lost: nobody can reach it
	}
	c.last = l
	return nil
}

// Restore creates the socket if it was lost, or could not be made before. It reports whether there is a new one. If
// there is a new socket, an error means that the group can't use it.
func (c *Server) Restore(ctx context.Context) (isNew bool, err error) {
	if c.last != nil && runfile.Exists(c.path) {
		return false, nil
	}
	if err := c.bind(ctx); err != nil {
		return false, err
	}
	group, _ := c.group.Load().(string) // "" before Allow
	return true, c.Allow(group)
}

// ownerOnly sets the mode with which bind(2) creates the socket's file (unix(7)), so that others never have access.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var mode error
	err := c.Control(func(fd uintptr) { mode = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, mode)
}

// Allow lets the members of a group, given by name or number, use the socket too. If group is "" or unknown, only root
// and the daemon's user may use it.
func (c *Server) Allow(group string) error {
	c.group.Store(group)
	if err := inTheWay(c.path); err != nil {
		return err
	}
	if err := os.Chmod(c.path, 0o600); err != nil { // first, so that no other group gets access
		return fmt.Errorf("closing the control socket to groups: %w", err)
	}
	if group == "" {
		return nil
	}
	gid, err := runfile.GroupID(group)
	if err == nil {
		err = os.Lchown(c.path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(c.path, 0o660)
	}
	return runfile.While("statusgroup", err)
}

// Close closes the socket and removes it. Answers in progress, such as the one to POST /leave, get lastWords to finish;
// after that, their connections are closed.
func (c *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	_ = c.server.Shutdown(ctx) // Close ends the remaining connections
	return errors.Join(c.server.Close(), removeSocket(c.path))
}

// inTheWay returns an error if the file at the path is not a socket.
func inTheWay(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	return nil
}

// removeSocket removes a socket, but never any other file.
func removeSocket(path string) error {
	if inTheWay(path) != nil {
		return nil
	}
	return runfile.Remove(path)
}
