#!/usr/bin/env python3
"""What the server says of a user: behavior, explanations, segments and their members. behavior_test.py [CASE...]"""

import json
import math
import subprocess
import sys
import urllib.parse

from harness import API_KEY, BINARY, Server, expect, folder, main, millis, now, poll, problem, rfc3339, run, same, track
from shop_server import PLAN, Started

FIELDS = ["user", "traits", "segments", "metrics", "scores", "session", "consents", "recent_events"]


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
        # Another plan: the state is rebuilt from the log.
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
                # Users may have left other segments meanwhile, as time passes.
                latest = next(t for t in server.ask("/v1/transitions?limit=1000", header)["transitions"] if t["segment"] == "shopper")
                same((latest["user"], latest["change"]), (user, "enter"))


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


if __name__ == "__main__":
    sys.exit(main(globals()))
