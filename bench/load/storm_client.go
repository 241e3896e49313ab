package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// stormClient is one client for as long as it wants a tunnel, over all its connections.
type stormClient struct {
	storm  *storm
	number int
	// The connection of the last try.
	conn   *conn
	head   *headReader
	frames frameReader
	// It has its 101.
	isOpen bool
	// The peer has said Close, with this code.
	closeCode string
	lostAt    time.Time
	backAt    time.Time
	isProved  bool
	tries     int
	unadvised int
}

func (c *stormClient) try() {
	if !c.lostAt.IsZero() {
		c.tries++
	}
	c.head, c.frames, c.isOpen, c.closeCode = &headReader{}, frameReader{}, false, ""
	source := [4]byte{127, 0, 0, byte(1 + c.number%stormSources)}
	conn, err := c.storm.loop.dialFrom(source, c.storm.target, c)
	if err != nil {
		c.conn = nil
		c.failed(err.Error())
		return
	}
	c.conn = conn
	c.storm.later.add(time.Now().Add(answerWithin), func() {
		if c.conn == conn && !conn.isClosed && !c.isOpen {
			conn.fail(fmt.Errorf("no answer in %v", answerWithin))
		}
	})
}

func (c *stormClient) opened(conn *conn) { conn.write(c.storm.request) }

func (c *stormClient) received(conn *conn, data []byte) {
	if !c.isOpen {
		head, rest, err := c.head.read(data)
		if err != nil {
			conn.fail(err)
			return
		}
		if head == nil {
			return
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(head, expectedAccept) {
			conn.close()
			c.answered(head)
			return
		}
		c.head, c.isOpen = nil, true
		c.hasTunnel()
		data = rest
	}
	c.frames.read(data, c)
}

func (c *stormClient) hasTunnel() {
	if c.lostAt.IsZero() {
		c.storm.opened()
		return
	}
	c.unadvised = 0
	if c.backAt.IsZero() {
		c.backAt = time.Now()
	}
	c.conn.write(c.storm.message)
}

// answered takes a refusal, and comes back when it says.
func (c *stormClient) answered(head []byte) {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	words := bytes.Fields(line)
	status := 0
	if len(words) > 1 {
		status, _ = strconv.Atoi(string(words[1]))
	}
	now := time.Now()
	refusal := stormRefusal{AtMs: c.storm.sinceOrigin(now), Status: status, Code: field(head, "holdfast-error")}
	if seconds, err := strconv.Atoi(field(head, "retry-after")); err == nil && seconds >= 0 {
		refusal.RetryAfter = &seconds
		c.tryAt(now.Add(time.Duration(seconds) * time.Second))
	} else {
		c.backOff(now)
	}
	c.storm.refused(refusal)
}

func (c *stormClient) failed(words string) {
	c.backOff(time.Now())
	c.storm.failed(words)
}

func (c *stormClient) backOff(now time.Time) {
	c.unadvised++
	c.tryAt(now.Add(c.storm.backoff(c.unadvised)))
}

func (c *stormClient) tryAt(at time.Time) { c.storm.later.add(at, c.try) }

func (c *stormClient) ended(_ *conn, err error) {
	if !c.isOpen {
		if err == nil {
			err = fmt.Errorf("ended without an answer")
		}
		c.failed(err.Error())
		return
	}
	c.isOpen = false
	if !c.storm.areAllOpen {
		c.storm.err = fmt.Errorf("a tunnel ended before all were open: %w", orClose(err))
		return
	}
	if !c.backAt.IsZero() {
		c.storm.result.LostAgain++
	} else {
		if c.lostAt.IsZero() {
			c.lostAt = time.Now()
		}
		how := c.closeCode
		if how == "" {
			how = "none"
		}
		c.storm.result.Closes[how]++
	}
	c.tryAt(time.Now().Add(c.storm.firstWait()))
}

func (c *stormClient) frameBegins(byte, bool, uint64) {}
func (c *stormClient) payload([]byte)                 {}

func (c *stormClient) frameEnds(opcode byte, stamp [stampBytes]byte) {
	switch {
	case opcode == opText && !c.backAt.IsZero() && !c.isProved:
		c.isProved = true
		c.storm.cameBack()
	case opcode == opPing:
		c.conn.write(appendHeader(nil, 0x80|opPong, 0, true))
	case opcode == opClose && c.closeCode == "":
		c.closeCode = strconv.Itoa(int(binary.BigEndian.Uint16(stamp[:])))
		// A browser answers, and the server ends TCP (RFC 6455 7.1.1).
		c.conn.write(maskedClose())
	}
}
