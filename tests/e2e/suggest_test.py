#!/usr/bin/env python3
"""`attune suggest` and GET /v1/suggest from outside, held against a count by hand in Python. suggest_test.py [CASE...]"""

import csv
import json
import lzma
import math
import random
import sys
import urllib.parse

from data_files import data_set
from harness import API_KEY, ROOT, Server, expect, folder, main, millis, now, poll, problem, rfc3339, run, same, track

PLAN = """
timezone: UTC
events:
  view: {}
  purchase: {properties: {total: number?}}
metrics:
  views: count(view[3d])
  idle: since(view)
  label: last(view.kind)
segments:
  viewer: {when: views >= 1}
"""
DAY = 86_400_000
START = millis("2026-03-01T00:00:00.000Z")


def history(seed=1, users=150, days=40, base=START):
    """Users who view in bursts; those who view much buy soon after, mostly."""
    chooser = random.Random(seed)
    events = []
    for i in range(users):
        eager = chooser.random() < 0.3
        for day in range(days):
            views = chooser.randrange(4, 9) if eager and chooser.random() < 0.5 else chooser.randrange(0, 3)
            events += [(base + day * DAY + chooser.randrange(DAY), f"u{i}", "view") for _ in range(views)]
            if chooser.random() < (0.12 if eager else 0.01):
                events.append((base + day * DAY + chooser.randrange(DAY), f"u{i}", "purchase"))
    events.append((base, "u0", "view"))
    events.append((base + days * DAY, "u0", "view"))
    return sorted(events)


def as_events(rows):
    return [track(user, name, {"total": 60} if name == "purchase" else {}, messageId=f"m{i}", timestamp=rfc3339(at)) for i, (at, user, name) in enumerate(rows)]


def observations(rows, at, horizon, value):
    """(value, reached) of each user known at the instant."""
    known = {}
    for when, user, name in rows:
        if when <= at:
            known.setdefault(user, []).append((when, name))
    reached = {user for when, user, name in rows if name == "purchase" and at < when <= at + horizon}
    return [(value(events, at), user in reached) for user, events in known.items()]


def views(events, at):
    return sum(1 for when, name in events if name == "view" and at - 3 * DAY < when <= at)


def judge(seen, selects):
    inside = [reached for value, reached in seen if value is not None and selects(value)]
    return {"users": len(seen), "reached": sum(r for _, r in seen), "in": len(inside), "reached_in": sum(inside)}


def youden(figures):
    missed = figures["users"] - figures["reached"]
    return figures["reached_in"] / figures["reached"] - (figures["in"] - figures["reached_in"]) / missed


def only(figures, names=("users", "reached", "in", "reached_in")):
    return {name: figures[name] for name in names}


def wilson(k, n, z=1.959963984540054):
    p, centre = k / n, k / n + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)]


def close(found, expected, what):
    expect(len(found) == len(expected) and all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(found, expected)), what, found, expected)


class Files:
    def __init__(self, events, plan=PLAN):
        self.events, self.plan = events, plan

    def __enter__(self):
        self.folder = folder()
        path = self.folder.__enter__()
        (path / "plan.yaml").write_text(self.plan)
        (path / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in self.events))
        self.path = path
        return self

    def __exit__(self, *error):
        self.folder.__exit__(*error)

    def suggest(self, *options, code=0):
        return run("suggest", "--plan", self.path / "plan.yaml", "--events", self.path / "events.ndjson", *options, code=code)

    def json(self, *options):
        return json.loads(self.suggest("--json", *options).out)


def test_agrees_with_a_count_by_hand():
    for seed in range(3):
        rows = history(seed)
        with Files(as_events(rows)) as files:
            told = files.json("--metric", "views", "--goal", "purchase", "--horizon", "5d")
            same((told["first"], told["last"]), (rfc3339(START), rfc3339(START + 40 * DAY)))
            same((told["at"], told["validate_at"], told["horizon"]), (rfc3339(START + 20 * DAY), rfc3339(START + 30 * DAY), 5 * DAY))
            chosen, checked = (observations(rows, START + day * DAY, 5 * DAY, views) for day in (20, 30))
            spread = told["distribution"]
            same((spread["users"], spread["reached"], spread["with_value"]), (len(chosen), sum(r for _, r in chosen), len(chosen)))
            values = sorted(value for value, _ in chosen)
            for name, share in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99)):
                same(spread["quantiles"][name], values[math.ceil(share * len(values) - 1e-9) - 1], name)
            same(sum(part["users"] for part in spread["histogram"]), len(chosen))
            same(sum(part["reached"] for part in spread["histogram"]), spread["reached"])
            # The best of all cuts on either side.
            best = max(youden(judge(chosen, selects)) for limit in set(values)
                       for selects in (lambda value: value >= limit, lambda value: value <= limit))
            cut = told["best"]
            expect(math.isclose(cut["chosen"]["j"], best), cut, best)
            for found in [cut] + told["quantiles"]:
                metric, sign, limit = found["when"].split()
                same((metric, sign, float(limit)), ("views", ">=", found["at"]))
                selects = lambda value: value >= found["at"]
                same(only(found["chosen"]), judge(chosen, selects))
                figures = judge(checked, selects)
                same(only(found["checked"]), figures)
                close([found["checked"]["j"]], [youden(figures)], "J")
                if figures["in"] == 0:  # what is a share of nobody is not told
                    same([found["checked"][name] for name in ("precision", "lift", "precision_interval", "lift_interval")], [None] * 4)
                    continue
                precision, recall = figures["reached_in"] / figures["in"], figures["reached_in"] / figures["reached"]
                close([found["checked"][name] for name in ("precision", "recall", "lift")],
                      [precision, recall, precision / (figures["reached"] / figures["users"])], "figures")
                close(found["checked"]["precision_interval"], wilson(figures["reached_in"], figures["in"]), "precision")
                close(found["checked"]["recall_interval"], wilson(figures["reached_in"], figures["reached"]), "recall")
                low, high = found["checked"]["j_interval"]
                expect(low < found["checked"]["j"] < high, found)
            same(told["segment"], f'segments:\n  high_views: {{when: "{cut["when"]}"}}\n')
            # What is suggested can be pasted.
            (files.path / "more.yaml").write_text("metrics:\n  views: count(view[3d])\n" + told["segment"])
            run("check", files.path / "more.yaml", code=0)


def test_durations_and_the_other_side():
    rows = history(5)
    idle = lambda events, at: min((at - when for when, name in events if name == "view"), default=None)
    with Files(as_events(rows)) as files:
        told = files.json("--metric", "idle", "--goal", "purchase", "--horizon", "5d")
        same(told["unit"], "milliseconds")
        chosen = observations(rows, START + 20 * DAY, 5 * DAY, idle)
        limits = {value for value, _ in chosen if value is not None}
        best = max(youden(judge(chosen, selects)) for limit in limits for selects in (lambda value: value >= limit, lambda value: value <= limit))
        expect(math.isclose(told["best"]["chosen"]["j"], best), told["best"], best)
        expect(told["best"]["when"].startswith("idle <= ") and told["best"]["at"] % 1000 == 0, told["best"]["when"])
        same(only(told["best"]["chosen"]), judge(chosen, lambda value: value <= told["best"]["at"]))


def test_files_folder_and_server_agree():
    base = now() // DAY * DAY - 41 * DAY
    events = as_events(history(2, base=base))
    question = {"metric": "views + 0", "goal": "purchase{total > 50}", "horizon": "4d", "at": str(base + 15 * DAY), "validate_at": rfc3339(base + 25 * DAY)}
    options = [part for name, value in question.items() for part in ("--" + name.replace("_", "-"), value)]
    with Files(events) as files:
        from_files = files.json(*options)
        same((from_files["metric"], from_files["goal"], from_files["at"]), ("views + 0", "purchase{total > 50}", rfc3339(base + 15 * DAY)))
        expect(from_files["best"]["when"].startswith("(views + 0) >= ") and "high_value" in from_files["segment"], from_files["best"])
        with Server(files.path / "plan.yaml", files.path / "data") as server:
            for i in range(0, len(events), 500):
                server.batch(events[i:i + 500])
            path = "/v1/suggest?" + urllib.parse.urlencode(question)
            same(server.ask(path), from_files)
            same(json.loads(run("suggest", "--data", files.path / "data", "--json", *options, code=0).out), from_files)
            begun = server.request("GET", path, key=API_KEY, headers={"Prefer": "respond-async"})
            same((begun.status, begun.headers["Location"]), (202, "/v1/suggest/" + begun.json["id"]))
            same(poll(lambda: (told := server.ask(begun.headers["Location"]))["state"] == "done" and told, "its end")["result"], from_files)
            same(server.request("DELETE", begun.headers["Location"], key=API_KEY).status, 204)
            # What is wrong.
            ask = lambda **more: server.request("GET", "/v1/suggest?" + urllib.parse.urlencode({**question, **more}), key=API_KEY)
            told = problem(ask(metric="viewz"), 400, "invalid_expression")
            same([(error["in"], error["line"], error["column"]) for error in told["errors"]], [("metric", 1, 1)])
            expect('"views"' in told["detail"], told)
            told = problem(ask(metric="views > 1", goal="purchase{", horizon="soon"), 400, "invalid_expression")
            same([error["in"] for error in told["errors"]], ["metric", "goal", "horizon"])
            problem(ask(at="soon"), 400, "invalid_parameter")
            problem(server.request("GET", "/v1/suggest?metric=views", key=API_KEY), 400, "invalid_parameter")
            told = problem(ask(validate_at=str(base + 16 * DAY)), 422, "history_too_short")
            expect("must be at least a horizon after" in told["detail"], told)
            problem(ask(horizon="60d"), 422, "history_too_short")


def test_ids_of_one_person():
    """A user who is anonymous at the instant counts with the history of then; the goal is the merged user's."""
    day = lambda d, *more: rfc3339(START + d * DAY)
    events = [track("filler", "view", timestamp=day(0), messageId="f0"), track("filler", "view", timestamp=day(40), messageId="f1")]
    for i in range(3):
        events.append({"type": "track", "event": "view", "anonymousId": f"anon{i}", "timestamp": day(19.5), "messageId": f"a{i}"})
        events.append({"type": "identify", "userId": f"ann{i}", "anonymousId": f"anon{i}", "timestamp": day(21), "messageId": f"i{i}"})
    events.append(track("ann1", "purchase", timestamp=day(22), messageId="p1"))
    events.append(track("ann2", "purchase", timestamp=day(26), messageId="p2"))  # too late
    with Files(events) as files:
        told = files.json("--metric", "count(view[1d])", "--goal", "purchase", "--horizon", "5d")
        same((told["distribution"]["users"], told["distribution"]["reached"]), (4, 1))
        same(told["distribution"]["histogram"], [{"from": 0, "to": 0, "users": 1, "reached": 0}, {"from": 1, "to": 1, "users": 3, "reached": 1}])
        same(told["checked"], {"users": 4, "reached": 0})
        same([doubt["code"] for doubt in told["doubts"]], ["too_few"])
        same((told["best"], told["segment"]), (None, None))


def test_values_are_as_they_were_known():
    """Events at the instant count for the value, those after it for the goal; users who came later are not there."""
    at = lambda offset: rfc3339(START + 20 * DAY + offset)
    events = [track("first", "view", timestamp=rfc3339(START)), track("ann", "view", timestamp=at(0)), track("bob", "view", timestamp=at(-DAY)),
              track("bob", "purchase", timestamp=at(0)), track("cid", "view", timestamp=at(-1)), track("cid", "purchase", timestamp=at(5 * DAY)),
              track("dan", "view", timestamp=at(1)), track("dan", "purchase", timestamp=at(2)), track("eve", "view", timestamp=at(-1)),
              track("eve", "purchase", timestamp=at(5 * DAY + 1)), track("last", "view", timestamp=at(20 * DAY))]
    for i, event in enumerate(events):
        event["messageId"] = f"m{i}"
    with Files(events) as files:
        told = files.json("--metric", "count(view[1d])", "--goal", "purchase", "--horizon", "5d")
        same((told["distribution"]["users"], told["distribution"]["reached"]), (5, 1))
        # In [1d] at the instant: ann, cid and eve; not first, and not bob, whose view is exactly a day old.
        same(told["distribution"]["histogram"], [{"from": 0, "to": 0, "users": 2, "reached": 0}, {"from": 1, "to": 1, "users": 3, "reached": 1}])


def test_command_line():
    with Files(as_events(history(3))) as files:
        told = files.suggest("--metric", "views", "--goal", "purchase").out
        for text in ("views, and who reaches purchase within 7d", "chosen at 2026-03-21", "checked at 2026-03-31", "best J", "high_views: {when: \"views >= "):
            expect(text in told, text, told)
        for options, complaint in ((("--metric", "viewz", "--goal", "purchase"), "metric:1:1: "), (("--metric", "label", "--goal", "purchas{"), "goal:1:"),
                                   (("--metric", "viewer", "--goal", "purchase"), "metric:1:1: "), (("--metric", "views", "--goal", "purchase", "--horizon", "x"), "horizon:1:1: "),
                                   (("--metric", "views", "--goal", "purchase", "--horizon", "30d"), "too short for two horizons"),
                                   (("--metric", "views", "--goal", "purchase", "--at", "then"), "--at: expected a time"),
                                   (("--metric", "views", "--goal", "purchase", "--at", rfc3339(START - DAY)), "no user is known yet"),
                                   (("--metric", "views", "--goal", "purchase", "--validate-at", rfc3339(START + 50 * DAY)), "before the end of the history")):
            done = files.suggest(*options, code=2)
            expect(complaint in done.err, options, done.err)
        open_ended = files.json("--metric", "views", "--goal", "purchase", "--validate-at", rfc3339(START + 36 * DAY))
        expect("open_horizon" in [doubt["code"] for doubt in open_ended["doubts"]], open_ended["doubts"])
        run("suggest", "--metric", "views", "--goal", "purchase", code=2)
        run("suggest", "--metric", "views", "--goal", "purchase", "--data", files.path / "nothing", code=2)
        (files.path / "events.ndjson").write_text("")
        expect("no event" in files.suggest("--metric", "views", "--goal", "purchase", code=2).err)


def test_real_clicks():
    """REES46: three hours of a shop; those who viewed much in half an hour, and who buys soon after."""
    source = data_set("rees46_oct2019_head") / "2019-Oct.head.csv.xz"
    with folder() as path:
        (path / "plan.yaml").write_text("metrics:\n  looked: count(product_viewed[30m])\n")
        ask = lambda *more: json.loads(run("suggest", "--plan", path / "plan.yaml", "--events", source, "--csv", ROOT / "examples/mappings/rees46.yaml",
                                           "--metric", "looked", "--goal", "purchase", "--json", *more, code=0).out)
        # Nearly all of it lies in the last half hour: half way through, too few of those who had come by then buy.
        whole = ask()
        same((whole["horizon"], whole["best"], [doubt["code"] for doubt in whole["doubts"]]), (42 * 60_000, None, ["too_few"]))
        told = ask("--horizon", "9m", "--at", "2019-10-01T02:29:00Z", "--validate-at", "2019-10-01T02:38:00Z")
    rows = []
    with lzma.open(source, "rt") as lines:
        for row in csv.DictReader(lines):
            at = millis(row["event_time"].replace(" UTC", ".000Z").replace(" ", "T"))
            rows.append((at, row["user_id"], {"view": "view"}.get(row["event_type"], row["event_type"])))
    first, last = min(rows)[0], max(rows)[0]
    same((told["first"], told["last"], told["horizon"]), (rfc3339(first), rfc3339(last), 9 * 60_000))
    looked = lambda events, at: sum(1 for when, name in events if name == "view" and at - 1_800_000 < when <= at)
    chosen = observations(rows, millis(told["at"]), told["horizon"], looked)
    checked = observations(rows, millis(told["validate_at"]), told["horizon"], looked)
    # What tells little when it is chosen tells nothing for sure later.
    same(([doubt["code"] for doubt in told["doubts"]], told["segment"]), (["contradicted"], None))
    for found in [told["best"]] + told["quantiles"]:
        for part, seen in (("chosen", chosen), ("checked", checked)):
            same(only(found[part]), judge(seen, lambda value: value >= found["at"]), found["when"])
    expect(told["best"]["chosen"]["j"] >= max(youden(judge(chosen, lambda value: value >= limit)) for limit in range(1, 60)) - 1e-12, told["best"])


if __name__ == "__main__":
    sys.exit(main(globals()))
