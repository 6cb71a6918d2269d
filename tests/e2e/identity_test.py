#!/usr/bin/env python3
"""One person, several ids, while the server runs. identity_test.py [CASE...]

Most pairs of ids here lie in two shards, which two threads own.
"""

import shutil
import sys

from harness import API_KEY, Server, expect, folder, main, now, poll, rfc3339, run, same, track

PLAN = """
timezone: UTC
metrics:
  carts: count(add_to_cart)
  latest: last(any.step)
segments:
  seen: {when: count(any) >= 0}
  shopper: {when: count(add_to_cart) >= 3}
  known: {when: 'trait.name != ""'}
  moved: {when: "sequence(search -> add_to_cart -> purchase)[1d]"}
triggers:
  became_shopper: {enter: count(add_to_cart) >= 3}
"""


def served(path, plan=PLAN):
    (path / "plan.yaml").write_text(plan)
    return Server(path / "plan.yaml", path / "data", extra=("--threads", "4"))


def anonymous(device, event, step=0, at=None):
    return {"type": "track", "anonymousId": device, "event": event, "properties": {"step": step}, "timestamp": rfc3339(at or now())}


def identify(user, device, **traits):
    return {"type": "identify", "userId": user, "anonymousId": device, "traits": traits}


def segments(known):
    return [segment["name"] for segment in known["segments"]]


def unmerge(server, user, status=200):
    answer = server.request("POST", f"/v1/users/{user}/unmerge", key=API_KEY)
    expect(answer.status == status, answer)
    return answer


def test_an_anonymous_history_becomes_the_persons():
    with folder() as path, served(path) as server:
        start = now() - 60_000
        for i in range(40):
            events = [anonymous(f"d{i}", "search", 1, start), anonymous(f"d{i}", "add_to_cart", 2, start + 2), track(f"u{i}", "add_to_cart", {"step": 9}, timestamp=rfc3339(start + 1)),
                      anonymous(f"d{i}", "add_to_cart", 3, start + 3), identify(f"u{i}", f"d{i}", name="Ann"),
                      dict(anonymous(f"d{i}", "purchase", 4))]
            server.batch(events)
        position = server.batch([anonymous("d0", "add_to_cart", 5)])
        for i in range(40):
            for name in (f"u{i}", f"d{i}"):  # both lead to the same user
                known = server.behavior(name, position)
                same(known["user"], f"u{i}")
                same(known["metrics"], {"carts": 4 if i == 0 else 3, "latest": 5 if i == 0 else 4}, name)
                same(segments(known), ["known", "moved", "seen", "shopper"], name)
                same(known["traits"], {"name": "Ann"})
                same(len(known["recent_events"]), 6 if i == 0 else 5)
        listed = server.ask("/v1/segments/seen/users?limit=1000")["users"]
        same(sorted(member["user"] for member in listed), sorted(f"u{i}" for i in range(40)))
        same(server.ask("/v1/segments/seen")["size"], 40)
        same(server.ask("/v1/status")["users"], 40)
        left = [change for change in server.ask("/v1/transitions?limit=1000")["transitions"] if change["user"] == "d7"]
        same(sorted((change["segment"], change["change"], change["corrected"]) for change in left),
             [("seen", "enter", False), ("seen", "leave", False)])


def test_a_known_person_is_merged_into_nobody():
    with folder() as path, served(path) as server:
        server.batch([anonymous("device", "search"), identify("ann", "device"), anonymous("device", "add_to_cart"),
                      identify("bob", "device"), anonymous("device", "add_to_cart"),
                      {"type": "alias", "userId": "bob", "previousId": "ann"}])
        position = server.batch([track("bob", "search")])
        same(server.behavior("ann", position)["metrics"]["carts"], 2)
        same(server.behavior("bob", position)["metrics"]["carts"], 0)
        same(server.behavior("device", position)["user"], "ann")


def test_a_known_person_stays_known_over_a_restart():
    with folder() as path:
        with served(path) as server:
            server.batch([anonymous("device", "add_to_cart"), identify("ann", "device")])
        with served(path) as server:
            position = server.batch([identify("bob", "device"), anonymous("device", "add_to_cart")])
            same(server.behavior("ann", position)["metrics"]["carts"], 2)
            same(server.behavior("bob", position)["metrics"]["carts"], 0)


def test_under_another_plan_ids_lead_elsewhere():
    """A message id that comes again after 10 s is a duplicate under one of two plans alone; under it t is not known, and becomes v's."""
    with folder() as path:
        short, long = PLAN + "dedupe: 5s\n", PLAN + "dedupe: 7d\n"
        start = now() - 60_000
        early = [dict(anonymous("t", "add_to_cart", 1, start), messageId="twice"),
                 dict(identify("t", "x"), messageId="twice", timestamp=rfc3339(start + 10_000)),
                 dict(identify("v", "t"), timestamp=rfc3339(start + 20_000))]
        with served(path, short) as server:
            server.batch(early)
            same(sorted(user for user in ("t", "v") if server.behavior(user)["user"] == user), ["t", "v"])
        with served(path, short) as server:  # which has forgotten who asked for whom
            server.batch([anonymous("t", "add_to_cart", 2, start + 30_000)])
            answer = server.request("PUT", "/v1/plan", long.encode(), key=API_KEY, headers={"Content-Type": "application/yaml"})
            expect(answer.status == 202, answer)
            poll(lambda: server.behavior("t")["user"] == "v", "the plan to change")
            position = server.batch([anonymous("t", "add_to_cart", 3, start + 40_000)])
            served_now = server.behavior("v", position)["metrics"]
            same((served_now["carts"], served_now["latest"]), (3, 3))
            server.kill()
        for _ in range(2):
            with served(path, long) as server:
                poll(lambda: server.request("GET", "/readyz").status == 200, "ready")
                same(server.behavior("v")["metrics"], served_now)
                server.kill()
        run("verify", "--plan", path / "plan.yaml", path / "data", code=0)


def test_aliases_form_chains():
    with folder() as path, served(path) as server:
        server.batch([anonymous("a", "add_to_cart"), {"type": "alias", "userId": "b", "previousId": "a"}, anonymous("b", "add_to_cart"),
                      anonymous("a", "add_to_cart"), {"type": "alias", "userId": "c", "previousId": "a"}, anonymous("a", "search"), anonymous("b", "search")])
        position = server.batch([identify("d", "c")])
        for name in "abcd":
            known = server.behavior(name, position)
            same((known["user"], known["metrics"]["carts"], len(known["recent_events"])), ("d", 3, 5), name)


def test_explain_knows_all_her_events():
    with folder() as path, served(path) as server:
        server.batch([anonymous("device", "add_to_cart"), anonymous("device", "add_to_cart"), identify("ann", "device"), anonymous("device", "add_to_cart"),
                      anonymous("other", "add_to_cart")])
        tree = server.ask("/v1/users/device/explain?segment=shopper")
        same((tree["user"], tree["explanation"]["value"]), ("ann", True))
        same(tree["explanation"]["parts"][0]["event_count"], 3)
        told = run("explain", "--data", path / "data", "ann", "count(add_to_cart)", "--json", code=0)
        expect('"value":3' in told.out, told.out)
        told = run("explain", "--data", path / "data", "device", "count(add_to_cart)", "--json", code=0)
        expect('"value":3' in told.out, told.out)


def test_a_merge_can_be_undone():
    with folder() as path, served(path) as server:
        start = now() - 60_000
        server.batch([anonymous("device", "add_to_cart", 1, start), anonymous("device", "add_to_cart", 2, start + 1),
                      track("ann", "add_to_cart", {"step": 3}, timestamp=rfc3339(start + 2)), identify("ann", "device", name="Ann")])
        position = server.batch([anonymous("device", "search", 4)])
        same(segments(server.behavior("ann", position)), ["known", "seen", "shopper"])
        same(unmerge(server, "ann", 409).json["type"].rsplit("/")[-1], "not_merged")
        same(unmerge(server, "nobody", 404).json["type"].rsplit("/")[-1], "unknown_user")
        answer = unmerge(server, "device")
        same(answer.json, {"user": "device", "from": "ann"})
        position = answer.headers["Attune-Position"]

        def parted(server, position=None):
            ann, device = server.behavior("ann", position), server.behavior("device", position)
            same((ann["user"], ann["metrics"]["carts"], segments(ann)), ("ann", 1, ["known", "seen"]))
            same((device["user"], device["metrics"]["carts"], device["metrics"]["latest"], segments(device)), ("device", 2, 4, ["seen"]))
            same((len(ann["recent_events"]), len(device["recent_events"])), (1, 3))
            same(server.ask("/v1/users/device/explain?expression=count(add_to_cart)")["explanation"]["value"], 2)
            same(server.ask("/v1/users/ann/explain?expression=count(add_to_cart)")["explanation"]["value"], 1)

        parted(server, position)
        # What every page sends again does not join them again; another person may take it.
        position = server.batch([identify("ann", "device", name="Ann")])
        parted(server, position)
        server.kill()
        with served(path) as server:
            parted(server)
            server.kill()
        shutil.rmtree(path / "data/state")  # from the log alone
        with served(path) as server:
            parted(server)
            told = run("explain", "--data", path / "data", "device", "count(add_to_cart)", "--json", code=0)
            expect('"value":2' in told.out, told.out)
            position = server.batch([identify("bob", "device")])
            same(server.behavior("device", position)["user"], "bob")
            same(server.behavior("bob", position)["metrics"]["carts"], 2)


def test_merges_survive_a_kill_at_any_snapshot():
    """The two shards of a merge write their snapshots at different times; a start finds one ahead of the other."""
    with folder() as path:
        expected = {}
        for turn in range(6):
            server = served(path).ready()
            for i in range(30):
                name = f"{turn}-{i}"
                server.batch([anonymous(f"d{name}", "add_to_cart"), anonymous(f"d{name}", "search")])
                if i % 3 == 0:
                    server.batch([track(f"u{name}", "search")])
                before = int(server.batch([identify(f"u{name}", f"d{name}")]))
                expected[name] = 1
                if i % 4 == 0:
                    server.batch([anonymous(f"d{name}", "add_to_cart")])
                    expected[name] += 1
            if turn % 2 == 0:  # some shards have written a snapshot behind the last merges, others have not
                snapshots = lambda: float(next(line.split()[1] for line in server.request("GET", "/metrics", key=API_KEY).body.decode().splitlines()
                                               if line.startswith("attune_snapshots_total")))
                done = snapshots()
                poll(lambda: snapshots() > done + 5, "snapshots")
            expect(before > 0)
            server.kill()
        with served(path) as server:
            for name, carts in expected.items():
                known = server.behavior(f"d{name}")
                same((known["user"], known["metrics"]["carts"]), (f"u{name}", carts), name)
            same(server.ask("/v1/segments/seen")["size"], len(expected))
            same(len(server.ask("/v1/segments/seen/users?limit=1000")["users"]), len(expected))
            same(server.ask("/v1/status")["users"], len(expected))


if __name__ == "__main__":
    sys.exit(main(globals()))
