package main

import (
	"encoding/binary"
	"fmt"
	"time"
)

// fanout only receives: the backend sends to every tunnel at the same instants and says in each message when that was.
type fanout struct {
	window *window
	bytes  int
}

func measureFanout(l *loop, o options) (result, error) {
	f := &fanout{bytes: o.bytes}
	tunnels, err := openAll(l, o, fmt.Sprintf("/?every=%d&bytes=%d", o.everyMs, o.bytes), f)
	if err != nil {
		return result{}, err
	}
	f.window = newWindow(o)
	err = l.run(func(now time.Time) time.Time {
		if f.window.look(now) {
			l.stop()
		}
		return f.window.nextEdge()
	})
	if err != nil {
		return result{}, err
	}
	for _, t := range tunnels {
		t.conn.close()
	}
	return f.window.result(o.tunnels)
}

func (f *fanout) tunnelOpened(*tunnel) {}

func (f *fanout) messageReceived(_ *tunnel, stamp [stampBytes]byte) {
	if f.window == nil {
		return
	}
	ticked := time.Unix(0, int64(binary.BigEndian.Uint64(stamp[:])))
	f.window.count(time.Since(ticked), f.bytes)
}

func (f *fanout) tunnelEnded(_ *tunnel, err error) {
	if f.window != nil {
		f.window.fail(fmt.Errorf("a tunnel ended: %w", orClose(err)))
	}
}
