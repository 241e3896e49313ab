package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

const (
	readBytes      = 256 << 10
	eventsPerWait  = 512
	clockMonotonic = 1
	// Above this much unsent the peer is not read any more.
	pendingBound = 1 << 20
)

// owner is told what happens on a connection. Both may close it.
type owner interface {
	// opened: a connect has succeeded.
	opened(c *conn)
	// received: data is valid until it returns.
	received(c *conn, data []byte)
	// ended: the peer ended its half (err nil) or the connection broke; the descriptor is closed already.
	ended(c *conn, err error)
}

type conn struct {
	fd           int
	owner        owner
	loop         *loop
	isConnecting bool
	isClosed     bool
	interest     uint32
	pending      []byte
	closeAfter   bool
	// For whoever owns it.
	state any
}

// loop is one epoll instance with a timer; nothing in it is safe for a second thread.
type loop struct {
	epoll   int
	timer   int
	conns   map[int]*conn
	watched map[int]func()
	events  [eventsPerWait]syscall.EpollEvent
	buffer  []byte
	stopped bool
}

func newLoop() (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	timer, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("timerfd: %w", errno)
	}
	l := &loop{
		epoll:   epoll,
		timer:   int(timer),
		conns:   map[int]*conn{},
		watched: map[int]func(){},
		buffer:  make([]byte, readBytes),
	}
	return l, l.watch(l.timer, func() { l.clearTimer() })
}

// watch calls back whenever the descriptor can be read.
func (l *loop) watch(fd int, readable func()) error {
	l.watched[fd] = readable
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event)
}

func (l *loop) stop() { l.stopped = true }

// run serves until stop. Before each wait it asks what is due: due does it and says when it wants to be asked again
// (0 = only after the next event).
func (l *loop) run(due func(now time.Time) time.Time) error {
	l.stopped = false
	for !l.stopped {
		if next := due(time.Now()); !next.IsZero() {
			l.setTimer(time.Until(next))
		}
		if l.stopped {
			return nil
		}
		n, err := syscall.EpollWait(l.epoll, l.events[:], -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		for i := range n {
			l.handle(l.events[i])
		}
	}
	return nil
}

func (l *loop) handle(event syscall.EpollEvent) {
	fd := int(event.Fd)
	c := l.conns[fd]
	if c == nil {
		if readable := l.watched[fd]; readable != nil {
			readable()
		}
		return
	}
	if c.isConnecting {
		l.finishConnect(c)
		return
	}
	if event.Events&syscall.EPOLLOUT != 0 {
		c.flush()
	}
	if !c.isClosed && event.Events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		l.read(c)
	}
}

func (l *loop) finishConnect(c *conn) {
	c.isConnecting = false
	code, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.want(syscall.EPOLLIN)
	c.owner.opened(c)
}

// read takes what is there, once: a level-triggered epoll comes back for the rest.
func (l *loop) read(c *conn) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&l.buffer[0])), readBytes)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
	case errno != 0:
		c.fail(errno)
	case n == 0:
		c.fail(nil)
	default:
		c.owner.received(c, l.buffer[:n])
	}
}

type itimerspec struct{ intervalSec, intervalNsec, sec, nsec int64 }

func (l *loop) setTimer(in time.Duration) {
	in = max(in, time.Nanosecond)
	spec := itimerspec{sec: int64(in / time.Second), nsec: int64(in % time.Second)}
	syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(l.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

func (l *loop) clearTimer() {
	var expirations [8]byte
	syscall.RawSyscall(syscall.SYS_READ, uintptr(l.timer), uintptr(unsafe.Pointer(&expirations[0])), 8)
}
