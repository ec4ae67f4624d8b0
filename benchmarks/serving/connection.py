"""One keep-alive HTTP/1.1 connection, as bare as a load client needs it."""

import re
import socket
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MOST_PIECE = 1 << 18


class ConnectionLost(ConnectionError):
    """The server closed the connection before an answer was whole."""


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    status: int
    body: bytes


def request_bytes(path: str, body: bytes) -> bytes:
    """A POST of JSON, ready to send."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


class Connection:
    """One request at a time."""

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""

    def send(self, request: bytes) -> None:
        """Returns when the kernel has it all. Raises OSError."""
        self.socket.sendall(request)

    def receive(self, flags: int = 0) -> Answer | None:
        """What has come by now: the answer if that makes it whole. Raises ConnectionLost, OSError; ValueError if chunked."""
        piece = self.socket.recv(_MOST_PIECE, flags)
        if not piece:
            raise ConnectionLost
        self._got += piece
        head = self._got.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._got, 0, head)
        if not length:
            raise ValueError(f"an answer without a length: {self._got[:head]!r}")
        end = head + 4 + int(length[1])
        if len(self._got) < end:
            return None
        answer = Answer(int(self._got[9:12]), self._got[head + 4 : end])
        self._got = self._got[end:]
        return answer

    def ask(self, request: bytes) -> Answer:
        """Send and wait. Raises OSError."""
        self.send(request)
        while not (answer := self.receive()):
            pass
        return answer

    def close(self) -> None:
        self.socket.close()
