#!/usr/bin/env python3
"""What was refused: codes, the dry run, questions about dead letters, replays, quotas, rates. dead_letters_test.py [CASE...]"""

import base64
import gzip
import json
import random
import sys
import time

from harness import API_KEY, WRITE_KEY, Client, Server, expect, folder, main, poll, problem, rfc3339, now, same, track

PLAN = """
timezone: UTC
unknown_events: {unknown}
events:
  add_to_cart:
    properties: {{product_id: string, price: {price}, quantity: integer?, gift: boolean?, at: time?}}
  purchase:
    properties: {{total: number}}
  login: {{}}
metrics:
  events: count(any)
  carts: count(add_to_cart)
  spent: sum(add_to_cart.price)
"""


def plan(unknown="keep", price="number"):
    return PLAN.format(unknown=unknown, price=price)


class Started(Server):
    def __init__(self, path, text=None, **more):
        if not (path / "plan.yaml").exists():
            (path / "plan.yaml").write_text(text or plan())
        super().__init__(path / "plan.yaml", path / "data", **more)


def letters(server, query="", **more):
    return server.ask("/v1/dead-letters?limit=1000" + (f"&{query}" if query else ""), **more)["dead_letters"]


def figure(server, name):
    """A number of /metrics, with its labels."""
    for line in server.request("GET", "/metrics", key=API_KEY).body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[-1])
    raise AssertionError(f"no metric {name}")


def replay(server, status=200, filter=None, **more):
    answer = server.request("POST", "/v1/dead-letters/replay", {"filter": filter or {}, **more}, key=API_KEY)
    expect(answer.status == status, answer)
    return answer.json


def change_plan(server, text):
    answer = server.request("PUT", "/v1/plan", text, key=API_KEY)
    expect(answer.status == 202, answer)
    poll(lambda: server.ask("/v1/plan")["change"]["state"] == "done", "the change of the plan")


# --- codes ---


def test_every_code_is_published():
    with folder() as path, Started(path) as server:
        published = json.loads(server.request("GET", "/v1/errors").body)
        same(published["version"], 1)
        codes = {entry["code"]: entry for entry in published["codes"]}
        same(len(codes), len(published["codes"]))
        for entry in codes.values():
            same(list(entry), ["code", "status", "dead_letter", "stage", "retryable", "meaning"])
            expect(entry["status"] is not None or entry["dead_letter"], entry)
            expect(entry["stage"] in ("transport", "parse", "protocol", "schema", "store", "request") and entry["meaning"], entry)
        # What answers say is what the table says.
        write, api = {"key": WRITE_KEY}, {"key": API_KEY}
        for method, target, body, key, code in (
                ("GET", "/v1/nowhere", None, api, "not_found"), ("GET", "/v1/%zz", None, api, "malformed_path"),
                ("DELETE", "/v1/plan", None, api, "method_not_allowed"), ("GET", "/v1/plan", None, write, "insufficient_scope"),
                ("GET", "/v1/plan", None, {}, "invalid_key"), ("POST", "/v1/track", "{}", {}, "invalid_write_key"),
                ("POST", "/v1/track", "{", write, "invalid_json"), ("POST", "/v1/track", "", write, "body_empty"),
                ("POST", "/v1/batch", "{}", write, "no_batch"), ("POST", "/v1/batch", {"batch": [1] * 1001}, write, "batch_too_long"),
                ("POST", "/v1/batch", b"\x1f\x8b\x08", write, "bad_compression"),
                ("POST", "/v1/batch", gzip.compress(random.Random(1).randbytes(1 << 20).hex().encode() * 3), write, "body_too_large"),
                ("GET", "/v1/users/nobody/behavior", None, api, "unknown_user"), ("GET", "/v1/segments/none", None, api, "unknown_segment"),
                ("GET", "/v1/dead-letters/0123456789abcdef", None, api, "unknown_dead_letter"), ("GET", "/v1/dead-letters/x", None, api, "unknown_dead_letter"),
                ("GET", "/v1/dead-letters/replay/x", None, api, "unknown_study"), ("DELETE", "/v1/dead-letters/replay/x", None, api, "unknown_study"),
                ("POST", "/v1/dead-letters/replay", "{}", api, "invalid_body"), ("PUT", "/v1/plan", "segments: 7", api, "invalid_plan"),
                ("POST", "/v1/segments/preview", {"when": "count("}, api, "invalid_expression"), ("GET", "/v1/dead-letters?limit=0", None, api, "invalid_parameter")):
            problem(server.request(method, target, body, **key), codes[code]["status"], code)


def test_limits_are_published():
    with folder() as path, Started(path, extra=("--rate-limit", "1000", "--keep-dead-letters", "77")) as server:
        limits = json.loads(server.request("GET", "/v1/limits").body)
        same(list(limits), ["http", "events", "dead_letters", "rate"])
        same((limits["http"]["body_bytes"], limits["events"]["batch_events"], limits["events"]["event_bytes"]), (4 << 20, 1000, 32 << 10))
        same((limits["dead_letters"]["letters"], limits["rate"]["events_per_second_per_key"], limits["rate"]["events_per_second_per_network"]), (77, 1000, None))


# --- the dry run ---


def some_value(rng):
    return rng.choice([None, True, 0, -1, 2.5, 1e300, "", "12,50", "2026-03-01T10:00:00Z", "null", "x" * 300, [], [1], {}, {"a": {"b": 1}}, 2**53 + 1, "\u00e9\u4e2d"])


def some_event(rng):
    """Good as often as not; else with one to three faults anywhere."""
    name = rng.choice(["Add To Cart", "purchase", "login", "something else"])
    event = {"type": rng.choice(["track"] * 6 + ["identify", "page", "screen", "group", "alias"]), "userId": f"u{rng.randrange(50)}", "event": name,
             "timestamp": rfc3339(now() - rng.randrange(10**7)), "groupId": "g", "previousId": "before",
             "properties": {"product_id": "A", "price": rng.randrange(100), "total": 5}}
    if rng.random() < 0.8:
        event["messageId"] = f"m{rng.randrange(10**9)}"
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
        if rng.random() < 0.4:
            event["properties"] = dict(event["properties"]) if isinstance(event["properties"], dict) else {}
            event["properties"][rng.choice(["product_id", "price", "quantity", "gift", "at", "total"])] = some_value(rng)
        elif rng.random() < 0.2:
            event.pop(rng.choice(list(event)))
            event.setdefault("properties", {})
        else:
            event[rng.choice(["type", "userId", "anonymousId", "event", "timestamp", "sentAt", "properties", "context", "traits", "messageId", "groupId"])] = some_value(rng)
            event.setdefault("properties", {})
    return event if rng.random() > 0.01 else some_value(rng)


def test_the_dry_run_says_what_collecting_says():
    rng = random.Random(20260301)
    refused = known = 0
    with folder() as path, Started(path, plan(unknown="refuse")) as server:
        for _ in range(50):
            body = json.dumps({"batch": [some_event(rng) for _ in range(200)], "sentAt": rfc3339(now())})
            before = server.ask("/v1/status")["position"]
            dry = server.request("POST", "/v1/events/validate", body, key=rng.choice([WRITE_KEY, API_KEY]))
            same(dry.status, 200, dry)
            again = server.request("POST", "/v1/events/validate", body, key=WRITE_KEY)
            same(server.ask("/v1/status")["position"], before, "a dry run leaves the log alone")
            same(again.json, dry.json, "the same body, the same verdicts")
            collected = server.send("/v1/batch", body).json
            same(dry.json["accepted"], collected["accepted"])
            for told, kept in zip(dry.json["rejected"], collected["rejected"], strict=True):
                errors = told.pop("errors")
                same(told, kept)
                expect(1 <= len(errors) <= 20, errors)
                same({name: errors[0][name] or None for name in ("reason", "field", "detail")}, {name: told[name] or None for name in ("reason", "field", "detail")})
                expect(all(len(error.get("value_preview", "").encode()) <= 64 for error in errors), errors)
            refused += len(collected["rejected"])
            known += collected["accepted"]
            same(server.send("/v1/batch", body).json, collected, "the same body, the same verdicts")
        expect(refused > 2000 and known > 2000, refused, known)
        same(figure(server, "attune_events_rejected_total"), 2 * refused)
        # Single events and whole bodies.
        for _ in range(300):
            event = some_event(rng)
            if not isinstance(event, dict) or event.get("type") not in ("track", "identify", "page", "screen", "group", "alias"):
                continue
            dry = server.request("POST", "/v1/events/validate", event, key=WRITE_KEY)
            kept = server.request("POST", "/v1/" + event["type"], event, key=WRITE_KEY)
            same(dry.status, kept.status, event)
            same([told["reason"] for told in dry.json["rejected"]], [told["reason"] for told in kept.json["rejected"]])
        for body in (b"", b"{", b"\xff", b"[]", b'{"batch":7}', gzip.compress(b"{}")[:-3], json.dumps({"batch": [1] * 1001})):
            dry = server.request("POST", "/v1/events/validate", body, key=WRITE_KEY)
            kept = server.request("POST", "/v1/batch", body, key=WRITE_KEY)
            same((dry.status, dry.json["code"]), (kept.status, kept.json["code"]), body[:40])
        problem(server.request("POST", "/v1/events/validate", "{}"), 401, "invalid_key")
        same(server.request("POST", "/v1/events/validate", {"batch": [track("a", "login"), track("a", "Nobody Knows")]}, key=WRITE_KEY).json["accepted"], 1)


def test_all_errors_are_told():
    bad = {"type": "track", "userId": "null", "event": "add to cart", "timestamp": "never", "properties": {"price": "p" * 200, "quantity": 1.5, "gift": "no"}, "context": 7}
    with folder() as path, Started(path) as server:
        told = server.request("POST", "/v1/events/validate", bad, key=WRITE_KEY).json["rejected"][0]["errors"]
        same({error["field"]: error["reason"] for error in told}, {
            "userId": "identity_placeholder", "timestamp": "invalid_timestamp", "context": "invalid_field", "properties.product_id": "missing_property",
            "properties.price": "invalid_property", "properties.quantity": "invalid_property", "properties.gift": "invalid_property"})
        previews = {error["field"]: error.get("value_preview") for error in told}
        same((previews["userId"], previews["context"], previews["properties.product_id"], previews["properties.quantity"]), ('"null"', "7", None, "1.5"))
        same(len(previews["properties.price"].encode()), 64)
        server.send("/v1/track", bad)
        same(letters(server)[0]["errors"], told)
        for id in ("null", "undefined", "anonymous", "00000000-0000-0000-0000-000000000000", "n/a", "nil", "none", "NULL", "N/A"):
            for field in ("userId", "anonymousId"):
                answer = server.send("/v1/track", {"event": "login", "userId" if field != "userId" else "traits": "ann" if field != "userId" else {}, field: id})
                same([(told["reason"], told["field"]) for told in answer.json["rejected"]], [("identity_placeholder", field)], id)
        for at, reason in ((now() + 25 * 3_600_000, "timestamp_out_of_range"), (now() + 23 * 3_600_000, None), ("soon", "invalid_timestamp"), (True, "invalid_timestamp")):
            answer = server.send("/v1/track", track("ann", "login", timestamp=at))
            same([told["reason"] for told in answer.json["rejected"]], [reason] if reason else [], at)


# --- what is asked of them ---


def test_letters_are_found_by_what_they_are():
    with folder() as path, Started(path, plan(unknown="refuse")) as server:
        begun = rfc3339(now() - 1)
        server.send("/v1/batch", {"batch": [track("ann", "Add To Cart", {"price": "x"}, messageId=f"c{i}") for i in range(30)] + [track("ann", "Nobody Knows", messageId="n")]})
        server.send("/v1/track", {"userId": "ann", "event": "purchase", "messageId": "p"})
        server.send("/v1/track", {"userId": "ann", "event": "purchase", "messageId": "p"})
        server.send("/v1/batch", "nonsense", status=400)
        same(len(letters(server)), 33)
        counts = {
            "reason=unknown_event": 1, "reason=missing_property": 31, "reason=invalid_json": 1, "source=/v1/batch": 32, "source=/v1/track": 1, "source=/v1/batch[3]": 1,
            "source=/v1/bat": 0, "event=add_to_cart": 30, "event=ADD%20to%20cart": 30, "event=purchase": 1, "event=other": 0, "state=new": 33, "state=replayed": 0,
            f"since={begun}": 33, f"until={begun}": 0, "reason=missing_property&event=purchase": 1, "reason=missing_property&source=/v1/batch&state=new": 30}
        for query, count in counts.items():
            found = letters(server, query)
            same(len(found), count, query)
            exported = server.request("GET", f"/v1/dead-letters/export?{query}", key=API_KEY)
            same((exported.status, exported.headers["Content-Type"]), (200, "application/x-ndjson; charset=utf-8"))
            expect(exported.headers["Content-Disposition"].startswith("attachment"), exported.headers)
            same([json.loads(line) for line in exported.body.splitlines()], found, query)
        for query in ("reason=none", "reason=not_found", "state=old", "since=yesterday", "until=x", "event=", "limit=x"):
            problem(server.request("GET", f"/v1/dead-letters?{query}", key=API_KEY), 400, "invalid_parameter")
        problem(server.request("GET", "/v1/dead-letters?cursor=x", key=API_KEY), 400, "invalid_parameter")
        one = letters(server, "reason=unknown_event")[0]
        same(server.ask("/v1/dead-letters/" + one["id"]), one)
        same((one["name"], one["class"], one["state"], one["replayed_as"], one["source"]), ("nobody_knows", "event", "new", None, "/v1/batch[30]"))
        # In pages with a filter.
        listed, cursor = [], ""
        while cursor is not None:
            page = server.ask(f"/v1/dead-letters?limit=7&event=add_to_cart{cursor and '&cursor=' + cursor}")
            listed += page["dead_letters"]
            cursor = page["next"]
        same(listed, letters(server, "event=add_to_cart"))
        groups = server.ask("/v1/dead-letters/groups")
        same((groups["left_out"], [(group["reason"], group["field"], group["event"], group["letters"], group["repeats"]) for group in groups["groups"]][0]),
             (0, ("missing_property", "properties.product_id", "add_to_cart", 30, 0)))
        same(sum(group["letters"] for group in groups["groups"]), 33)
        bought = next(group for group in groups["groups"] if group["event"] == "purchase")
        same((bought["repeats"], bought["example"]), (1, letters(server, "event=purchase")[0]["id"]))
        expect(bought["first"] <= bought["last"], bought)
        same(server.ask("/v1/dead-letters/groups?limit=1")["left_out"], 3)
        same(server.ask("/v1/dead-letters/groups?event=purchase")["groups"], [bought])


def test_a_large_export_is_whole():
    with folder() as path, Started(path) as server:
        for batch in range(20):
            server.send("/v1/batch", {"batch": [{"event": "e", "type": "track", "messageId": f"{batch}-{i}", "properties": {"text": "t" * 1000}} for i in range(1000)]})
        exported = server.request("GET", "/v1/dead-letters/export", key=API_KEY).body
        expect(len(exported) > 20_000_000, len(exported))
        same(sorted(json.loads(line)["messageId"] for line in exported.splitlines()), sorted(f"{batch}-{i}" for batch in range(20) for i in range(1000)))


# --- replays ---


def test_a_replay_takes_what_the_plan_takes():
    with folder() as path, Started(path, plan(price="integer")) as server:
        at = now() - 3_600_000
        bad = [track("ann", "add_to_cart", {"product_id": "A", "price": 1.5}, messageId=f"m{i}", timestamp=rfc3339(at + i)) for i in range(3)]
        bad += [track("ann", "add_to_cart", {"product_id": "A", "price": 2.5}), track("ann", "add_to_cart", {"product_id": "A", "price": "x"}, messageId="bad")]
        server.send("/v1/batch", {"batch": bad, "sentAt": rfc3339(now())})
        server.send("/v1/import", {"batch": [track("bob", "add_to_cart", {"product_id": "A", "price": 9.5}, timestamp="2020-01-01T00:00:00Z")]})
        server.send("/v1/batch", b"\xff\xfe" * 20_000, status=400)
        kept = {letter["id"]: letter for letter in letters(server)}
        same(len(kept), 7)
        dry = replay(server, dry_run=True)
        same((dry["dry_run"], dry["matched"], dry["replayed"], dry["still_refused"], dry["not_replayable"], dry["position"]), (True, 7, 0, 6, 1, None))
        change_plan(server, plan(price="number"))
        dry = replay(server, dry_run=True)
        same((dry["replayed"], dry["still_refused"], dry["not_replayable"]), (5, 1, 1))
        same({letter["id"]: letter for letter in letters(server)}, kept, "looking changes nothing")
        done = replay(server, filter={"event": "Add To Cart", "source": "/v1/batch"})
        same((done["matched"], done["replayed"], done["still_refused"], done["not_replayable"], done["rows_left_out"]), (5, 4, 1, 0, 0))
        refused = [row for row in done["rows"] if row["verdict"] == "still_refused"]
        same([(row["messageId"], row["reason"], row["field"]) for row in refused], [("bad", "invalid_property", "properties.price")])
        found = server.behavior("ann", str(done["position"]))
        same(found["metrics"], {"events": 4, "carts": 4, "spent": 7})
        # The times are those of the letters, not of the replay.
        same({event["id"]: event["timestamp"] for event in found["recent_events"] if event["id"].startswith("m")}.keys(), {"m0", "m1", "m2"})
        made = next(event for event in found["recent_events"] if event["id"].startswith("dead-letter-"))
        same(made["timestamp"], kept[made["id"].removeprefix("dead-letter-")]["received"])
        expect(all(abs(int(time.time() * 1000) - 3_600_000 - at) < 600_000 for _ in [0]), at)
        same({letter["id"]: letter["replayed_as"] for letter in letters(server, "state=replayed")}, {row["id"]: row["sequence"] for row in done["rows"] if row["verdict"] == "replayed"})
        # Again: only what is left.
        again = replay(server)
        same((again["matched"], again["replayed"], again["still_refused"], again["not_replayable"]), (3, 1, 1, 1))
        same(server.behavior("bob", str(again["position"]))["recent_events"][0]["timestamp"], "2020-01-01T00:00:00.000Z")
        same(replay(server)["replayed"], 0)
        same(server.behavior("ann")["metrics"]["events"], 4)
        # Its client, who never heard, sends one again: a duplicate.
        server.send("/v1/batch", {"batch": bad[:3]})
        same(server.behavior("ann")["metrics"]["events"], 4)
        states = {letter["id"]: letter["state"] for letter in letters(server)}
        server.kill()
        with Started(path) as server:
            same({letter["id"]: letter["state"] for letter in letters(server)}, states)
            same(replay(server)["replayed"], 0)
            same(server.behavior("ann")["metrics"]["events"], 4)
        for wrong in ({}, {"filter": 1}, {"filter": {"reason": "x"}}, {"filter": {"limit": "1"}}, {"filter": {"state": "replayed"}}, {"filter": {"event": 1}},
                      {"filter": {}, "dry_run": "yes"}, {"filter": {}, "patch": {}}, []):
            with Started(path) as server:
                problem(server.request("POST", "/v1/dead-letters/replay", wrong, key=API_KEY), 400, "invalid_body")
                problem(server.request("POST", "/v1/dead-letters/replay", {"filter": {}}, key=WRITE_KEY), 403, "insufficient_scope")


COUNT = 1000


def killed_in_the_middle(seed):
    """1,000 letters, a plan that takes them, replays that are killed, and one that is not. True: a kill left some done and some not."""
    rng = random.Random(seed)
    halfway = False
    with folder() as path:
        (path / "plan.yaml").write_text(plan(unknown="refuse", price="integer"))
        with Started(path) as server:
            for start in range(0, COUNT, 250):
                # With a message id and without, with times and without.
                server.send("/v1/batch", {"batch": [dict(
                    track(f"u{i % 10}", "add_to_cart", {"product_id": f"{i}", "price": 0.5}), **({"messageId": f"m{i}"} if i % 3 else {}),
                    **({"timestamp": rfc3339(now() - i)} if i % 2 else {})) for i in range(start, start + 250)]})
            same(len(letters(server)), COUNT)
            change_plan(server, plan(unknown="refuse", price="number"))
            server.kill()
        for _ in range(4):
            with Started(path) as server:
                answer = server.request("POST", "/v1/dead-letters/replay", {"filter": {}}, key=API_KEY, headers={"Prefer": "respond-async"})
                same(answer.status, 202, answer)
                place = answer.headers["Location"]
                wanted = rng.randrange(0, COUNT // 2)
                poll(lambda: (told := server.ask(place))["state"] != "running" or told["done"] >= wanted, "some of the replay")
                server.kill()
            with Started(path) as server:
                left = len(letters(server, "state=new"))
                halfway |= 0 < left < COUNT
                server.kill()
        with Started(path) as server:
            last = replay(server)
            same((last["still_refused"], last["not_replayable"]), (0, 0))
            same(len(letters(server, "state=replayed")), COUNT)
            for user in range(10):
                same(server.behavior(f"u{user}")["metrics"], {"events": COUNT // 10, "carts": COUNT // 10, "spent": COUNT // 20}, f"u{user}")
            same(replay(server)["matched"], 0)
    return halfway


def test_a_replay_that_is_killed_counts_once():
    # Where a kill falls is chance: until one has left work half done.
    halfway = [killed_in_the_middle(seed) for seed in range(2)]
    for seed in range(2, 20):
        if any(halfway):
            break
        halfway.append(killed_in_the_middle(seed))
    expect(any(halfway), "no kill came in the middle of a replay")


def test_a_replay_is_a_study():
    with folder() as path, Started(path, plan(price="integer")) as server:
        server.send("/v1/batch", {"batch": [track("ann", "add_to_cart", {"product_id": "A", "price": 0.5}) for _ in range(100)]})
        change_plan(server, plan())
        answer = server.request("POST", "/v1/dead-letters/replay", {"filter": {}}, key=API_KEY, headers={"Prefer": "respond-async"})
        same((answer.status, answer.headers["Preference-Applied"]), (202, "respond-async"))
        place = answer.headers["Location"]
        poll(lambda: server.ask(place)["state"] == "done", "the replay")
        told = server.ask(place)
        same((told["result"]["replayed"], len(told["result"]["rows"]), told["done"]), (100, 100, 100))
        same(server.request("DELETE", place, key=API_KEY).status, 204)
        problem(server.request("GET", place, key=API_KEY), 404, "unknown_study")


def test_a_request_that_is_sent_again_by_its_key_counts_once():
    with folder() as path, Started(path) as server:
        body = {"batch": [{"type": "track", "userId": "ann", "event": "login"}] * 3}
        for key, events in (("one", 3), ("one", 3), ("two", 6), ("two", 6), ("", 9)):
            position = server.send("/v1/batch", body, headers={"Idempotency-Key": key}).headers["Attune-Position"]
            same(server.behavior("ann", position)["metrics"]["events"], events, key)
        ids = {server.send("/v1/track", {"userId": "bob", "event": "login"}, headers={"Idempotency-Key": "x"}).json["messageId"] for _ in range(3)}
        same((len(ids), server.behavior("bob")["metrics"]["events"]), (1, 1))


# --- whole requests ---


def test_a_request_that_is_refused_is_kept():
    long = b"{" + b"x" * 100_000
    packed = gzip.compress(b"{}")[:-3]
    with folder() as path:
        with Started(path) as server:
            for target, body, code, status in (("/v1/track", b"{\"nonsense\": \xc3\xa9", "invalid_json", 400), ("/v1/batch", packed, "bad_compression", 400), ("/v1/batch", long, "invalid_json", 400),
                                               ("/v1/batch", b"{\"batch\": 7}", "no_batch", 400), ("/v1/track", b"", "body_empty", 400), ("/v1/batch", json.dumps({"batch": [1] * 1001}).encode(), "batch_too_long", 413)):
                told = problem(server.request("POST", target, body, key=WRITE_KEY), status, code)
                letter = letters(server)[0]
                same((letter["class"], letter["source"], letter["reason"], letter["original_bytes"], letter["truncated"]), ("request", target, code, len(body), len(body) > 32 << 10), told)
                if letter["encoding"] == "base64":
                    same(base64.b64decode(letter["event"]), body)
                else:
                    same(letter["event"].encode(), body[:32 << 10])
                same(letter["encoding"], "base64" if body == packed else "text")
                same((letter["errors"][0]["reason"], letter["detail"]), (code, told["detail"]))
            kept = letters(server)
            # The same again is the same letter; without a key nothing is kept, nor what another server of ours would refuse.
            server.send("/v1/track", b"{\"nonsense\": \xc3\xa9", status=400)
            problem(server.request("POST", "/v1/track", b"{", headers={}), 401, "invalid_write_key")
            problem(server.request("POST", "/v1/track", b"{", key="wrong"), 401, "invalid_write_key")
            same([letter["id"] for letter in letters(server)], [letter["id"] for letter in kept])
            same(letters(server)[-1]["repeats"], 1)
            same(figure(server, 'attune_requests_refused_total{code="invalid_json"}'), 3)
            same(figure(server, 'attune_requests_refused_total{code="invalid_write_key"}'), 2)
            same(figure(server, 'attune_dead_letters_total{reason="invalid_json"}'), 3)
            kept = letters(server)
            server.kill()
        with Started(path) as server:
            same(letters(server), kept, "durable before it was answered")
            done = replay(server, filter={"reason": "invalid_json"})
            same(sorted(row["verdict"] for row in done["rows"]), ["not_replayable", "still_refused"])


def test_junk_does_not_fill_the_disk():
    with folder() as path, Started(path) as server:
        for i in range(1500):
            problem(server.request("POST", "/v1/batch", f"junk {i}", key=WRITE_KEY), 400, "invalid_json")
        same(figure(server, 'attune_requests_refused_total{code="invalid_json"}'), 1500)
        kept = figure(server, "attune_dead_letters_kept")
        expect(100 <= kept < 1400, kept)
        same(len(letters(server)), kept)
        # An event that is refused is kept all the same.
        same(len(server.send("/v1/track", {"event": "e"}).json["rejected"]), 1)
        same(letters(server)[0]["reason"], "identity_missing")


def test_beyond_the_quota_junk_goes_first():
    extra = ("--keep-dead-letters", "50")
    with folder() as path:
        with Started(path, extra=extra) as server:
            for i in range(20):
                server.send("/v1/batch", f"junk {i}", status=400)
            server.send("/v1/batch", {"batch": [{"type": "track", "event": "e", "messageId": f"m{i}"} for i in range(40)]})
            found = letters(server)
            same((len(found), sum(letter["class"] == "request" for letter in found)), (50, 10))
            same({letter["event"] for letter in found if letter["class"] == "request"}, {f"junk {i}" for i in range(10, 20)}, "the oldest went")
            server.send("/v1/batch", {"batch": [{"type": "track", "event": "e", "messageId": f"m{i}"} for i in range(40, 100)]})
            found = letters(server)
            same([letter["messageId"] for letter in found], [f"m{i}" for i in range(99, 49, -1)])
            same((figure(server, "attune_dead_letters_dropped_total"), figure(server, "attune_dead_letters_kept")), (70, 50))
            # What went may come again as a letter of its own.
            server.send("/v1/track", {"event": "e", "messageId": "m0"})
            same([letter["messageId"] for letter in letters(server)][:2], ["m0", "m99"])
            found = letters(server)
            server.kill()
        with Started(path, extra=extra) as server:
            same(letters(server), found)
            same(figure(server, "attune_dead_letters_kept"), 50)
            same(figure(server, "attune_dead_letters_kept_bytes") > 50 * 100, True)
        with Started(path, extra=("--keep-dead-letters", "5")) as server:
            same(letters(server), found[:5])


# --- rates ---


def test_a_key_may_send_so_many_events_a_second():
    with folder() as path, Started(path, extra=("--rate-limit", "50")) as server:
        started = time.monotonic()
        verdicts = {200: 0, 429: 0}
        while time.monotonic() - started < 4:
            answer = server.request("POST", "/v1/track", track("ann", "login"), key=WRITE_KEY)
            verdicts[answer.status] += 1
            if answer.status == 429:
                same(problem(answer, 429, "rate_limited")["status"], 429)
                same(answer.headers["Retry-After"], "1")
        elapsed = time.monotonic() - started
        # Never more than the rate and one second's worth. (Fewer, when the machine does not let the client ask often enough.)
        expect(verdicts[200] <= 50 * elapsed + 51, verdicts, elapsed)
        expect(verdicts[429] > 0, verdicts)
        # Another key does not notice; a batch of more than a second's worth is let in, and paid for.
        answer = server.request("POST", "/v1/batch", {"batch": [track("bob", "login")] * 1000}, key=API_KEY)
        same((answer.status, answer.json["accepted"]), (200, 1000))
        late = server.request("POST", "/v1/batch", {"batch": [track("bob", "login")]}, key=API_KEY)
        problem(late, 429, "rate_limited")
        expect(15 <= int(late.headers["Retry-After"]) <= 20, late.headers["Retry-After"])
        problem(server.request("POST", "/v1/events/validate", track("bob", "login"), key=API_KEY), 429, "rate_limited")
        same(server.ask("/v1/status")["dead_letters"], 0)
        same(server.behavior("ann")["metrics"]["events"], verdicts[200], "what was refused is not stored")
        same(figure(server, 'attune_requests_refused_total{code="rate_limited"}'), verdicts[429] + 2)


def test_a_network_may_send_so_many_events_a_second():
    with folder() as path, Started(path, extra=("--rate-limit-network", "5")) as server:
        server.send("/v1/batch", {"batch": [track("ann", "login")] * 1000})
        for key in (WRITE_KEY, API_KEY, None, "wrong"):
            answer = server.request("POST", "/v1/track", track("ann", "login"), key=key)
            problem(answer, 429, "rate_limited")
            expect(100 < int(answer.headers["Retry-After"]) <= 200, answer.headers["Retry-After"])
        server.ask("/v1/status")


if __name__ == "__main__":
    sys.exit(main(globals()))
