#!/usr/bin/env python3
"""`attune backup` and `attune restore`. backup_test.py [CASE...]"""

import json
import re
import shutil
import sys

from data_folder import filled, flip, loaded, log_file, replayed, serve, values_of, verify, write_plan
from harness import Server, expect, folder, main, run, same


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


if __name__ == "__main__":
    sys.exit(main(globals()))
