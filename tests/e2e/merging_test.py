#!/usr/bin/env python3
"""What merges, their undoing and changes of the plan may cost, counted in work: with a public write key anybody can ask for them.

merging_test.py [CASE...]
"""

import sys
import threading

from harness import API_KEY, Server, expect, folder, main, poll, run, track

PLAN = """
timezone: UTC
metrics:
  carts: count(add_to_cart)
  latest: last(add_to_cart.step[7d])
segments:
  shopper: {when: "count(add_to_cart[10m]) >= 3"}
"""
MANY = 1000


def served(path, plan=PLAN):
    (path / "plan.yaml").write_text(plan)
    return Server(path / "plan.yaml", path / "data", extra=("--threads", "4"))


def anonymous(device, step=0):
    return {"type": "track", "anonymousId": device, "event": "add_to_cart", "properties": {"step": step}}


def identify(user, device):
    return {"type": "identify", "userId": user, "anonymousId": device}


def alias(user, previous):
    return {"type": "alias", "userId": user, "previousId": previous}


def send(server, events):
    position = None
    for i in range(0, len(events), MANY):
        position = server.batch(events[i:i + MANY])
    return position


def figures(server):
    lines = server.request("GET", "/metrics", key=API_KEY).body
    text = lines if isinstance(lines, str) else lines.decode()
    return {name: int(float(value)) for name, value in (line.split() for line in text.splitlines() if line.startswith("attune_") and "{" not in line)}


def carts(server, user, position=None):
    return server.behavior(user, position)["metrics"].get("carts")


def test_one_anonymous_id_and_many_users_merge_once():
    with folder() as path, served(path) as server:
        position = send(server, [anonymous("device")] + [identify(f"u{i}", "device") for i in range(MANY)])
        expect(carts(server, "device", position) == 1)
        told = figures(server)
        expect(told["attune_rebuilds_total"] == 1 and told["attune_rebuilt_records_total"] <= 2, told)
        expect(told["attune_meetings_total"] <= 2, "one merges, one finds a known person, all others need no meeting", told)


def test_a_star_costs_its_links():
    with folder() as path, served(path) as server:
        position = send(server, [event for i in range(MANY) for event in (anonymous(f"d{i}", i), identify("ann", f"d{i}"))])
        expect(carts(server, "ann", position) == MANY)
        told = figures(server)
        expect(told["attune_rebuilds_total"] == MANY, told)
        expect(told["attune_rebuilt_records_total"] <= 3 * MANY, "each merge reads what its anonymous user did", told)


def test_a_chain_costs_its_links():
    with folder() as path, served(path) as server:
        position = send(server, [anonymous("c0", 1)] + [alias(f"c{i + 1}", f"c{i}") for i in range(MANY)])
        expect(carts(server, f"c{MANY}", position) == 1 and carts(server, "c0", position) == 1)
        told = figures(server)
        expect(told["attune_rebuilds_total"] == MANY, told)
        expect(told["attune_rebuilt_records_total"] <= 3 * MANY, told)


def test_logins_into_a_long_history_do_not_read_it():
    with folder() as path, served(path) as server:
        send(server, [track("hot", "add_to_cart", {"step": i}) for i in range(5000)])
        position = send(server, [event for i in range(50) for event in (anonymous(f"d{i}", i), identify("hot", f"d{i}"))])
        expect(carts(server, "hot", position) == 5050)
        told = figures(server)
        expect(told["attune_rebuilds_total"] == 50 and told["attune_rebuilt_records_total"] <= 150, told)


def test_unmerged_users_are_there_after_a_kill():
    with folder() as path:
        with served(path) as server:
            position = send(server, [event for i in range(200) for event in (anonymous(f"d{i}", i), identify("home", f"d{i}"))])
            expect(carts(server, "home", position) == 200)
            poll(lambda: figures(server)["attune_snapshots_total"] >= 64, "snapshots of what was merged")
            for i in range(200):
                answer = server.request("POST", f"/v1/users/d{i}/unmerge", key=API_KEY)
                expect(answer.status == 200, answer)
            server.kill()
        with served(path) as server:
            for i in range(200):
                expect(carts(server, f"d{i}") == 1, i)
        run("verify", path / "data", code=0)


def test_plans_that_change_while_another_change_is_under_way():
    with folder() as path, served(path) as server:
        send(server, [track(f"u{i % 500}", "add_to_cart", {"step": i}) for i in range(20_000)])
        stop = threading.Event()

        # So many that they go on through all changes, and not for ever: a new plan's state is built at low priority, and a client
        # that merges without a pause outruns it where the server is slow, as under a sanitizer.
        def merge():
            for i in range(3_000):
                if stop.is_set():
                    break
                send(server, [anonymous(f"m{i}"), identify(f"u{i % 500}", f"m{i}")])

        merging = threading.Thread(target=merge)
        merging.start()
        try:
            statuses = []

            def put(i):
                plan = PLAN.replace("metrics:", f"metrics:\n  m{i}: count(any[{i + 1}d])")
                statuses.append(server.request("PUT", "/v1/plan", plan, key=API_KEY).status)

            for round_ in range(3):
                putting = [threading.Thread(target=put, args=(round_ * 8 + i,)) for i in range(8)]
                for thread in putting:
                    thread.start()
                for thread in putting:
                    thread.join()
            expect(set(statuses) <= {200, 202}, statuses)
            poll(lambda: server.ask("/v1/plan")["change"]["state"] == "done", "the last change")
        finally:
            stop.set()
            merging.join()
        expect(server.request("GET", "/readyz").status == 200)
        expect(carts(server, "u1") >= 40)
        server.stop()
        run("verify", path / "data", code=0)


if __name__ == "__main__":
    sys.exit(main(globals()))
