#!/usr/bin/env python3
"""What an operator does with a data folder: export, verify, repair, back up, restore, stop. operations_test.py [CASE...]"""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

from harness import (API_KEY, BINARY, ROOT, WRITE_KEY, Client, Failure, Server, expect, folder, main, now, poll, problem, rfc3339, run, same, track)

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



# --- verify and repair ---

def filled(path, users=8, events=40, keys=True):
    """A folder that was served and stopped, and what was sent, in its order."""
    write_plan(path)
    at = now() - 600_000
    sent = [track(f"user-{i % users}", "a", {"amount": i}, messageId=f"m{i}", timestamp=rfc3339(at + i)) for i in range(events)]
    with serve(path, keys=keys) as server:
        for event in sent:
            # One by one: each is a group of its own.
            answer = server.request("POST", "/v1/batch", {"batch": [event]}, key=WRITE_KEY if keys else made_key(server, "write"))
            same(answer.status, 200, answer)
    return sent


def made_key(server, kind):
    """A key that the server made and told when it started."""
    return next(re.search(rf"{kind} key: +(\S+)", line)[1] for line in server.said if f"{kind} key:" in line)


def verify(path, *more, code=0, data="data"):
    return run("verify", path / data, *more, code=code)


def record_offsets(log):
    """Offset and sequence of each record of a log file."""
    found, at = [], 40
    while at + 20 <= len(log):
        length, sequence = int.from_bytes(log[at:at + 4], "little"), int.from_bytes(log[at + 8:at + 16], "little")
        if sequence == 0:
            break
        found.append((at, sequence))
        at += 20 + length
    return found


def flip(file, offset, bit=1):
    content = bytearray(file.read_bytes())
    content[offset] ^= bit
    file.write_bytes(content)


def log_file(path, data="data"):
    return sorted((path / data / "log").glob("*.log"))[0]


def test_verify_finds_a_stopped_folder_clean_and_changes_nothing():
    with folder() as path:
        filled(path)
        before = {file: file.read_bytes() for file in (path / "data/log").iterdir()}
        done = verify(path)
        expect(re.search(r"^log: 1 files, (\d+) records \(1 to \1\)", done.out, re.M), done.out)
        expect(re.search(r"^state: 8 users, 16 memberships, 40 records in their histories, compared with the log", done.out, re.M), done.out)
        expect(done.out.endswith("clean\n"), done.out)
        expect("not as the log gives them" not in done.out, done.out)
        same({file: file.read_bytes() for file in (path / "data/log").iterdir()}, before)
        expect("not compared" in verify(path, "--quick").out, "a quick check compares nothing")
        expect("is no data folder" in run("verify", path / "elsewhere", code=2).err, "another folder")
        expect(not (path / "elsewhere").exists(), "verify made a folder")


def test_verify_finds_a_killed_folder_clean():
    """However the process ends, state is what the log says: with merges, and in the middle of everything."""
    chance = random.Random(now())
    with folder() as path:
        write_plan(path)
        number = 0
        for _ in range(3):
            server = serve(path).ready()
            for _ in range(chance.randrange(20, 60)):
                batch = []
                for _ in range(10):
                    number += 1
                    person = chance.randrange(20)
                    event = track(f"user-{person}", "a", {"amount": number}, messageId=f"m{number}", timestamp=rfc3339(now() - chance.randrange(5000)))
                    if chance.random() < 0.4:
                        del event["userId"]
                        event["anonymousId"] = f"device-{person}-{chance.randrange(3)}"
                    if chance.random() < 0.05:
                        event = {"type": "identify", "userId": f"user-{person}", "anonymousId": f"device-{person}-{chance.randrange(3)}",
                                 "messageId": f"m{number}", "timestamp": rfc3339(now())}
                    batch.append(event)
                server.batch(batch)
            server.kill()
            done = verify(path)
            expect(done.out.endswith("clean\n") and "compared with the log" in done.out, done.out)


def test_verify_names_each_flipped_byte_of_the_log():
    with folder() as path:
        filled(path, events=12)
        log = log_file(path)
        whole = log.read_bytes()
        offsets = record_offsets(whole)
        end = offsets[-1][0]
        chance = random.Random(now())
        for at in [0, 20, 39, 40, 41, 45, 50, 58, 61, *chance.sample(range(60, end), 12)]:
            flip(log, at, 1 << chance.randrange(8))
            done = verify(path, "--quick", code=None)
            same(done.returncode, 1, (at, done.out))
            where = 0 if at < 40 else max(offset for offset, _ in offsets if offset <= at)
            expect(f"{log}: offset {where}: " in done.out, at, where, done.out, done.err)
            log.write_bytes(whole)
        expect(verify(path, "--quick").out.endswith("clean\n"), "as it was")


def test_serve_refuses_damage_and_a_repair_keeps_the_rest():
    with folder() as path:
        sent = filled(path, keys=False)
        with serve(path, keys=False) as server:
            same([line for line in server.said if "key:" in line], [], "keys are made once")
        log = log_file(path)
        victims = [5, 6, 20]
        for offset, sequence in record_offsets(log.read_bytes()):
            if sequence in victims:
                flip(log, offset + 25)
        server = serve(path)
        try:
            server.ready()
            raise Failure("a damaged log was served")
        except Failure as failure:
            expect("ended with 1" in str(failure), failure)
        complaint = server.complaints[0]
        same(len(server.complaints), 1, server.complaints)
        expect(f"{log}: offset " in complaint and f"attune verify {path / 'data'}" in complaint and "--repair" in complaint, complaint)
        expect("damages" in verify(path, code=1).out, "damage")
        done = verify(path, "--repair")
        expect("log: lost: records 5 to 6\n" in done.out and "log: lost: record 20\n" in done.out, done.out)
        expect(re.search(r"state: moved to \S+state\.damaged-\d+T\d+Z;", done.out), done.out)
        expect(list((path / "data/log").glob("damaged-*")), "the damaged bytes are kept")
        expect("clean" in verify(path).out, "after the repair")
        with serve(path, keys=False) as server:
            same([line for line in server.said if "key:" in line], [], "the keys outlive the state")
        run("export", "--data", path / "data", "--out", path / "left.ndjson", code=0)
        lost = {sent[sequence - 1]["messageId"] for sequence in victims if sequence <= len(sent)}
        kept = [json.loads(line)["messageId"] for line in (path / "left.ndjson").read_text().splitlines()]
        # Ticks are records too, so which events are lost is what the numbers say only as long as no tick came in between.
        expect(set(kept) <= {event["messageId"] for event in sent} and len(sent) - len(lost) <= len(kept) < len(sent), len(kept))
        expect(verify(path).out.endswith("clean\n"), "after another run")


def test_a_damaged_store_is_found_and_built_anew():
    with folder() as path:
        filled(path, users=300, events=600)
        with serve(path) as server:
            users = [f"user-{i}" for i in range(0, 300, 37)]
            live = values_of(server, users)
        shutil.copytree(path / "data", path / "whole")
        tables = sorted((path / "data/state").glob("*.sst"), key=lambda file: file.stat().st_size)
        for victim in [tables[-1], path / "data/state/CURRENT", next((path / "data/state").glob("MANIFEST-*"))]:
            content = bytearray(victim.read_bytes())
            content[len(content) // 3] ^= 0x10
            victim.write_bytes(content)
            done = verify(path, code=1)
            expect(re.search(r"state", done.out), done.out)
            done = verify(path, "--repair")
            expect("the next start builds it anew from the log" in done.out, done.out)
            with serve(path) as server:
                same(values_of(server, users), live, f"after {victim.name}")
            expect(verify(path).out.endswith("clean\n"), victim)
            shutil.rmtree(path / "data")
            shutil.copytree(path / "whole", path / "data")


def test_a_state_that_is_not_what_the_log_says_is_found():
    """An older state and a newer one, each whole in itself."""
    with folder() as path:
        sent = filled(path)
        shutil.copytree(path / "data", path / "older")
        with serve(path) as server:
            server.batch([track("user-0", "a", {"amount": 1}, messageId="one more")])
        # A state that is ahead of its log, as when the newest log file is lost.
        shutil.rmtree(path / "data/log")
        shutil.copytree(path / "older/log", path / "data/log")
        done = verify(path, code=1)
        expect("the log ends at record" in done.out, done.out)
        server = serve(path)
        with contextlib.suppress(Failure):
            server.ready()
        same(server.wait(), 1)
        expect("verify" in server.complaints[0], server.complaints)
        # Another log of the same length: the state of other events.
        shutil.rmtree(path / "data/state")
        other = path / "other"
        other.mkdir()
        write_plan(other)
        with serve(other) as server:
            for event in sent:
                server.batch([dict(event, properties={"amount": 5000})])
        shutil.copytree(other / "data/state", path / "data/state")
        done = verify(path, code=1)
        expect('user "user-0": the log gives ' in done.out, done.out)
        verify(path, "--repair")
        with serve(path) as server:
            same(server.behavior("user-0")["metrics"]["total"], sum(event["properties"]["amount"] for event in sent if event["userId"] == "user-0"))


def test_another_plan_is_no_damage():
    with folder() as path:
        filled(path)
        write_plan(path, PLAN + "  idle: {when: a then no b for 1h}\n")
        done = verify(path)
        expect("of another plan" in done.out and done.out.endswith("clean\n"), done.out)
        with serve(path) as server:
            server.batch([track("user-0", "a")])
        expect("compared with the log" in verify(path).out, "after it was built anew")


def test_the_file_of_keys():
    with folder() as path:
        filled(path, events=3, keys=False)
        keys = path / "data/keys"
        whole = keys.read_text()
        same([line.split()[0] for line in whole.splitlines()], ["attune-keys", "api", "write", "sha256"] if "api" == whole.splitlines()[1].split()[0]
             else ["attune-keys", "write", "api", "sha256"])
        for at in range(0, len(whole), 17):
            flip(keys, at)
            done = verify(path, "--quick", code=1)
            expect(f"{keys}: " in done.out + done.err, at, done.out, done.err)
            keys.write_text(whole)
        flip(keys, 40)
        with serve(path, keys=False) as server:  # the store has them: it is written anew
            same([line for line in server.said if "key:" in line], [])
        same(keys.read_text(), whole)
        flip(keys, 40)
        shutil.rmtree(path / "data/state")
        server = serve(path, keys=False)
        same(server.wait(), 1)
        expect("the file of keys is damaged" in server.complaints[0], server.complaints)
        verify(path, "--repair")
        with serve(path, keys=False) as server:
            same(len([line for line in server.said if "key:" in line]), 2, "new keys are told")


# --- backup and restore ---

class Load(threading.Thread):
    """A client that sends events one by one until it is told to end."""

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.client, self.number = Client(port), number
        self.acked, self.ending, self.failure = [], threading.Event(), None

    def run(self):
        made = 0
        while not self.ending.is_set():
            made += 1
            event = track(f"user-{self.number}-{made % 5}", "a", {"amount": made}, messageId=f"{self.number}-{made}", timestamp=rfc3339(now()))
            try:
                answer = self.client.request("POST", "/v1/batch", {"batch": [event]}, {"Authorization": f"Bearer {WRITE_KEY}"})
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                self.acked.append(event["messageId"])
            elif not self.ending.is_set():
                self.failure = answer
                return


def loaded(server, events):
    """Clients that send, each with more than so many events acknowledged."""
    loads = [Load(server.port, number) for number in range(3)]
    for load in loads:
        load.start()
    poll(lambda: all(len(load.acked) > events for load in loads), "events")
    return loads


def test_a_backup_under_load_holds_what_was_acknowledged_before():
    with folder() as path:
        write_plan(path)
        server = serve(path).ready()
        loads = loaded(server, 30)
        for number in range(3):
            before = {identity for load in loads for identity in list(load.acked)}
            done = run("backup", "--data", path / "data", "--out", path / f"backup-{number}", code=0)
            expect(re.match(r"\d+ records \(1 to \d+\) in 1 files", done.out), done.out)
        server.kill()
        for load in loads:
            load.join()
            expect(load.failure is None, load.failure)
        (path / "plan.yaml").unlink()  # the backup has its own
        shutil.rmtree(path / "data")
        done = run("restore", path / "backup-2", "--data", path / "restored", code=0)
        expect(f"attune serve --plan {path}/restored/plan/plan.yaml --data {path}/restored" in done.out, done.out)
        expect(verify(path, data="restored").out.endswith("clean\n"), "the restored folder")
        with Server(path / "restored/plan/plan.yaml", path / "restored") as server:
            users = [f"user-{number}-{i}" for number in range(3) for i in range(5)]
            live = values_of(server, users)
            run("export", "--data", path / "restored", "--out", path / "restored.ndjson", code=0)
        there = [json.loads(line)["messageId"] for line in (path / "restored.ndjson").read_text().splitlines()]
        same(len(there), len(set(there)), "each once")
        expect(before <= set(there), "lost:", sorted(before - set(there))[:5])
        write_plan(path)
        same(replayed(path, path / "restored.ndjson"), live, "a replay of the export, and the restored server")
        done = verify(path, data="restored")
        expect(done.out.endswith("clean\n") and "compared with the log" in done.out, done.out)


def test_backup_and_restore_say_what_they_cannot_do():
    with folder() as path:
        filled(path, keys=False)
        run("backup", "--data", path / "data", "--out", path / "backup", code=0)
        expect("is there already" in run("backup", "--data", path / "data", "--out", path / "backup", code=2).err, "a second one")
        expect("is there already" in run("restore", path / "backup", "--data", path / "data", code=2).err, "over another")
        expect("is no whole backup: it has no manifest" in run("restore", path / "data", "--data", path / "x", code=2).err, "no backup")
        expect("is no data folder" in run("backup", "--data", path / "backup/plan", "--out", path / "x", code=2).err, "no data")
        manifest = (path / "backup/manifest").read_text()
        same(sorted(line.split()[-1] for line in manifest.splitlines() if line.startswith("file ")),
             ["keys", "log/00000000000000000001.log", "plan/plan.yaml"])
        for file in ("log/00000000000000000001.log", "keys", "plan/plan.yaml", "manifest"):
            flip(path / "backup" / file, 30)
            done = run("restore", path / "backup", "--data", path / "x", code=1)
            expect(f"{path}/backup/{file}: " in done.err and "nothing was restored" in done.err + "nothing was restored" * (file == "manifest"), done.err)
            expect(not (path / "x").exists() and not (path / "x.restoring").exists(), "something was restored")
            flip(path / "backup" / file, 30)
        (path / "x").mkdir()
        run("restore", path / "backup", "--data", path / "x", code=0)
        with Server(path / "plan.yaml", path / "x", keys=False) as server:
            same([line for line in server.said if "key:" in line], [], "the keys are those of the backup")
        # A source that is damaged is no backup.
        flip(log_file(path), 60)
        done = run("backup", "--data", path / "data", "--out", path / "bad", code=1)
        expect(f"{log_file(path)}: offset 40: record 1 is damaged" in done.err and "is no whole backup" in done.err, done.err)
        expect("has no manifest" in run("restore", path / "bad", "--data", path / "y", code=2).err, "half a backup")


# --- lock and versions ---

def test_one_writer_and_who_may_look_meanwhile():
    with folder() as path:
        write_plan(path)
        with serve(path) as server:
            server.batch([track("ann", "a")])
            second = serve(path)
            same(second.wait(), 1, "a second server")
            same(len(second.complaints), 1, second.complaints)
            expect(f"process {server.process.pid}" in second.complaints[0] and str(path / "data") in second.complaints[0], second.complaints)
            done = verify(path, code=1)
            expect(f"process {server.process.pid}" in done.err, done.err)
            same(verify(path, "--repair", code=1).err, done.err)
            same(len(run("export", "--data", path / "data", code=0).out.splitlines()), 1)
            run("backup", "--data", path / "data", "--out", path / "backup", code=0)
            run("explain", "--data", path / "data", "ann", "everyone", code=0)
            same(server.ask("/v1/status")["events"], 1)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_newer_formats_are_refused_in_one_line():
    with folder() as path:
        filled(path, events=5, keys=False)
        run("backup", "--data", path / "data", "--out", path / "backup", code=0)

        def refused(file, commands, content, original):
            file.write_bytes(content)
            for command in commands:
                done = run(*command, code=None)
                expect(done.returncode != 0, command, "took a newer", file)
                said = [line for line in (done.err + done.out).splitlines() if "newer" in line]
                same(len(said), 1, (command, done.err, done.out))
                expect(str(file) in said[0] or str(file.parent) in said[0], said)
                expect("newer program" in said[0] and re.search(r"\(1\)|\(2\)|reads", said[0]), said)
            file.write_bytes(original)

        serving = ("serve", "--plan", path / "plan.yaml", "--data", path / "data", "--listen", "127.0.0.1:0")
        verifying = ("verify", path / "data")
        log = log_file(path)
        original = log.read_bytes()
        header = bytearray(original[:36])
        header[8] = 2
        newer = bytes(header) + crc32c(header).to_bytes(4, "little") + original[40:]
        refused(log, [serving, verifying, ("export", "--data", path / "data"), ("backup", "--data", path / "data", "--out", path / "x")], newer, original)
        shutil.rmtree(path / "x", ignore_errors=True)

        keys = path / "data/keys"
        original = keys.read_bytes()
        text = original.split(b"sha256 ")[0].replace(b"attune-keys 1", b"attune-keys 2")
        refused(keys, [serving, verifying], text + b"sha256 " + hashlib.sha256(text).hexdigest().encode() + b"\n", original)

        note = path / "data/plan_path"
        original = note.read_bytes()
        refused(note, [verifying, ("export", "--data", path / "data"), ("explain", "--data", path / "data", "user-1", "everyone")],
                original.replace(b"attune-plan-note 1", b"attune-plan-note 2"), original)

        manifest = path / "backup/manifest"
        original = manifest.read_bytes()
        text = original.split(b"\nsha256 ")[0].replace(b"attune-backup 1", b"attune-backup 2") + b"\n"
        refused(manifest, [("restore", path / "backup", "--data", path / "x")],
                text + b"sha256 " + hashlib.sha256(text).hexdigest().encode() + b"\n", original)
        expect(verify(path).out.endswith("clean\n"), "as it was")
        # An older note is the path alone.
        note.write_text(f"{path}/plan.yaml\n")
        expect("compared with the log" in verify(path).out, "an older note")


# --- stopping ---

def half_a_request(port):
    """A request whose body has not come to its end."""
    body = json.dumps({"batch": [track("ann", "a", messageId="half")]}).encode()
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + WRITE_KEY.encode() +
                   b"\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    expect(client.recv(100).startswith(b"HTTP/1.1 100 "), "the server has not begun to read")
    client.sendall(body[:10])
    return client, body[10:]


def test_sigterm_answers_what_has_begun_and_ends_with_0():
    with folder() as path:
        write_plan(path)
        server = serve(path).ready()
        loads = loaded(server, 20)
        client, rest = half_a_request(server.port)
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: any("draining" in line for line in server.journal), "the beginning of the end")
        for load in loads:
            load.ending.set()
        client.sendall(rest)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        expect(re.match(rb"HTTP/1\.1 (200|503) ", answer), answer)
        same(server.wait(), 0)
        for load in loads:
            load.join()
        expect(verify(path).out.endswith("clean\n"), "after the end")
        acked = {identity for load in loads for identity in load.acked} | ({"half"} if b" 200 " in answer[:20] else set())
        there = {json.loads(line)["messageId"] for line in run("export", "--data", path / "data", code=0).out.splitlines()}
        expect(acked <= there, "lost:", sorted(acked - there)[:5])


def test_a_second_sigterm_ends_at_once_and_loses_nothing():
    with folder() as path:
        write_plan(path)
        server = serve(path).ready()
        loads = loaded(server, 20)
        client, _ = half_a_request(server.port)  # for which the end waits
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: any("draining" in line for line in server.journal), "the beginning of the end")
        server.process.send_signal(signal.SIGTERM)
        same(server.wait(), 128 + signal.SIGTERM)
        client.close()
        for load in loads:
            load.ending.set()
            load.join()
        expect(verify(path).out.endswith("clean\n"), "after the end")
        there = {json.loads(line)["messageId"] for line in run("export", "--data", path / "data", code=0).out.splitlines()}
        acked = {identity for load in loads for identity in load.acked}
        expect(acked <= there, "lost:", sorted(acked - there)[:5])


# --- what is said on stderr ---

CANARIES = ["canary-key-4711", "canary@example.org", "203.0.113.77", "canary-user"]


def test_the_journal_is_a_line_of_json_for_each_request_and_nothing_of_anybody():
    with folder() as path:
        write_plan(path)
        server = Server(path / "plan.yaml", path / "data", extra=("--access-log", "--log-format", "json")).ready()
        paths = ["/user/canary-user/behavior", "/v1/users/canary-user%0d%0a%1b%5b31m/behavior?x=canary-key-4711", "/healthz", "/no/such/canary-user",
                 "/v1/segments/%E2%80%A8canary-user", "/v1/users/canary@example.org/explain?segment=busy", "/%ff%fe", "/%zz"]
        agents = ["canary-user", "a\u2028b", "x\x1b[31mred", "caf\xe9"]
        ids = []
        for i, target in enumerate(paths * 3):
            headers = {"User-Agent": agents[i % len(agents)].encode("utf-8", "replace").decode("latin-1"), "X-Forwarded-For": "203.0.113.77",
                       "Authorization": "Bearer canary-key-4711" if i % 2 else f"Bearer {API_KEY}"}
            answer = server.request("GET", target, headers=headers)
            ids.append(answer.headers["Attune-Request-Id"])
        server.send("/v1/track", {"userId": "canary-user", "event": "canary@example.org\r\n{\"level\":\"error\"}"})
        for raw in (b"GET /\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\xff\r\nBad Header\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
                client.sendall(raw)
                with contextlib.suppress(OSError):
                    client.recv(65536)
        same(len(set(ids)), len(paths) * 3, "ids of requests")
        expect(all(re.fullmatch(r"[0-9a-f]{16}", identity) for identity in ids), ids)
        same(server.stop(), 0)
        raw = "\n".join(server.journal + server.complaints)
        lines = [json.loads(line) for line in server.journal + server.complaints]
        requests = [line for line in lines if line["event"] == "request"]
        same(len(requests), len(paths) * 3 + 1 + 3, "a line for each request")
        same([line["request_id"] for line in requests[:len(ids)]], ids)
        same({line["network"] for line in requests}, {"127.0.0.0/24"})
        same(requests[0]["route"], "/user/{id}/behavior")
        same(requests[3]["route"], "")
        expect(all(set(line) == {"time", "level", "event", "request_id", "method", "route", "status", "bytes", "ms", "network"} for line in requests), requests[0])
        for canary in [*CANARIES, API_KEY, WRITE_KEY, "127.0.0.1\"", "User-Agent"]:
            expect(canary not in raw, canary, "was told")
        expect(raw.isascii() and "\x1b" not in raw, "bytes beyond ASCII")
        told = [line["event"] for line in lines if line["event"] != "request"]
        same([event for event in told if event != "running_as_root"], ["recovered", "ready", "draining", "stopped"])


def test_what_happens_is_told():
    with folder() as path:
        filled(path, events=20)
        log = log_file(path)
        whole = log.read_bytes()
        last = record_offsets(whole)[-1][0]
        log.write_bytes(whole[:last + 9])
        shutil.rmtree(path / "data/state")
        with serve(path) as server:
            poll(lambda: any('"ready"' in line for line in server.journal), "the line that says so")
            told = {json.loads(line)["event"]: json.loads(line) for line in server.journal + server.complaints}
            same(told["torn_write_cut"]["bytes"], 9)
            expect(told["recovered"]["users"] == 8 and told["recovered"]["records_applied"] >= 19, told["recovered"])
            expect(told["ready"]["url"] == server.url and told["ready"]["process"] == server.process.pid, told["ready"])
            write_plan(path, "segments: {broken: {when: 'count('}}\n")
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("the present one goes on" in line for line in server.complaints), "a refusal")
            write_plan(path, PLAN + "  idle: {when: a then no b for 1h}\n")
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("plan_changed" in line for line in server.journal), "a change")
            server.complaints.clear()
        text = Server(path / "plan.yaml", path / "data", extra=("--log-format", "text")).ready()
        same(text.stop(), 0)
        expect(any(re.match(r"\d{4}-\d\d-\d\dT\S+Z draining|\S+ requests that have begun", line) for line in text.complaints), text.complaints)


def test_answers_5xx_say_no_more_than_an_id():
    with folder() as path:
        write_plan(path)
        # The log file may not grow beyond 96 KiB: storage is full for it.
        done = subprocess.run(["prlimit", "--version"], capture_output=True)
        same(done.returncode, 0, "prlimit is there")
        with serve(path) as server:
            subprocess.run(["prlimit", "--pid", str(server.process.pid), "--fsize=98304:unlimited"], check=True)
            refused = None
            for i in range(400):
                answer = server.request("POST", "/v1/batch", {"batch": [track("ann", "a", {"text": "x" * 2000}, messageId=f"{i}-{j}") for j in range(20)]},
                                        key=WRITE_KEY)
                if answer.status != 200:
                    refused = answer
                    break
            expect(refused is not None, "storage never ran full")
            told = problem(refused, 503, "storage_full")
            same(sorted(told), ["code", "request_id", "status", "title", "type"])
            same(told["request_id"], refused.headers["Attune-Request-Id"])
            expect(refused.headers["Retry-After"], refused.headers)
            for word in (str(path), "errno", "File too large", "No space", ".log"):
                expect(word not in refused.body.decode(), word, "was told")
            line = poll(lambda: next((json.loads(line) for line in server.complaints if told["request_id"] in line), None), "a line of the journal")
            expect("data/log" in line["message"] and line["status"] == 503, line)
            poll(lambda: any('"storage_full"' in line for line in server.complaints), "a line about storage")
            subprocess.run(["prlimit", "--pid", str(server.process.pid), "--fsize=unlimited:unlimited"], check=True)
            poll(lambda: server.request("POST", "/v1/track", track("ann", "a"), key=WRITE_KEY).status == 200, "storage again")
            poll(lambda: any('"storage_back"' in line for line in server.journal), "a line about storage")


# --- the binary and the process ---

def test_the_binary_is_hardened():
    elf = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", BINARY], capture_output=True, text=True, check=True).stdout
    expect(re.search(r"Type:\s+DYN \(Position-Independent Executable", elf), "not position independent")
    expect("GNU_RELRO" in elf and re.search(r"FLAGS.*BIND_NOW|\(BIND_NOW\)|FLAGS_1.*NOW", elf), "symbols are bound lazily")
    stack = re.search(r"GNU_STACK.*", elf)[0]
    expect(" RWE" not in stack and " RW " in stack, stack)
    expect("__stack_chk_fail" in elf, "no stack protector")
    if b"__asan_init" not in pathlib.Path(BINARY).read_bytes():
        expect(re.search(r"__(memcpy|snprintf|read|pread|vsnprintf|memset|strncpy)\w*_chk", elf), "no fortified function")
    expect("glibcxx_assert_fail" in elf, "no assertions of the standard library")
    expect(not re.search(r"\((RPATH|RUNPATH)\)", elf), "a path for libraries")


def test_the_process_gives_up_what_it_does_not_need():
    with folder() as path:
        write_plan(path)
        with serve(path) as server:
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
            same(re.search(r"NoNewPrivs:\s+(\d)", status)[1], "1")
            limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
            same(re.search(r"Max core file size\s+(\d+)\s+(\d+)", limits).groups(), ("0", "0"))
            if os.geteuid() == 0:
                poll(lambda: any("running_as_root" in line for line in server.journal), "a warning")


def test_the_unit_is_one_that_systemd_takes():
    """And its options are those of the program."""
    unit = (ROOT / "packaging/attune.service").read_text()
    command = re.search(r"^ExecStart=\S+ (.*)$", unit, re.M)[1].split()
    known = run(command[0], "--help", code=0).out
    for option in command:
        expect(not option.startswith("--") or option in known, option)
    for setting in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=on-failure", "TimeoutStopSec=30", "StateDirectory=attune"):
        expect(setting in unit, setting)
    if shutil.which("systemd-analyze"):
        with folder() as path:
            (path / "attune.service").write_text(unit.replace("/usr/local/bin/attune", BINARY))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path / "attune.service")], capture_output=True, text=True)
            expect("attune.service" not in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(main(globals()))
