#!/usr/bin/env python3
"""`attune verify`: what it finds in a data folder, and what a repair keeps. verify_test.py [CASE...]"""

import contextlib
import json
import random
import re
import shutil
import sys

from data_folder import PLAN, filled, flip, log_file, record_offsets, serve, values_of, verify, write_plan
from harness import Failure, expect, folder, main, now, rfc3339, run, same, track


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
            expect("the next start rebuilds it from the log" in done.out, done.out)
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
        expect("compared with the log" in verify(path).out, "after it was rebuilt")


if __name__ == "__main__":
    sys.exit(main(globals()))
