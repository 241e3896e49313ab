package main

import (
	"fmt"
	"time"
)

// echoes sends messages and awaits each back: with a rate on a fixed schedule, whether or not the answers keep up
// (so that a stall counts for every message it delays); without one, the next when the last is back.
type echoes struct {
	window  *window
	message []byte
	bytes   int
	every   time.Duration
	due     time.Time
	turn    int
	tunnels []*tunnel
}

func measureEchoes(l *loop, o options) (result, error) {
	e := &echoes{message: maskedMessage(o.bytes), bytes: o.bytes}
	tunnels, err := openAll(l, o, "/", e)
	if err != nil {
		return result{}, err
	}
	e.tunnels = tunnels
	e.window = newWindow(o)
	if o.rate > 0 {
		e.every = time.Second / time.Duration(o.rate)
		e.due = time.Now()
	} else {
		for _, t := range tunnels {
			e.send(t, time.Now())
		}
	}
	err = l.run(func(now time.Time) time.Time {
		if e.window.look(now) {
			l.stop()
		}
		return earlier(e.window.nextEdge(), e.sendDue(now))
	})
	if err != nil {
		return result{}, err
	}
	for _, t := range tunnels {
		t.conn.close()
	}
	return e.window.result(o.tunnels)
}

func (e *echoes) sendDue(now time.Time) time.Time {
	if e.every == 0 {
		return time.Time{}
	}
	for !e.due.After(now) {
		e.send(e.tunnels[e.turn%len(e.tunnels)], e.due)
		e.turn++
		e.due = e.due.Add(e.every)
	}
	return e.due
}

func (e *echoes) send(t *tunnel, at time.Time) {
	t.sent = append(t.sent, at)
	t.conn.write(e.message)
}

func (e *echoes) tunnelOpened(*tunnel) {}

func (e *echoes) messageReceived(t *tunnel, _ [stampBytes]byte) {
	now := time.Now()
	e.window.count(now.Sub(t.sent[0]), e.bytes)
	t.sent = append(t.sent[:0], t.sent[1:]...)
	if e.every == 0 {
		e.send(t, now)
	}
}

func (e *echoes) tunnelEnded(_ *tunnel, err error) {
	e.window.fail(fmt.Errorf("a tunnel ended: %w", orClose(err)))
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
