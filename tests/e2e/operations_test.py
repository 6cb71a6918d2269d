#!/usr/bin/env python3
"""What an operator does with a data folder: export, keys, one writer at a time, formats of later versions. operations_test.py [CASE...]"""

import hashlib
import json
import re
import shutil
import sys

from data_folder import filled, flip, log_file, replayed, serve, values_of, verify, write_plan
from harness import expect, folder, main, now, rfc3339, run, same, track


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
        with serve(path, keys=False) as server:  # the store has them: it is written again
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


if __name__ == "__main__":
    sys.exit(main(globals()))
