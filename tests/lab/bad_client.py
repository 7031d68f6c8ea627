#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that does not keep to the protocol of the local API: run in a node, it prints what it was answered, as JSON.

    bad_client.py raw       bytes that are no handshake, and connections that say nothing: prints how many
    bad_client.py text      requests that are well packed and make no sense: prints the codes of the refusals
    bad_client.py header    headers that lie about their size and kind: prints how many were sent
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import sys

SERVICE = b"domus"
REQUEST_MAX = 128 * 1024
REQUEST = struct.Struct("@i4xi4x")      # struct qb_ipc_request_header: id, size
REPLY = struct.Struct("@i4xi4xi4x")     # and of a reply: id, size, error
USER_START = 0                          # QB_IPC_MSG_USER_START

TEXTS = (
    b"\0", b"null", b"[]", b"not json", b'{"id":1', b"\xff\xfe\x80", b" " * REQUEST_MAX, b"[" * 1000 + b"]" * 1000,
    b'{"id":1,"method":"status","method":"events"}', b'{"id":1,"method":"format-disk"}', b'{"id":1,"method":7}',
    b'{"id":1,"method":"status","params":[]}', b'{"id":1,"method":"status","params":{"colour":"red"}}',
    b'{"id":1,"method":"guest.show","params":{}}',
    b'{"id":1,"method":"guest.show","params":{"name":"../../etc/passwd"}}',
    b'{"id":1,"method":"volume.create","params":{"name":"v","size":-1}}',
    b'{"id":1,"method":"volume.create","params":{"name":"v","size":1e30}}',
    b'{"id":1,"method":"volume.create","params":{"name":"v","size":99999999999999999999}}',
    b'{"id":1,"method":"guest.define","params":{"spec":{"name":"x","memory_mib":"lots"}}}',
)
HEADERS = (*((USER_START, size) for size in (0, 8, 16, -1, 2**31 - 1)),
           *((kind, 16) for kind in (-1, -2, -3, 2**31 - 1)))


def raw() -> int:
    """Speaks to the socket itself."""
    sayings = [b"", b"\0" * 4, os.urandom(65536), b"GET / HTTP/1.0\r\n\r\n", REQUEST.pack(-1, 2**31 - 1),
               REQUEST.pack(-1, 24) + b"\xff" * 8, REQUEST.pack(-1, 24) + b"\0" * 8]
    silent = []
    for said in sayings * 5:
        client = socket.socket(socket.AF_UNIX)
        client.connect((b"\0" + SERVICE).ljust(108, b"\0"))
        try:
            client.sendall(said)
        except OSError:
            pass        # it has hung up already
        silent.append(client)
    return len(silent)


class Client:
    """A connection by libqb, whose messages are made by hand."""

    def __init__(self) -> None:
        self.qb = ctypes.CDLL("libqb.so.100", use_errno=True)
        self.qb.qb_ipcc_connect.restype = ctypes.c_void_p
        for name, result in (("send", ctypes.c_ssize_t), ("recv", ctypes.c_ssize_t)):
            getattr(self.qb, f"qb_ipcc_{name}").restype = result
        self.connection = ctypes.c_void_p(self.qb.qb_ipcc_connect(SERVICE, ctypes.c_size_t(REQUEST_MAX + 65536)))
        if not self.connection:
            raise OSError(ctypes.get_errno(), "no connection to the agent")

    def send(self, message: bytes) -> int:
        """Sends bytes as they are."""
        return self.qb.qb_ipcc_send(self.connection, message, ctypes.c_size_t(len(message)))

    def reply(self) -> dict:
        """The answer of one message; nothing when there is none."""
        space = ctypes.create_string_buffer(REQUEST_MAX)
        length = self.qb.qb_ipcc_recv(self.connection, space, ctypes.c_size_t(len(space)), 5000)
        return json.loads(space.raw[REPLY.size:length]) if length > REPLY.size else {}

    def close(self) -> None:
        """Hangs up."""
        self.qb.qb_ipcc_disconnect(self.connection)


def text() -> list[str]:
    """One connection for all: a bad request is no reason to hang up."""
    client, codes = Client(), []
    for saying in TEXTS:
        client.send(REQUEST.pack(USER_START, REQUEST.size + len(saying)) + saying)
        codes.append(client.reply().get("code", "nothing"))
    client.send(REQUEST.pack(USER_START, REQUEST.size + 26) + b'{"id":1,"method":"status"}')
    codes.append(client.reply().get("code", "good"))
    client.close()
    return codes


def header() -> int:
    """A connection each, which the agent may end."""
    for kind, size in HEADERS:
        client = Client()
        client.send(REQUEST.pack(kind, size) + b"{}")
        client.close()
    return len(HEADERS)


if __name__ == "__main__":
    print(json.dumps({"raw": raw, "text": text, "header": header}[sys.argv[1]]()))
