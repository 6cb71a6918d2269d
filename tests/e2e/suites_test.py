#!/usr/bin/env python3
"""Hostile input against the running server: published suites of JSON and of strings, framing, limits, compression, slow clients,
and bodies made up at random.

ATTUNE_LONG=1, which script/nightly sets, makes the slow clients 1,000 for 60 s each (with slowhttptest), counts what colliding
names cost, and lets the random bodies run longer. What was decided by looking at it once stands in verdicts/; ATTUNE_WRITE_VERDICTS=1 writes it anew.
"""

import contextlib
import gzip
import http.client
import itertools
import json
import os
import pathlib
import random
import re
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse
import zlib

import data_files
from framing_vectors import VECTORS, post
from harness import (API_KEY, Client, LONG, PATIENCE, WRITE_KEY, Server, expect, folder, main, poll, problem, run, same, track)

VERDICTS = pathlib.Path(__file__).resolve().parent / "verdicts"
JSON_FAULTS = {"invalid_json", "invalid_encoding", "number_out_of_range", "too_deep"}

PLAN = """
metrics:
  neighbours: count(neighbour[ever])
  total: count(any[ever])
  price: last(bought.price)
  nested: last(bought.a.b)
  carriers: count(carrier[ever])
segments:
  dear: {when: "last(bought.price) >= 100"}
"""


@contextlib.contextmanager
def served(plan=PLAN, data=None, **options):
    with folder() as path:
        (path / "plan.yaml").write_text(plan)
        with Server(path / "plan.yaml", data or path / "data", **options) as server:
            yield server


def verdict(answer):
    """What an answer of the collector says, in words: `400 invalid_json`, `accepted 2, too_deep`."""
    expect(answer.status < 500, "a fault of the server:", answer)
    if answer.status != 200:
        return f"{answer.status} {answer.json['code']}"
    told = answer.json
    return ", ".join([f"accepted {told['accepted']}"] + [letter["reason"] for letter in told["rejected"]])


def alive(server):
    same(Client(server.port).request("GET", "/healthz").status, 200, "the server answers")
    expect(server.process.poll() is None, "the server has ended")


def frozen(name, lines):
    """Holds lines to those of a file that somebody has read and agreed to."""
    path = VERDICTS / name
    if os.environ.get("ATTUNE_WRITE_VERDICTS"):
        head = [line for line in path.read_text().splitlines() if line.startswith("#")] if path.exists() else []
        path.write_text("\n".join(head + lines) + "\n")
    known = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for found, expected in itertools.zip_longest(lines, known):
        same(found, expected, f"a line of {path.name}")


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7


def logged_events(data):
    """The JSON of each event in the log, as docs/formats.md says to read it; the server must have ended."""
    events = []
    for file in sorted((data / "log").glob("*.log")):
        content = file.read_bytes()
        at = 40
        while at + 20 <= len(content):
            length, kind, _, _, sequence, _ = struct.unpack_from("<IBBHQI", content, at)
            if sequence == 0:
                break
            payload = content[at + 20:at + 20 + length]
            at += 20 + length
            if kind in (1, 4, 5):
                place = 17 + payload[0]
                for _ in range(5):
                    size, place = varint(payload, place)
                    text, place = payload[place:place + size], place + size
                events.append(text)
    return events


# --- JSONTestSuite ---

def json_suite():
    files = data_files.archive("jsontestsuite/test_parsing")
    same({letter: sum(name[0] == letter for name in files) for letter in "yni"}, {"y": 95, "n": 188, "i": 35}, "files of JSONTestSuite")
    return list(files.items())


def test_json_suite_as_bodies():
    """A body that is JSON is never called anything else, one that is none always; of the rest the verdict is frozen."""
    undecided = []
    with served() as server:
        for name, body in json_suite():
            answer = server.request("POST", "/v1/track", body, key=WRITE_KEY)
            found = verdict(answer)
            same(verdict(server.request("POST", "/v1/track", body, key=WRITE_KEY)), found, f"{name}, sent again")
            told = verdict(server.request("POST", "/v1/events/validate", body, key=WRITE_KEY))
            expect(told == found or name[0] != "n", f"{name}: validated it is {told}, sent {found}")
            if name[0] == "y":
                expect(found in ("400 not_an_object", "accepted 0, missing_field"), name, found)
            elif name[0] == "n":
                blank = not body.decode("utf-8-sig", "replace").strip()
                same(found, "400 body_empty" if blank else "400 invalid_json", name)
                if not blank:
                    expect(answer.json["offset"] <= len(body) and answer.json["line"] > 0, name, answer)
            else:
                undecided.append(f"{name}: {found}")
        alive(server)
    frozen("json_bodies.txt", undecided)


def test_json_suite_inside_a_batch():
    """As a value among the properties of one of three events: its neighbours are accepted whenever the whole is still JSON."""
    undecided = []
    taken = 0
    with served() as server:
        for name, value in json_suite():
            around = [json.dumps(track("neighbour", "neighbour", messageId=f"{name} {i}")).encode() for i in range(2)]
            event = b'{"type":"track","userId":"suite","event":"suite","messageId":"' + name.encode() + b'","properties":{"value":' + value + b"}}"
            body = b'{"batch":[' + around[0] + b"," + event + b"," + around[1] + b"]}"
            told = verdict(server.request("POST", "/v1/events/validate", body, key=WRITE_KEY))
            found = verdict(server.request("POST", "/v1/batch", body, key=WRITE_KEY))
            same(told, found, f"{name}: what would become of it, and what did")
            if name[0] == "y":
                same(found, "accepted 3", name)
            elif name[0] == "n":
                same(found, "400 invalid_json", name)
            else:
                undecided.append(f"{name}: {found}")
            if found.startswith("accepted"):
                expect(int(found[9]) >= 2, name, "a neighbour is missing:", found)
                taken += 2
        same(server.behavior("neighbour")["metrics"]["neighbours"], taken, "neighbours")
        alive(server)
    frozen("json_in_batches.txt", undecided)


def test_the_log_keeps_json_as_it_was_sent():
    sent = []
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            for name, value in json_suite():
                event = b'{"userId":"suite","event":"suite","properties":{"value":' + value.strip() + b"} }"
                if verdict(server.request("POST", "/v1/track", event, key=WRITE_KEY)).startswith("accepted 1"):
                    sent.append(event)
        same(logged_events(path / "data"), sent, "the events of the log")
        expect(len(sent) > 95, "few were accepted:", len(sent))


# --- Big List of Naughty Strings ---

def naughty():
    strings = json.loads(data_files.content("blns/blns.json"))
    same(len(strings), 515, "naughty strings")
    return strings


# Where a string is put: into an event of a user of its own.
FIELDS = {
    "event": lambda event, text: event.update(event=text),
    "userId": lambda event, text: event.update(userId=text),
    "messageId": lambda event, text: event.update(messageId=text),
    "property name": lambda event, text: event.update(properties={text: 1}),
    "property value": lambda event, text: event.update(properties={"value": text}),
    "url": lambda event, text: event.update(type="page", properties={"url": text}),
    "context": lambda event, text: event.update(context={"page": {"referrer": text}, text: {"a": 1}}),
    "trait name": lambda event, text: event.update(type="identify", traits={text: 1}),
    "trait value": lambda event, text: event.update(type="identify", traits={"value": text}),
}


def naughty_event(field, number, text):
    event = track(f"{field} {number}", "naughty", messageId=f"{field} {number}")
    FIELDS[field](event, text)
    return event


def nested(name, value):
    """A trait's dotted name is a path."""
    for piece in reversed(name.split(".")[1:]):
        value = {piece: value}
    return {name.split(".")[0]: value}


def check_shown(field, number, text, server):
    """What the API tells of an accepted string is that string."""
    user = text if field == "userId" else f"{field} {number}"
    told = server.behavior(user)
    same(told["user"], user, f"{field} {number}")
    recent = [event for event in told["recent_events"] if event["event"] != "neighbour"]
    if field.startswith("trait"):
        expected = nested(text, 1) if field == "trait name" else {"value": text}
        return same(told["traits"], expected, f"{field} {number}")
    event = next((event for event in recent if event["id"] == f"{field} {number}"), recent[0])
    if field == "messageId" and text.strip(" \t"):
        same(event["id"], text, f"{field} {number}")
    if field == "property name":
        same(event["properties"], {text: 1}, f"{field} {number}")
    if field in ("property value", "url"):
        same(event["properties"], {"value" if field == "property value" else "url": text}, f"{field} {number}")
    if field == "event":
        expect(event["event"] and len(event["event"].encode()) <= 4 * len(text.encode()), f"{field} {number}", event)


def letters_of(server):
    cursor, letters = None, []
    while True:
        page = server.ask("/v1/dead-letters?limit=1000" + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
        letters += page["dead_letters"]
        cursor = page["next"]
        if cursor is None:
            return letters


def test_naughty_strings_in_every_field():
    """Each of 515 strings in each field comes back exactly, or is refused for a reason that is written down."""
    refused, sent, buried = [], [], {}
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            neighbours = 0
            for field in FIELDS:
                strings = naughty()
                for begin in range(0, len(strings), 200):
                    batch = []
                    for number, text in enumerate(strings[begin:begin + 200], begin):
                        batch += [naughty_event(field, number, text), track("neighbour", "neighbour", messageId=f"n {field} {number}")]
                    bodies = [json.dumps(event, ensure_ascii=number % 2 == 0) for number, event in enumerate(batch)]
                    told = server.send("/v1/batch", '{"batch":[' + ",".join(bodies) + "]}").json
                    out = {letter["index"]: letter for letter in told["rejected"]}
                    same(told["accepted"] + len(out), len(batch), "events answered for")
                    neighbours += len(batch) // 2
                    for index, event in enumerate(batch):
                        if index in out:
                            expect(index % 2 == 0, "a neighbour was refused:", out[index])
                            number = begin + index // 2
                            refused.append(f"{field} {number}: {out[index]['reason']} {out[index]['field']}")
                            buried[json.dumps(event, sort_keys=True)] = out[index]["reason"]
                        else:
                            sent.append(bodies[index].encode())
                gone = {line.partition(":")[0] for line in refused}
                for number, text in enumerate(strings):
                    if f"{field} {number}" not in gone:
                        check_shown(field, number, text, server)
            same(server.behavior("neighbour")["metrics"]["neighbours"], neighbours, "neighbours")
            found = {json.dumps(letter["event"], sort_keys=True): letter["reason"] for letter in letters_of(server)}
            same(found, buried, "dead letters")
            alive(server)
        log = logged_events(path / "data")
        same(len(log), len(sent), "events in the log")
        same(sorted(log), sorted(sent), "the log's JSON")
    frozen("naughty_strings.txt", refused)


# --- what one key twice means ---

def test_of_a_name_twice_the_last_counts_everywhere():
    texts = [
        b'{"type":"track","userId":"first","userId":"dup","event":"x","event":"bought","messageId":"1","messageId":"d-1",'
        b'"timestamp":"2020-01-01T00:00:00Z","timestamp":"2026-03-01T10:00:00.000Z","properties":{"price":1},'
        b'"properties":{"price":5,"price":150,"a":{"b":1},"a":{"b":2,"b":3}}}',
        b'{"type":"track","type":"identify","userId":"dup","messageId":"d-2","traits":{"plan":"no"},'
        b'"traits":{"plan":"free","plan":"paid","n":{"m":1},"n":{"m":2}},"context":{"consent":{"categoryPreferences":{"email":false,"email":true}}}}',
    ]
    expected = {"price": 150, "nested": 3}
    with served() as server:
        position = server.send("/v1/batch", b'{"batch":[],"batch":[' + b",".join(texts) + b"]}").headers["Attune-Position"]
        told = server.behavior("dup", position)
        same({name: told["metrics"].get(name) for name in expected}, expected, "metrics")
        same(told["traits"], {"plan": "paid", "n": {"m": 2}}, "traits")
        same(told["consents"], {"email": True}, "consents")
        same([segment["name"] for segment in told["segments"]], ["dear"], "segments")
        event = told["recent_events"][0]
        same((event["id"], event["event"], event["timestamp"]), ("d-1", "bought", "2026-03-01T10:00:00.000Z"))
        # Any reader of the answer sees the same, whichever of two it takes.
        same(json.loads(json.dumps(event["properties"]))["price"], 150)
        explained = server.ask("/v1/users/dup/explain?expression=" + urllib.parse.quote("last(bought.price) >= 100"))["explanation"]
        same((explained["value"], explained["parts"][0]["value"]), (True, 150), "explain")
        same(server.behavior("first", status=404)["code"], "unknown_user")
        # A name written with escapes is the same name.
        server.send("/v1/track", b'{"userId":"esc","event":"bought","properties":{"price":7,"pr\\u0069ce":200},"userI\\u0064":"esc2"}')
        same(server.behavior("esc2")["metrics"]["price"], 200)
        # A refused event is refused by its last members too.
        refused = server.send("/v1/track", b'{"userId":"dup","userId":"null","event":"e"}').json["rejected"][0]
        same((refused["reason"], refused["field"]), ("identity_placeholder", "userId"))
        # The plan of a key that stands twice in the envelope.
        same(verdict(server.request("POST", "/v1/batch", b'{"writeKey":"wrong","writeKey":"%s","batch":[%s]}' % (WRITE_KEY.encode(), texts[0]))), "accepted 1")
        same(verdict(server.request("POST", "/v1/track", b'{"writeKey":"%s","writeKey":"wrong","userId":"u","event":"e"}' % WRITE_KEY.encode())),
             "401 invalid_write_key")
    with folder() as path:  # and a replay agrees
        (path / "plan.yaml").write_text(PLAN)
        (path / "events.ndjson").write_bytes(b"\n".join(texts[:1]) + b"\n")
        run("replay", "--plan", path / "plan.yaml", "--events", path / "events.ndjson", "--out", path / "out", "--at", "2026-03-01T11:00:00Z", code=0)
        values = json.loads((path / "out/values.ndjson").read_text().splitlines()[-1])
        same(values["user"], "dup")
        same({name: values["metrics"].get(name) for name in expected}, expected, "metrics of the replay")
        same([segment if isinstance(segment, str) else segment["name"] for segment in values["segments"]], ["dear"], "segments of the replay")


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


# --- limits ---

def event_of(size, pad="x"):
    """An event of exactly so many bytes."""
    empty = json.dumps(track("limits", "e", {"pad": ""}), separators=(",", ":"))
    return json.dumps(track("limits", "e", {"pad": pad * (size - len(empty))}), separators=(",", ":")).encode()


def test_limits_below_at_and_above():
    def get(target, fields=b""):
        return b"GET " + target + b" HTTP/1.1\r\nHost: attune\r\n" + fields + b"\r\n"

    def head_of(size):
        rest = size - len(get(b"/healthz", b"A: \r\nB: \r\n"))
        return get(b"/healthz", b"A: " + b"a" * (rest // 2) + b"\r\nB: " + b"b" * (rest - rest // 2) + b"\r\n")

    def body_of(size):
        return b'{"batch":[' + event_of(300) + b"]" + b" " * (size - 312) + b"}"

    kib, mib = 1 << 10, 1 << 20
    small = [json.dumps(track("limits", "e")).encode()] * 1001
    wide = {"k" + str(i): 1 for i in range(1001)}
    tests = [  # (what, its limit, bytes of a request for a size, the problem above it)
        ("head", 16 * kib, head_of, "head_too_large", 431),
        ("fields", 100, lambda n: get(b"/healthz", b"A: a\r\n" * (n - 1)), "too_many_fields", 431),
        ("target", 8 * kib, lambda n: get(b"/healthz?" + b"a" * (n - 9)), "target_too_long", 414),
        ("body", 4 * mib, lambda n: post(b"Content-Length: %d\r\n" % n, body_of(n), line=b"POST /v1/batch HTTP/1.1\r\n"), "body_too_large", 413),
        ("chunked body", 4 * mib, lambda n: post(b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (n, body_of(n)),
                                                 line=b"POST /v1/batch HTTP/1.1\r\n"), "body_too_large", 413),
        ("inflated body", 4 * mib, lambda n: (lambda packed: post(b"Content-Length: %d\r\n" % len(packed), packed, line=b"POST /v1/batch HTTP/1.1\r\n"))(
            gzip.compress(padded(body_of(300), n))), "body_too_large", 413),
        ("batch", 1000, lambda n: (lambda body: post(b"Content-Length: %d\r\n" % len(body), body, line=b"POST /v1/batch HTTP/1.1\r\n"))(
            b'{"batch":[' + b",".join(small[:n]) + b"]}"), "batch_too_long", 413),
    ]

    def padded(body, size):
        """To that size, with blanks and noise that gzip cannot make small enough for the other limit."""
        noise = random.Random(1).randbytes(size // 2).hex().encode()[:size - len(body) - 10]
        return body[:-1] + b',"n":"' + noise + b'"' + b" " * (size - len(body) - 6 - len(noise) - 0 - 1) + b"}"

    with served() as server:
        for what, limit, request, code, status in tests:
            for size in (limit - 1, limit, limit + 1):
                client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
                client.connect()
                client.sock.sendall(request(size))
                answer = http.client.HTTPResponse(client.sock)
                answer.begin()
                told = json.loads(answer.read() or b"{}") if answer.getheader("Content-Type", "").endswith(("json; charset=utf-8",)) else {}
                client.close()
                if size <= limit:
                    same(answer.status, 200, f"{what} of {size}: {told}")
                else:
                    same((answer.status, told.get("code"), told.get("limit")), (status, code, limit), f"{what} of {size}")
        for what, limit, event, reason in (
                ("event", 32 * kib, event_of, "event_too_large"),
                ("members", 1000, lambda n: json.dumps(track("limits", "e", dict(list(wide.items())[:n]))).encode(), "too_many_members"),
                ("items", 4000, lambda n: json.dumps(track("limits", "e", {"a": [{"b": [1] * n}]})).encode(), "too_many_members"),
                ("depth", 32, lambda n: b'{"userId":"limits","event":"e","a":' + b"[" * (n - 1) + b"]" * (n - 1) + b"}", "too_deep"),
                ("userId", 512, lambda n: json.dumps(track("u" * n, "e")).encode(), "invalid_field"),
                ("messageId", 512, lambda n: json.dumps(track("limits", "e", messageId="m" * n)).encode(), "invalid_field"),
                ("event's name", 256, lambda n: json.dumps(track("limits", "e" * n)).encode(), "invalid_field"),
                ("trait's name", 512, lambda n: json.dumps({"type": "identify", "userId": "limits", "traits": {"a": {"b" * (n - 2): 1}}}).encode(), "invalid_field")):
            for size in (limit - 1, limit, limit + 1):
                # Between two others, which are taken in any case.
                body = b'{"batch":[' + small[0] + b"," + event(size).replace(b"{", b'{"type":"track",', 1 if b'"type"' not in event(size) else 0) + b"," + small[0] + b"]}"
                found = verdict(server.request("POST", "/v1/batch", body, key=WRITE_KEY))
                same(found, "accepted 3" if size <= limit else f"accepted 2, {reason}", f"{what} of {size}")
        alive(server)


def test_a_batchs_context_cannot_be_multiplied():
    """A context of megabytes, or one with as many members as the events', costs what its bytes cost."""
    def members(letter, count):
        return ",".join(f'"{letter}{i}":1' for i in range(count))

    with served(more_environment=MEASURED) as server:
        event = '{"type":"track","userId":"u","event":"e"%s}'
        huge = '{"context":{%s},"batch":[%s]}' % (members("a", 170_000), event % (',"context":{%s}' % members("b", 170_000)))
        same(verdict(server.request("POST", "/v1/batch", huge, key=WRITE_KEY)), "accepted 0, event_too_large")
        many = '{"context":{"a":"%s"},"batch":[%s]}' % ("x" * 3_900_000, ",".join([event % ""] * 1000))
        before = memory(server)
        same(verdict(server.request("POST", "/v1/batch", many, key=WRITE_KEY)), ", ".join(["accepted 0"] + ["event_too_large"] * 1000))
        expect(memory(server) - before < 64 << 20, "memory for a context that no event can have:", memory(server) - before)
        wide = '{"context":{%s},"batch":[%s]}' % (members("a", 900), ",".join([event % (',"context":{%s}' % members("b", 900))] * 200))
        same(verdict(server.request("POST", "/v1/batch", wide, key=WRITE_KEY)), ", ".join(["accepted 0"] + ["too_many_members"] * 200))
        alive(server)


# --- compression ---

# Where memory is measured, the address sanitizer gives back at once what was freed instead of keeping it to find late uses.
MEASURED = {"ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}


def memory(server, what="VmHWM"):
    """Bytes; the most it ever had, unless told otherwise."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) << 10


def bomb(zeros, window=31):
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    block = b"\0" * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(zeros >> 20)) + packer.flush()


def test_compressed_bombs():
    """A gigabyte of zeros in a megabyte, and its relatives, are refused without being unpacked."""
    good = json.dumps(track("packed", "carrier", messageId="packed")).encode()
    gigabyte = bomb(1 << 30)
    expect(len(gigabyte) < 1_100_000, len(gigabyte))
    staged = random.Random(2).randbytes(25_000).hex().encode() + b"0" * 4_000_000  # grows some 100 times, up to the limit, then more
    cases = [
        ("a gigabyte", gigabyte, 400, "bad_compression"),
        ("a gigabyte of zlib", bomb(1 << 30, 15), 400, "bad_compression"),
        ("a gigabyte behind noise", gzip.compress(random.Random(3).randbytes(300_000).hex().encode() + b"\0" * (64 << 20)), 413, "body_too_large"),
        ("a gigabyte in two", gzip.compress(gigabyte), 400, "bad_compression"),  # the one in the other is zeros too
        ("an event in two", gzip.compress(gzip.compress(good)), 400, "invalid_json"),
        ("two members", gzip.compress(good) + gzip.compress(b" " * 10), 400, "bad_compression"),
        ("many members", gzip.compress(b" ") * 50_000, 400, "bad_compression"),
        ("cut in the middle", gzip.compress(good)[:-20], 400, "bad_compression"),
        ("cut by a byte", gzip.compress(good)[:-1], 400, "bad_compression"),
        ("cut after the head", gzip.compress(good)[:10], 400, "bad_compression"),
        ("a wrong checksum", gzip.compress(good)[:-8] + b"\0\0\0\0" + gzip.compress(good)[-4:], 400, "bad_compression"),
        ("a wrong length", gzip.compress(good)[:-4] + b"\0\0\0\0", 400, "bad_compression"),
        ("something behind", gzip.compress(good) + b"x", 400, "bad_compression"),
        ("zeros behind", gzip.compress(good) + b"\0" * 100, 400, "bad_compression"),
        ("bits turned", bytes([b ^ (0x55 if i == 15 else 0) for i, b in enumerate(gzip.compress(good))]), 400, "bad_compression"),
        ("a head alone", b"\x1f\x8b", 400, "bad_compression"),
        ("staged", gzip.compress(staged + b"0" * 4_000_000), 413, "body_too_large"),
        ("zlib with a dictionary", b"\x78\xbb" + b"\0" * 50, 400, "bad_compression"),
        ("zstd", bytes.fromhex("28b52ffd") + b"\0" * 50, 400, "invalid_json"),
        ("brotli", bytes.fromhex("0b0a8068656c6c6f03"), 400, "invalid_json"),
        ("deflate without a head", zlib.compressobj(9, zlib.DEFLATED, -15).compress(good) + b"\x03\0", 400, "invalid_json"),
    ]
    with served(more_environment=MEASURED) as server:
        for packed in (gzip.compress(good), zlib.compress(good), gzip.compress(staged[:50_000])):
            server.request("POST", "/v1/track", packed, key=WRITE_KEY)
        server.request("POST", "/v1/batch", b'{"batch":[]' + b" " * (4 << 20 - 1) + b"}", key=WRITE_KEY)  # what any body may take
        before = memory(server)
        for name, body, status, code in cases:
            for path in ("/v1/track", "/v1/batch"):
                answer = server.request("POST", path, body, key=WRITE_KEY, headers={"Content-Encoding": "gzip"})
                problem(answer, status, code)
        grown = memory(server) - before
        print(f"memory grew by {grown >> 10} KiB")
        expect(grown < 16 << 20, "memory grew by", grown)
        same(server.behavior("packed")["metrics"]["carriers"], 1, "events")
        alive(server)


def test_what_is_nested_deep_is_refused_flat():
    with served() as server:
        for unit, close in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
            for count in (33, 1000, 50_000, 600_000):
                if count * (len(unit) + len(close)) > 4 << 20:
                    continue
                open_only = unit * count
                whole = open_only + (b"" if unit == b"[" else b"1") + close * count
                same(verdict(server.request("POST", "/v1/track", open_only, key=WRITE_KEY)), "400 invalid_json", f"{count} {unit}")
                event = b'{"type":"track","userId":"deep","event":"carrier","properties":{"a":' + whole + b"}}"
                large = len(event) > 32 << 10
                for path, body in (("/v1/track", event), ("/v1/batch", b'{"batch":[' + event + b"]}")):
                    same(verdict(server.request("POST", path, body, key=WRITE_KEY)), "accepted 0, " + ("event_too_large" if large else "too_deep"), f"{count} {unit}")
                same(verdict(server.request("POST", "/v1/batch", b'{"context":' + whole + b',"batch":[]}', key=WRITE_KEY)), "accepted 0")
                preview = server.request("POST", "/v1/segments/preview", whole, key=API_KEY)
                same(preview.status, 400, preview)
        for text in ("not " * 15_000 + "true", "(" * 20_000 + "1" + ")" * 20_000, "-" * 20_000 + "1"):
            problem(server.request("POST", "/v1/segments/preview", {"when": text}, key=API_KEY), 400, "invalid_expression")
        dots = {"type": "identify", "userId": "dots", "traits": {"." * 500: 1, "a" + ".b" * 200: 2}}
        server.send("/v1/identify", dots)
        expect(len(json.dumps(server.behavior("dots")["traits"])) < 2000)  # what a reader of any language can take
        page = server.ask("/v1/dead-letters?limit=100")["dead_letters"]
        expect(page and all(isinstance(letter["event"], (str, dict)) for letter in page))
        alive(server)


def test_traits_of_one_user_are_bounded():
    with served() as server:
        for begin in range(0, 4500, 900):
            server.batch([{"type": "identify", "userId": "ann", "traits": {f"t{i}": begin for i in range(begin, begin + 900)}}])
        server.batch([{"type": "identify", "userId": "ann", "traits": {"t0": "changed", "t4499": "changed"}}])
        traits = server.behavior("ann")["traits"]
        same(len(traits), 2000, "traits")
        same((traits["t0"], traits["t1999"]), ("changed", 1800))


# --- names that collide ---

def standard_hash(data, seed=0xC70F6907):
    """std::hash of text in libstdc++, 64 bits: MurmurHash64A with a seed that is always the same."""
    mask, mul = (1 << 64) - 1, 0xC6A4A7935BD1E995
    state = seed ^ (len(data) * mul & mask)
    for at in range(0, len(data), 8):
        word = int.from_bytes(data[at:at + 8], "little") * mul & mask
        state = (state ^ (word ^ word >> 47) * mul & mask) * mul & mask
    state = (state ^ state >> 47) * mul & mask
    return state ^ state >> 47


def test_names_that_collide_elsewhere():
    """Names with one and the same std::hash, as members, traits, users and message ids, are told apart. In the long run: they take no more of the
    processor than names at random. (src/base/text_map_test.cc shows why, with 50,000 of them.)"""
    names = (pathlib.Path(__file__).parent / "colliding_names.txt").read_text().split()
    same(len(set(names)), 1800, "names")
    same({standard_hash(name.encode()) for name in names}, {standard_hash(names[0].encode())}, "hashes")

    def ticks(server):
        return sum(map(int, pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    def send(server, keys, user):
        server.batch([track(user + "u", "flood", {key: 1 for key in keys[:900]}), track(user + "u", "flood", {"a": {key: 1 for key in keys[900:]}}),
                      {"type": "identify", "userId": user + "u", "traits": {key: 1 for key in keys[:900]}}])
        for begin in (0, 900):
            server.batch([track(key + user, "flood", messageId=f"{user} {key}") for key in keys[begin:begin + 900]])

    with served() as server:
        send(server, names, "")
        told = server.behavior(names[0])
        same((told["user"], told["metrics"]["total"]), (names[0], 1))
        same(server.behavior(names[-1])["recent_events"][0]["id"], " " + names[-1])
        if LONG:
            rng = random.Random(5)
            others = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=16)) for _ in names]
            spent = {}
            for kind, keys in (("random", others), ("colliding", names)):
                began = ticks(server)
                for number in range(100):
                    send(server, keys, f"{kind} {number}")
                server.behavior(keys[0] + f"{kind} 0")
                spent[kind] = ticks(server) - began
            print("hundredths of a second of the processor:", spent)
            expect(spent["colliding"] <= 3 * spent["random"], "colliding names cost", spent)
        alive(server)


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
            ("GET", "/healthz", None, None), ("HEAD", "/healthz", None, None), ("GET", "/readyz", None, None), ("GET", "/metrics", None, None),
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


# --- patterns ---

EVIL = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "([a-zA-Z]+)*$", "(.*a){20}$", "(a*)*b", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?:a?){30}a{30}", "(.|\\\\s)*x$",
        "((a{1,10}){1,10}){1,2}$", "(a+a+a+a+)+b", "([^a]|a)*c", "(?i)(A+)+$", "(\\\\w+\\\\s?)*$", "(\\\\d+)*x", "(a?b?)*c", "([ab]*)*c", "(.*)*=.*", "(\\\\s*)*;"]


def test_patterns_are_bounded():
    """What a plan's author writes after `matches` is run in linear time: evil patterns over 32 KiB; and what RE2 has not is a mistake of the plan."""
    patterns = [f"{prefix}{pattern}" for prefix in ("", "^", "b?") for pattern in EVIL][:50]
    plan = "metrics:\n" + "".join(f"  m{i}: 'count(said{{text matches \"{pattern}\"}}[ever])'\n" for i, pattern in enumerate(patterns))
    with served(plan) as server:
        for text in ("a" * 32_000, "a" * 31_999 + "!", "ab" * 15_000 + "!", " " * 32_000, "x" * 32_000):
            server.batch([track("ann", "said", {"text": text})])
        same(len(server.behavior("ann")["metrics"]), len(patterns))
        for pattern, why in (("(a)\\\\1", "invalid escape"), ("(?=a)b", "invalid perl operator"), ("(?<!a)b", "invalid perl operator"),
                             ("a" * 1001, "1,000 bytes"), ("((a{100}){100}){100}", "repetition"), ("(?P<n>a)(?P=n)", "")):
            answer = server.request("POST", "/v1/segments/preview", {"when": f'count(said{{text matches "{pattern}"}}[ever]) > 0'}, key=API_KEY)
            told = problem(answer, 400, "invalid_expression")
            expect(why in told["detail"], pattern[:30], told["detail"])
        bad = r"""segments: {s: {when: 'count(said{text matches "(a)\\1"}[ever]) > 0'}}"""
        problem(server.request("PUT", "/v1/plan?dry_run=true", bad, key=API_KEY), 422, "invalid_plan")
        alive(server)


# --- bodies made up at random ---

def test_random_bodies_are_counted_once_or_refused():
    """Whatever is sent, the server answers, never with a fault of its own; and each event that it accepted is counted exactly once."""
    import hypothesis
    import hypothesis.configuration
    from hypothesis import strategies as st

    odd = st.sampled_from(["", " ", "\0", "null", "undefined", "\ufeff", "é", "🙂", "a.b", "__proto__", "x" * 300, "x" * 600, "\u2028", "%", "..", "1e400", "-0"])
    text = st.one_of(odd, st.text(max_size=20))
    scalar = st.one_of(st.none(), st.booleans(), st.integers(-2 ** 70, 2 ** 70), st.floats(allow_nan=False), text)
    value = st.recursive(scalar, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)), max_leaves=12)
    times = st.one_of(st.just("2026-03-01T10:00:00.000Z"), st.integers(-10 ** 18, 10 ** 18), value)
    members = {"type": st.one_of(st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]), value), "event": st.one_of(text, value),
               "userId": st.one_of(text, value), "anonymousId": st.one_of(text, value), "previousId": text, "groupId": value, "timestamp": times,
               "originalTimestamp": times, "sentAt": times, "properties": value, "traits": value, "context": value, "name": value}
    people, objects = st.sampled_from(["ann", "bob", "łucja", "u.1", "0"]), st.dictionaries(text, value, max_size=4)
    right = st.fixed_dictionaries({"type": st.just("track"), "event": st.sampled_from(["bought", "Page Viewed", "e"]), "userId": people},
                                  optional={"properties": objects, "context": objects, "timestamp": st.just("2026-03-01T10:00:00Z")})
    traits = st.fixed_dictionaries({"type": st.just("identify"), "userId": people}, optional={"traits": objects, "anonymousId": text})
    event = st.sampled_from([right, right, right, traits, st.fixed_dictionaries({}, optional=members), value]).flatmap(lambda kind: kind)
    mangled = st.tuples(st.integers(0, 10 ** 6), st.binary(max_size=3), st.integers(0, 3))
    request = st.tuples(st.sampled_from(["/v1/batch", "/v1/import", "/v1/track", "/v1/identify", "/v1/alias", "/v1/page", "/v1/group"]), st.lists(event, min_size=1, max_size=6),
                        st.sampled_from(["plain", "plain", "plain", "mangled", "gzip", "zlib", "bytes"]), mangled, st.fixed_dictionaries({}, optional={
                            "context": value, "sentAt": times, "writeKey": st.just(WRITE_KEY)}), st.binary(max_size=60))
    numbers = itertools.count()
    totals = {"requests": 0, "accepted": 0}

    with served() as server, folder() as home:
        hypothesis.configuration.set_hypothesis_home_dir(home)

        @hypothesis.settings(max_examples=3000 if LONG else 400, derandomize=True, database=None, deadline=None,
                             suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(request)
        def send(asked):
            path, events, form, (place, junk, cut), envelope, raw = asked
            marks = []
            for given in events:
                if isinstance(given, dict):
                    given["messageId"] = f"h-{next(numbers)}"
                marks.append(given)
            if path in ("/v1/batch", "/v1/import"):
                body = json.dumps({**envelope, "batch": marks}).encode()
            else:
                body = json.dumps(marks[0] if marks else {}).encode()
            if form == "mangled":
                place %= len(body)
                body = body[:place] + junk + body[place + cut:]
            elif form == "bytes":
                body = raw
            elif form in ("gzip", "zlib"):
                body = (gzip if form == "gzip" else zlib).compress(body)
            answer = server.request("POST", path, body, key=WRITE_KEY)
            expect(answer.status in (200, 400, 401, 413), answer)
            totals["requests"] += 1
            if answer.status == 200:
                told = answer.json
                totals["accepted"] += told["accepted"]
                expect(told["success"] is True and all(letter["reason"] for letter in told["rejected"]), answer)
                if form != "mangled" and form != "bytes":
                    same(told["accepted"] + len(told["rejected"]), len(marks) if path in ("/v1/batch", "/v1/import") else 1, "events answered for")

        send()
        status = server.ask("/v1/status")
        print(f"{totals['requests']} requests, {totals['accepted']} events accepted")
        # Each accepted event is one of the log, applied once; ids sent twice by a shrinking example count as what they are.
        same(status["events"], totals["accepted"], "events applied")
        expect(totals["accepted"] > 100, "few were accepted:", totals)
        alive(server)


if __name__ == "__main__":
    sys.exit(main(globals()))
