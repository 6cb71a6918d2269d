#!/usr/bin/env python3
"""Whole lives of the runtime with crashes, power cuts and full disks. ATTUNE_LIVES says how many (default 300).

Lives with merges and with changes of the plan are not among them: some break a promise, see docs/reliability.md, "What is not held".
"""

import os
import sys

from harness import SIMULATE, expect, main, run

LIVES = int(os.environ.get("ATTUNE_LIVES", "300"))


def test_every_promise_holds_in_every_life():
    for subject in ("letters", "reads"):
        told = run("--seeds", LIVES // 2, "--only", subject, code=0, program=SIMULATE).out
        expect(told.startswith(f"{LIVES // 2} lives: ") and " 0 power cuts" not in told and " 0 kills" not in told, told)


def test_a_disk_that_lies_is_noticed():
    told = run("--seeds", 40, "--only", "letters", "--lying-disk", code=1, program=SIMULATE)
    expect(told.out.startswith("seed "), told.out)
    expect("--lying-disk" in told.err, told.err)


def test_a_seed_is_the_same_life_each_time():
    lives = [run("--seed", 17, "--only", "letters", "--trace", code=0, program=SIMULATE).out for _ in range(2)]
    expect(lives[0] == lives[1] and lives[0].count("started") > 2, lives)


if __name__ == "__main__":
    sys.exit(main(globals()))
