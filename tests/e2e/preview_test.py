#!/usr/bin/env python3
"""Previews of segments, and sizes over time. preview_test.py [CASE...]"""

import random
import sys

from harness import API_KEY, Server, expect, folder, main, millis, now, poll, problem, same, track
from shop_server import PLAN, Started


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
        # What was noted before the end is there; another definition starts empty.
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


if __name__ == "__main__":
    sys.exit(main(globals()))
