package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 1.3
	maxHead    = 32 << 10
	// Every handshake of a process has this key: what it costs to make one is not the proxy's.
	clientKey = "dGhlIHNhbXBsZSBub25jZQ=="
)

var endOfHead = []byte("\r\n\r\n")

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// requestHead is as large as a browser's: what a proxy does for each header is part of a handshake's cost.
func requestHead(host, path string) []byte {
	return []byte(strings.Join([]string{
		"GET " + path + " HTTP/1.1",
		"Host: " + host,
		"Connection: Upgrade",
		"Pragma: no-cache",
		"Cache-Control: no-cache",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Upgrade: websocket",
		"Origin: http://" + host,
		"Sec-WebSocket-Version: 13",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-US,en;q=0.9",
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
		"Sec-WebSocket-Key: " + clientKey,
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
	}, "\r\n") + "\r\n\r\n")
}

func responseHead(key string) []byte {
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptOf(key) + "\r\n\r\n")
}

// headReader gathers a head; rest is what lay behind it.
type headReader struct{ text []byte }

func (r *headReader) read(data []byte) (head, rest []byte, err error) {
	r.text = append(r.text, data...)
	at := bytes.Index(r.text, endOfHead)
	if at >= 0 {
		return r.text[:at], r.text[at+len(endOfHead):], nil
	}
	if len(r.text) > maxHead {
		return nil, nil, fmt.Errorf("a head of more than %d bytes", maxHead)
	}
	return nil, nil, nil
}

// field finds a header's value; the name in any case.
func field(head []byte, name string) string {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
