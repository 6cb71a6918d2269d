#!/usr/bin/env python3
"""`attune replay` from outside: its options, its files, its exit codes, and real data sets. replay_test.py [CASE...]"""

import base64
import collections
import csv
import gzip
import io
import json
import lzma
import os
import pathlib
import random
import re
import subprocess
import sys

from data_files import data_set
from harness import BINARY, ROOT, expect, folder, main, millis, rfc3339, run, same, track

PLAN = """
timezone: UTC
events:
  add_to_cart:
    properties:
      product_id: string?
      price: number?
metrics:
  all: count(any)
  carts_10m: count(add_to_cart[10m])
  spent: sum(add_to_cart.price)
  never: last(search.query)
  latest: last_time(any)
  waited: since(add_to_cart)
segments:
  hot: {when: "count(add_to_cart[10m]) >= 2"}
  regular: {when: count(any) >= 3}
  left_cart: {when: add_to_cart then no purchase for 30m}
triggers:
  reminder: {enter: add_to_cart then no purchase for 30m, with: {items: "list(add_to_cart.product_id[1d], 10)", none: last(search.query)}}
  bought: {on: purchase}
"""
BASE = millis("2026-03-01T10:00:00.000Z")
MINUTE = 60_000
OUTPUTS = ("transitions", "firings", "values", "dead_letters")


def at(minutes):
    return rfc3339(BASE + round(minutes * MINUTE))


def event(user, name, minutes, number=None, **properties):
    number = f"{user}-{name}-{minutes}" if number is None else number
    return track(user, name, properties, messageId=number, timestamp=at(minutes))


def lines(events):
    return "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in events)


class Replay:
    """A replay of events in a folder of its own; what it wrote, by file."""

    def __init__(self, events, *options, plan=PLAN, files=None, stdin=None, code=0):
        with folder() as path:
            (path / "plan.yaml").write_text(plan)
            (path / "out").mkdir()
            files = {"events.ndjson": lines(events or [])} if files is None else files
            for name, content in files.items():
                (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            inputs = ["-"] if stdin is not None else [path / name for name in files if not name.endswith(".yaml")]
            options = [option.replace("@", str(path) + "/") for option in map(str, options)]
            done = run("replay", "--plan", path / "plan.yaml", "--events", *inputs, "--out", path / "out", *options, stdin=stdin, code=code)
            self.said, self.complaint = done.out, done.err.replace(str(path) + "/", "")
            self.text = {}
            for name in OUTPUTS:
                file = path / f"out/{name}.ndjson"
                self.text[name] = file.read_text() if file.exists() else None
            if code == 0:
                same(sorted(file.name for file in (path / "out").iterdir()), sorted(name + ".ndjson" for name in OUTPUTS))

    def __getattr__(self, name):
        if name not in OUTPUTS:
            raise AttributeError(name)
        return [json.loads(line) for line in self.text[name].splitlines()]

    def changes(self):
        return [(t["at"], t["user"], t["segment"], t["change"], t["corrected"]) for t in self.transitions]


# --- what it writes ---

def test_lines_are_as_promised():
    history = [event("ann", "add_to_cart", 0, "1", product_id="a", price=2.5), event("ann", "add_to_cart", 5, "2", product_id="b", price=1),
               event("bob", "purchase", 6, "3")]
    done = Replay(history, "--until", at(60), "--at", at(20))
    same(done.text["transitions"].splitlines(), [
        '{"at":"2026-03-01T10:05:00.000Z","user":"ann","segment":"hot","change":"enter","corrected":false}',
        '{"at":"2026-03-01T10:10:00.000Z","user":"ann","segment":"hot","change":"leave","corrected":false}',
        '{"at":"2026-03-01T10:35:00.000Z","user":"ann","segment":"left_cart","change":"enter","corrected":false}'])
    same(done.text["values"].splitlines(), [
        '{"at":"2026-03-01T10:20:00.000Z","user":"ann","metrics":{"all":2,"carts_10m":0,"latest":"2026-03-01T10:05:00.000Z","spent":3.5,'
        '"waited":900000},"segments":[]}',
        '{"at":"2026-03-01T10:20:00.000Z","user":"bob","metrics":{"all":1,"carts_10m":0,"latest":"2026-03-01T10:06:00.000Z","spent":0},"segments":[]}'])
    same([re.sub(r'"id":"[0-9a-f]{32}"', '"id":"ID"', line) for line in done.text["firings"].splitlines()], [
        '{"at":"2026-03-01T10:06:00.000Z","trigger":"bought","user":"bob","key":null,"id":"ID","values":{}}',
        '{"at":"2026-03-01T10:35:00.000Z","trigger":"reminder","user":"ann","key":null,"id":"ID","values":{"items":["b","a"]}}'])
    same(done.text["dead_letters"], "")
    # Run again, it is the same to the byte, ids included.
    same(Replay(history, "--until", at(60), "--at", at(20)).text, done.text)


def test_dead_letters():
    bad = [track("ann", "add_to_cart", {"price": "12,50"}, messageId="1", timestamp=at(0)), {"type": "track", "event": "e", "timestamp": at(0)},
           track("ann", "e"), "nonsense\n", track("null", "e", timestamp=at(0)), dict(track("ann", "e", timestamp="noon")), "[1]\n", '"\\ud800"\n',
           '{"a":' * 40 + "1" + "}" * 40 + "\n"]
    history = []
    for letter in bad:
        history += [letter, event("bob", "e", len(history))]
    done = Replay(history, "--at", at(100))
    same(done.text["dead_letters"].splitlines()[:2], [
        '{"source":"events.ndjson:1","reason":"invalid_property","field":"properties.price","detail":"expected number, found string \\"12,50\\"",'
        '"event":' + json.dumps(bad[0]) + "}",
        '{"source":"events.ndjson:3","reason":"identity_missing","field":"userId","detail":"neither userId nor anonymousId","event":' + json.dumps(bad[1]) + "}"])
    same([(letter["source"], letter["reason"], letter["field"]) for letter in done.dead_letters[2:]], [
        ("events.ndjson:5", "timestamp_missing", "timestamp"), ("events.ndjson:7", "invalid_json", None), ("events.ndjson:9", "identity_placeholder", "userId"),
        ("events.ndjson:11", "invalid_timestamp", "timestamp"), ("events.ndjson:13", "not_an_object", None), ("events.ndjson:15", "invalid_encoding", None),
        ("events.ndjson:17", "too_deep", None)])
    for letter, sent in zip(done.dead_letters, bad):
        same(list(letter), ["source", "reason", "field", "detail", "event"])
        if isinstance(sent, dict):
            same(letter["event"], sent)
    same([done.dead_letters[3]["event"], done.dead_letters[8]["event"]], ["nonsense", bad[8].strip()])
    same([value["metrics"]["all"] for value in done.values], [len(bad)])
    expect("9 were refused" in done.said, done.said)


def test_files_are_sorted():
    chance = random.Random(7)
    users = ["b", "a", "B", "ä", "a10", "a9", "z" * 50]
    history = []
    for minute in range(200):
        for user in chance.sample(users, 3):
            history.append(event(user, chance.choice(["add_to_cart", "purchase", "e"]), minute // 2, f"{user}{minute}"))
    done = Replay(history, "--until", at(1000), "--at", at(50), "--at", at(20), "--at", at(1001))
    expect(len(done.transitions) > 50 and len(done.firings) > 50 and len(done.values) == 3 * len(users), done.said)
    for name, key in (("transitions", "segment"), ("firings", "trigger"), ("values", None)):
        found = [(line["at"], line["user"].encode(), line.get(key, "")) for line in getattr(done, name)]
        same(found, sorted(found), name)


# --- options ---

LATE = [event("ann", "add_to_cart", 0), event("ann", "e", 30), event("ann", "add_to_cart", 5), event("ann", "purchase", 31)]


def test_order():
    # As it came: the second addition is known at 10:30 alone; then it is no news for `hot`, and the third event corrects.
    same(Replay(LATE).changes(), [(at(30), "ann", "left_cart", "enter", False), (at(30), "ann", "left_cart", "leave", True),
                                  (at(30), "ann", "regular", "enter", True)])
    same(Replay(LATE, "--order", "arrival").changes(), Replay(LATE).changes())
    same(Replay(LATE, "--order", "time").changes(), [(at(5), "ann", "hot", "enter", False), (at(10), "ann", "hot", "leave", False),
                                                     (at(30), "ann", "regular", "enter", False)])
    expect("1 came late" in Replay(LATE).said and "late" not in Replay(LATE, "--order", "time").said, "the summary")
    # Everyone's values are what they would be without lateness, once it is known.
    same(Replay(LATE, "--at", at(31)).text["values"], Replay(LATE, "--at", at(31), "--order", "time").text["values"])
    # Equal times keep the order of the file.
    twins = [event("ann", "add_to_cart", 0, str(number), product_id=str(number)) for number in range(50)]
    plan = "metrics: {first: first(any.product_id), last: last(any.product_id)}"
    same(Replay(twins, "--order", "time", "--at", at(0), plan=plan).values[0]["metrics"], {"first": "0", "last": "49"})
    # Over several files.
    files = {"2.ndjson": lines(LATE[2:]), "1.ndjson": lines(LATE[:2])}
    same(Replay(None, "--order", "time", files=files).changes(), Replay(LATE, "--order", "time").changes())
    same([letter["source"] for letter in Replay(None, files={"x.ndjson": "1\n", "y.ndjson": "\n2\n"}).dead_letters], ["x.ndjson:1", "y.ndjson:2"])


def test_until():
    history = [event("ann", "add_to_cart", 0, "1"), event("ann", "add_to_cart", 0, "2"), event("bob", "e", 5)]
    enter = (at(0), "ann", "hot", "enter", False)
    leave = (at(10), "ann", "hot", "leave", False)
    absent = (at(30), "ann", "left_cart", "enter", False)
    same(Replay(history).changes(), [enter])
    same(Replay(history, "--until", rfc3339(BASE + 10 * MINUTE - 1)).changes(), [enter])
    same(Replay(history, "--until", at(10)).changes(), [enter, leave])
    same(Replay(history, "--until", rfc3339(BASE + 30 * MINUTE - 1)).changes(), [enter, leave])
    same(Replay(history, "--until", at(30)).changes(), [enter, leave, absent])
    same(Replay(history, "--until", BASE + 30 * MINUTE).changes(), [enter, leave, absent])
    same(Replay(history, "--until", "2026-03-01T11:30:00+01:00").changes(), [enter, leave, absent])
    # The end is the last event of any user; it advances the clock of all.
    same(Replay(history + [event("bob", "e", 10)]).changes(), [enter, leave])
    # An instant before the end takes nothing back.
    same(Replay(history, "--until", at(-5)).changes(), [enter])


def test_at():
    history = [event("ann", "add_to_cart", 0), event("ann", "add_to_cart", 3), event("bob", "add_to_cart", 8)]
    done = Replay(history, "--at", at(60), "--at", at(8), "--at", BASE + 3 * MINUTE, "--at", at(-1), "--at", at(13))
    found = {(value["at"], value["user"]): (value["metrics"]["carts_10m"], value["segments"]) for value in done.values}
    same(found, {(at(3), "ann"): (2, ["hot"]), (at(8), "ann"): (2, ["hot"]), (at(8), "bob"): (1, []), (at(13), "ann"): (0, []),
                 (at(13), "bob"): (1, []), (at(60), "ann"): (0, ["left_cart"]), (at(60), "bob"): (0, ["left_cart"])})
    # To look ahead is not to let the clock run.
    same(done.changes(), [(at(3), "ann", "hot", "enter", False)])
    # What was known when the clock passed it: an event that came later is not in it.
    late = [event("ann", "add_to_cart", 0), event("ann", "e", 30), event("ann", "e", 5)]
    same([value["metrics"]["all"] for value in Replay(late, "--at", at(20), "--at", at(30)).values], [1, 3])
    same([value["metrics"]["all"] for value in Replay(late, "--at", at(20), "--at", at(30), "--order", "time").values], [2, 3])


# One file for every compression; the tool for zstd is not everywhere, so its output is kept here.
TWO = ('{"type":"track","userId":"ann","event":"a","messageId":"1","timestamp":"2026-03-01T10:00:00Z"}\n'
       '{"type":"track","userId":"bob","event":"a","messageId":"2","timestamp":"2026-03-01T10:01:00Z"}\n')
TWO_ZST = ("KLUv/QRoFQMAIgYUF4BtxigiNvcnjZZb7pxYI1QTEwUOFlMYQLWRqawdzgFUG6nJCpaBkMHQsq0/z0W4b4mv2SoOwn2v3XpsVtrX"
           "TePWEwJaGL1mEAfF9X2mOBUFAEAUEA4xGFnH3ARBQQGCdWZj")


def test_input_files():
    plain = Replay(None, "--at", at(1), files={"e.ndjson": TWO}).text
    same(len(plain["values"].splitlines()), 2)
    packed = TWO.encode()
    half = TWO.index("\n") + 1
    for name, content in (("e.gz", gzip.compress(packed)), ("e.ndjson.gz", gzip.compress(packed[:half]) + gzip.compress(packed[half:])),
                          ("e.zst", base64.b64decode(TWO_ZST)), ("e.zst", base64.b64decode(TWO_ZST) * 2), ("e.xz", lzma.compress(packed)),
                          ("misnamed.txt", gzip.compress(packed)), ("e", b"\xef\xbb\xbf" + packed), ("e", packed.replace(b"\n", b"\r\n")),
                          ("e", b"\n\n" + packed + b"  \n"), ("e", packed[:-1])):
        same(Replay(None, "--at", at(1), files={name: content}).text, plain, name)
        same(Replay(None, "--at", at(1), stdin=content).text, plain, f"{name} as standard input")
    same(Replay(None, stdin=b"1\n").dead_letters[0]["source"], "-:1")
    for content in (b"", b"\n", gzip.compress(b"")):
        same(Replay(None, "--at", at(1), files={"e": content}).text, dict.fromkeys(OUTPUTS, ""))
    # What is damaged is said, and nothing is written as if it were all.
    for name, content in (("e.gz", gzip.compress(packed * 99)[:-20]), ("e.zst", base64.b64decode(TWO_ZST)[:-10]), ("e.xz", lzma.compress(packed)[:-10])):
        done = Replay(None, files={name: content}, code=2)
        expect(name in done.complaint, done.complaint)
        same(done.text["transitions"], None, "nothing was written")


def test_duplicates():
    once = [event("ann", "add_to_cart", 0, "1"), event("ann", "e", 1, "2"), event("bob", "e", 1, "2")]
    done = Replay(once + once + [event("ann", "add_to_cart", 7 * 24 * 60 - 1, "1")], "--at", at(5))
    same({value["user"]: value["metrics"]["all"] for value in done.values}, {"ann": 2, "bob": 1})
    expect("4 were duplicates" in done.said, done.said)
    # Without an id two equal lines are two events: each has a place of its own.
    bare = track("ann", "e", timestamp=at(0))
    same(Replay([bare, bare], "--at", at(0)).values[0]["metrics"]["all"], 2)


MAPPING = """
format: csv
delimiter: ";"
user: {column: who, prefix: u-}
time: {column: when, format: "%Y-%m-%d %H:%M"}
events:
  - event: {column: what, names: {cart: add_to_cart}}
    properties: {product_id: item, price: {column: price, type: number}}
"""


def test_tables_through_a_mapping():
    table = ('when;who;what;item;price\n2026-03-01 10:00;1;cart;"a;b";2.5\n2026-03-01 10:01;1;cart;"say ""x""";1\n'
             '2026-03-01 10:02;2;Cart;c;1\nyesterday;2;cart;c;1\n2026-03-01 10:03;2;cart;d;\n2026-03-01 10:04;2\n2026-03-01 10:05;2;cart;e;many\n')
    files = {"t.csv": table, "m.yaml": MAPPING}
    done = Replay(None, "--csv", "@m.yaml", "--at", at(10), files=files)
    same([(letter["source"], letter["field"]) for letter in done.dead_letters],
         [("t.csv:4", "event"), ("t.csv:5", "timestamp"), ("t.csv:7", None), ("t.csv:8", "properties.price")], f"{done.dead_letters}")
    same({value["user"]: (value["metrics"]["all"], value["metrics"]["spent"]) for value in done.values}, {"u-1": (2, 3.5), "u-2": (1, 0)})
    # A mapping that does not fit is said with its place.
    for wrong, complaint in ((MAPPING.replace("user:", "uzer:"), r"m\.yaml:\d+:\d+: "), (MAPPING.replace("who", "whom"), "whom"), (MAPPING[:40] + "{", r"m\.yaml:\d+")):
        done = Replay(None, "--csv", "@m.yaml", files={"t.csv": table, "m.yaml": wrong}, code=2)
        expect(re.search(complaint, done.complaint), done.complaint)


def test_exit_codes():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        (path / "e.ndjson").write_text(TWO)
        base = ["replay", "--plan", path / "plan.yaml", "--events", path / "e.ndjson"]
        run(*base, "--out", path / "new/folder", code=0)
        for wrong in (["--until", "soon"], ["--at", "2026-13-01T00:00:00Z"], ["--order", "size"], ["--no-such-option"], ["--csv", path / "missing.yaml"]):
            done = run(*base, "--out", path / "wrong", *wrong, code=2)
            expect(done.err.strip(), wrong)
            expect(not (path / "wrong").exists(), "something was written for", wrong)
        for wrong in (path / "missing.ndjson", path):
            done = run("replay", "--plan", path / "plan.yaml", "--events", wrong, "--out", path / "wrong", code=2)
            expect(str(wrong) in done.err, done.err)
        (path / "bad.yaml").write_text("segments:\n  s: {when: 'cuont(any) > 1'}\n")
        done = run("replay", "--plan", path / "bad.yaml", "--events", path / "e.ndjson", "--out", path / "wrong", code=2)
        expect(re.search(r"bad\.yaml:2:\d+: .*count", done.out + done.err), done.out, done.err)
        run("replay", code=2)
        run(code=2)
        expect("--until" in run("replay", "--help", code=0).out, "help")
        # What cannot be written.
        (path / "file").write_text("")
        for out in (path / "file", path / "file/below"):
            same(len(run(*base, "--out", out, code=1).err.strip().splitlines()), 1)
        for name in OUTPUTS:
            out = path / f"out-{name}"
            (out / f"{name}.ndjson").mkdir(parents=True)
            same(len(run(*base, "--out", out, "--at", at(1), code=1).err.strip().splitlines()), 1, name)
        if pathlib.Path("/dev/full").exists():
            for name in OUTPUTS[:3]:
                out = path / f"full-{name}"
                out.mkdir()
                (out / f"{name}.ndjson").symlink_to("/dev/full")
                (path / "all.yaml").write_text("segments: {s: {when: count(any) > 0}}\ntriggers: {t: {on: a}}")
                done = run("replay", "--plan", path / "all.yaml", *base[3:], "--out", out, "--at", at(1), code=1)
                expect(str(out) in done.err, done.err)


# --- what must not matter ---

def busy_history(chance, users=40, events=3000):
    """Events in disorder within a user, some of them twice."""
    history = []
    for number in range(events):
        user = f"user-{chance.randrange(users)}"
        made = event(user, chance.choice(["add_to_cart", "purchase", "e"]), number / 10 - chance.choice((0, 0, 0, 40)), str(number),
                     price=chance.randrange(100) / 4, product_id=f"p{chance.randrange(9)}")
        history += [made] * chance.choice((1, 1, 1, 1, 2))
    return history


def test_the_order_of_different_users_does_not_matter():
    chance = random.Random(11)
    history = busy_history(chance)
    options = ["--until", at(500), "--at", at(100), "--at", at(299.95), "--at", at(500)]
    told = Replay(history, *options).text
    expect(told["transitions"].count("\n") > 500 and "true" in told["transitions"], "something happens, some of it late")
    by_user = collections.defaultdict(list)
    for made in history:
        by_user[made["userId"]].append(made)
    for _ in range(3):  # another interleaving; the order within each user stays
        queues = {user: collections.deque(own) for user, own in by_user.items()}
        mixed = []
        while queues:
            user = chance.choice(list(queues))
            for _ in range(min(len(queues[user]), chance.choice((1, 2, 50)))):
                mixed.append(queues[user].popleft())
            if not queues[user]:
                del queues[user]
        same(Replay(mixed, *options).text, told, "another interleaving")
    same(Replay([made for user in sorted(by_user) for made in by_user[user]], *options).text, told, "one user after the other")


def test_threads_and_files_do_not_matter():
    history = busy_history(random.Random(12))
    options = ["--until", at(500), "--at", at(100), "--at", at(500)]
    told = Replay(history, *options).text
    for threads in (1, 2, 3, 7, 64, 1000):
        same(Replay(history, "--threads", threads, *options).text, told, f"{threads} threads")
    expect(3000 < len(history) < 6 * 700, len(history))
    pieces = {f"{i}.ndjson": lines(history[i * 700:(i + 1) * 700]) for i in range(6)}
    same(Replay(None, *options, files=pieces).text, told, "six files")
    for order in ("arrival", "time"):
        same(Replay(history, "--order", order, *options, "--threads", 1).text, Replay(history, "--order", order, *options, "--threads", 5).text, order)


# --- real data sets ---

END = "2030-01-01T00:00:00Z"


def rows(path, **options):
    with lzma.open(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        yield from csv.DictReader(file, **options)


def text_lines(path):
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as file:
        yield from file


# For each mapping: the files, how many events of which name they hold by plain counting, of how many users.

def cdnow(path):
    table = [line.split() for line in text_lines(path / "CDNOW_master.txt.xz")]
    return ["CDNOW_master.txt.xz"], {"purchase": len(table)}, len({row[0] for row in table})


def eshop_clothing_2008(path):
    table = list(rows(path / "e-shop clothing 2008.csv.xz", delimiter=";"))
    return ["e-shop clothing 2008.csv.xz"], {"product_viewed": len(table)}, len({row["session ID"] for row in table})


def serenade_example(path):
    table = [row for name in ("train.txt.xz", "valid.txt.xz") for row in rows(path / name, delimiter="\t")]
    return ["train.txt.xz", "valid.txt.xz"], {"product_viewed": len(table)}, len({row["SessionId"] for row in table})


def rees46(path):
    names = {"view": "product_viewed", "cart": "add_to_cart"}
    table = list(rows(path / "2019-Oct.head.csv.xz"))
    return ["2019-Oct.head.csv.xz"], collections.Counter(names.get(row["event_type"], row["event_type"]) for row in table), len({row["user_id"] for row in table})


def otto(path):
    names = {"clicks": "product_viewed", "carts": "add_to_cart", "orders": "purchase"}
    sessions = [json.loads(line) for line in text_lines(path / "train.jsonl.xz")]
    return ["train.jsonl.xz"], collections.Counter(names[made["type"]] for session in sessions for made in session["events"]), len(sessions)


def msweb(path):
    kinds = collections.Counter()
    users, user = set(), None
    for name in ("anonymous-msweb.data.xz", "anonymous-msweb.test.xz"):
        for row in csv.reader(io.StringIO("".join(text_lines(path / name)))):
            kinds[row[0]] += 1
            user = row[1] if row[0] == "C" else user
            if row[0] == "V":
                users.add(user)
    return ["anonymous-msweb.data.xz", "anonymous-msweb.test.xz"], {"page_viewed": kinds["V"]}, len(users)


def web_logs(path):
    return ["apache_logs.log.xz"], {"page_requested": sum(1 for _ in text_lines(path / "apache_logs.log.xz"))}, None


def hillstrom_email(path):
    table = list(rows(path / "hillstrom.csv.xz"))
    counts = {"email_sent": sum(row["segment"] != "No E-Mail" for row in table), "page_viewed": sum(row["visit"] == "1" for row in table),
              "purchase": sum(row["conversion"] == "1" for row in table)}
    return ["hillstrom.csv.xz"], counts, len(table)


def open_bandit(path):
    names = [f"{policy}/{part}/{part}.csv.xz" for policy in ("random", "bts") for part in ("men", "women")]
    table = [row for name in names for row in rows(path / name)]
    return names, {"recommendation_shown": len(table), "recommendation_clicked": sum(row["click"] == "1" for row in table)}, \
        len({tuple(row[f"user_feature_{i}"] for i in range(4)) for row in table})


FOLDERS = {cdnow: "cdnow", eshop_clothing_2008: "eshop_clothing_2008", serenade_example: "serenade_example", rees46: "rees46_oct2019_head",
           otto: "otto_fixture", msweb: "msweb", web_logs: "web_logs", hillstrom_email: "hillstrom_email", open_bandit: "open_bandit_sample"}


def check_data_set(count):
    data, mapping = data_set(FOLDERS[count]), ROOT / f"examples/mappings/{count.__name__}.yaml"
    expect(mapping.exists(), "missing:", mapping)
    names, counts, users = count(data)
    plan = "timezone: UTC\nmetrics:\n  all: count(any)\n" + "".join(f"  n_{name}: count({name})\n" for name in counts)
    with folder() as path:
        (path / "plan.yaml").write_text(plan)
        done = run("replay", "--plan", path / "plan.yaml", "--events", *[data / name for name in names], "--csv", mapping, "--out", path / "out",
                   "--until", END, "--at", END, code=0)
        refused = (path / "out/dead_letters.ndjson").read_text().count("\n")
        values = [json.loads(line) for line in (path / "out/values.ndjson").read_text().splitlines()]
    same(refused, 0, "refused")
    found = collections.Counter()
    for value in values:
        found.update({name: value["metrics"][name] for name in value["metrics"]})
    same(found["all"], sum(counts.values()), f"events, {done.out}")
    same({name: found[f"n_{name}"] for name in counts}, dict(counts), "events by name")
    if users is not None:
        same(len(values), users, "users")


for count in FOLDERS:
    globals()[f"test_data_{count.__name__}"] = lambda count=count: check_data_set(count)


def test_every_mapping_has_its_data_set():
    same(sorted(path.stem for path in (ROOT / "examples/mappings").glob("*.yaml")), sorted(count.__name__ for count in FOLDERS))


# In the place of libc's, for a process that is not to know what time it is.
NO_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static void refuse(void) { abort(); }
int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) refuse();
  return ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, now);
}
int gettimeofday(struct timeval *now, void *zone) { refuse(); return 0; }
time_t time(time_t *now) { refuse(); return 0; }
"""


def test_the_clock_of_the_computer_is_never_read():
    """Of any time events may be, and none of them is compared with the present."""
    history = [track("ann", "e", messageId=f"m{i}", timestamp=timestamp) for i, timestamp in
               enumerate(("0001-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "2026-03-01T10:00:00Z", "2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))]
    plan = "segments: {night: {when: hour() >= 20}, gone: {when: since(e) >= 400d}}"
    with folder() as path:
        (path / "no_clock.c").write_text(NO_CLOCK)
        built = subprocess.run(["cc", "-shared", "-fPIC", "-o", path / "no_clock.so", path / "no_clock.c", "-ldl"], capture_output=True, text=True)
        expect(built.returncode == 0, built.stderr)
        (path / "plan.yaml").write_text(plan)
        (path / "events.ndjson").write_text(lines(history))
        command = [BINARY, "replay", "--plan", path / "plan.yaml", "--events", path / "events.ndjson", "--out", path / "out"]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LD_PRELOAD=path / "no_clock.so", ASAN_OPTIONS="verify_asan_link_order=0"))
        same((done.returncode, done.stderr), (0, ""))
        expect(done.stdout.startswith("5 events of 1 users"), done.stdout)
        same((path / "out/dead_letters.ndjson").read_text(), "")
        told = [json.loads(line) for line in (path / "out/transitions.ndjson").read_text().splitlines()]
        # Four gaps, each with its own count.
        expect(4 * 10_000 <= len(told) <= 4 * (10_000 + 2 * 2), len(told))


if __name__ == "__main__":
    sys.exit(main(globals()))
