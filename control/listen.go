package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"ldirectord/instance"
	"ldirectord/notify"

	"golang.org/x/sys/unix"
)

// maxAnswers is how many questions are answered at once.
const maxAnswers = 16

// maxPath is what a socket's address holds of a path, unix(7).
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// lastWords is how long answers may take when the socket ends.
const lastWords = 100 * time.Millisecond

// controlSocket is where commands talk to the running daemon, by HTTP.
type controlSocket struct {
	path   string
	server *http.Server

	mu    sync.Mutex // guards what follows
	group string     // that may use it as well
}

// openSocket makes the control socket. A daemon without one runs all the same.
func (d *daemon) openSocket(ctx context.Context) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /status", limiter(maxAnswers)(d.answerStatus))
	routes.HandleFunc("GET /why", limiter(maxAnswers)(d.answerWhy))
	routes.HandleFunc("POST /reload", answerOrder(ReloadTimeout, d.config.answerReload))
	routes.HandleFunc("POST /role",
		answerOrder(OrderTimeout, func(asked context.Context, words url.Values) (any, error) {
			return d.orders.answerRole(ctx, asked, words)
		}))
	routes.HandleFunc("POST /set", answerOrder(OrderTimeout, d.orders.set))
	s, err := listenAt(ctx, d.lock.Socket, routes)
	if err == nil {
		d.socket = s
		err = s.allow(d.Loaded.Config.Global.StatusGroup)
	}
	d.failed(notify.ListenFailed, notListening, err)
}

// notListening says that commands or metrics can't reach the daemon as configured.
const notListening = "Not listening"

// listenAt makes the control socket. Only the daemon of the instance may: the socket that a daemon before it left is
// replaced in one step. Root alone may use it until allow says otherwise. Requests end with ctx.
func listenAt(ctx context.Context, path string, handler http.Handler) (*controlSocket, error) {
	l, err := bind(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	c := &controlSocket{path: path, server: newServer(ctx, handler)}
	go c.server.Serve(listener{l})
	return c, nil
}

func bind(ctx context.Context, path string) (net.Listener, error) {
	fresh := path + ".new"
	if len(fresh) > maxPath {
		return nil, fmt.Errorf(
			"the path %s is longer than %d bytes; --rundir names another folder", fresh, maxPath)
	}
	for _, way := range []string{path, fresh} {
		if _, err := isSocket(way); err != nil {
			return nil, err
		}
	}
	if err := removeSocket(fresh); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{Control: ownerOnly}).Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Rename(fresh, path); err != nil {
		return nil, errors.Join(err, l.Close(), removeSocket(fresh))
	}
	return l, nil
}

// restore makes the socket again when it was lost.
func (c *controlSocket) restore(ctx context.Context) error {
	if instance.Exists(c.path) {
		return nil
	}
	l, err := bind(ctx, c.path)
	if err != nil {
		return err
	}
	go c.server.Serve(listener{l})
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
func (c *controlSocket) allow(group string) error {
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
	if err == nil {
		err = os.Lchown(c.path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(c.path, 0o660)
	}
	return instance.While("statusgroup", err)
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

// close ends the socket and removes it. An answer that is being written, as to the order to leave, has lastWords for
// that.
func (c *controlSocket) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	_ = c.server.Shutdown(ctx) // what it leaves, Close ends
	return errors.Join(c.server.Close(), removeSocket(c.path))
}

// isSocket reports whether a socket is there. Anything else is in the way.
func isSocket(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode().Type() != fs.ModeSocket:
		return false, fmt.Errorf("%s is in the way: it is not a socket", path)
	}
	return true, nil
}

// removeSocket removes a socket, never anything else.
func removeSocket(path string) error {
	if is, _ := isSocket(path); !is {
		return nil
	}
	return os.Remove(path)
}
