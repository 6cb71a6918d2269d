#!/usr/bin/env python3
"""Another plan while the server runs. plan_test.py [CASE...]"""

import json
import os
import shutil
import signal
import sys
import threading

from harness import API_KEY, Client, Failure, Server, WRITE_KEY, expect, folder, main, now, poll, rfc3339, run, same, track

PLAN = """
timezone: UTC
metrics:
  carts: count(add_to_cart)
segments:
  seen: {when: count(any) >= 0}
  shopper: {when: count(add_to_cart) >= 3}
  gone: {when: count(search) >= 1}
triggers:
  became_shopper: {enter: count(add_to_cart) >= 3}
"""
OTHER = """
timezone: UTC
metrics:
  carts: count(add_to_cart)
  searches: count(search)
segments:
  seen: {when: count(any) >= 0}
  shopper: {when: count(add_to_cart) >= 2}
  searcher: {when: count(search) >= 2}
triggers:
  became_shopper: {enter: count(add_to_cart) >= 2}
  searched: {enter: count(search) >= 2}
"""


def served(path, **more):
    if not (path / "plan.yaml").exists():
        (path / "plan.yaml").write_text(PLAN)
    return Server(path / "plan.yaml", path / "data", **more)


def put(server, plan, status, query=""):
    answer = server.request("PUT", "/v1/plan" + query, plan, key=API_KEY)
    expect(answer.status == status, answer)
    return answer.json


def changed(server):
    change = {}

    def ended():
        change.update(server.ask("/v1/plan")["change"])
        return change["state"] in ("done", "failed")

    try:
        poll(ended, "the change")
    except Failure as failure:
        raise Failure(f"{failure}: {change}") from None
    same(change["state"], "done", change)


def members(server, segment):
    return sorted(member["user"] for member in server.ask(f"/v1/segments/{segment}/users?limit=1000")["users"])


def fill(server):
    """ann has 3 carts and 1 search, bob 2 carts and 2 searches, cat nothing of either."""
    server.batch([track(user, event) for user, events in
                 {"ann": ["add_to_cart"] * 3 + ["search"], "bob": ["add_to_cart", "search"] * 2, "cat": ["home"]}.items() for event in events])
    server.batch([{"type": "track", "anonymousId": "device", "event": "search"}, {"type": "identify", "userId": "cat", "anonymousId": "device"},
                  {"type": "track", "anonymousId": "device", "event": "search"}])


def check_other(server):
    same(members(server, "seen"), ["ann", "bob", "cat"])
    same(members(server, "shopper"), ["ann", "bob"])
    same(members(server, "searcher"), ["bob", "cat"])
    same({segment["name"]: segment["size"] for segment in server.ask("/v1/segments")["segments"]}, {"seen": 3, "shopper": 2, "searcher": 2})
    same(server.behavior("cat")["metrics"], {"carts": 0, "searches": 2})
    same(server.behavior("device")["user"], "cat")


def test_a_changed_plan_is_built_from_the_log_and_told():
    with folder() as path, served(path) as server:
        fill(server)
        same(members(server, "shopper"), ["ann"])
        put(server, OTHER, 202)
        changed(server)
        same((path / "plan.yaml").read_text(), OTHER)
        check_other(server)
        same(server.ask("/v1/segments/gone", status=404)["code"], "unknown_segment")
        told = [change for change in server.ask("/v1/transitions?limit=1000")["transitions"]]
        position = told[0]["sequence"]
        same(sorted((change["user"], change["segment"], change["change"]) for change in told if change["sequence"] == position),
             [("ann", "gone", "leave"), ("bob", "gone", "leave"), ("bob", "searcher", "enter"), ("bob", "shopper", "enter"),
              ("cat", "gone", "leave"), ("cat", "searcher", "enter")])
        same([firing["user"] for firing in server.ask("/v1/firings")["firings"]], ["ann"], "nothing fires for a change of plan")
        # From here on by the new one.
        position = server.batch([track("ann", "search"), track("dan", "add_to_cart"), track("dan", "add_to_cart")])
        same([segment["name"] for segment in server.behavior("ann", position)["segments"]], ["searcher", "seen", "shopper"])
        same(sorted((firing["trigger"], firing["user"]) for firing in server.ask("/v1/firings")["firings"]),
             [("became_shopper", "ann"), ("became_shopper", "dan"), ("searched", "ann")])
        server.kill()
        with served(path) as server:
            same(members(server, "shopper"), ["ann", "bob", "dan"])
            same(server.ask("/v1/plan")["change"], None)


def test_a_plan_with_a_mistake_is_refused_whole():
    with folder() as path, served(path) as server:
        fill(server)
        answer = put(server, OTHER.replace("count(search) >= 2", "cuont(search) >= 2", 1), 422)
        same((answer["code"], answer["line"]), ("invalid_plan", 9))
        expect("count" in answer["detail"] and "plan.yaml:9:" in answer["detail"], answer)
        put(server, OTHER, 200, "?dry_run=true")
        put(server, PLAN, 200)
        same((path / "plan.yaml").read_text(), PLAN)
        same(server.ask("/v1/plan")["change"], None)
        same(members(server, "shopper"), ["ann"])
        refused = server.request("PUT", "/v1/plan", OTHER, key=WRITE_KEY)
        same(refused.status, 403)


def test_a_hangup_reads_the_file_again():
    with folder() as path, served(path) as server:
        fill(server)
        (path / "plan.yaml").write_text("segments: 7\n")
        server.process.send_signal(signal.SIGHUP)
        poll(lambda: any("the present one goes on" in line for line in server.complaints), "a complaint")
        same(members(server, "shopper"), ["ann"])
        (path / "plan.yaml").write_text(OTHER)
        server.process.send_signal(signal.SIGHUP)
        poll(lambda: server.ask("/v1/plan")["change"], "the change")
        changed(server)
        check_other(server)


def test_a_folder_of_plans_is_changed_by_its_files():
    with folder() as path:
        (path / "plans").mkdir()
        (path / "plans/a.yaml").write_text(PLAN)
        with Server(path / "plans", path / "data") as server:
            same(put(server, OTHER, 409)["code"], "plan_not_replaceable")


def test_changes_under_load_lose_and_double_nothing():
    """Plans change to and fro while clients send; at the end every number is as if the last plan had always held."""
    with folder() as path:
        server = served(path, extra=("--threads", "3")).ready()
        ending = threading.Event()
        sent = [0] * 3
        failures = []

        def send(number):
            client = Client(server.port)
            try:
                while not ending.is_set():
                    batch = [track(f"u{number}-{i % 50}", ("add_to_cart", "search", "home")[i % 3]) for i in range(sent[number], sent[number] + 30)]
                    if sent[number] % 150 == 0:
                        device = f"d{number}-{sent[number]}"
                        batch += [{"type": "track", "anonymousId": device, "event": "search"},
                                  {"type": "identify", "userId": f"u{number}-{sent[number] % 50}", "anonymousId": device}]
                    answer = client.request("POST", "/v1/batch", {"batch": batch}, {"Authorization": f"Bearer {WRITE_KEY}"})
                    same((answer.status, answer.json["accepted"]), (200, len(batch)))
                    answer = client.request("GET", f"/user/u{number}-0/behavior", None, {"Authorization": f"Bearer {API_KEY}"})
                    same(answer.status, 200)  # also so that the changes can keep up on a busy machine
                    sent[number] += 30
            except Exception as failure:
                failures.append(failure)

        clients = [threading.Thread(target=send, args=(number,)) for number in range(3)]
        for client in clients:
            client.start()
        other_holds = lambda: server.ask("/v1/plan")["metrics"] == 2
        for turn in range(7):
            put(server, PLAN if other_holds() else OTHER, 202)
            if turn == 3:  # given up at once, for the one that holds
                answer = server.request("PUT", "/v1/plan", OTHER, key=API_KEY)
                expect(answer.status in (200, 202), answer)
                if answer.status == 200:
                    same(server.ask("/v1/plan")["change"]["state"], "cancelled")
                    continue
            changed(server)
        if not other_holds():
            put(server, OTHER, 202)
            changed(server)
        ending.set()
        for client in clients:
            client.join()
        expect(not failures, failures)

        def figures(server):
            return {user: server.behavior(user)["metrics"] for user in members(server, "seen")}, {
                segment["name"]: (segment["size"], members(server, segment["name"])) for segment in server.ask("/v1/segments")["segments"]}

        live = figures(server)
        same(sum(metrics["carts"] for metrics in live[0].values()), sum(sent) // 3)
        for name, (size, listed) in live[1].items():
            same(len(listed), size, name)
        server.kill()
        with served(path) as server:
            same(figures(server), live, "after a kill")
            server.kill()
        shutil.rmtree(path / "data/state")
        with served(path) as server:
            same(figures(server), live, "from the log alone")


def test_a_plan_reads_schemas_of_its_own_folder_alone():
    """By whichever way it comes."""
    with folder() as path:
        plans = path / "plans"
        (plans / "sub").mkdir(parents=True)
        (path / "outside").mkdir()
        for place, schema in (("plans/sub/in.json", {"type": "string"}), ("outside/out.json", {"secret_keyword": 1})):
            (path / place).write_text(json.dumps(schema))
        (plans / "link.json").symlink_to(path / "outside/out.json")
        named = lambda name: PLAN + f"events:\n  e: {{properties: {{p: \"{name}\"}}}}\n"
        line = len(PLAN.splitlines()) + 2
        leading_out = [(name, f"expected the file of a JSON Schema beneath the plan's folder, found \"{name}\"") for name in
                       ("../outside/out.json", "../outside/missing.json", str(path / "outside/out.json"), str(plans / "sub/in.json"), "sub/../../outside/out.json")]
        leading_out += [(name, f"there is no JSON Schema \"{name}\" beneath the plan's folder") for name in ("link.json", "missing.json")]
        (plans / "plan.yaml").write_text(named("sub/in.json"))
        with Server(plans / "plan.yaml", path / "data") as server:
            for name, message in leading_out:
                for query in ("", "?dry_run=true"):
                    told = put(server, named(name), 422, query)
                    same((told["code"], told["line"], told["column"]), ("invalid_plan", line, 23))
                    same(told["detail"], f"{plans}/plan.yaml:{line}:23: {message}")
            put(server, named("sub/in.json"), 200, "?dry_run=true")
            answer = server.send("/v1/track", track("ann", "e", {"p": 1}))
            same([one["reason"] for one in answer.json["rejected"]], ["invalid_property"])
            (plans / "plan.yaml").write_text(named("link.json"))
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("there is no JSON Schema" in line for line in server.complaints), "the refusal")
            server.complaints.clear()
            same(server.ask("/v1/plan")["change"], None)
        for name, message in leading_out:
            (plans / "plan.yaml").write_text(named(name))
            done = run("check", plans / "plan.yaml", code=2)
            expect(f"plan.yaml:{line}:23: {message}\n" in done.out, done.out)
            expect("secret_keyword" not in done.out + done.err, done.out)


if __name__ == "__main__":
    sys.exit(main(globals()))
