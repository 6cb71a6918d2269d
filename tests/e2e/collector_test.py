#!/usr/bin/env python3
"""Events in: every path of the collector, what it accepts and what it refuses. collector_test.py [CASE...]"""

import gzip
import json
import os
import re
import sys
import zlib

import data_files
from harness import API_KEY, WRITE_KEY, Server, expect, folder, main, millis, now, problem, rfc3339, same, track
from shop_server import PLAN, Started


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


if __name__ == "__main__":
    sys.exit(main(globals()))
