"""A WebSocket client (RFC 6455): enough to talk to an app, and to see how a connection ends."""
import base64
import hashlib
import os
import socket
import struct

from .processes import Failed

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocket:
    def __init__(self, address, target, headers, timeout=20):
        """`address`: host and port to connect to; `headers` must hold `Host`."""
        self.socket = socket.create_connection(address, timeout)
        self.buffer, self.closed = b"", None             # `closed`: the code of the close frame, 1006 without one
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {target} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise Failed(f"WebSocket {target}: closed before an answer: {self.buffer[:200]!r}")
            self.buffer += more
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode("latin-1")
        if not self.head.startswith("HTTP/1.1 101"):
            raise Failed(f"WebSocket {target}: {self.head.splitlines()[0]}")
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        if accept not in self.head:
            raise Failed(f"WebSocket {target}: another key was accepted")

    def send(self, data, kind=None):
        kind = kind or (TEXT if isinstance(data, str) else BINARY)
        data = data.encode() if isinstance(data, str) else data
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 1 << 16 else b"\xff" + struct.pack(">Q", size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(bytes([0x80 | kind]) + length + mask + masked)

    def _take(self, size):
        while len(self.buffer) < size:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionResetError("the connection ended")
            self.buffer += more
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def receive(self):
        """The next message, whole; `None` once the connection is closed."""
        message = b""
        while self.closed is None:
            try:
                first, second = self._take(2)
                size = second & 127
                if size > 125:
                    size = struct.unpack(">H" if size == 126 else ">Q", self._take(2 if size == 126 else 8))[0]
                data = self._take(size)
            except ConnectionResetError:
                self.closed = 1006
                break
            kind = first & 15
            if kind == CLOSE:
                self.closed = struct.unpack(">H", data[:2])[0] if len(data) > 1 else 1005
            elif kind == PING:
                self.send(data, PONG)
            elif kind != PONG:
                message += data
                if first & 0x80:
                    return message
        return None

    def until(self, found, what, most=500):
        """Reads messages until `found(message)` is true, and gives that."""
        for _ in range(most):
            message = self.receive()
            if message is None:
                raise Failed(f"{what}: the WebSocket was closed with {self.closed}")
            answer = found(message)
            if answer:
                return answer
        raise Failed(f"{what}: not among {most} messages")

    def await_close(self, seconds=10):
        """The code with which it is closed within so many seconds."""
        self.socket.settimeout(seconds)
        try:
            while self.receive() is not None:
                pass
        except TimeoutError:
            raise Failed(f"the WebSocket is still open after {seconds} seconds") from None
        return self.closed

    def close(self):
        self.socket.close()
