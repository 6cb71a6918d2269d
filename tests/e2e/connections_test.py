#!/usr/bin/env python3
"""Hostile connections: framing, slow clients, many clients of one network, and the headers of every answer.

With ATTUNE_LONG=1, which script/nightly sets, the slow clients are 1,000 for 60 s each (with slowhttptest).
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from framing_vectors import VECTORS, post
from harness import API_KEY, PATIENCE, WRITE_KEY, expect, main, poll, run, same, track
from hostile_server import alive, served


# --- framing ---

def exchange(port, data, patience=PATIENCE):
    """Sends bytes, says that no more will come, and reads to the end; gives the answers' statuses."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(1 << 16):
            received += piece
    return statuses(received)


def statuses(received):
    found = []
    while received:
        head, separator, received = received.partition(b"\r\n\r\n")
        expect(separator and head.startswith(b"HTTP/1.1 "), "no answer:", head[:200])
        status = int(head[9:12])
        if status == 100:
            continue
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        expect(length, "an answer without its length:", head)
        expect(len(received) >= int(length[1]), "an answer is cut off:", head)
        found.append(status)
        received = received[int(length[1]):]
    return found


def test_framing():
    """128 requests that could be read in two ways, or look so. What follows a refused one is never read as a request."""
    expect(sum(status == 400 for _, _, status, _ in VECTORS) >= 60)
    with served() as server:
        carriers = 0
        for number, (name, data, status, ends) in enumerate(VECTORS):
            same(exchange(server.port, data), [status], name)
            body = json.dumps(track(f"smuggled {number}", "smuggled")).encode()
            follower = post(b"Content-Length: %d\r\n" % len(body), body)
            same(exchange(server.port, data + follower), [status] if ends else [status, 200], f"{name}, and a request behind it")
            # In pieces the same.
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):  # refused before all of it is sent
                    for begin in range(0, min(len(data), 400), 7):
                        client.sendall(data[begin:begin + 7])
                    client.sendall(data[400 // 7 * 7 + 7:] if len(data) > 400 else b"")
                    client.shutdown(socket.SHUT_WR)
                received = b""
                while piece := client.recv(1 << 16):
                    received += piece
            # What never becomes a head is not answered when its end comes first.
            expect(statuses(received) in ([status], [] if status == 400 else [status]), f"{name}, in pieces:", received[:100])
            carriers += 3 if status == 200 and b"/v1/track" in data else 0
            shown = server.request("GET", f"/user/smuggled%20{number}/behavior?limit=0", key=API_KEY)
            same(shown.status, 404 if ends else 200, f"{name}: whether the request behind it was read")
        same(server.behavior("framing")["metrics"]["carriers"], carriers, "requests that were right")
        alive(server)


def test_an_answer_can_be_read_by_who_is_still_sending():
    """A refusal in the middle of a body is not lost to a reset."""
    with served() as server:
        for head, status in ((post(b"Content-Length: 8000000\r\n", b""), 413),
                             (post(b"Transfer-Encoding: chunked\r\n", b"7a1200\r\n"), 413),
                             (b"GET /" + b"a" * 20_000, 414),
                             (post(b"Content-Length: 38\r\nContent-Length: 39\r\n", b""), 400)):
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
                client.sendall(head)
                for _ in range(16):
                    client.sendall(b"x" * 500_000)
                client.shutdown(socket.SHUT_WR)
                received = b""
                while piece := client.recv(1 << 16):
                    received += piece
            same(statuses(received), [status], head[:30])
        # Who only announces is told at once.
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
            client.sendall(post(b"Expect: 100-continue\r\nContent-Length: 8000000\r\n", b""))
            same(client.recv(1 << 16)[:12], b"HTTP/1.1 413")


# --- slow clients ---

class Probe:
    """Asks ten times a second until it is stopped, each time with a connection of its own."""

    def __init__(self, port):
        self.port, self.ended, self.spans, self.failures = port, threading.Event(), [], []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended.wait(0.1):
            began = time.monotonic()
            try:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                client.request("POST", "/v1/track", json.dumps(track("probe", "carrier")), {"Authorization": f"Bearer {WRITE_KEY}"})
                answer = client.getresponse()
                answer.read()
                client.close()
                if answer.status != 200:
                    self.failures.append(answer.status)
            except Exception as problem_found:  # every way of not being answered counts
                self.failures.append(repr(problem_found))
            self.spans.append(time.monotonic() - began)

    def stop(self, what):
        self.ended.set()
        self.thread.join()
        spans = sorted(self.spans)
        print(f"{what}: {len(spans)} questions, the slowest of 99 % took {spans[int(len(spans) * 0.99) - 1 if len(spans) > 99 else -1] * 1000:.0f} ms")
        same(self.failures, [], f"questions beside {what}")
        return len(spans)


def crowd(port, count, opening, drip, rounds):
    """So many connections that send a little at a time, and never enough."""
    clients = []
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            client.sendall(opening)
            clients.append(client)
        for _ in range(rounds):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(drip)
            time.sleep(0.1)
    finally:
        for client in clients:
            client.close()


def test_slow_clients_do_not_disturb_others():
    """Heads that do not end, bodies that do not end, and answers that nobody takes: whoever asks beside them is answered."""
    with served() as server:
        probe = Probe(server.port)
        crowd(server.port, 200, b"GET /healthz HTTP/1.1\r\nHost: attune\r\n", b"X-A: a\r\n", 15)
        crowd(server.port, 200, post(b"Content-Length: 100000\r\n", b""), b"a", 15)
        crowd(server.port, 200, b"GET /openapi.json HTTP/1.1\r\nHost: attune\r\n\r\n" * 40, b"GET /openapi.json HTTP/1.1\r\nHost: attune\r\n\r\n", 15)
        expect(probe.stop("600 slow clients") > 5)
        alive(server)
        poll(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) < 100, "the connections to be closed")


def long_test_slowhttptest():
    """1,000 connections of each kind for 60 s."""
    expect(shutil.which("slowhttptest"), "install slowhttptest")
    with served() as server:
        url = f"http://127.0.0.1:{server.port}"
        for name, options in (("slow heads", ["-H", "-u", f"{url}/healthz", "-i", "10", "-x", "24"]),
                              ("slow bodies", ["-B", "-u", f"{url}/v1/track", "-i", "10", "-s", "100000", "-x", "10"]),
                              ("slow readers", ["-X", "-u", f"{url}/openapi.json", "-w", "1", "-y", "64", "-n", "5", "-z", "32", "-k", "3"])):
            probe = Probe(server.port)
            done = subprocess.run(["slowhttptest", *options, "-c", "1000", "-r", "200", "-l", "60", "-p", "5"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=200)
            told = re.sub(r"\x1b\[[0-9;]*[mHJ]", "", done.stdout.decode(errors="replace"))
            print("\n".join(line.strip() for line in told.splitlines()[-12:] if line.strip()))
            expect(probe.stop(name) > 100)
            alive(server)


def test_one_network_cannot_take_all_connections():
    """Above the cap a network's connections are closed, loopback's are not; others go on."""
    outside = [address for address in subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split() if ":" not in address]
    if not outside:
        raise unittest.SkipTest("this machine has no address but loopback's")
    with served(listen="0.0.0.0:0", extra=["--max-connections-per-network", "20"]) as server:
        clients = [socket.create_connection((outside[0], server.port), timeout=PATIENCE) for _ in range(30)]
        answered = 0
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: attune\r\n\r\n")
                answered += client.recv(100).startswith(b"HTTP/1.1 200")
        same(answered, 20, "connections of one network that are served")
        local = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(30)]
        for client in local:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: attune\r\n\r\n")
            expect(client.recv(100).startswith(b"HTTP/1.1 200"), "a connection from here is refused")
        for client in clients + local:
            client.close()
        # Those that have gone make room.
        def again():
            with socket.create_connection((outside[0], server.port), timeout=PATIENCE) as client:
                with contextlib.suppress(OSError):
                    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: attune\r\n\r\n")
                    return client.recv(100).startswith(b"HTTP/1.1 200")
        poll(again, "room for another connection")


# --- what every answer says ---

def test_headers_of_every_kind_of_answer():
    version = run("--version", code=0).out.strip()
    with served() as server:
        server.batch([track("ann", "bought", {"price": 200})])
        kinds = [
            ("GET", "/", None, None), ("GET", "/app.js", None, None), ("GET", "/nothing", None, None), ("DELETE", "/healthz", None, None),
            ("GET", "/healthz", None, None), ("HEAD", "/healthz", None, None), ("GET", "/readyz", None, None), ("GET", "/metrics", None, None), ("GET", "/metrics", None, API_KEY),
            ("GET", "/openapi.json", None, None), ("GET", "/user/ann/behavior", None, API_KEY), ("GET", "/user/bob/behavior", None, API_KEY),
            ("GET", "/user/ann/behavior", None, None), ("GET", "/user/ann/behavior", None, WRITE_KEY), ("GET", "/user/%zz/behavior", None, API_KEY),
            ("GET", "/v1/segments", None, API_KEY), ("GET", "/v1/segments/dear/users", None, API_KEY), ("GET", "/v1/plan", None, API_KEY),
            ("GET", "/v1/status", None, API_KEY), ("GET", "/v1/transitions", None, API_KEY), ("GET", "/v1/dead-letters", None, API_KEY),
            ("GET", "/v1/users/ann/explain?segment=dear", None, API_KEY), ("POST", "/v1/segments/preview", {"when": "true"}, API_KEY),
            ("PUT", "/v1/plan", "no plan", API_KEY), ("POST", "/v1/track", track("ann", "e"), WRITE_KEY), ("POST", "/v1/track", "{", WRITE_KEY),
            ("POST", "/v1/track", track("ann", ""), WRITE_KEY), ("POST", "/v1/track", track("ann", "e"), None), ("OPTIONS", "/v1/track", None, None),
            ("POST", "/v1/m", {}, None), ("GET", f"/v1/projects/{WRITE_KEY}/settings", None, None), ("GET", "/" + "a" * 9000, None, None),
        ]
        seen = set()
        for method, path, body, key in kinds:
            answer = server.request(method, path, body, key=key, headers={"Origin": "https://shop.example"})
            place = f"{method} {path[:40]} {answer.status}"
            seen.add(answer.status)
            check_headers(answer.headers, answer.status, place, version)
            if not path.startswith(("/app", "/page")) and path != "/":
                same(answer.headers["Cache-Control"], "no-store", f"Cache-Control of {place}")
        expect({200, 204, 400, 401, 403, 404, 405, 414, 422} <= seen, seen)
        stream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        stream.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {API_KEY}"})
        answer = stream.getresponse()
        check_headers(answer.headers, 200, "the stream", version)
        same(answer.headers["Cache-Control"], "no-store")
        stream.close()


def check_headers(headers, status, place, version):
    same(headers.get_all("X-Content-Type-Options"), ["nosniff"], place)
    if status != 204:
        kind = headers["Content-Type"]
        expect(kind, place, "has no Content-Type")
        textual = kind.startswith(("text/", "application/json", "application/problem+json", "application/javascript"))
        if textual and not kind.startswith("text/event-stream"):
            expect("charset=utf-8" in kind, place, kind)
    expect("Server" not in headers and "X-Powered-By" not in headers, place, headers)
    expect("attune/" not in str(headers) and version.split()[-1] not in str(headers), place, headers)
    for name in headers.keys():
        same(len(headers.get_all(name)), 1, f"{name} of {place}")


if __name__ == "__main__":
    sys.exit(main(globals()))
