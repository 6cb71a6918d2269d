#!/usr/bin/env python3
"""Events of any time, and what they may cost. times_test.py [CASE...]"""

import json
import sys

from harness import API_KEY, Server, expect, folder, main, millis, now, poll, problem, rfc3339, same, track

# What the language's page shows of the clock, bare.
PLAN = """
timezone: Europe/Warsaw
segments:
  night: {when: hour() >= 20}
  weekend: {when: "weekday() in [6, 7]"}
  year: {when: date() >= 2026-01-01}
  long_gone: {when: "hour() >= 0 and since(e) >= 30d"}
  was_up: {when: "entered(night[7d])"}
"""
YEAR_1 = "0001-01-01T00:00:00Z"
TEN_YEARS = 3650 * 24 * 3600 * 1000
# Five segments: at the event itself, at the instant that reaches the bound, and as the net change.
MOST = 10_000 + 3 * 5


def served(path, plan=PLAN):
    (path / "plan.yaml").write_text(plan)
    return Server(path / "plan.yaml", path / "data")


def transitions(server):
    return server.ask("/v1/status")["transitions"]


def segments(server, user):
    return {segment["name"] for segment in server.behavior(user)["segments"]}


def catch_up(server, users):
    """Waits until the server has let the time of these users pass."""
    for user in users:
        poll(lambda: "long_gone" in segments(server, user), f"the time of {user}")


def goes_on(server, user="someone"):
    position = server.batch([track(user, "e", messageId="goes on")])
    same(server.behavior(user, position)["recent_events"][0]["id"], "goes on")


def rejected(answer):
    return [(one["index"], one["reason"]) for one in answer.json["rejected"]]


def test_old_events_are_refused_live():
    with folder() as path, served(path) as server:
        for timestamp in (YEAR_1, 1, "1970-01-01T00:00:00Z", rfc3339(now() - TEN_YEARS - 60_000)):
            answer = server.send("/v1/track", track("ann", "e", timestamp=timestamp))
            same(rejected(answer), [(0, "timestamp_too_old")], timestamp)
        answer = server.send("/v1/batch", {"batch": [track("ann", "e", timestamp=YEAR_1), track("ann", "e", timestamp=rfc3339(now() - TEN_YEARS + 60_000))]})
        same(rejected(answer), [(0, "timestamp_too_old")])
        answer = server.request("POST", "/v1/events/validate", {"batch": [track("ann", "e", timestamp=YEAR_1)]}, key=API_KEY)
        same(rejected(answer), [(0, "timestamp_too_old")])
        expect(transitions(server) <= MOST, transitions(server))
        same(server.ask("/v1/dead-letters?reason=timestamp_too_old")["dead_letters"][0]["reason"], "timestamp_too_old")
        limits = json.loads(server.request("GET", "/v1/limits").body)["events"]
        same((limits["oldest_event_ms"], limits["ahead_ms"], limits["clock_off_ms"]), (TEN_YEARS, 86_400_000, 365 * 86_400_000))


def test_the_plan_says_how_old():
    with folder() as path, served(path, PLAN + "limits: {oldest_event: 2d}\n") as server:
        day = 86_400_000
        answer = server.send("/v1/batch", {"batch": [track("ann", "e", timestamp=rfc3339(now() - days * day)) for days in (1, 3)]})
        same(rejected(answer), [(1, "timestamp_too_old")])


def test_a_wild_clock_is_ignored():
    """A dozen users, one of whom would have been enough."""
    with folder() as path:
        with served(path) as server:
            before = now()
            events = [track(f"user {i}", "e", timestamp=timestamp, sentAt="9999-01-01T00:00:00Z", messageId=f"m {i}")
                      for i in range(12) for timestamp in (YEAR_1 if i % 2 else rfc3339(now()),)]
            expect(len(json.dumps(events)) < 3000)
            position = server.batch(events)
            for i in range(12):
                recent, = server.behavior(f"user {i}", position)["recent_events"]
                expect(before <= millis(recent["timestamp"]) <= now(), recent)
                same(recent["clock_ignored"], True)
            expect(transitions(server) <= 12 * 5, transitions(server))
            goes_on(server)
            recent, = server.behavior("someone")["recent_events"]
            expect("clock_ignored" not in recent, recent)
        with served(path) as server:
            same(server.behavior("user 3")["recent_events"][0]["clock_ignored"], True)
            goes_on(server, "another")


def test_imports_have_bounds():
    with folder() as path:
        with served(path) as server:
            week = 7 * 86_400_000
            times = [YEAR_1, "9999-12-31T00:00:00Z", rfc3339(now() + week), rfc3339(now() - week), rfc3339(now() + 3_600_000)]
            batch = {"batch": [track(f"user {i}", "e", timestamp=time, messageId=f"m {i}") for i, time in enumerate(times)]}
            answer = server.send("/v1/import", batch)
            same(rejected(answer), [(0, "timestamp_too_old"), (1, "timestamp_out_of_range"), (2, "timestamp_out_of_range")])
            for wrong in ("soon", "10", "0d", "-5d"):
                problem(server.request("POST", f"/v1/import?oldest_event={wrong}", batch, key=API_KEY), 400, "invalid_parameter")
            problem(server.request("POST", "/v1/import?oldest_event=soon", batch, key="nobody's"), 401, "invalid_write_key")
            # Twelve users of the year 1.
            told = transitions(server)
            batch = {"batch": [track(f"old {i}", "e", timestamp=YEAR_1, messageId=f"old {i}") for i in range(12)]}
            position = server.send("/v1/import?oldest_event=800000d", batch).headers["Attune-Position"]
            for i in range(12):
                same(server.behavior(f"old {i}", position)["recent_events"][0]["timestamp"], "0001-01-01T00:00:00.000Z")
            goes_on(server)
            catch_up(server, [f"old {i}" for i in range(12)])
            expect(transitions(server) - told <= 12 * MOST + 20, transitions(server) - told)
        for _ in range(2):  # the first start may have to apply the log again, the second has a snapshot
            with served(path) as server:
                goes_on(server)
                expect({"year", "long_gone", "was_up"} <= segments(server, "old 7"), segments(server, "old 7"))


def test_what_time_alone_brings_is_bounded_after_a_kill():
    """Without a snapshot the log is applied again, and time passes once more."""
    with folder() as path:
        with served(path, PLAN.replace("segments:", "limits: {catch_up: 50}\nsegments:")) as server:
            server.send("/v1/import?oldest_event=800000d", {"batch": [track(f"old {i}", "e", timestamp=YEAR_1) for i in range(12)]})
            catch_up(server, [f"old {i}" for i in range(12)])
            told = server.ask("/v1/transitions?limit=1000")["transitions"]
            expect(12 * 50 <= len(told) <= 12 * (50 + 3 * 5), len(told))
            server.kill()
        with Server(path / "plan.yaml", path / "data") as server:
            goes_on(server)
            again = server.ask("/v1/transitions?limit=1000")["transitions"]
            old = lambda told: [(one["user"], one["segment"], one["change"], one["at"]) for one in told if one["at"] < "2026"]
            same(sorted(old(again)), sorted(old(told)))


def test_letters_are_tried_again_with_another_age():
    with folder() as path, served(path) as server:
        server.send("/v1/import", {"batch": [track("ann", "e", timestamp="1999-01-01T00:00:00Z", messageId="import")]})
        server.send("/v1/track", track("ann", "e", timestamp="1999-01-02T00:00:00Z", messageId="track"))
        ask = lambda **more: server.request("POST", "/v1/dead-letters/replay", {"filter": {}, **more}, key=API_KEY)
        same([row["verdict"] for row in ask().json["rows"]], ["still_refused"] * 2)
        problem(ask(oldest_event="soon"), 400, "invalid_body")
        problem(ask(oldest_event=5), 400, "invalid_body")
        answer = ask(oldest_event="20000d").json
        same([(row["verdict"], row["messageId"]) for row in answer["rows"]], [("replayed", "import"), ("replayed", "track")])
        recent = server.behavior("ann", str(answer["position"]))["recent_events"]
        same([event["timestamp"] for event in recent], ["1999-01-02T00:00:00.000Z", "1999-01-01T00:00:00.000Z"])


if __name__ == "__main__":
    sys.exit(main(globals()))
