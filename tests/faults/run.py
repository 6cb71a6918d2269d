#!/usr/bin/env python3
"""Runs the faults. run.py [--list] [--short] [--only F-08,test_name…] [--report FILE]

Each is one case; see docs/reliability.md. Without arguments all of them run. --short runs those that need no root and take a few
seconds. --report writes what was found into the table of FILE. ATTUNE_KILLS, ATTUNE_STRIDE and ATTUNE_SEED
say how often, how densely, and from which seed.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import traceback

import injection  # noqa: F401  (finds the harness)
from fault import FAULTS, KILLS, STRIDE
from harness import BINARY, folder

import clients  # noqa: F401  each adds its faults
import clocks  # noqa: F401
import crashes  # noqa: F401
import damages  # noqa: F401
import disks  # noqa: F401
import loads  # noqa: F401
import starts  # noqa: F401

MARKER = "<!-- faults: {} -->"


def chosen(arguments):
    faults = sorted(FAULTS, key=lambda fault: fault.number)
    if not arguments.only:
        return [fault for fault in faults if not fault.on_request and (fault.short or not arguments.short)]
    wanted = arguments.only.split(",")
    found = [fault for fault in faults if fault.number in wanted or fault.name in wanted]
    missing = set(wanted) - {name for fault in found for name in (fault.number, fault.name)}
    if missing:
        sys.exit(f"run.py: there is no fault {', '.join(sorted(missing))}; --list names them")
    return found


def told(figures):
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in (figures or {}).items())


def end_children():
    """What a failed case left running, and nothing else."""
    for task in pathlib.Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def run(fault):
    """(passed, seconds, figures)."""
    begun = time.monotonic()
    try:
        with folder() as path:
            figures = fault.case(path)
        passed = True
    except Exception:
        traceback.print_exc(file=sys.stdout)
        passed, figures = False, None
        end_children()
    return passed, time.monotonic() - begun, figures


def row(fault, passed, seconds, figures):
    return (f"| {fault.number} `{fault.name[9:]}` | {fault.injection} | {told(figures)} | "
            f"{'held' if passed else '**not held**'}, {seconds:.0f} s |")


def report(file, results, whole, seed):
    """Writes the table between the markers of a page. A run of some faults replaces their rows alone."""
    text, begin, end = file.read_text(), MARKER.format("begin"), MARKER.format("end")
    rows = {row(fault, *result).split("|")[1]: row(fault, *result) for fault, result in results}
    if whole:
        version = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout.strip()
        head = (f"{version}, {os.cpu_count()} cores, {sum(seconds for _, (_, seconds, _) in results) / 60:.0f} minutes, ATTUNE_KILLS={KILLS}, "
                f"ATTUNE_STRIDE={STRIDE} (each so-many-th byte or call), ATTUNE_SEED={seed}.")
        body = "\n".join(["| fault | injection | figures | result |", "|---|---|---|---|", *rows.values()])
        old = f"{head}\n\n{body}"
    else:
        old = text[text.index(begin) + len(begin):text.index(end)].strip()
        old = "\n".join(rows.get(line.split("|")[1], line) if line.startswith("| F-") else line for line in old.splitlines())
    file.write_text(text[:text.index(begin)] + f"{begin}\n{old}\n{end}" + text[text.index(end) + len(end):])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--report", type=pathlib.Path)
    arguments = parser.parse_args()
    faults = chosen(arguments)
    if arguments.list:
        for fault in faults if arguments.only or arguments.short else sorted(FAULTS, key=lambda fault: fault.number):
            print(f"{fault.number}  {fault.name:46} {'short' if fault.short else '     '} {fault.injection}")
        return 0
    seed = os.environ.setdefault("ATTUNE_SEED", str(random.SystemRandom().randrange(1, 1 << 32)))
    print(f"ATTUNE_SEED={seed}, {len(faults)} faults, {BINARY}", flush=True)
    if arguments.short:
        os.environ["ATTUNE_SHORT"] = "1"
    results = []
    for i, fault in enumerate(faults, 1):
        print(f"[{i}/{len(faults)}] {fault.number} {fault.name}: {fault.injection}", flush=True)
        result = run(fault)
        results.append((fault, result))
        print(f"{'      ok' if result[0] else 'FAILED ' + fault.name} in {result[1]:.1f} s  {told(result[2])}", flush=True)
    if arguments.report:
        report(arguments.report, results, not arguments.only and not arguments.short, seed)
    failed = [fault.name for fault, result in results if not result[0]]
    if failed:
        print("failed:", " ".join(failed))
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    # Mounts of a fault are seen by it alone, and end with it.
    if os.geteuid() == 0 and "ATTUNE_FAULTS_APART" not in os.environ:
        os.environ["ATTUNE_FAULTS_APART"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    sys.exit(main())
