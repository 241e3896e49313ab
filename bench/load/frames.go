package main

import "encoding/binary"

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
	// A payload may begin with a time; what follows is padding.
	stampBytes = 8
)

// frameReader cuts a stream into frames (RFC 6455 5.2), however it is chunked. It trusts the framing.
type frameReader struct {
	header [14]byte
	have   int
	left   uint64
	key    [4]byte
	keyAt  int
	opcode byte
	inside bool
	stamp  [stampBytes]byte
	seen   int
}

// frameSink takes what a frameReader finds: the header, then the payload in pieces (unmasked in place), then the end.
type frameSink interface {
	frameBegins(opcode byte, isFinal bool, length uint64)
	payload(piece []byte)
	frameEnds(opcode byte, stamp [stampBytes]byte)
}

func (r *frameReader) read(data []byte, sink frameSink) {
	for len(data) > 0 {
		if !r.inside {
			data = r.readHeader(data, sink)
			if r.inside && r.left == 0 {
				r.end(sink)
			}
			continue
		}
		n := min(uint64(len(data)), r.left)
		piece := data[:n]
		r.unmask(piece)
		if r.seen < stampBytes {
			r.seen += copy(r.stamp[r.seen:], piece)
		}
		sink.payload(piece)
		data = data[n:]
		r.left -= n
		if r.left == 0 {
			r.end(sink)
		}
	}
}

func (r *frameReader) end(sink frameSink) {
	r.inside = false
	r.have = 0
	sink.frameEnds(r.opcode, r.stamp)
}

func (r *frameReader) readHeader(data []byte, sink frameSink) []byte {
	for r.have < headerSize(r.header, r.have) {
		if len(data) == 0 {
			return data
		}
		n := copy(r.header[r.have:headerSize(r.header, r.have)], data)
		r.have += n
		data = data[n:]
	}
	h := r.header
	r.opcode = h[0] & 0x0f
	at := 2
	switch h[1] & 0x7f {
	case 126:
		r.left, at = uint64(binary.BigEndian.Uint16(h[2:])), 4
	case 127:
		r.left, at = binary.BigEndian.Uint64(h[2:]), 10
	default:
		r.left = uint64(h[1] & 0x7f)
	}
	r.key = [4]byte{}
	if h[1]&0x80 != 0 {
		copy(r.key[:], h[at:])
	}
	r.keyAt, r.seen, r.inside = 0, 0, true
	sink.frameBegins(r.opcode, h[0]&0x80 != 0, r.left)
	return data
}

// headerSize is how many bytes the header has, as far as its first bytes say.
func headerSize(header [14]byte, have int) int {
	if have < 2 {
		return 2
	}
	size := 2
	switch header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if header[1]&0x80 != 0 {
		size += 4
	}
	return size
}

// unmask costs nothing for a key of zeros, which our own client uses.
func (r *frameReader) unmask(piece []byte) {
	if r.key == [4]byte{} {
		return
	}
	for i := range piece {
		piece[i] ^= r.key[r.keyAt&3]
		r.keyAt++
	}
}

// appendHeader writes a frame's header; masked ones get a key of zeros, so that the payload stays as it is.
func appendHeader(out []byte, first byte, length uint64, isMasked bool) []byte {
	mask := byte(0)
	if isMasked {
		mask = 0x80
	}
	out = append(out, first)
	switch {
	case length < 126:
		out = append(out, mask|byte(length))
	case length < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(length))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), length)
	}
	if isMasked {
		out = append(out, 0, 0, 0, 0)
	}
	return out
}

func maskedMessage(bytes int) []byte {
	out := appendHeader(nil, 0x80|opText, uint64(bytes), true)
	for range bytes {
		out = append(out, 'x')
	}
	return out
}

// maskedClose says 1000.
func maskedClose() []byte {
	return append(appendHeader(nil, 0x80|opClose, 2, true), 0x03, 0xe8)
}
