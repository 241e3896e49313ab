package main

import (
	"net/netip"
	"time"
)

// handshakes opens a tunnel, says Close when it stands, waits for the answer, and opens the next one.
type handshakes struct {
	loop    *loop
	target  netip.AddrPort
	request []byte
	window  *window
	close   []byte
}

func measureHandshakes(l *loop, o options) (result, error) {
	target, err := netip.ParseAddrPort(o.target)
	if err != nil {
		return result{}, err
	}
	h := &handshakes{loop: l, target: target, request: requestHead(o.host, "/"), window: newWindow(o), close: maskedClose()}
	for range o.concurrency {
		h.openNext()
	}
	err = l.run(func(now time.Time) time.Time {
		if h.window.look(now) {
			l.stop()
		}
		return h.window.nextEdge()
	})
	if err != nil {
		return result{}, err
	}
	return h.window.result(o.concurrency)
}

func (h *handshakes) openNext() {
	if h.window.isOver {
		return
	}
	if _, err := openTunnel(h.loop, h.target, h.request, h); err != nil {
		h.window.fail(err)
	}
}

func (h *handshakes) tunnelOpened(t *tunnel) {
	h.window.count(time.Since(t.startedAt), 0)
	t.conn.write(h.close)
}

func (h *handshakes) messageReceived(*tunnel, [stampBytes]byte) {}

func (h *handshakes) tunnelEnded(_ *tunnel, err error) {
	if err != nil {
		h.window.fail(err)
	}
	h.openNext()
}
