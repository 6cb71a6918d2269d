"""Runs `attune replay` and measures it."""

import os
import pathlib
import subprocess
import sys
import time

ATTUNE = pathlib.Path(__file__).resolve().parents[2] / "build/release/attune"


def processor_seconds(usage):
    return usage.ru_utime + usage.ru_stime


def replay(attune, plan, events, out, until=None):
    """Returns wall seconds, processor seconds (user and system, of all threads), the peak resident size in bytes, and the output.
    `until`: the instant at which everyone's values are written."""
    plan_file = out.with_suffix(".yaml")
    plan_file.write_text(plan)
    command = [attune, "replay", "--plan", plan_file, "--events", events, "--out", out]
    if until:
        command += ["--at", str(until), "--until", str(until)]
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"attune replay failed: {printed}")
    return {"wall": time.monotonic() - began, "processor": processor_seconds(usage), "bytes": usage.ru_maxrss * 1024,
            "printed": printed.splitlines()[0]}
