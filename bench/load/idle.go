package main

import (
	"fmt"
	"time"
)

// The process has loaded its code and made its pools before the first figure is taken.
const warmTunnels = 200

// idle opens tunnels, sends one message over each, and reads how much memory the watched processes have for them.
type idle struct {
	loop   *loop
	answer []byte
	missed int
	errors int
	err    error
}

func measureIdle(l *loop, o options) (result, error) {
	i := &idle{loop: l, answer: maskedMessage(o.bytes)}
	warm := o
	warm.tunnels = min(warmTunnels, o.tunnels)
	warmed, err := i.open(warm)
	if err != nil {
		return result{}, err
	}
	closeAll(warmed)
	if err := i.wait(o.settle); err != nil {
		return result{}, err
	}
	before, err := pssBytes(o.pids)
	if err != nil {
		return result{}, err
	}
	started := time.Now()
	tunnels, err := i.open(o)
	if err != nil {
		return result{}, err
	}
	seconds := time.Since(started).Seconds()
	if err := i.wait(o.settle); err != nil {
		return result{}, err
	}
	after, err := pssBytes(o.pids)
	if err != nil {
		return result{}, err
	}
	r := result{
		Units: o.tunnels, Seconds: seconds, PerSecond: float64(o.tunnels) / seconds, Tunnels: o.tunnels,
		Errors: i.errors, PSSBytes: map[string]uint64{"before": before, "after": after},
	}
	if i.err != nil {
		r.FirstErr = i.err.Error()
	}
	closeAll(tunnels)
	return r, nil
}

// open returns when every tunnel is open and has echoed once.
func (i *idle) open(o options) ([]*tunnel, error) {
	tunnels, err := openAll(i.loop, o, "/", i)
	if err != nil {
		return nil, err
	}
	i.missed = len(tunnels)
	for _, t := range tunnels {
		t.conn.write(i.answer)
	}
	deadline := time.Now().Add(30 * time.Second)
	err = i.loop.run(func(now time.Time) time.Time {
		if i.missed == 0 || now.After(deadline) {
			i.loop.stop()
		}
		return now.Add(50 * time.Millisecond)
	})
	if err == nil && i.missed > 0 {
		err = fmt.Errorf("%d tunnels did not echo", i.missed)
	}
	return tunnels, err
}

func (i *idle) wait(d time.Duration) error {
	until := time.Now().Add(d)
	return i.loop.run(func(now time.Time) time.Time {
		if !now.Before(until) {
			i.loop.stop()
		}
		return until
	})
}

func closeAll(tunnels []*tunnel) {
	for _, t := range tunnels {
		t.conn.close()
	}
}

func (i *idle) tunnelOpened(*tunnel) {}

func (i *idle) messageReceived(*tunnel, [stampBytes]byte) { i.missed-- }

func (i *idle) tunnelEnded(_ *tunnel, err error) {
	i.errors++
	i.err = orClose(err)
}
