"""Runs attune and its peers over the same events, on this machine, one after the other, and prints a table.

    bench/peers/run [--events 10000000] [--seconds 120] [--peer-events 1000000] [--json]

Generates the events in build/bench unless they exist. ClickHouse and attune evaluate the 280 conditions over all of them, and the answers
are compared. Esper gets the first events, for the given number of seconds; Flink gets the first million. events/s/core divides by the
processor time (user and system, all threads) of the process.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys

from attune_replay import ATTUNE, replay

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE.parents[1] / "build/bench"
WINDOW = "segments:\n  busy: {when: 'count(product_viewed[1h]) >= 5'}\n"
ABSENCE = "segments:\n  left: {when: 'add_to_cart then no purchase for 30m'}\n"


def say(text):
    print(text, file=sys.stderr, flush=True)


def json_of(command, **how):
    """Returns the last line that it prints. A peer whose check fails ends the comparison."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **how)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def first_events(events, count):
    """Returns a file with only the first events; the file itself if it has no more."""
    first = WORK / f"first-{count}-of-{events.name}"
    with open(events, "rb") as lines, open(first, "wb") as out:
        out.writelines(itertools.islice(lines, count))
    return first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=int, default=120, help="for Esper, each time")
    parser.add_argument("--peer-events", type=int, default=1_000_000, help="for Flink and Esper, at most")
    parser.add_argument("--attune", default=ATTUNE)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each figure")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    events = WORK / f"events-{options.events}.ndjson"
    if not events.exists():
        say(f"making {events}")
        part = events.with_suffix(".part")
        subprocess.run([sys.executable, HERE.parent / "events.py", part, "--events", str(options.events)], check=True, stdout=sys.stderr)
        part.rename(events)
    rows = []

    def row(name, ours, our_events, peer, theirs, their_events):
        rows.append((name, our_events / ours["processor"], our_events / ours["wall"], peer, their_events / theirs["processor"],
                     their_events / theirs["wall"], their_events))

    say("ClickHouse")
    compared = WORK / "clickhouse.json"
    subprocess.run([HERE / "clickhouse/run", events, "--attune", options.attune, "--json", compared], check=True, stdout=sys.stderr)
    clickhouse = json.loads(compared.read_text())
    ours, count = clickhouse["figures"]["attune"], clickhouse["events"]
    row("280 conditions", ours, count, "ClickHouse, loaded table, one instant", clickhouse["figures"]["table"], count)
    row("280 conditions", ours, count, "ClickHouse, NDJSON, one instant", clickhouse["figures"]["ndjson"], count)

    for name, which in (("280 conditions", "."), ("200 counts and sums", "count|sum|distinct")):
        say(f"Esper: {name}")
        esper = json_of([HERE / "esper/run", events, options.seconds, options.peer_events, which])
        if which != ".":
            import statements
            plan = statements.plan([s for s in statements.STATEMENTS if s.kind in which])
            ours = replay(options.attune, plan, events, WORK / "aggregates")
        row(name, ours, count, "Esper, events in memory", esper, esper["events"])

    first = first_events(events, options.peer_events)
    count = min(options.events, options.peer_events)
    for job, plan in (("window", WINDOW), ("absence", ABSENCE)):
        say(f"Flink: {job}")
        flink = json_of([HERE / "flink/run", events, job, options.peer_events])
        row(f"one {job}", replay(options.attune, plan, first, WORK / job), count, "Flink, events in memory", flink, count)

    if options.json:
        for name, ours, _, peer, theirs, _, _ in rows:
            print(json.dumps({"name": name, "value": round(ours), "unit": "events/s/core", "peer": peer, "peer_value": round(theirs)}))
        return
    print(f"{'':20} {'attune /s/core':>15} {'/s':>10}   {'peer':38} {'/s/core':>10} {'/s':>10} {'its events':>11}")
    for name, ours, our_wall, peer, theirs, their_wall, their_events in rows:
        print(f"{name:20} {ours:15.0f} {our_wall:10.0f}   {peer:38} {theirs:10.0f} {their_wall:10.0f} {their_events:11}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
