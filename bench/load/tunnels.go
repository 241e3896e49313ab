package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"
)

// tunnelUser is told what happens on a tunnel.
type tunnelUser interface {
	tunnelOpened(t *tunnel)
	messageReceived(t *tunnel, stamp [stampBytes]byte)
	// tunnelEnded comes once: err is nil when the peer had said Close.
	tunnelEnded(t *tunnel, err error)
}

// tunnel is the client's end: connects, shakes hands, reads frames.
type tunnel struct {
	conn      *conn
	request   []byte
	user      tunnelUser
	head      *headReader
	isOpen    bool
	hasClose  bool
	startedAt time.Time
	frames    frameReader
	// When the messages under way were to be sent, oldest first.
	sent []time.Time
}

var expectedAccept = []byte(acceptOf(clientKey))

func openTunnel(l *loop, target netip.AddrPort, request []byte, user tunnelUser) (*tunnel, error) {
	t := &tunnel{request: request, user: user, head: &headReader{}, startedAt: time.Now()}
	c, err := l.dial(target, t)
	if err != nil {
		return nil, err
	}
	t.conn = c
	return t, nil
}

func (t *tunnel) opened(c *conn) { c.write(t.request) }

func (t *tunnel) received(c *conn, data []byte) {
	if !t.isOpen {
		head, rest, err := t.head.read(data)
		if err != nil {
			c.fail(err)
			return
		}
		if head == nil {
			return
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) || !bytes.Contains(head, expectedAccept) {
			line, _, _ := bytes.Cut(head, []byte("\r\n"))
			c.fail(fmt.Errorf("answered %q", line))
			return
		}
		t.isOpen, t.head = true, nil
		t.user.tunnelOpened(t)
		data = rest
	}
	t.frames.read(data, t)
}

func (t *tunnel) ended(_ *conn, err error) {
	if err == nil && !t.hasClose {
		err = fmt.Errorf("ended without Close")
	}
	t.user.tunnelEnded(t, err)
}

func (t *tunnel) frameBegins(byte, bool, uint64) {}
func (t *tunnel) payload([]byte)                 {}

func (t *tunnel) frameEnds(opcode byte, stamp [stampBytes]byte) {
	switch opcode {
	case opClose:
		t.hasClose = true
	case opText:
		t.user.messageReceived(t, stamp)
	}
}

// opener opens a number of tunnels, a few at a time, and tells when all are open. It stands between them and their user.
type opener struct {
	loop    *loop
	target  netip.AddrPort
	request []byte
	user    tunnelUser
	want    int
	started int
	open    int
	tunnels []*tunnel
	err     error
}

const openingAtOnce = 64

// openAll returns when so many tunnels are open; an error if any is not.
func openAll(l *loop, o options, path string, user tunnelUser) ([]*tunnel, error) {
	target, err := netip.ParseAddrPort(o.target)
	if err != nil {
		return nil, fmt.Errorf("--target: %w", err)
	}
	p := &opener{loop: l, target: target, request: requestHead(o.host, path), user: user, want: o.tunnels}
	for range min(openingAtOnce, o.tunnels) {
		p.openNext()
	}
	deadline := time.Now().Add(60 * time.Second)
	err = l.run(func(now time.Time) time.Time {
		if p.err == nil && p.open < p.want && now.After(deadline) {
			p.err = fmt.Errorf("%d of %d tunnels opened in a minute", p.open, p.want)
		}
		if p.err != nil || p.open == p.want {
			l.stop()
		}
		return now.Add(100 * time.Millisecond)
	})
	if p.err != nil {
		err = p.err
	}
	for _, t := range p.tunnels {
		t.user = user
	}
	return p.tunnels, err
}

func (p *opener) openNext() {
	if p.started == p.want || p.err != nil {
		return
	}
	p.started++
	t, err := openTunnel(p.loop, p.target, p.request, p)
	if err != nil {
		p.err = err
		return
	}
	p.tunnels = append(p.tunnels, t)
}

func (p *opener) tunnelOpened(t *tunnel) {
	p.open++
	p.openNext()
}

// A tunnel that is open already may get messages while others are opening.
func (p *opener) messageReceived(t *tunnel, stamp [stampBytes]byte) { p.user.messageReceived(t, stamp) }

func (p *opener) tunnelEnded(_ *tunnel, err error) {
	p.err = fmt.Errorf("a tunnel ended while others were opened: %w", orClose(err))
}

func orClose(err error) error {
	if err == nil {
		return fmt.Errorf("by a Close")
	}
	return err
}
