#!/usr/bin/env python3
"""Limits below, at and above: sizes, compression, nesting, traits, names that collide, patterns.

With ATTUNE_LONG=1, which script/nightly sets, the cost of colliding names is counted.
"""

import gzip
import http.client
import json
import pathlib
import random
import re
import sys
import zlib

from framing_vectors import post
from harness import API_KEY, LONG, MEMORY, PATIENCE, WRITE_KEY, expect, main, problem, same, track
from hostile_server import alive, served, verdict


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
        expect(memory(server) - before < MEMORY * (64 << 20), "memory for a context that no event can have:", memory(server) - before)
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
        expect(grown < MEMORY * (16 << 20), "memory grew by", grown)
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


if __name__ == "__main__":
    sys.exit(main(globals()))
