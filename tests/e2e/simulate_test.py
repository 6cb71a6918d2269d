#!/usr/bin/env python3
"""Whole lives of the runtime with crashes, power cuts and full disks. ATTUNE_LIVES says how many (default 300)."""

import os
import re
import sys

from harness import SIMULATE, expect, main, run

LIVES = int(os.environ.get("ATTUNE_LIVES", "300"))


def test_every_promise_holds_in_every_life():
    told = run("--seeds", LIVES, code=0, program=SIMULATE).out
    expect(told.startswith(f"{LIVES} lives: "), told)
    # What did not happen cannot have gone wrong.
    for count in ("kills", "power cuts", "un-merges", "letters kept", "questions answered"):
        found = re.search(rf"(\d+) {count}", told)
        expect(found and int(found[1]) > LIVES / 2, told)
    for count in (r"(\d+) of \d+ changes of the plan", r"(\d+) meetings"):
        found = re.search(count, told)
        expect(found and int(found[1]) > LIVES / 20, told)


def test_a_disk_that_lies_is_noticed():
    told = run("--seeds", 40, "--only", "letters", "--lying-disk", code=1, program=SIMULATE)
    expect(told.out.startswith("seed "), told.out)
    expect("--lying-disk" in told.err, told.err)


def test_a_seed_is_the_same_life_each_time():
    for seed in (17, 18):
        lives = [run("--seed", seed, "--trace", code=0, program=SIMULATE).out for _ in range(2)]
        expect(lives[0] == lives[1] and lives[0].count("started") > 2, lives)


if __name__ == "__main__":
    sys.exit(main(globals()))
