"""Clients of the library websockets: `close_client.py <url> <count> <mode>`; speaks as close-ws-process.ts does."""

import asyncio
import hashlib
import json
import os
import socket
import struct
import sys

import websockets

URL, COUNT, MODE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BATCH = 50
REST_S = 0.015
CHATTER_S = 0.2
BODY = bytes(index & 0xFF for index in range(64 * 1024 - 32))
FLOODING = hashlib.sha256(BODY).digest() + BODY


def is_sealed(message):
    return len(message) > 32 and hashlib.sha256(message[32:]).digest() == message[:32]


async def read(connection, found):
    while True:
        message = await connection.recv()
        found["messages"] += 1
        if isinstance(message, bytes) and not is_sealed(message):
            found["corrupt"] += 1
        if MODE == "slow":
            await asyncio.sleep(REST_S)


async def send(connection):
    try:
        while MODE == "chatter":
            await asyncio.sleep(CHATTER_S)
            await connection.send("small talk")
        while MODE == "flood":
            await connection.send(FLOODING)
            # Of 40 that flood, each reads too.
            await asyncio.sleep(0)
    except websockets.ConnectionClosed:
        pass


async def follow(connection, found):
    sender = asyncio.ensure_future(send(connection))
    try:
        await read(connection, found)
    except websockets.ConnectionClosed as closed:
        found["code"] = closed.rcvd.code if closed.rcvd else 1006
        found["isClean"] = closed.rcvd is not None and closed.sent is not None
    sender.cancel()
    return found


async def open_one(connections):
    connection = await websockets.connect(
        URL, ping_interval=None, max_size=None, max_queue=4, open_timeout=30, compression=None
    )
    await connection.recv()
    connections.append(connection)
    return follow(connection, {"messages": 1, "corrupt": 0})


def reset(connections):
    for connection in connections:
        # With a linger of 0 the kernel says RST (socket(7)).
        tcp = connection.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()


async def obey(connections):
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if line.strip() == b"reset":
            reset(connections)
    os._exit(0)


async def main():
    connections = []
    followers = []
    obedience = asyncio.ensure_future(obey(connections))
    while len(followers) < COUNT:
        size = min(BATCH, COUNT - len(followers))
        batch = await asyncio.gather(*(open_one(connections) for _ in range(size)))
        followers += [asyncio.ensure_future(follower) for follower in batch]
    print(json.dumps({"event": "ready"}), flush=True)
    closings = await asyncio.gather(*followers)
    print(json.dumps({"event": "closed", "closings": closings}), flush=True)
    obedience.cancel()


asyncio.run(main())
