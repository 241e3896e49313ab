package main

import (
	"encoding/binary"
	"encoding/json"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// backend echoes every message, or sends on its own to tunnels that asked for it in their query.
type backend struct {
	loop   *loop
	ticked map[*conn]*ticker
	frame  []byte
}

// ticker is a tunnel that gets a message at every multiple of its period.
type ticker struct {
	every time.Duration
	bytes int
	next  time.Time
}

func serve(l *loop, port int, stdin, stdout *os.File) error {
	b := &backend{loop: l, ticked: map[*conn]*ticker{}}
	port, err := l.listen(port, func(fd int) {
		c := l.add(fd, b, syscall.EPOLLIN)
		c.state = &peer{backend: b, conn: c}
	})
	if err != nil {
		return err
	}
	// Whoever started it holds the other end of stdin; a file or /dev/null cannot be watched, and then only a signal ends it.
	fd := int(stdin.Fd())
	_ = l.watch(fd, func() {
		var buffer [256]byte
		if n, err := syscall.Read(fd, buffer[:]); n == 0 || err != nil {
			l.stop()
		}
	})
	if err := json.NewEncoder(stdout).Encode(map[string]any{"event": "listening", "port": port}); err != nil {
		return err
	}
	return l.run(b.due)
}

// due sends what is due to the tickers and says when the next one is.
func (b *backend) due(now time.Time) time.Time {
	var next time.Time
	for c, t := range b.ticked {
		for !t.next.After(now) {
			b.frame = appendHeader(b.frame[:0], 0x80|opText, uint64(t.bytes), false)
			b.frame = binary.BigEndian.AppendUint64(b.frame, uint64(t.next.UnixNano()))
			b.frame = append(b.frame, make([]byte, t.bytes-stampBytes)...)
			t.next = t.next.Add(t.every)
			c.write(b.frame)
		}
		if next.IsZero() || t.next.Before(next) {
			next = t.next
		}
	}
	return next
}

func (b *backend) opened(*conn) {}

func (b *backend) received(c *conn, data []byte) { c.state.(*peer).received(data) }

func (b *backend) ended(c *conn, _ error) { delete(b.ticked, c) }

// peer is one connection to the backend: a head, then frames.
type peer struct {
	backend *backend
	conn    *conn
	head    *headReader
	isOpen  bool
	frames  frameReader
	out     []byte
	isMuted bool
}

func (p *peer) received(data []byte) {
	if !p.isOpen {
		if p.head == nil {
			p.head = &headReader{}
		}
		head, rest, err := p.head.read(data)
		if err != nil {
			p.conn.close()
		}
		if head == nil {
			return
		}
		p.open(head)
		data, p.head = rest, nil
	}
	p.out = p.out[:0]
	p.frames.read(data, p)
	p.conn.write(p.out)
	if cap(p.out) > readBytes*2 {
		p.out = nil
	}
}

func (p *peer) open(head []byte) {
	p.isOpen = true
	p.conn.write(responseHead(field(head, "Sec-WebSocket-Key")))
	words := strings.Fields(string(head))
	if len(words) < 2 {
		return
	}
	target, err := url.Parse(words[1])
	if err != nil {
		return
	}
	query := target.Query()
	everyMs, _ := strconv.Atoi(query.Get("every"))
	bytes, _ := strconv.Atoi(query.Get("bytes"))
	if everyMs > 0 {
		every := time.Duration(everyMs) * time.Millisecond
		// All tunnels of one period at the same instant: that is what a broadcast is.
		next := time.Now().Truncate(every).Add(every)
		p.backend.ticked[p.conn] = &ticker{every: every, bytes: max(bytes, stampBytes), next: next}
	}
}

func (p *peer) frameBegins(opcode byte, isFinal bool, length uint64) {
	first := opcode
	if opcode == opPing {
		first = opPong
	}
	if isFinal {
		first |= 0x80
	}
	p.isMuted = opcode == opPong
	if !p.isMuted {
		p.out = appendHeader(p.out, first, length, false)
	}
}

func (p *peer) payload(piece []byte) {
	if !p.isMuted {
		p.out = append(p.out, piece...)
	}
}

func (p *peer) frameEnds(opcode byte, _ [stampBytes]byte) {
	if opcode != opClose {
		return
	}
	delete(p.backend.ticked, p.conn)
	p.conn.write(p.out)
	p.out = p.out[:0]
	// RFC 6455 7.1.1: the server closes TCP first.
	p.conn.closeWhenSent()
}
