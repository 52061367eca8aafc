"""An http proxy for apt inside the bed: it reaches one archive and keeps what never changes. And a resolver that knows
no name: without an answer programs that ask wait for seconds.

usage: aptproxy.py DEVICE ADDRESS PORT CACHE ARCHIVE

It runs as a program of its own, by path, with nothing but the standard library."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import socketserver
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

_ASKED = ("If-Modified-Since", "If-Range", "Range", "Accept")
_ANSWERED = ("Last-Modified", "ETag", "Content-Type", "Content-Range", "Content-Length")


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, device: str, address: str, port: int, cache: Path, archive: str) -> None:
        super().__init__((address, port), Handler, bind_and_activate=False)
        # Every bed has the same proxy address, each on its own bridge.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self.server_bind()
        self.server_activate()
        self.cache = cache
        self.archive = urlsplit(archive)


class Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        archive = self.server.archive
        if (asked.scheme, asked.netloc) != ("http", archive.netloc):
            self.send_error(403, "the bed reaches its archive only")
        elif asked.path.endswith(".deb"):
            self._package(asked.path)
        else:
            headers = {k: v for k in _ASKED if (v := self.headers.get(k))}
            self._relay(asked.path, headers, None)

    def _package(self, path: str) -> None:
        """A package file never changes under its name: from the cache, else into it."""
        kept = self.server.cache / Path(path).name
        if not kept.exists():
            self._relay(path, {}, kept)
            return
        with kept.open("rb") as source:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(source.fileno()).st_size))
            self.end_headers()
            if self.command == "GET":
                shutil.copyfileobj(source, self.wfile)

    def _relay(self, path: str, headers: dict[str, str], keep: Path | None) -> None:
        kind = http.client.HTTPSConnection if self.server.archive.scheme == "https" else http.client.HTTPConnection
        upstream = kind(self.server.archive.netloc, timeout=60)
        try:
            upstream.request(self.command, path, headers=headers)
            answer = upstream.getresponse()
            # Whole before the first byte goes on: a broken transfer becomes an honest 502.
            with tempfile.TemporaryFile() as body:
                shutil.copyfileobj(answer, body)
                self._answer(answer, body)
                if keep and answer.status == 200 and self.command == "GET":
                    _store(body, keep)
        except (OSError, http.client.HTTPException) as failure:
            self.send_error(502, str(failure))
        finally:
            upstream.close()

    def _answer(self, answer: http.client.HTTPResponse, body: BinaryIO) -> None:
        size = body.tell()
        self.send_response(answer.status)
        for name in _ANSWERED:
            if value := answer.getheader(name):
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET":
            body.seek(0)
            shutil.copyfileobj(body, self.wfile)


def _store(body: BinaryIO, keep: Path) -> None:
    body.seek(0)
    with tempfile.NamedTemporaryFile(dir=keep.parent, delete=False) as part:
        shutil.copyfileobj(body, part)
    os.replace(part.name, keep)


class Resolver(socketserver.UDPServer):
    def __init__(self, device: str, address: str) -> None:
        super().__init__((address, 53), NoSuchName, bind_and_activate=False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self.server_bind()


class NoSuchName(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Answer a question of DNS (RFC 1035, 4.1) with NXDOMAIN."""
        asked, answering = self.request
        at = 12
        while at < len(asked) and asked[at]:
            at += asked[at] + 1
        question = asked[12 : at + 5]
        head = asked[:2] + b"\x81\x83" + b"\0\1" + bytes(6)
        answering.sendto(head + question, self.client_address)


def main() -> None:
    device, address, port, cache, archive = sys.argv[1:]
    Path(cache).mkdir(parents=True, exist_ok=True)
    threading.Thread(target=Resolver(device, address).serve_forever, daemon=True).start()
    Proxy(device, address, int(port), Path(cache), archive).serve_forever()


if __name__ == "__main__":
    main()
