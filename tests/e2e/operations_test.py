#!/usr/bin/env python3
"""What an operator does with a data folder: export, verify, repair, back up, restore, stop. operations_test.py [CASE...]"""

import json
import sys

from harness import (Server, expect, folder, main, now, rfc3339, run, same, track)

PLAN = """
timezone: UTC
events:
  a: {properties: {amount: integer?}}
metrics:
  events: count(any)
  total: sum(a.amount)
  latest: last_time(any)
segments:
  everyone: {when: count(any) >= 0}
  busy: {when: count(a) >= 3}
"""


def write_plan(path, text=PLAN):
    (path / "plan.yaml").write_text(text)
    return path / "plan.yaml"


def serve(path, data="data", **more):
    return Server(path / "plan.yaml", path / data, **more)


def values_of(server, users):
    """What the server knows of users, without what depends on the instant of asking."""
    known = {user: server.behavior(user) for user in users}
    return {user: (told["metrics"], [segment["name"] for segment in told["segments"]]) for user, told in known.items()}


def replayed(path, events, at=None):
    """The same by a replay of a file of events."""
    at = at or rfc3339(now() + 60_000)
    run("replay", "--plan", path / "plan.yaml", "--events", events, "--out", path / "replayed", "--until", at, "--at", at, code=0)
    same((path / "replayed/dead_letters.ndjson").read_text(), "", "dead letters of the replay")
    lines = [json.loads(line) for line in (path / "replayed/values.ndjson").read_text().splitlines()]
    return {line["user"]: (line["metrics"], line["segments"]) for line in lines}


# --- export ---

def test_an_export_is_what_was_sent_and_replays_to_what_the_server_has():
    with folder() as path:
        write_plan(path)
        with serve(path) as server:
            at = now() - 60_000
            sent = [track("ann", "a", {"amount": i}, messageId=f"m{i}", timestamp=rfc3339(at + i)) for i in range(5)]
            for event in sent:
                server.send("/v1/batch", {"batch": [event]})
            server.send("/v1/batch", {"batch": [sent[2], dict(sent[3], properties={"amount": 77})]})  # duplicates
            # Nothing is said of type, id and time; a clock that is wrong by an hour; and line breaks.
            server.send("/v1/track", {"userId": "bob", "event": "a"})
            server.send("/v1/track", {"userId": "bob", "event": "a", "messageId": "late", "timestamp": rfc3339(now() + 3_600_000),
                                      "sentAt": rfc3339(now() + 3_600_500)})
            server.send("/v1/page", {"anonymousId": "device", "name": "Home"})
            server.send("/v1/identify", '{"userId": "cid",\r\n "anonymousId": "device"\n, "traits": {"text": "a\\nb"}}')
            position = server.batch([track("ann", "a", {"amount": 1})])
            refused = server.send("/v1/batch", {"batch": [track("eve", "a", {"amount": "many"}, messageId="bad")]})
            same(refused.json["accepted"], 0)
            server.behavior("ann", position)
            live = values_of(server, ["ann", "bob", "cid"])
            same(live["ann"][0]["events"], 6)
            for out in ("running.ndjson", "stopped.ndjson"):
                done = run("export", "--data", path / "data", "--out", path / out, code=0)
                expect("10 events, 2 duplicates left out" in done.err, done.err)
                if out == "running.ndjson":
                    same(server.stop(), 0)
        running, stopped = (path / "running.ndjson").read_text(), (path / "stopped.ndjson").read_text()
        same(running, stopped, "the export beside a server, and without")
        lines = stopped.splitlines()
        same(lines[:5], [json.dumps(event) for event in sent], "lines as they were sent")
        expect(lines[8].startswith('{"userId": "cid",   "anonymousId": "device" , "traits": {"text": "a\\nb"},"'), lines[8])
        same(replayed(path, path / "stopped.ndjson"), live, "replayed and live")
        same(sorted(entry.name for entry in path.iterdir()),
             ["data", "plan.yaml", "replayed", "running.ndjson", "stopped.ndjson"], "no other files")

        envelopes = [json.loads(line) for line in run("export", "--data", path / "data", "--envelope", "--duplicates", code=0).out.splitlines()]
        same(len(envelopes), 12)
        same([envelope["event"] for envelope in envelopes[:5]], sent)
        same([envelope["sequence"] for envelope in envelopes if envelope["duplicate"]], [6, 7])
        same(envelopes[0]["messageId"], "m0")
        expect(envelopes[8]["time"] < envelopes[8]["received"], envelopes[8])
        part = run("export", "--data", path / "data", "--from", "2", "--to", "4", code=0).out.splitlines()
        same(part, lines[1:4], "a part by numbers")
        part = run("export", "--data", path / "data", "--from", envelopes[3]["received"], code=0).out.splitlines()
        expect(len(lines) > len(part) >= len(lines) - 3 - 1, len(part))
        letters = run("export", "--data", path / "data", "--dead-letters", code=0).out.splitlines()
        same([(json.loads(letter)["reason"], json.loads(letter)["messageId"]) for letter in letters], [("invalid_property", "bad")])


def test_an_export_says_what_it_cannot_do():
    with folder() as path:
        write_plan(path)
        done = run("export", "--data", path / "nothing", code=2)
        expect("is no data folder" in done.err, done.err)
        with serve(path) as server:
            server.batch([track("ann", "a")])
        done = run("export", "--data", path / "data", "--from", "yesterday", code=2)
        expect("--from: expected a record's number, or a time" in done.err, done.err)
        done = run("export", "--data", path / "data", "--out", path / "no/such/folder", code=1)
        expect("No such file" in done.err, done.err)
        (path / "data/plan_path").unlink()
        done = run("export", "--data", path / "data", code=2)
        expect("give it with --plan" in done.err, done.err)
        log = next((path / "data/log").glob("*.log"))
        whole = bytearray(log.read_bytes())
        whole[70] ^= 1
        log.write_bytes(whole)
        done = run("export", "--data", path / "data", "--plan", path / "plan.yaml", "--out", path / "out.ndjson")
        expect(done.returncode == 1 or "0 events" in done.err, done.err)  # of a single record it looks like a cut write
        expect(not (path / "out.ndjson.part").exists(), "a part is left")


if __name__ == "__main__":
    sys.exit(main(globals()))
