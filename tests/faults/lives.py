"""Lives of a runtime in memory, from seeds."""

import os
import re

from fault import fault
from harness import SIMULATE, expect, run

LIVES = int(os.environ.get("ATTUNE_LIVES", "5000"))


@fault("F-38", "lives of a runtime from seeds: kills, power cuts, full and failing disks, restarts, judged by the naive evaluator (`attune-simulate`)")
def test_f38_lives(path):
    told = run("--seeds", LIVES, code=0, program=SIMULATE, patience=3600).out
    figures = {name: number for number, name in re.findall(r"(\d+) (starts|kills|power cuts|records sent again|effects)", told)}
    expect(int(figures["power cuts"]) > LIVES and int(figures["kills"]) > LIVES / 2, told)
    return {"lives": LIVES, **figures}


@fault("F-38", "control: lives on a disk that forgets what it was told to sync; a broken promise must be seen")
def test_f38_control_lying_disk(path):
    told = run("--seeds", 200, "--lying-disk", code=1, program=SIMULATE)
    expect(told.out.startswith("seed "), told.out)
    return {"seen with seed": re.match(r"seed (\d+)", told.out)[1]}
