"""A peer that calls over HTTP/2 and never lets an answer in: its flow-control window is zero from the first frame on.

Only the frames that it takes are written here, since clients worth their name would not do this.
"""

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING = 0, 1, 3, 4, 6
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE = 4


class SilentReader:
    """One connection. It answers pings, so that it does not pass for one that is broken."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._authority = address
        self._socket = socket.create_connection((host, int(port)))
        self._next_stream = 1
        self._sending = threading.Lock()
        #: Streams that have ended without an answer, by a status or a reset.
        self.refused: set[int] = set()
        #: Set once the server has ended the connection.
        self.is_cut_off = threading.Event()
        self._send(_PREFACE + _frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, 0)))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, rpc: str, request: bytes) -> None:
        """Begin a call of BudgetService; nothing is waited for."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/budgetd.v1.BudgetService/{rpc}",
            ":authority": self._authority,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
        message = b"\0" + struct.pack(">I", len(request)) + request
        self._send(_frame(_HEADERS, _END_HEADERS, stream, block) + _frame(_DATA, _END_STREAM, stream, message))

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._socket.sendall(data)

    def _read(self) -> None:
        with suppress(OSError), self._socket.makefile("rb") as incoming:
            while len(head := incoming.read(9)) == 9:
                length = int.from_bytes(head[:3])
                kind, flags, stream = struct.unpack(">BBI", head[3:])
                payload = incoming.read(length)
                if kind == _PING and not flags & _ACK:
                    self._send(_frame(_PING, _ACK, 0, payload))
                elif kind == _RESET or (kind == _HEADERS and flags & _END_STREAM):
                    self.refused.add(stream)
        self.is_cut_off.set()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    """A string of HPACK, neither indexed nor compressed."""
    encoded = text.encode("ascii")
    assert len(encoded) < 127
    return bytes([len(encoded)]) + encoded
