package main

import (
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"
)

// dial begins to connect; owner.opened follows.
func (l *loop) dial(target netip.AddrPort, o owner) (*conn, error) {
	return l.dialFrom([4]byte{}, target, o)
}

// IP_BIND_ADDRESS_NO_PORT of ip(7): the port is chosen at connect, when the target is known.
const ipBindAddressNoPort = 24

// dialFrom dials from an address of this machine; zeros leave that to the kernel.
func (l *loop) dialFrom(source [4]byte, target netip.AddrPort, o owner) (*conn, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	if source != [4]byte{} {
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: source}); err != nil {
			syscall.Close(fd)
			return nil, fmt.Errorf("bind: %w", err)
		}
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(target.Port()), Addr: target.Addr().As4()})
	if err != nil && err != syscall.EINPROGRESS {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := l.add(fd, o, syscall.EPOLLOUT)
	c.isConnecting = true
	return c, nil
}

// listen listens on a port of 127.0.0.1; 0 takes a free one.
func (l *loop) listen(port int, accepted func(fd int)) (int, error) {
	fd, err := newSocket()
	if err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	if err := syscall.Listen(fd, 4096); err != nil {
		return 0, fmt.Errorf("listen: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("getsockname: %w", err)
	}
	return name.(*syscall.SockaddrInet4).Port, l.watch(fd, func() {
		for {
			client, _, err := syscall.Accept4(fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if err != nil {
				return
			}
			noDelay(client)
			accepted(client)
		}
	})
}

func newSocket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	noDelay(fd)
	return fd, nil
}

func noDelay(fd int) { syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) }

func (l *loop) add(fd int, o owner, interest uint32) *conn {
	c := &conn{fd: fd, owner: o, loop: l, interest: interest}
	l.conns[fd] = c
	event := syscall.EpollEvent{Events: interest, Fd: int32(fd)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		panic(err) // a descriptor that was just made
	}
	return c
}

func (c *conn) want(interest uint32) {
	if c.interest == interest || c.isClosed {
		return
	}
	c.interest = interest
	event := syscall.EpollEvent{Events: interest, Fd: int32(c.fd)}
	syscall.EpollCtl(c.loop.epoll, syscall.EPOLL_CTL_MOD, c.fd, &event)
}

// write sends at once what the kernel takes and keeps a copy of the rest.
func (c *conn) write(data []byte) {
	if c.isClosed || len(data) == 0 {
		return
	}
	if len(c.pending) == 0 {
		data = data[c.send(data):]
	}
	if c.isClosed || len(data) == 0 {
		return
	}
	c.pending = append(c.pending, data...)
	c.wantByPending()
}

func (c *conn) flush() {
	sent := c.send(c.pending)
	if c.isClosed {
		return
	}
	c.pending = append(c.pending[:0], c.pending[sent:]...)
	c.wantByPending()
	if len(c.pending) == 0 && c.closeAfter {
		c.close()
	}
}

func (c *conn) wantByPending() {
	switch {
	case len(c.pending) == 0:
		c.want(syscall.EPOLLIN)
	case len(c.pending) > pendingBound:
		c.want(syscall.EPOLLOUT)
	default:
		c.want(syscall.EPOLLIN | syscall.EPOLLOUT)
	}
}

func (c *conn) send(data []byte) int {
	sent := 0
	for sent < len(data) {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&data[sent])), uintptr(len(data)-sent))
		if errno == syscall.EINTR {
			continue
		}
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 {
			c.fail(errno)
			break
		}
		sent += int(n)
	}
	return sent
}

// closeWhenSent closes behind the last pending byte.
func (c *conn) closeWhenSent() {
	if len(c.pending) == 0 {
		c.close()
	} else {
		c.closeAfter = true
	}
}

func (c *conn) close() {
	if c.isClosed {
		return
	}
	c.isClosed = true
	delete(c.loop.conns, c.fd)
	syscall.Close(c.fd)
}

func (c *conn) fail(err error) {
	if c.isClosed {
		return
	}
	c.close()
	c.owner.ended(c, err)
}
