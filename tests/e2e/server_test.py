#!/usr/bin/env python3
"""`attune serve` from outside: what it says, what it answers, what it keeps. server_test.py [CASE...]"""

import base64
import gzip
import http.client
import json
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
import zlib

import data_files
from harness import (API_KEY, BINARY, WRITE_KEY, Client, Failure, Listener, Server, expect, folder, main, millis, now, poll, problem,
                     rfc3339, run, same, track)

PLAN = """
timezone: UTC
events:
  page_viewed: {}
  add_to_cart:
    properties:
      product_id: string?
      price: number?
      quantity: integer?
      gift: boolean?
      due: time?
  purchase:
    properties:
      order_id: string
      total: number?
metrics:
  events: count(any)
  carts: count(add_to_cart)
  spent: sum(purchase.total)
  products: distinct(add_to_cart.product_id)
  never: last(search.query)
  pages_this_session: count(page_viewed[session])
  latest: last_time(any)
segments:
  shopper: {description: Put something into the cart., when: count(add_to_cart) >= 1}
  buyer: {when: count(purchase) >= 1}
  hasty: {when: "count(add_to_cart[2s]) >= 2"}
  hesitant: {when: add_to_cart then no purchase for 1s}
  polish: {when: 'trait.country = "PL"'}
"""
FIELDS = ["user", "traits", "segments", "metrics", "scores", "session", "consents", "recent_events"]


class Started:
    """A server on a folder of its own that vanishes with it."""

    def __init__(self, plan=PLAN, **options):
        self.plan, self.options = plan, options

    def __enter__(self):
        self.folder = folder()
        self.path = self.folder.__enter__()
        (self.path / "plan.yaml").write_text(self.plan)
        try:
            self.server = Server(self.path / "plan.yaml", self.path / "data", **self.options)
            return self.server.__enter__()
        except BaseException:
            self.folder.__exit__(None, None, None)
            raise

    def __exit__(self, *error):
        try:
            self.server.__exit__(*error)
        finally:
            self.folder.__exit__(None, None, None)


def contents(path):
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


# --- how it starts ---

def test_keys_are_made_once_and_kept_as_hashes():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        data = path / "data"
        with Server(path / "plan.yaml", data, keys=False) as server:
            said = "\n".join(server.said)
            found = re.findall(r"^(write key|API key): +(\S+)", said, re.M)
            same([kind for kind, _ in found], ["write key", "API key"], said)
            write, api = found[0][1], found[1][1]
            expect(write.startswith("atn_wk_") and api.startswith("atn_sk_") and len(write) > 40, said)
            same(server.request("POST", "/v1/track", track("ann", "a"), key=write).status, 200)
            same(server.request("GET", "/v1/segments", key=api).status, 200)
            same(server.request("GET", "/v1/segments", key=write).status, 403)
            same(server.request("GET", "/v1/segments", key=api[:-1] + "x").status, 401)
        for key in (write, api):
            for part in (key, key[7:], key[7:-6]):
                expect(part.encode() not in contents(data), "the folder holds a key in clear")
        with Server(path / "plan.yaml", data, keys=False) as server:
            expect("key" not in "\n".join(server.said), server.said)
            same(server.request("POST", "/v1/track", track("ann", "a"), key=write).status, 200)
            same(server.request("GET", "/v1/segments", key=api).status, 200)
        # Given ones count beside those that are stored, and are not stored themselves.
        with Server(path / "plan.yaml", data) as server:
            for key in (api, API_KEY):
                same(server.request("GET", "/v1/segments", key=key).status, 200)
        with Server(path / "plan.yaml", data, keys=False) as server:
            same(server.request("GET", "/v1/segments", key=API_KEY).status, 401)


def test_given_keys_make_none():
    with Started() as server:
        same(len(server.said), 1, "lines")
        expect(re.fullmatch(r"attune is ready at http://127\.0\.0\.1:\d+/", server.said[0]), server.said)
        same(server.ask("/healthz"), {"status": "ok"})


def test_second_server_on_the_folder():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            second = Server(path / "plan.yaml", path / "data")
            same(second.wait(), 1, "exit code of the second")
            same((len(second.complaints), second.said), (1, []), second.complaints)
            expect(str(path / "data") in second.complaints[0], second.complaints)
            server.batch([track("ann", "add_to_cart")])
            same(server.behavior("ann")["metrics"]["carts"], 1)


def test_taken_port():
    with folder() as path, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (path / "plan.yaml").write_text(PLAN)
        server = Server(path / "plan.yaml", path / "data", listen=f"127.0.0.1:{taken.getsockname()[1]}")
        same(server.wait(), 1, "exit code")
        same((len(server.complaints), server.said), (1, []), server.complaints)
        expect(str(taken.getsockname()[1]) in server.complaints[0], server.complaints)


def test_wrong_plan_and_options():
    with folder() as path:
        plan = path / "plan.yaml"
        plan.write_text("segments:\n  s: {when: 'count(add_to_cart[10m]) >= '}\n  t: {when: 'count(no_such{]) > 1'}\n")
        done = run("serve", "--plan", plan, "--data", path / "data", "--listen", "127.0.0.1:0", code=2)
        expect(re.search(rf"^{re.escape(str(plan))}:2:\d+: ", done.out + done.err, re.M), done.out, done.err)
        expect(re.search(rf"^{re.escape(str(plan))}:3:\d+: ", done.out + done.err, re.M), done.out, done.err)
        expect(not (path / "data").exists(), "data were touched")
        run("serve", "--plan", path / "missing.yaml", "--data", path / "data", code=2)
        run("serve", "--data", path / "data", code=2)
        plan.write_text(PLAN)
        for listen in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "256.1.1.1:0"):
            done = run("serve", "--plan", plan, "--data", path / "data", "--listen", listen, code=2)
            same(len(done.err.strip().splitlines()), 1, done.err)
        (path / "file").write_text("")
        done = run("serve", "--plan", plan, "--data", path / "file", "--listen", "127.0.0.1:0", code=1)
        expect(str(path / "file") in done.err, done.err)


# --- who may what ---

def test_access_matrix():
    with Started() as server:
        server.batch([track("ann", "add_to_cart")])
        document = server.request("GET", "/openapi.json").json
        expect(document["openapi"].startswith("3.1"), document["openapi"])
        asked = 0
        for path, methods in document["paths"].items():
            target = path.replace("{id}", "ann").replace("{name}", "shopper").replace("{key}", "k")
            if path.endswith("/explain"):
                target += "?segment=shopper"
            for method, operation in methods.items():
                body = track("ann", "e") if method == "post" else None
                if path == "/v1/segments/preview":
                    body = {"when": "carts >= 1"}
                if path == "/v1/dead-letters/replay":
                    body = {"filter": {}}
                if "batch" in path or path in ("/v1/b", "/v1/import"):
                    body = {"batch": [dict(body, timestamp=rfc3339(now()))]}
                if path in ("/v1/group", "/v1/g"):
                    body["groupId"] = "g"
                if "/alias" in path or path == "/v1/a":
                    body["previousId"] = "x"
                scheme = [name for option in operation.get("security", []) for name in option]
                expected = {"none": {"apiKey": 401, "writeKey": 401}, "wrong": {"apiKey": 401, "writeKey": 401},
                            "write": {"apiKey": 403}, "api": {}}
                # What is asked for is not there: who may ask is told that.
                missing = {"/v1/users/{id}/unmerge": (409, "not_merged"), "/v1/suggest": (422, "history_too_short"),
                           "/v1/segments/preview/{id}": (404, "unknown_study"), "/v1/suggest/{id}": (404, "unknown_study"),
                           "/v1/dead-letters/replay/{id}": (404, "unknown_study"), "/v1/dead-letters/{id}": (404, "unknown_dead_letter")}.get(path)
                if missing:
                    expected["api"] = {"apiKey": missing[0]}
                if path == "/v1/suggest":
                    target += "?metric=carts&goal=purchase"
                if path == "/v1/plan" and method == "put":
                    target, body = target + "?dry_run=true", PLAN
                endless = path == "/v1/stream"
                for who, key in (("none", None), ("wrong", "nobody"), ("write", WRITE_KEY), ("api", API_KEY)):
                    answer = server.request("HEAD" if endless and who == "api" else method.upper(), target, body, key=key)
                    wanted = expected[who].get(scheme[0], 200) if scheme else 200
                    expect(answer.status == wanted, f"{method} {target} with {who} key: expected {wanted}, got", answer)
                    if wanted >= 400:
                        problem(answer, wanted, {401: "invalid_write_key" if scheme == ["writeKey"] else "invalid_key",
                                                 403: "insufficient_scope"}.get(wanted) or missing[1])
                    if wanted == 401:
                        expect(answer.headers["WWW-Authenticate"], answer)
                    asked += 1
        expect(asked > 100, asked)
        # An event that was sent without a right is nowhere.
        before = server.ask("/v1/status")["events"]
        server.request("POST", "/v1/track", track("bob", "e"), key="nobody")
        same(server.ask("/v1/status")["events"], before)
        server.behavior("bob", status=404)


def test_ways_to_bring_a_key():
    with Started() as server:
        basic = lambda text: {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        event = track("ann", "e")
        ways = [(basic(WRITE_KEY + ":"), "", {}), (basic(WRITE_KEY), "", {}), ({"Authorization": "Bearer " + WRITE_KEY}, "", {}),
                ({"authorization": "bearer " + WRITE_KEY}, "", {}), ({"X-Write-Key": WRITE_KEY}, "", {}), ({"X-API-Key": WRITE_KEY}, "", {}),
                ({}, "?writeKey=" + WRITE_KEY, {}), ({}, "", {"writeKey": WRITE_KEY})]
        for headers, query, body in ways:
            answer = server.request("POST", "/v1/track" + query, dict(event, **body), headers=headers)
            same(answer.status, 200, f"{headers} {query} {body}")
            answer = server.request("POST", "/v1/batch" + query, dict({"batch": [event]}, **body), headers=headers)
            same(answer.status, 200, f"{headers} {query} {body}")
        same(server.behavior("ann")["metrics"]["events"], 2 * len(ways))


def test_unknown_paths_and_methods():
    with Started() as server:
        for path in ("/nothing", "/v1", "/v1/track/", "/v1/segments/shopper/users/more", "/user/ann", "/../etc/passwd"):
            problem(server.request("GET", path, key=API_KEY), 404, "not_found")
        for method, path, allowed in (("GET", "/v1/track", "POST"), ("POST", "/v1/segments", "GET"), ("DELETE", "/healthz", "GET"),
                                      ("PUT", "/", "GET"), ("GET", "/v1/m", "POST")):
            answer = server.request(method, path, key=API_KEY)
            problem(answer, 405, "method_not_allowed")
            expect(allowed in answer.headers["Allow"].split(", "), answer.headers["Allow"])
        for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css")):
            answer = server.request("GET", path)
            same(answer.status, 200, path)
            expect(answer.headers["Content-Type"].startswith(kind) and "default-src 'none'" in answer.headers["Content-Security-Policy"], answer)
        for path in ("/user/ann/behavior?limit=x", "/user/ann/behavior?limit=-1", "/v1/segments/shopper/users?limit=0",
                     "/v1/segments/shopper/users?cursor=x", "/v1/segments/shopper/users?cursor=64.0", "/v1/dead-letters?limit=99999999999999999999"):
            problem(server.request("GET", path, key=API_KEY), 400, "invalid_parameter")
        problem(server.request("GET", "/user/%zz/behavior", key=API_KEY), 400, "malformed_path")
        problem(server.request("GET", "/v1/segments/nobody", key=API_KEY), 404, "unknown_segment")
        problem(server.request("GET", "/user/nobody/behavior", key=API_KEY), 404, "unknown_user")
        for position in ("x", "-1", "99999999999", ""):
            answer = server.request("GET", "/user/ann/behavior", key=API_KEY, headers={"Attune-Position": position})
            problem(answer, 400, "invalid_position")


# --- events in ---

def test_every_collector_path():
    kinds = {"track": "tried", "page": "page_viewed", "screen": "screen_viewed", "identify": None, "group": None, "alias": None}
    with Started() as server:
        for kind, event in kinds.items():
            for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
                user = path.strip("/").replace("/", "-")
                # The path says the type, whatever the body says.
                body = {"type": "track", "userId": user, "event": "tried", "name": "Home", "groupId": "g", "previousId": "p",
                        "messageId": "m-" + user, "traits": {"plan": "pro"}, "context": {"library": {"name": "x"}}}
                answer = server.send(path, body)
                same(answer.json, {"success": True, "accepted": 1, "rejected": [], "messageId": "m-" + user})
                expect(answer.headers["Content-Type"].startswith("application/json"), answer)
                known = server.behavior(user, answer.headers["Attune-Position"])
                same([recent["event"] for recent in known["recent_events"]], [event] if event else [], path)
                same(known["traits"], {"plan": "pro"} if kind == "identify" else {}, path)
        for path in ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"):
            user = "by" + path.replace("/", "-")
            answer = server.send(path, {"batch": [track(user, "tried", timestamp=rfc3339(now()))]})
            same(answer.json, {"success": True, "accepted": 1, "rejected": []})
            same(server.behavior(user, answer.headers["Attune-Position"])["metrics"]["events"], 1)
        # Made ids are told, and differ.
        ids = {server.send("/v1/track", track("made", "tried")).json["messageId"] for _ in range(20)}
        same(len(ids), 20)
        same(server.send("/v1/batch", {"batch": []}).json, {"success": True, "accepted": 0, "rejected": []})
        same(server.request("POST", "/v1/m", {"series": []}).json, {"success": True})
        settings = server.request("GET", "/v1/projects/WK/settings", headers={"Origin": "http://shop.example"})
        same(settings.json, {"integrations": {"Segment.io": {"apiKey": "WK"}}})
        same(settings.headers["Access-Control-Allow-Origin"], "*")


def test_compressed_bodies_are_told_by_their_bytes():
    with Started() as server:
        batch = json.dumps({"batch": [track("ann", "e"), track("ann", "f")]}).encode()
        for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
                        {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}, {"Content-Encoding": "identity"}):
            same(server.send("/v1/batch", gzip.compress(batch), headers=headers).json["accepted"], 2, headers)
        same(server.send("/v1/batch", zlib.compress(batch)).json["accepted"], 2)
        # Plain text that calls itself gzip, and a mark before it.
        same(server.send("/v1/batch", batch, headers={"Content-Encoding": "gzip"}).json["accepted"], 2)
        same(server.send("/v1/batch", b"\xef\xbb\xbf" + batch).json["accepted"], 2)
        same(server.behavior("ann")["metrics"]["events"], 16)
        packed = gzip.compress(batch)
        for damaged in (packed[:-9], packed[:20], packed[:30] + b"\0\0\0\0" + packed[34:], packed + b"tail", gzip.compress(b"x" * (3 << 20))):
            problem(server.request("POST", "/v1/batch", damaged, key=WRITE_KEY), 400, "bad_compression")


def captures(name):
    """(method, path, headers, body) of every request of a capture."""
    lines = data_files.content(f"wire/{name}").decode().splitlines()
    for i, line in enumerate(lines):
        if match := re.match(r"### (\w+) (\S+)  gzip=(\w+)", line):
            yield match[1], match[2], match[3] == "true", json.loads(lines[i + 1]), lines[i + 2]
        elif match := re.match(r"\[\w+\] (\w+) (\S+) gz=(\w+) (\{.*\})", line):
            body = lines[i + 1].strip() if i + 1 < len(lines) and lines[i + 1].startswith("      ") else None
            yield match[1], match[2], match[3] == "true", json.loads(match[4]), body


def test_requests_of_real_client_libraries():
    collected, preflights = 0, 0
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        for name in ("wire-captures-node-sdks.txt", "wire-captures-browser-sdks.txt"):
            with Server(path / "plan.yaml", path / name, write_key="WK") as server:
                for method, target, packed, headers, body in captures(name):
                    if not target.startswith("/v1/"):
                        continue
                    if method == "OPTIONS":
                        answer = server.request("OPTIONS", target, headers=headers)
                        same(answer.status, 204, target)
                        same(answer.headers["Access-Control-Allow-Origin"], headers["origin"])
                        same(answer.headers["Access-Control-Allow-Headers"], headers["access-control-request-headers"])
                        same(answer.headers["Access-Control-Allow-Credentials"], "true")
                        preflights += 1
                        continue
                    if body is None:
                        same(server.request(method, target, headers=headers).status, 200, target)
                        continue
                    sent = json.loads(body)
                    data = gzip.compress(body.encode()) if packed else body.encode()
                    answer = server.request(method, target, data, headers=headers)
                    same(answer.status, 200, f"{target} {answer}")
                    same(answer.headers.get("Access-Control-Allow-Origin"), headers.get("origin"))
                    events = sent.get("batch", [sent])
                    same((answer.json["accepted"], answer.json["rejected"]), (len(events), []), target)
                    position = answer.headers["Attune-Position"]
                    for event in events:
                        known = server.behavior(event.get("userId") or event["anonymousId"], position)
                        if event["type"] == "track":
                            expect(event["event"] in [recent["event"] for recent in known["recent_events"]], known)
                        if event["type"] == "page":
                            expect("page_viewed" in [recent["event"] for recent in known["recent_events"]], known)
                        if event["type"] == "identify":
                            for trait, value in event["traits"].items():
                                same(known["traits"].get(trait), value, trait)
                    collected += 1
                same(server.ask("/v1/dead-letters")["dead_letters"], [])
    expect(collected >= 6 and preflights >= 3, collected, preflights)


def test_pages_of_other_sites_may_send():
    with Started() as server:
        origin = "https://shop.example"
        answer = server.request("OPTIONS", "/v1/t", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-odd"})
        same((answer.status, answer.body), (204, b""))
        same(answer.headers["Access-Control-Allow-Origin"], origin)
        same(answer.headers["Access-Control-Allow-Headers"], "authorization,x-odd")
        expect("POST" in answer.headers["Access-Control-Allow-Methods"], answer.headers)
        expect(int(answer.headers["Access-Control-Max-Age"]) > 0, answer.headers)
        for key, body in ((WRITE_KEY, track("ann", "e")), (None, track("ann", "e")), (WRITE_KEY, "{"), (WRITE_KEY, {"event": "e"})):
            answer = server.request("POST", "/v1/t", body, key=key, headers={"Origin": origin})
            same(answer.headers["Access-Control-Allow-Origin"], origin, f"{answer}")
            same(answer.headers["Vary"], "Origin")
        expect("Access-Control-Allow-Origin" not in server.send("/v1/t", track("ann", "e")).headers, "no page asked")
        # Questions are not for pages of other sites.
        answer = server.request("GET", "/v1/segments", key=API_KEY, headers={"Origin": origin})
        expect("Access-Control-Allow-Origin" not in answer.headers, answer.headers)


BAD = [  # (event, reason, field, detail or a part of it)
    (track("ann", "add_to_cart", {"price": "12,50"}), "invalid_property", "properties.price", 'expected number, found string "12,50"'),
    (track("ann", "add_to_cart", {"quantity": 1.5}), "invalid_property", "properties.quantity", "expected integer, found number 1.5"),
    (track("ann", "add_to_cart", {"gift": "yes"}), "invalid_property", "properties.gift", 'expected boolean, found string "yes"'),
    (track("ann", "add_to_cart", {"due": "soon"}), "invalid_property", "properties.due", 'expected time, found string "soon"'),
    (track("ann", "purchase"), "missing_property", "properties.order_id", "expected string, found nothing"),
    (track("ann", "purchase", {"order_id": None}), "missing_property", "properties.order_id", "expected string, found null"),
    (track("ann", "purchase", {"order_id": 7}), "invalid_property", "properties.order_id", "expected string, found number 7"),
    ({"type": "track", "event": "e"}, "identity_missing", "userId", ""),
    (track("", "e"), "identity_missing", "userId", ""),
    (track("null", "e"), "identity_placeholder", "userId", ""),
    (track("UNDEFINED", "e"), "identity_placeholder", "userId", ""),
    (track({"id": 1}, "e"), "invalid_field", "userId", "expected string, found object"),
    (track("u" * 513, "e"), "invalid_field", "userId", "512"),
    ({"type": "track", "userId": "ann"}, "missing_field", "event", ""),
    (track("ann", 7), "invalid_field", "event", "expected string, found number 7"),
    (track("ann", "?!"), "invalid_field", "event", ""),
    (track("ann", "e" * 257), "invalid_field", "event", "256"),
    ({"type": "click", "userId": "ann"}, "unknown_type", "type", 'found string "click"'),
    ({"userId": "ann", "event": "e"}, "unknown_type", "type", ""),
    (track("ann", "e", timestamp="yesterday"), "invalid_timestamp", "timestamp", 'found string "yesterday"'),
    (track("ann", "e", timestamp="2026-02-30T00:00:00Z"), "invalid_timestamp", "timestamp", ""),
    (track("ann", "e", timestamp="9999-01-01T00:00:00Z"), "timestamp_out_of_range", "timestamp", ""),
    (track("ann", "e", timestamp="0001-01-01T00:00:00Z"), "timestamp_too_old", "timestamp", "more than 3650d before it was received"),
    (dict(track("ann", "e"), properties=[1]), "invalid_field", "properties", "expected object, found array [1]"),
    ({"type": "group", "userId": "ann"}, "missing_field", "groupId", ""),
    ({"type": "alias", "userId": "ann"}, "identity_missing", "previousId", ""),
    (track("ann", "e", {"text": "x" * 40000}), "event_too_large", None, "32768"),
    ("text", "not_an_object", None, ""), (7, "not_an_object", None, ""), (None, "not_an_object", None, ""), ([], "not_an_object", None, ""),
]


def test_one_bad_event_fails_alone():
    with Started() as server:
        for number, (event, reason, field, detail) in enumerate(BAD):
            user = f"neighbour-{number}"
            if isinstance(event, dict):
                event = dict(event, messageId=f"bad-{number}")
            answer = server.send("/v1/batch", {"batch": [track(user, "before"), event, track(user, "after")]})
            same((answer.json["success"], answer.json["accepted"]), (True, 2), event)
            same(len(answer.json["rejected"]), 1, event)
            told = answer.json["rejected"][0]
            same(list(told), ["index", "messageId", "reason", "field", "detail"])
            same((told["index"], told["reason"], told["field"]), (1, reason, field), f"{event} {told}")
            expect(detail in told["detail"], event, told)
            if reason != "event_too_large":
                same(told["messageId"], f"bad-{number}" if isinstance(event, dict) else None, event)
            # The neighbours are there, the refusal is kept with the same reason.
            position = answer.headers["Attune-Position"]
            same([recent["event"] for recent in server.behavior(user, position)["recent_events"]], ["after", "before"])
            letter = server.ask("/v1/dead-letters?limit=1")["dead_letters"][0]
            same((letter["source"], letter["reason"], letter["field"], letter["detail"]), ("/v1/batch[1]", reason, field, told["detail"]))
            same(letter["event"], event)
        server.behavior("ann", status=404)
        # The same alone; and in pages, newest first.
        for number, (event, reason, field, _) in enumerate(BAD):
            if not isinstance(event, dict) or reason == "unknown_type":
                continue
            path = "/v1/" + event["type"]
            answer = server.send(path, event)
            told = answer.json
            same((told["accepted"], told["rejected"][0]["reason"], told["rejected"][0]["field"]), (0, reason, field), event)
            expect("messageId" not in told, told)
            same(server.ask("/v1/dead-letters?limit=1")["dead_letters"][0]["source"], path)
        listed, cursor = [], ""
        while cursor is not None:
            page = server.ask(f"/v1/dead-letters?limit=7{cursor and '&cursor=' + cursor}")
            expect(0 < len(page["dead_letters"]) <= 7, page)
            listed += page["dead_letters"]
            cursor = page["next"]
        same(listed, server.ask("/v1/dead-letters?limit=1000")["dead_letters"])
        same(len({letter["id"] for letter in listed}), len(listed))
        received = [letter["received"] for letter in listed]
        same(received, sorted(received, reverse=True))
        same(server.ask("/v1/status")["dead_letters"], len(listed))
        # All errors of an event are told in its letter.
        server.send("/v1/track", track("ann", "add_to_cart", {"price": "a", "quantity": "b", "gift": 1}))
        errors = server.ask("/v1/dead-letters?limit=1")["dead_letters"][0]["errors"]
        same([error["field"] for error in errors], ["properties.price", "properties.quantity", "properties.gift"])


def test_a_refused_event_sent_again_is_one_letter():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        bad = lambda id, price, user="ann": track(user, "add_to_cart", {"price": price}, messageId=id)
        with Server(path / "plan.yaml", path / "data") as server:
            server.send("/v1/track", bad("one", "x"))
            server.send("/v1/batch", {"batch": [bad("one", "x"), bad("two", "x"), bad("one", "y"), bad('qu"ote', "x"), bad('qu"ote', "x")]})
            # Another reason, and letters without an id, are letters of their own.
            server.send("/v1/batch", {"batch": [dict(bad("one", 1), event=None), {"type": "track", "event": "e"}, {"type": "track", "event": "e"}]})
            position = int(server.send("/v1/track", bad("two", "z")).headers["Attune-Position"])
            letters = server.ask("/v1/dead-letters")["dead_letters"]
            told = [(letter["messageId"], letter["reason"], letter["repeats"]) for letter in letters]
            same(sorted(told, key=str), sorted([("one", "invalid_property", 2), ("two", "invalid_property", 1), ('qu"ote', "invalid_property", 1),
                                                ("one", "missing_field", 0), (None, "identity_missing", 0), (None, "identity_missing", 0)], key=str))
            same(told[-1], ("one", "invalid_property", 2), "a letter stays where it stood first")
            again = next(letter for letter in letters if letter["messageId"] == "two")
            same((again["sequence"], again["event"]["properties"], again["source"]), (position, {"price": "x"}, "/v1/batch[1]"))
            expect(again["received"] <= again["last_received"], again)
            server.kill()
        # Recovery reads some of the records once more; none is counted again. A repeat after it is.
        with Server(path / "plan.yaml", path / "data") as server:
            same(server.ask("/v1/dead-letters")["dead_letters"], letters)
            server.send("/v1/track", bad("two", "x"))
            counts = {letter["messageId"]: letter["repeats"] for letter in server.ask("/v1/dead-letters")["dead_letters"] if letter["reason"] == "invalid_property"}
            same(counts, {"one": 2, "two": 2, 'qu"ote': 1})


def test_bytes_that_are_no_event():
    deep = lambda n: b'{"type":"track","userId":"ann","event":"e","properties":' + b'{"a":' * n + b"1" + b"}" * n + b"}"
    good = json.dumps(track("bob", "e")).encode()
    with Started() as server:
        for bad, reason in ((b'{"type":"track","userId":"a\xffnn","event":"e"}', "invalid_encoding"),
                            (b'{"type":"track","userId":"\\ud800","event":"e"}', "invalid_encoding"),
                            (b'{"type":"track","userId":"ann","event":"e","properties":{"n":1e400}}', "number_out_of_range"),
                            (deep(40), "too_deep"), (deep(2000), "too_deep")):
            answer = server.send("/v1/batch", b'{"batch":[' + good + b"," + bad + b"," + good + b"]}")
            same((answer.json["accepted"], [told["reason"] for told in answer.json["rejected"]]), (2, [reason]), bad[:80])
            letter = server.ask("/v1/dead-letters?limit=1")["dead_letters"][0]
            # What cannot be shown as JSON that others can read is shown as text.
            same((letter["reason"], letter["event"]), (reason, bad.decode(errors="replace")))
        same(server.behavior("bob")["metrics"]["events"], 10)
        # A body that is not JSON is refused as a whole, with the place.
        for path, body, code in (("/v1/track", b"", "body_empty"), ("/v1/batch", b" \n", "body_empty"), ("/v1/track", b"{", "invalid_json"),
                                 ("/v1/track", b"\0", "invalid_json"), ("/v1/track", b"[1]", "not_an_object"),
                                 ("/v1/track", good + b"}", "invalid_json"), ("/v1/batch", b'{"batch":[' + good, "invalid_json"),
                                 ("/v1/batch", b'{"batch":[{"type":track}]}', "invalid_json"), ("/v1/batch", b"{}", "no_batch"),
                                 ("/v1/batch", b'{"batch":{}}', "no_batch"), ("/v1/batch", good, "no_batch"),
                                 ("/v1/batch", b"[" + good + b"]", "not_an_object"), ("/v1/batch", b"batch=1", "invalid_json")):
            problem(server.request("POST", path, body, key=WRITE_KEY), 400, code)
        told = problem(server.request("POST", "/v1/batch", b'{"batch":[\n  {"type":track}]}', key=WRITE_KEY), 400, "invalid_json")
        same((told["line"], told["column"], told["offset"]), (2, 11, 21), told)
        too_many = {"batch": [track("bob", "e")] * 1001}
        told = problem(server.request("POST", "/v1/batch", too_many, key=WRITE_KEY), 413, "batch_too_long")
        same((told["limit"], told["actual"]), (1000, 1001))
        problem(server.request("POST", "/v1/batch", gzip.compress(os.urandom(1 << 20).hex().encode() * 3, 1), key=WRITE_KEY), 413, "body_too_large")
        same(server.behavior("bob")["metrics"]["events"], 10)
        same(server.send("/v1/batch", {"batch": [track("bob", "e")] * 1000}).json["accepted"], 1000)
        same(server.behavior("bob")["metrics"]["events"], 1010)


def test_names_and_ids():
    with Started() as server:
        for sent in ("Product Viewed", "productViewed", "PRODUCT-VIEWED", "product_viewed", " product  viewed "):
            server.batch([track("ann", sent)])
        server.batch([track("ann", "AddToCart", {"product_id": "x"}), {"type": "page", "userId": "ann", "name": "Home"}, {"type": "screen", "userId": "ann"}])
        names = [recent["event"] for recent in server.behavior("ann")["recent_events"]]
        same(names, ["screen_viewed", "page_viewed", "add_to_cart"] + ["product_viewed"] * 5)
        same(server.behavior("ann")["metrics"]["carts"], 1)
        same(len(server.behavior("ann?limit=x".split("?")[0])["recent_events"]), 8)
        same(len(server.ask("/user/ann/behavior?limit=3")["recent_events"]), 3)
        same(server.ask("/v1/users/ann/behavior?limit=0")["recent_events"], [])
        # Users are texts of every kind.
        odd = ["a/b", "a b", "ü", "a%2Fb", "a+b", "日本", "\U0001f600", "..", ".", "a?b=c", "a#b", '"quoted"', "tab\tbed", "\x7f", "nul\0byte", "\0", "a\\b", "'; --", "<b>"]
        for user in odd:
            position = server.batch([track(user, "e")])
            known = server.behavior(user, position)
            same((known["user"], known["metrics"]["events"]), (user, 1))
        server.batch([track(17, "e"), track("17", "e"), track(17.0, "e")])
        same(server.behavior("17")["metrics"]["events"], 3)
        server.batch([{"type": "track", "anonymousId": "anon", "userId": None, "event": "e"}])
        same(server.behavior("anon")["metrics"]["events"], 1)


def test_duplicates_count_once():
    with Started() as server:
        event = track("ann", "add_to_cart", {"product_id": "a"}, messageId="one", timestamp=rfc3339(now()))
        same(server.send("/v1/batch", {"batch": [event, event]}).json["accepted"], 2)
        for _ in range(3):
            same(server.send("/v1/track", event).json["accepted"], 1)
        position = server.batch([dict(event, messageId="two")])
        same(server.behavior("ann", position)["metrics"]["carts"], 2)
        # An id is one user's: another may have the same.
        same(server.behavior("bob", server.batch([dict(event, userId="bob")]))["metrics"]["carts"], 1)
        same(server.ask("/v1/status")["duplicates"], 4)


def test_times():
    with Started() as server:
        def time_of(user, event, **more):
            before = now()
            known = server.behavior(user, server.batch([dict(track(user, "e"), **event)], **more))
            return millis(known["recent_events"][0]["timestamp"]), before, now()

        hour = 3_600_000
        # Without sentAt: what the event says, else when it came.
        said = now() - 5 * hour
        same(time_of("a", {"timestamp": rfc3339(said)})[0], said)
        same(time_of("b", {"timestamp": said})[0], said)
        at, before, after = time_of("c", {})
        expect(before <= at <= after, at, before, after)
        # A clock that is half a year behind: only the difference counts.
        wrong = now() - 180 * 24 * hour
        for user, event, more in (("d", {"timestamp": rfc3339(wrong - 90_000), "sentAt": rfc3339(wrong)}, {}),
                                  ("e", {"originalTimestamp": rfc3339(wrong - 90_000), "sentAt": rfc3339(wrong)}, {}),
                                  ("f", {"timestamp": rfc3339(wrong - 90_000)}, {"sentAt": rfc3339(wrong)})):
            at, before, after = time_of(user, event, **more)
            expect(before - 90_000 <= at <= after - 90_000, user, at, before, after)
        # A late event is put at its time.
        server.batch([track("g", "second", timestamp=rfc3339(said + 1))])
        known = server.behavior("g", server.batch([track("g", "first", timestamp=rfc3339(said))]))
        same([recent["event"] for recent in known["recent_events"]], ["second", "first"])
        same(server.ask("/v1/status")["late"], 1)


def test_what_is_known_of_a_user():
    with Started() as server:
        start = now() - 60_000
        events = [{"type": "identify", "userId": "ann", "traits": {"country": "PL", "address": {"city": "Łódź"}, "age": 7}, "timestamp": start,
                   "context": {"consent": {"categoryPreferences": {"email": True, "ad storage": False, "sms": "maybe"}}}},
                  {"type": "page", "userId": "ann", "name": "Home", "timestamp": start + 1},
                  track("ann", "add_to_cart", {"product_id": "a"}, timestamp=start + 2), track("ann", "add_to_cart", {"product_id": "a"}, timestamp=start + 3),
                  track("ann", "purchase", {"order_id": "o", "total": 0.1}, timestamp=start + 4),
                  track("ann", "purchase", {"order_id": "p", "total": 0.2}, timestamp=start + 5)]
        position = server.batch(events)
        known = server.behavior("ann", position)
        same(list(known), FIELDS)
        same(known["traits"], {"country": "PL", "address": {"city": "Łódź"}, "age": 7})
        since = {"shopper": start + 2, "buyer": start + 4, "polish": start}
        same(known["segments"], [{"name": name, "since": rfc3339(since[name]), "until": None} for name in sorted(since)])
        same(known["metrics"], {"events": 5, "carts": 2, "spent": math.fsum([0.1, 0.2]), "products": 1, "pages_this_session": 1, "latest": rfc3339(start + 5)})
        same((known["scores"], known["consents"]), ({}, {"ad storage": False, "email": True}))
        same(list(known["session"]), ["id", "start", "events"])
        same((known["session"]["start"], known["session"]["events"]), (rfc3339(start + 1), 5))
        recent = known["recent_events"]
        same([list(event) for event in recent], [["id", "event", "timestamp", "properties"]] * 5)
        same([(event["event"], event["timestamp"], event["properties"]) for event in recent], [(name, rfc3339(start + i), properties) for i, name, properties in (
            (5, "purchase", {"order_id": "p", "total": 0.2}), (4, "purchase", {"order_id": "o", "total": 0.1}),
            (3, "add_to_cart", {"product_id": "a"}), (2, "add_to_cart", {"product_id": "a"}), (1, "page_viewed", {}))])
        same(len({event["id"] for event in recent} - {None}), 5, "ids are made where none is sent")
        same(server.ask("/v1/users/ann/behavior"), known)
        # A trait is taken back by null; the rest stays.
        server.batch([{"type": "identify", "userId": "ann", "traits": {"country": None}}])
        known = server.behavior("ann")
        same(known["traits"], {"address": {"city": "Łódź"}, "age": 7})
        same([segment["name"] for segment in known["segments"]], ["buyer", "shopper"])
        # A session that is over is none.
        old = start - 24 * 3_600_000
        same(server.behavior("old", server.batch([track("old", "e", timestamp=old)]))["session"], None)


def test_recent_events_are_read_back_from_the_log():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        start = now() - 60_000
        user = "ann \u00fc\0"
        sent = [track(user, f"Event {i}", {"i": i, "text": "x" * (i * 997 % 20_000), "deep": {"a": [1, {"b": None}]}}, messageId=f"m-{i}", timestamp=start + i)
                for i in range(30)]
        told = lambda events: [{"id": event["messageId"], "event": event["event"].lower().replace(" ", "_"), "timestamp": rfc3339(event["timestamp"]),
                                "properties": event["properties"]} for event in events]
        recent = lambda query="": server.ask(f"/user/{urllib.parse.quote(user)}/behavior{query}")["recent_events"]
        with Server(path / "plan.yaml", path / "data") as server:
            # Between others' events. The ten that came last, the latest by their time first.
            for i in (*range(0, 30, 2), *range(29, 0, -2)):
                server.batch([track("other", "noise", {"j": j, "pad": "y" * 500}) for j in range(40)] + [sent[i]])
                expect(sent[i]["messageId"] in [event["id"] for event in recent()], i)
            last = told(sent[19:0:-2])
            same(recent(), last)
            same(recent("?limit=1"), last[:1])
            server.batch([dict(sent[19], properties={"again": True})])  # a duplicate changes nothing
            same(recent("?limit=3"), last[:3])
        with Server(path / "plan.yaml", path / "data") as server:  # from a snapshot
            same(recent(), last)
            server.kill()
        # Another plan: the state is built anew from the log.
        (path / "plan.yaml").write_text(PLAN + "  more: {when: count(any) >= 1}\n")
        with Server(path / "plan.yaml", path / "data") as server:
            same(recent(), last)


def test_explain_says_why():
    with Started() as server:
        start = now() - 300_000
        position = server.batch([track("ann", "add_to_cart", timestamp=start + i * 1000, messageId=f"m-{i}") for i in range(3)] +
                                [track("bob", "add_to_cart", timestamp=start, messageId="bobs")])
        ask = lambda query: server.ask(f"/v1/users/ann/explain?{query}", headers={"Attune-Position": position})
        told = ask("expression=" + urllib.parse.quote("count(add_to_cart[10m]) >= 5"))
        same(told["user"], "ann")
        why = told["explanation"]
        same((why["expression"], why["value"], why["until"], why["missing"]), ("count(add_to_cart[10m]) >= 5", False, None, 2))
        count = why["parts"][0]
        same((count["value"], count["until"], count["event_count"]), (3, rfc3339(start + 600_000), 3))
        same(count["events"], [{"id": f"m-{i}", "timestamp": rfc3339(start + i * 1000)} for i in (2, 1, 0)])
        # An instant in the past, when but two were there.
        then = ask(f"at={start + 1500}&expression=" + urllib.parse.quote("count(add_to_cart[10m])"))
        same((then["at"], then["explanation"]["value"], then["explanation"]["event_count"]), (rfc3339(start + 1500), 2, 2))
        problem(server.request("GET", "/v1/users/ann/explain", key=API_KEY), 400, "invalid_parameter")
        problem(server.request("GET", "/v1/users/ann/explain?expression=" + urllib.parse.quote("count(") , key=API_KEY), 400, "invalid_parameter")
        problem(server.request("GET", "/v1/users/ann/explain?segment=nix", key=API_KEY), 404, "unknown_segment")
        problem(server.request("GET", "/v1/users/nobody/explain?segment=shopper", key=API_KEY), 404, "unknown_user")


def test_explain_names_runs_and_keys():
    with Started() as server:
        start = now() - 300_000
        position = server.batch([track("ann", name, {"cart_id": cart, "order_id": "o"}, timestamp=start + i * 1000, messageId=f"m-{i}") for i, (name, cart) in
                                 enumerate((("add_to_cart", "x"), ("add_to_cart", "y"), ("purchase", "x"), ("add_to_cart", "z")))])
        ask = lambda text: server.ask("/v1/users/ann/explain?expression=" + urllib.parse.quote(text), headers={"Attune-Position": position})["explanation"]
        event = lambda i, step: {"id": f"m-{i}", "timestamp": rfc3339(start + i * 1000), "step": step}
        run = ask("sequence(add_to_cart -> purchase by cart_id)")
        same((run["value"], run["events"]), (True, [event(0, "add_to_cart"), event(2, "purchase")]))
        expect("missing_step" not in run, run)
        short = ask("sequence(add_to_cart => purchase by cart_id)")
        same((short["value"], short["events"], short["missing_step"]), (False, [event(3, "add_to_cart")], "=> purchase"))
        some = ask("some(cart_id: sequence(add_to_cart -> purchase))")
        same((some["value"], some["key_count"], some["holding_count"]), (True, 3, 1))
        same([(part["key"], part["events"]) for part in some["parts"]], [("x", run["events"])])
        none = ask("some(cart_id: count(purchase) >= 2)")
        same([(part["key"], part["value"], part["missing"]) for part in none["parts"]], [("z", False, 2)])
        top = ask("top(cart_id: count(any), 2)")
        same([(part["key"], part["value"], [e["id"] for e in part["events"]]) for part in top["parts"]],
             [("x", 2, ["m-2", "m-0"]), ("z", 1, ["m-3"])])


def test_explain_command():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            server.batch([track("ann", "add_to_cart", timestamp=1_772_359_200_000 + i, messageId=f"m-{i}") for i in range(3)])
            explain = lambda *more: subprocess.run([BINARY, "explain", "--data", path / "data", *more], capture_output=True, text=True)
            # Beside the server, which is still writing.
            told = explain("ann", "count(add_to_cart[10m]) >= 5", "--at", "2026-03-01T10:00:01Z")
            same(told.returncode, 0, told.stderr)
            same(told.stdout, """ann at 2026-03-01T10:00:01.000Z
count(add_to_cart[10m]) >= 5  =  false  (2 missing)
└── count(add_to_cart[10m])  =  3  until 2026-03-01T10:10:00.000Z
        2026-03-01T10:00:00.002Z  m-2
        2026-03-01T10:00:00.001Z  m-1
        2026-03-01T10:00:00.000Z  m-0
""")
            same(json.loads(explain("ann", "shopper", "--json", "--at", "2026-03-01T09:59:59Z").stdout)["value"], False)
            same(explain("ann", "cuont(x)").returncode, 2)
            same(explain("nobody", "shopper").returncode, 1)


UNTIL = """
sessions: {gap: 30m}
segments:
  counted: {when: "count(add_to_cart[10m]) >= 2"}
  either: {when: "count(add_to_cart[10m]) >= 1 or count(purchase[1h]) >= 1"}
  both: {when: "count(add_to_cart[10m]) >= 1 and count(purchase[1h]) >= 1"}
  visiting: {when: "count(any[session]) >= 1"}
  recent: {when: "since(purchase) < 20m"}
  summed: {when: "sum(add_to_cart.price[10m]) >= 5"}
  always: {when: "hour() >= 0"}
  still: {when: "not (count(add_to_cart[10m]) >= 1 and since(add_to_cart) > 5m)"}
  forever: {when: "count(purchase) >= 1"}
"""


def test_until_is_when_it_lapses():
    with Started(UNTIL) as server:
        at, minute = now() - 60_000, 60_000
        position = server.batch([track("ann", name, {"price": price}, timestamp=at + after) for name, price, after in (
            ("add_to_cart", 1, 0), ("add_to_cart", 4, 1000), ("add_to_cart", 2, 2000), ("purchase", 0, 3000), ("add_to_cart", 3, 4000))])
        expected = {"counted": at + 2000 + 10 * minute, "either": at + 3000 + 60 * minute, "both": at + 4000 + 10 * minute,
                    "visiting": at + 4000 + 30 * minute + 1, "recent": at + 3000 + 20 * minute,
                    "summed": at + 2000 + 10 * minute, "always": None,  # 10, then 9 and 5 as the first two go, then 3
                    "still": at + 4000 + 5 * minute + 1, "forever": None}
        found = {segment["name"]: segment["until"] for segment in server.behavior("ann", position)["segments"]}
        same(found, {name: until and rfc3339(until) for name, until in sorted(expected.items())})


def test_leaves_and_absences_need_no_event():
    with Started() as server:
        position = server.batch([track("ann", "add_to_cart"), track("ann", "add_to_cart")])
        held = server.behavior("ann", position)
        changes = lambda: {(t["segment"], t["change"]): t for t in server.ask("/v1/transitions")["transitions"] if t["user"] == "ann"}
        poll(lambda: ("hasty", "leave") in changes() and ("hesitant", "enter") in changes(), "a leave and an absence by time alone")
        told = changes()
        entered = millis(told["hasty", "enter"]["at"])
        same(millis(told["hasty", "leave"]["at"]), entered + 2000, "to the millisecond")
        same(millis(told["hesitant", "enter"]["at"]), millis(held["metrics"]["latest"]) + 1000, "to the millisecond")
        for transition in told.values():
            same(list(transition), ["at", "user", "segment", "change", "corrected", "sequence", "stream_id"])
            same(transition["corrected"], False)
        for segment in held["segments"]:
            if segment["name"] == "hasty":
                same(segment["until"], rfc3339(entered + 2000), "it was told when it would lapse")
        same([segment["name"] for segment in server.behavior("ann")["segments"]], ["hesitant", "shopper"])
        server.batch([track("ann", "purchase", {"order_id": "o"})])
        same([segment["name"] for segment in server.behavior("ann")["segments"]], ["buyer", "shopper"])


# --- answers ---

def test_reads_after_a_write():
    with Started() as server:
        for number in range(200):
            user = f"user-{number % 37}"
            position = server.send("/v1/track", track(user, "add_to_cart")).headers["Attune-Position"]
            known = server.behavior(user, position)
            same(known["metrics"]["carts"], number // 37 + 1, number)
            expect("shopper" in [segment["name"] for segment in known["segments"]], known)
            header = {"Attune-Position": position}
            users = min(number + 1, 37)
            same(server.ask("/v1/segments/shopper", header)["size"], users, number)
            same(server.ask("/v1/segments", header)["segments"][-1]["size"], users, number)
            same(len(server.ask("/v1/segments/shopper/users", header)["users"]), users, number)
            if number < 37:
                latest = server.ask("/v1/transitions?limit=1", header)["transitions"][0]
                same((latest["user"], latest["segment"]), (user, "shopper"))


def test_segments_and_their_members():
    with Started() as server:
        users = [f"user-{number:03d}" for number in range(257)]
        position = server.batch([track(user, "add_to_cart") for user in users] + [track("other", "e")])
        header = {"Attune-Position": position}
        server.ask("/v1/segments/shopper/users", header)
        listed = server.ask("/v1/segments", header)["segments"]
        same([segment["name"] for segment in listed], ["buyer", "hasty", "hesitant", "polish", "shopper"])
        same([listed[4]["size"], listed[0]["size"]], [257, 0])
        same(listed[4]["description"], "Put something into the cart.")
        shown = server.ask("/v1/segments/shopper", header)
        same((shown["name"], shown["size"]), ("shopper", 257))
        same(shown["when"].replace("[ever]", ""), "count(add_to_cart) >= 1")
        for limit, pages in ((None, 3), (1000, 1), (257, 1), (256, 2), (10, 26)):
            found, cursor, count = [], None, 0
            while True:
                query = "&".join([f"limit={limit}"] * (limit is not None) + [f"cursor={cursor}"] * (cursor is not None))
                page = server.ask("/v1/segments/shopper/users" + ("?" + query if query else ""), header)
                found += [member["user"] for member in page["users"]]
                expect(all(millis(member["since"]) <= now() for member in page["users"]), page)
                cursor, count = page["next"], count + 1
                if cursor is None:
                    break
            same((sorted(found), count), (users, pages), f"limit {limit}")
        same(server.ask("/v1/segments/buyer/users"), {"users": [], "next": None})


def preview(server, when, status=200, headers=None, **more):
    answer = server.request("POST", "/v1/segments/preview", {"when": when, **more}, key=API_KEY, headers=headers)
    expect(answer.status == status, when, "answered", answer)
    return answer


def test_previews_agree_with_live_segments():
    with Started() as server:
        start = now() - 60_000
        chooser = random.Random(7)
        events = [track(f"user {chooser.randrange(60)}", chooser.choice(["add_to_cart", "purchase", "page_viewed"]), {"order_id": "o"},
                        timestamp=start + i * 100) for i in range(400)]
        events += [{"type": "identify", "userId": f"user {i}", "traits": {"country": chooser.choice(["PL", "DE"])}} for i in range(0, 60, 3)]
        # Some were anonymous before, or on another device; one merge is undone.
        for i in range(10):
            events.append({"type": "track", "anonymousId": f"anon {i}", "event": chooser.choice(["add_to_cart", "purchase"]), "properties": {"order_id": "o"},
                           "timestamp": start + i})
            events.append({"type": "identify", "userId": f"user {i * 5}", "anonymousId": f"anon {i}", "timestamp": start + 45_000})
        server.batch(events)
        same(server.request("POST", "/v1/users/anon%203/unmerge", key=API_KEY).status, 200)
        position = server.batch([{"type": "track", "anonymousId": f"anon {i}", "event": "add_to_cart", "timestamp": start + 50_000 + i} for i in range(0, 10, 2)])
        for name in ("shopper", "buyer", "hesitant", "polish", "hasty"):
            shown = server.ask(f"/v1/segments/{name}", headers={"Attune-Position": position})
            told = preview(server, shown["when"], segment=name, sample=1000).json
            members = server.ask(f"/v1/segments/{name}/users?limit=1000")["users"]
            same((told["size"], told["against"]["size"]), (shown["size"], shown["size"]), name)
            same(sorted(told["sample"]), sorted(member["user"] for member in members), name)
            same((told["when"], told["against"]["segment"], told["against"]["when"]), (shown["when"], name, shown["when"]))
            same((told["against"]["enter"], told["against"]["leave"]), ({"size": 0, "sample": []},) * 2)
            same((told["users"], told["incomplete"], told["warnings"]), (server.ask("/v1/status")["users"], 0, []))
            expect(told["position"] >= int(position) and told["state_bound"] > 0 and abs(millis(told["as_of"]) - now()) < 60_000, told)


def test_previews_say_who_comes_and_who_goes():
    with Started() as server:
        old = now() - 3_600_000
        for user, carts, purchases in (("ann", 1, 0), ("bob", 2, 0), ("cid", 3, 1), ("dan", 0, 1)):
            server.batch([track(user, "add_to_cart", timestamp=old + i) for i in range(carts)] +
                         [track(user, "purchase", {"order_id": "o"}, timestamp=old + 9) for i in range(purchases)])
        told = preview(server, "count(add_to_cart) >= 2 or count(purchase) >= 1", segment="shopper").json
        same((told["users"], told["size"], told["sample"]), (4, 3, ["bob", "cid", "dan"]))
        same(told["against"]["size"], 3)
        same((told["against"]["enter"], told["against"]["leave"]), ({"size": 1, "sample": ["dan"]}, {"size": 1, "sample": ["ann"]}))
        # Windows and absence as they are now, metrics and other segments of the plan, and no segment to compare with.
        for when, users in (("count(add_to_cart[30m]) >= 1", []), ("count(add_to_cart[2h]) >= 1", ["ann", "bob", "cid"]), ("carts >= 3", ["cid"]),
                            ("add_to_cart then no purchase for 59m", ["ann", "bob"]), ("add_to_cart then no purchase for 61m", []),
                            ("in_segment(shopper) and not in_segment(buyer)", ["ann", "bob"])):
            told = preview(server, when).json
            same((told["sample"], told["against"]), (users, None), when)
        same(preview(server, "carts >= 1", sample=2).json["size"], 3)
        same(len(preview(server, "carts >= 1", sample=2).json["sample"]), 2)
        expect("circle" in preview(server, "in_segment(shopper) and carts >= 2", segment="shopper").json["warnings"][0])
        # Nothing of it stays.
        same([segment["name"] for segment in server.ask("/v1/segments")["segments"]], ["buyer", "hasty", "hesitant", "polish", "shopper"])


def test_previews_that_are_wrong():
    with Started() as server:
        told = problem(preview(server, "carts >= 1 and\n  cartz >= 2", status=400), 400, "invalid_expression")
        same((told["line"], told["column"], len(told["errors"])), (2, 3, 1))
        expect('"carts"' in told["detail"] and "cartz" in told["detail"] and told["errors"][0]["message"] == told["detail"], told)
        told = problem(preview(server, "carts + 1", status=400), 400, "invalid_expression")
        expect("expected a condition" in told["detail"] and "number" in told["detail"], told)
        problem(preview(server, "", status=400), 400, "invalid_expression")
        problem(preview(server, "carts > 1", status=404, segment="nobody"), 404, "unknown_segment")
        problem(preview(server, "carts > 1", status=400, headers={"Attune-Position": "99999"}), 400, "invalid_position")
        for body in ("", "[", "[]", "{}", '{"when": 1}', '{"when": "carts > 1", "sample": -1}', '{"when": "carts > 1", "sample": 1001}',
                     '{"when": "carts > 1", "sample": "\\ud800"}', '{"when": "carts > 1", "segmnt": "shopper"}', '{"when": "' + "x" * 70_000 + '"}'):
            problem(server.request("POST", "/v1/segments/preview", body, key=API_KEY), 400, "invalid_body")
        same(preview(server, "carts >= 0").json["users"], 0)  # an empty log


def test_previews_can_be_asked_for_later():
    with Started() as server:
        for part in range(30):
            server.batch([track(f"user {i}", "add_to_cart", timestamp=now() - 1000) for i in range(1000)])
        begun = preview(server, "carts >= 1", status=202, headers={"Prefer": "respond-async"})
        same(begun.headers["Preference-Applied"], "respond-async")
        where = begun.headers["Location"]
        expect(where.startswith("/v1/segments/preview/") and where.endswith(begun.json["id"]), where)
        done = poll(lambda: (told := server.ask(where))["state"] != "running" and told, "the preview's end")
        same((done["state"], done["problem"], done["done"]), ("done", None, done["total"]))
        same((done["result"]["size"], done["result"]["users"]), (1000, 1000))
        same(server.request("DELETE", where, key=API_KEY).status, 204)
        problem(server.request("GET", where, key=API_KEY), 404, "unknown_study")
        problem(server.request("DELETE", where, key=API_KEY), 404, "unknown_study")
        # One at a time. Whether the second is refused depends on how fast the first is: they are sent until one was.
        def refused():
            first = server.request("POST", "/v1/segments/preview", {"when": "carts >= 1"}, key=API_KEY, headers={"Prefer": "respond-async"})
            second = server.request("POST", "/v1/segments/preview", {"when": "carts >= 1"}, key=API_KEY)
            if first.status == 202:
                server.request("DELETE", first.headers["Location"], key=API_KEY)
            return second if second.status == 429 else None
        answer = poll(refused, "a second preview beside another")
        problem(answer, 429, "study_running")
        expect(1 <= int(answer.headers["Retry-After"]) <= 60, answer.headers["Retry-After"])
        # One that was cancelled makes room.
        poll(lambda: server.request("POST", "/v1/segments/preview", {"when": "carts >= 1"}, key=API_KEY).status == 200, "room")
        # A server that ends does not wait for one.
        server.request("POST", "/v1/segments/preview", {"when": "carts >= 1"}, key=API_KEY, headers={"Prefer": "respond-async"})
        same(server.stop(), 0, "exit code")


def test_sizes_over_time_outlive_a_restart():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        before = now()
        sizes = lambda: server.ask("/v1/segments/shopper")["sizes"]
        told = lambda: [point["size"] for point in sizes()]
        with Server(path / "plan.yaml", path / "data") as server:
            same(told(), [0], "the size as it is")
            server.batch([track("ann", "add_to_cart"), track("bob", "add_to_cart")])
            same(told()[-1], 2, "the last point is the present")
        # What was noted before the end is there; another definition begins anew.
        with Server(path / "plan.yaml", path / "data") as server:
            noted = sizes()
            same(noted[-1]["size"], 2)
            expect(before <= millis(noted[0]["at"]) <= millis(noted[-1]["at"]) <= now(), noted)
            server.batch([track("eve", "add_to_cart")])
            same(told()[-1], 3)
            server.kill()
        (path / "plan.yaml").write_text(PLAN.replace("count(add_to_cart) >= 1", "count(add_to_cart) >= 2"))
        with Server(path / "plan.yaml", path / "data") as server:
            same(told(), [0])
            same(server.ask("/v1/segments/buyer")["sizes"][0]["size"], 0)


# --- the stream ---

STREAM = """
segments:
  shopper: {when: count(add_to_cart) >= 1}
  buyer: {when: count(purchase) >= 1}
  hasty: {when: "count(add_to_cart[2s]) >= 2"}
triggers:
  thanks: {on: purchase, with: {total: sum(purchase.total)}}
  reminder: {enter: count(add_to_cart) >= 3}
"""


def test_stream_tells_changes_and_firings():
    with Started(STREAM) as server:
        server.batch([track("before", "add_to_cart")])
        server.ask("/v1/segments")  # so that it has been told
        everything = Listener(server.port)
        queries = {"type=firing": "!reminder ann,!thanks bob", "segment=shopper": "+shopper ann,+shopper bob", "user=bob": "+shopper bob,+buyer bob,!thanks bob",
                   "segment=buyer&trigger=thanks": "+buyer bob,!thanks bob", "change=leave&segment=hasty,buyer": "-hasty ann",
                   "trigger=reminder": "!reminder ann", "type=transition&user=ann": "+shopper ann,+hasty ann,-hasty ann"}
        some = {query: Listener(server.port, query) for query in queries}
        for _ in range(3):
            server.batch([track("ann", "add_to_cart")])
        server.batch([track("bob", "add_to_cart")])
        server.batch([track("bob", "purchase", {"total": 7})])
        expected = ["+shopper ann", "+hasty ann", "!reminder ann", "+shopper bob", "+buyer bob", "!thanks bob", "-hasty ann"]
        same(sorted(everything.wait(7).told()), sorted(expected))
        for query, told in queries.items():
            same(some[query].wait(told.count(",") + 1).told(), told.split(","), query)
        ids = [tuple(map(int, event[0].split("-"))) for event in everything.events]
        same(ids, sorted(set(ids)), "ids grow")
        by_name = {data.get("segment") or data.get("trigger"): (kind, data) for _, kind, data in everything.events}
        kind, data = by_name["shopper"]
        same((kind, list(data)), ("transition", ["at", "user", "segment", "change", "corrected"]))
        kind, data = by_name["thanks"]
        same((kind, list(data), data["values"]), ("firing", ["at", "trigger", "user", "key", "id", "values"], {"total": 7}))
        # The lists tell the same, the newest first.
        listed = server.ask("/v1/transitions")["transitions"] + server.ask("/v1/firings")["firings"]
        same(sorted(entry["stream_id"] for entry in listed if entry["user"] != "before"), sorted(event[0] for event in everything.events))
        same([entry["trigger"] for entry in server.ask("/v1/firings?limit=1")["firings"]], ["thanks"])
        text = server.request("GET", "/metrics").body.decode()
        expect("attune_stream_clients 8\n" in text and "attune_outbox_effects 8\n" in text, text)
        for listener in (everything, *some.values()):
            listener.close()
        poll(lambda: b"attune_stream_clients 0\n" in server.request("GET", "/metrics").body, "who has left is forgotten")


def test_stream_is_resumed_where_it_was_left():
    with Started(STREAM) as server:
        send = lambda first, last: server.batch([track(f"u{n}", "add_to_cart") for n in range(first, last)])
        position = send(0, 10)
        whole = Listener(server.port, last_id="0").wait(10)
        for place in range(10):
            same(Listener(server.port, last_id=whole.events[place][0]).wait(9 - place).close().events, whole.events[place + 1:], place)
        # `since` is for who cannot send headers; one who comes back with a header has both.
        same(Listener(server.port, "since=0&segment=shopper").wait(10).close().events, whole.events)
        same(Listener(server.port, "since=0", last_id=whole.events[7][0]).wait(2).close().events, whole.events[8:])
        # Everything that comes of what is sent from here on, known by the answer to what was sent before.
        later = Listener(server.port, f"since={position}")
        quiet = Listener(server.port, "segment=buyer")
        poll(lambda: quiet.last_id, "a place, told before anything happens")
        expect(int(quiet.last_id) >= int(position), quiet.last_id, position)
        send(10, 20)
        same(later.wait(10).told(), [f"+shopper u{n}" for n in range(10, 20)])
        # A client in the midst of things.
        left = Listener(server.port, last_id="0").wait(5).close()
        again = Listener(server.port, last_id=left.last_id).wait(20 - len(left.events)).close()
        same(left.events + again.events, whole.wait(20).events)
        for query, header, told in (("segment=shoper", None, 'did you mean "shopper"'), ("trigger=nix", None, "nix"), ("change=enters", None, "enter"),
                                    ("type=fire", None, "fire"), ("sgment=shopper", None, "segment"), ("since=x", None, "since"),
                                    ("since=1-2-3", None, "since"), ("", "999999999-0", "Last-Event-ID"), ("", "x", "Last-Event-ID")):
            answer = server.request("GET", f"/v1/stream?{query}", key=API_KEY, headers={"Last-Event-ID": header} if header else None)
            expect(told in problem(answer, 400, "invalid_parameter")["detail"], answer)
        same(server.request("GET", "/v1/stream", key=WRITE_KEY).status, 403)
        same(server.request("HEAD", "/v1/stream", key=API_KEY).status, 200)
        # HTTP/1.0 knows no chunks, and a browser's EventSource no headers.
        with socket.create_connection(("127.0.0.1", server.port)) as old:
            old.sendall(f"GET /v1/stream?since=0&user=u3&token={API_KEY} HTTP/1.0\r\n\r\n".encode())
            text = b""
            while b'"u3"' not in text:
                text += old.recv(65536)
            expect(b"chunked" not in text and b"\r\n\r\nretry: 1000\nid: 0\n\nid: 4-0\nevent: transition\ndata: {" in text, text)


def test_stream_says_what_is_no_longer_kept():
    with Started(STREAM, extra=("--keep-effects", "100")) as server:
        first = Listener(server.port, last_id="0")
        for n in range(10):
            server.batch([track(f"u{n}-{i}", "add_to_cart") for i in range(50)])
        first.wait(500).close()
        asked = lambda: server.request("GET", "/v1/stream", key=API_KEY, headers={"Last-Event-ID": first.events[50][0]})
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

        def status():
            client.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {API_KEY}", "Last-Event-ID": first.events[50][0]})
            found = client.getresponse().status
            client.close()
            return found
        poll(lambda: status() == 410, "old ones are dropped")
        problem(asked(), 410, "no_longer_kept")
        oldest = Listener(server.port, last_id="0").wait(100).close()
        same(oldest.events, first.events[-len(oldest.events):])
        expect(len(oldest.events) < 200, len(oldest.events))


def test_slow_clients_lose_nothing():
    with Started(STREAM) as server:
        held = Listener(server.port, held=True)
        quick = Listener(server.port)
        count = 0
        for n in range(60):  # more than the kernel takes for a client
            count += 1000
            server.batch([track(f"user-{n}-{i}-{'x' * 200}", "add_to_cart") for i in range(1000)])
        held.reader.start()
        same(len(quick.wait(count).events), count)
        same(held.wait(count).events, quick.events)
        for listener in (held, quick):
            listener.close()


def test_many_listen():
    with Started(STREAM) as server:
        listeners = [Listener(server.port, f"user=u{n % 20}" if n % 2 else "") for n in range(200)]
        for n in range(20):
            server.batch([track(f"u{n}", "add_to_cart"), track(f"u{n}", "purchase")])
        whole = [listener.wait(60).events for listener in listeners[::2]]
        for events in whole:
            same(events, whole[0])
        for n in range(1, 200, 2):
            same(listeners[n].wait(3).told(), [f"+shopper u{n % 20}", f"+buyer u{n % 20}", f"!thanks u{n % 20}"])
        # The end of the server is a whole answer, not a broken one.
        same(server.stop(), 0)
        for listener in listeners:
            listener.reader.join()
            expect(listener.clean_end, "an answer that was broken off")


def test_a_stream_goes_on_after_a_crash():
    """Events keep coming, the server is killed again and again, a client comes back with its last id: it hears of every
    change once, and in the end just what one hears who begins at the beginning."""
    with folder() as path:
        (path / "plan.yaml").write_text(STREAM)
        servers = [Server(path / "plan.yaml", path / "data").ready()]
        ended, sent = threading.Event(), []

        def send():  # like a client library: what is not answered is sent again
            while not ended.is_set():
                number = len(sent)
                events = [track(f"u{number}-{i}", name, messageId=f"m-{number}-{i}-{at}") for i in range(5)
                          for at, name in enumerate(("add_to_cart", "add_to_cart", "add_to_cart", "purchase"))]
                while True:
                    try:
                        if servers[-1].request("POST", "/v1/batch", {"batch": events}, key=WRITE_KEY).status == 200:
                            break
                    except (OSError, http.client.HTTPException):
                        pass
                    if ended.wait(0.005):
                        return
                sent.append(number)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            heard, last_id = [], "0"
            for crash in range(5):
                listener = Listener(servers[-1].port, last_id=last_id)
                listener.wait(500 + 100 * crash)
                if crash % 2:  # gone before the crash, or by it
                    listener.close()
                servers[-1].kill()
                listener.reader.join()
                heard += listener.events
                last_id = heard[-1][0]
                servers.append(Server(path / "plan.yaml", path / "data").ready())
        finally:
            ended.set()
            sender.join()
        users = [f"u{number}-{i}" for number in sent for i in range(5)]
        expected = [f"{what} {user}" for user in users for what in ("+shopper", "+buyer", "+hasty", "-hasty", "!thanks", "!reminder")]
        with servers[-1] as server:
            listener = Listener(server.port, last_id=last_id)
            answered = set(users)
            count = lambda events: sum(data["user"] in answered for _, _, data in list(events))
            poll(lambda: count(heard) + count(listener.events) >= len(expected), "all that came of the events")
            heard += listener.close().events
            ids = [tuple(map(int, event[0].split("-"))) for event in heard]
            expect(all(a < b for a, b in zip(ids, ids[1:])), "ids that do not grow")
            whole = Listener(server.port, last_id="0").wait(len(heard)).close()
            same(whole.events[:len(heard)], heard)
            found = sorted(told for told in whole.told() if told.split(" ")[1] in answered)
            same(found, sorted(expected))


def test_metrics_can_be_read():
    with Started() as server:
        server.batch([track("ann", "add_to_cart"), track("bob", "e")])
        server.send("/v1/track", {"event": "e"})
        server.behavior("ann")
        answer = server.request("GET", "/metrics")
        expect(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer)
        kinds, values = {}, {}
        for line in answer.body.decode().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                expect(name not in kinds and kind in ("counter", "gauge", "histogram"), line)
                kinds[name] = kind
            elif not line.startswith("# HELP "):
                match = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (\d+(?:\.\d+)?)', line)
                expect(match and match[1] in kinds, line)
                values[match[1] + (match[2] or "")] = float(match[3])
        same(values["attune_events_accepted_total"], 2)
        same(values["attune_events_rejected_total"], 1)
        same(values['attune_segment_users{segment="shopper"}'], 1)
        expect(values["attune_log_position"] >= 3, values)
        same(server.request("GET", "/readyz").json, {"status": "ready"})


def test_misbehaving_connections():
    with Started() as server:
        def talk(raw, finish=True):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(raw)
                if finish:
                    connection.shutdown(socket.SHUT_WR)
                received = b""
                while piece := connection.recv(65536):
                    received += piece
                return received

        event = json.dumps(track("ann", "e")).encode()
        head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITE_KEY}\r\n".encode()
        length = b"Content-Length: %d\r\n\r\n" % len(event)
        # Cut off in the midst of its body: nothing is taken.
        talk(head + length + event[:-1])
        server.behavior("ann", status=404)
        # Two in one go, chunked, and byte by byte.
        expect(talk((head + length + event) * 2).count(b"HTTP/1.1 200") == 2, "two requests in one go")
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (1, bytes([c])) for c in event) + b"0\r\n\r\n"
        expect(talk(chunked).startswith(b"HTTP/1.1 200"), "chunked")
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            for byte in head + b"Connection: close\r\n" + length + event:
                connection.sendall(bytes([byte]))
            expect(connection.recv(65536).startswith(b"HTTP/1.1 200"), "byte by byte")
        same(server.behavior("ann")["metrics"]["events"], 4)
        for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", head + b"Content-Length: x\r\n\r\n",
                    head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    head + b"X: " + b"y" * 200_000 + b"\r\n\r\n", head + b"Content-Length: 99999999999\r\n\r\n"):
            try:
                first = talk(raw)
            except ConnectionError:
                continue  # closed while it was told so
            expect(re.match(rb"HTTP/1\.1 (4|505)", first), raw[:60], first[:200])
        same(server.behavior("ann")["metrics"]["events"], 4)
        same(server.ask("/healthz"), {"status": "ok"})


# --- how it ends, and comes back ---

def answers(server, users):
    """All that it says of these users, without what moves by itself."""
    return ({user: server.behavior(user) for user in users}, server.ask("/v1/segments"), server.ask("/v1/dead-letters?limit=1000"),
            sorted(member["user"] for member in server.ask("/v1/segments/shopper/users?limit=1000")["users"]))


def test_a_restart_changes_nothing():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        start = now() - 3_600_000 * 3
        users = [f"user-{number}" for number in range(40)]
        batch = []
        for number in range(600):
            user = users[number * 7 % 40]
            batch.append(track(user, ["add_to_cart", "purchase", "search"][number % 3], {"product_id": str(number % 11), "order_id": "o",
                         "total": 0.1 * (number % 9), "query": "q"}, timestamp=start + number * 1000, messageId=f"m{number}"))
        batch += [{"type": "identify", "userId": "user-1", "traits": {"country": "PL"}, "timestamp": start}, {"event": "broken"}]
        with Server(path / "plan.yaml", path / "data") as server:
            same(server.send("/v1/batch", {"batch": batch}).json["accepted"], 601)
            before = answers(server, users)
        for end in ("stop", "kill", "stop"):
            with Server(path / "plan.yaml", path / "data") as server:
                same(answers(server, users), before, "after a restart")
                # What was sent before still counts as sent.
                server.send("/v1/batch", {"batch": batch[:600]})
                same(server.behavior(users[0]), before[0][users[0]])
                same(answers(server, users), before, "after duplicates")
                if end == "kill":
                    server.kill()


def test_timers_run_on_after_a_restart():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            position = server.batch([track("ann", "add_to_cart"), track("ann", "add_to_cart")])
            at = millis(server.behavior("ann", position)["metrics"]["latest"])
            server.kill()
        with Server(path / "plan.yaml", path / "data") as server:
            poll(lambda: [segment["name"] for segment in server.behavior("ann")["segments"]] == ["hesitant", "shopper"], "the timers")
            since = {segment["name"]: segment["since"] for segment in server.behavior("ann")["segments"]}
            same(since["hesitant"], rfc3339(at + 1000))


def test_a_term_signal_under_load():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        acknowledged, stop = [], threading.Event()
        with Server(path / "plan.yaml", path / "data") as server:
            def send(sender):
                number = 0
                while not stop.is_set():
                    events = [track(f"user-{sender}", "add_to_cart", messageId=f"{sender}-{number}-{i}") for i in range(5)]
                    try:
                        answer = server.request("POST", "/v1/batch", {"batch": events}, key=WRITE_KEY)
                    except (OSError, http.client.HTTPException):
                        return  # gone
                    if answer.status == 503:
                        if "Retry-After" not in answer.headers:
                            failures.append(answer)
                        continue
                    if answer.status != 200:
                        failures.append(answer)
                        return
                    acknowledged.append(sender)
                    number += 1

            failures = []
            senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
            for sender in senders:
                sender.start()
            poll(lambda: len(acknowledged) > 100, "load")
            server.process.send_signal(signal.SIGTERM)
            same(server.wait(), 0, "exit code")
            stop.set()
            for sender in senders:
                sender.join()
            same(failures, [])
            same(server.complaints, [])
        with Server(path / "plan.yaml", path / "data") as server:
            for sender in range(8):
                carts = server.behavior(f"user-{sender}")["metrics"]["carts"]
                sent = 5 * acknowledged.count(sender)
                # One batch may have been stored without that its answer arrived.
                expect(carts in (sent, sent + 5), sender, carts, sent)


if __name__ == "__main__":
    sys.exit(main(globals()))
