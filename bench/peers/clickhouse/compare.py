"""The 280 conditions for every user at the end of the history, by `attune replay` and by ClickHouse (chdb, in a process of its own),
in one run: the time that each takes, and whether the answers are equal.

    bench/peers/clickhouse/run EVENTS.ndjson [--all] [--json FILE]

attune reads the NDJSON and computes every change of every condition, as always. ClickHouse computes the conditions once, at the end: from
the NDJSON, and from a table that was loaded before, sorted by user and time, which is its best case. `--all` also compares the numbers
behind the conditions (not timed, since a plan with metrics is another plan), and counts the answers that differ because the same
expression has another meaning.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import pyarrow.parquet
import statements
from attune_replay import ATTUNE, processor_seconds, replay
from statements import END

RAW = """SELECT userId AS user, CAST(event AS LowCardinality(String)) AS name,
  toUInt64(toUnixTimestamp64Milli(parseDateTime64BestEffort(timestamp, 3, 'UTC'))) AS time,
  toUInt64(substring(messageId, 3)) AS position, properties.price AS price, properties.product_id AS product_id,
  CAST(properties.category AS LowCardinality(String)) AS category
FROM file('{events}', 'JSONEachRow', 'event String, userId String, messageId String, timestamp String,
  properties Tuple(price Float64, product_id String, category String)')"""
# The same expressions with ClickHouse's default meaning, to show the size of the difference.
OTHER_MEANINGS = {"first_step": (statements.FUNNEL_STATEMENTS, "sql_from_first_step"),
                  "seconds": (statements.GATE_STATEMENTS, "sql_in_seconds")}
TITLES = {
    "conditions": "The conditions, ClickHouse from its table in the order of time",
    "from_ndjson": "The conditions, ClickHouse from NDJSON (threads take rows in any order)",
    "values": "The numbers behind the conditions: counts, sums, steps reached, matches",
    "first_step": "Another meaning: a funnel's window begins at its first step, whenever that was, and does not end now",
    "seconds": "Another meaning: times are cut to seconds before a gate is measured",
}
SPILL = "\nSETTINGS max_bytes_before_external_group_by = 4000000000"  # state of about 18 KB for each user
IN_ORDER = "\nSETTINGS optimize_aggregation_in_order = 1"


# --- attune ---

def attune_answers(out, which, metrics):
    """{user: row} and a matrix of answers."""
    column = {s.id: i for i, s in enumerate(which)}
    users, rows = {}, []
    with open(out / "values.ndjson", encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line)
            row = numpy.zeros(len(which), dtype=float if metrics else numpy.uint8)
            if metrics:
                for name, number in value["metrics"].items():
                    row[column[name]] = number
            else:
                row[[column[name] for name in value["segments"]]] = 1
            users[value["user"]] = len(rows)
            rows.append(row)
    return users, numpy.array(rows)


# --- ClickHouse ---

def ask(settings):
    """In the child: loads, runs the queries, and prints the time of each."""
    from chdb import session
    took = {}

    def run(what, sql):
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        clickhouse.query(sql)
        took[what] = {"wall": time.monotonic() - began, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      "processor": processor_seconds(resource.getrusage(resource.RUSAGE_SELF)) - processor_seconds(before)}

    out = pathlib.Path(settings["out"])
    clickhouse = session.Session(str(out / "data"))
    clickhouse.query("CREATE DATABASE shop")
    clickhouse.query("CREATE TABLE shop.events (user String, name LowCardinality(String), time UInt64, position UInt64, price Float64, "
                     "product_id String, category LowCardinality(String)) ENGINE = MergeTree ORDER BY (user, time, position)")
    raw = RAW.format(events=settings["events"])
    run("load", f"INSERT INTO shop.events {raw}")
    run("merge", "OPTIMIZE TABLE shop.events FINAL")

    def answer(what, table, end, which=statements.STATEMENTS, form="sql"):
        query = statements.query(table, which, form) + end
        run(what, f"INSERT INTO FUNCTION file('{out}/{what}.parquet', 'Parquet') {query}")

    answer("table", "shop.events", IN_ORDER)
    answer("ndjson", f"({raw})", SPILL)
    if settings["all"]:
        answer("values", "shop.events", IN_ORDER, form="sql_value")
        for what, (which, form) in OTHER_MEANINGS.items():
            answer(what, "shop.events", IN_ORDER, which, form)
    clickhouse.query(f"INSERT INTO FUNCTION file('{out}/ties.parquet', 'Parquet') SELECT user, time, groupUniqArray(toString(name)) "
                     "AS names FROM shop.events GROUP BY user, time HAVING length(names) > 1")
    took["version"] = str(clickhouse.query("SELECT version()", "TabSeparated")).strip()
    print(json.dumps(took))


def clickhouse_run(settings):
    child = subprocess.run([sys.executable, __file__, "--child", json.dumps(settings)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(child.stdout.splitlines()[-1])


def clickhouse_answers(path, which, users):
    """The answers in the order of attune's users."""
    table = pyarrow.parquet.read_table(path)
    names = table.column("user").to_pylist()
    if len(names) != len(users):
        sys.exit(f"ClickHouse sees {len(names)} users, attune {len(users)}")
    order = numpy.empty(len(names), dtype=int)
    for i, name in enumerate(names):
        order[users[text(name)]] = i
    return numpy.stack([table.column(s.id).to_numpy()[order] for s in which], axis=1)


# --- the comparison ---

def text(value):
    return value if isinstance(value, str) else value.decode()


def read_ties(path):
    """{user: [names of events of one millisecond]}."""
    ties = {}
    table = pyarrow.parquet.read_table(path).to_pydict()
    for user, names in zip(table["user"], table["names"]):
        ties.setdefault(text(user), []).append({text(name) for name in names})
    return ties


def compare(which, ours, theirs, users, ties):
    """By kind: the number of answers, the number that are not zero, and those that differ: in a sum's last digits, for users with
    several steps of the sequence in one millisecond, or otherwise."""
    result = {}
    names = list(users)
    for i, s in enumerate(which):
        kind = result.setdefault(s.kind, {"statements": 0, "answers": 0, "true": 0, "digits": 0, "ties": 0, "other": 0, "examples": []})
        kind["statements"] += 1
        kind["answers"] += len(ours)
        kind["true"] += int((ours[:, i] != 0).sum())
        equal = ours[:, i] == theirs[:, i]
        close = equal | numpy.isclose(ours[:, i], theirs[:, i], rtol=1e-12, atol=0)
        kind["digits"] += int((close & ~equal).sum())
        for row in numpy.flatnonzero(~close):
            tied = any(len(tie & set(getattr(s, "steps", ()))) > 1 for tie in ties.get(names[row], ()))
            kind["ties" if tied else "other"] += 1
            if len(kind["examples"]) < 4:
                kind["examples"].append((s.id, names[row], ours[row, i], theirs[row, i]))
    return result


def show(title, result):
    print(f"\n{title}\n  {'kind':10} {'statements':>10} {'answers':>12} {'not 0':>12} {'last digits':>12} {'one ms':>8} {'other':>8}")
    for kind, r in result.items():
        print(f"  {kind:10} {r['statements']:10} {r['answers']:12} {r['true']:12} {r['digits']:12} {r['ties']:8} {r['other']:8}")
    for kind, r in result.items():
        for example in r["examples"]:
            print("  differs: {} for {}: attune {:g}, ClickHouse {:g}".format(*example))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=pathlib.Path)
    parser.add_argument("--attune", default=ATTUNE)
    parser.add_argument("--all", action="store_true", help="compare the numbers and the other meanings too")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here")
    parser.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    options = parser.parse_args()
    events = options.events.resolve()
    with open(events, "rb") as lines:
        count = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    folder = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="attune-peers-"))
    folder.mkdir(exist_ok=True)
    try:
        figures = {"attune": replay(options.attune, statements.plan(), events, folder / "attune", END)}
        figures.update(clickhouse_run({"out": str(folder), "events": str(events), "all": options.all}))
        users, ours = attune_answers(folder / "attune", statements.STATEMENTS, False)
        ties = read_ties(folder / "ties.parquet")

        def against(what, which, ours):
            return compare(which, ours, clickhouse_answers(folder / f"{what}.parquet", which, users), users, ties)

        results = {"conditions": against("table", statements.STATEMENTS, ours),
                   "from_ndjson": against("ndjson", statements.STATEMENTS, ours)}
        if options.all:
            column = {s.id: i for i, s in enumerate(statements.STATEMENTS)}
            for what, (which, _) in OTHER_MEANINGS.items():
                results[what] = against(what, which, ours[:, [column[s.id] for s in which]])
            replay(options.attune, statements.values_plan(), events, folder / "values", END)
            users, ours = attune_answers(folder / "values", statements.STATEMENTS, True)
            results["values"] = against("values", statements.STATEMENTS, ours)
    finally:
        if not options.keep:
            shutil.rmtree(folder)

    print(f"{count} events of {len(users)} users, 280 conditions; ClickHouse {figures['version']}; load average {os.getloadavg()[0]:.1f}")
    print(f"  {'':44} {'wall s':>8} {'cpu s':>8} {'events/s':>10} {'events/s/core':>14} {'resident MB':>12}")
    for key, label in (("attune", "attune replay, NDJSON, every change"), ("ndjson", "ClickHouse, NDJSON, one instant"),
                       ("load", "ClickHouse, loading its table"), ("merge", "ClickHouse, merging its table"),
                       ("table", "ClickHouse, loaded table, one instant")):
        f = figures[key]
        print(f"  {label:44} {f['wall']:8.1f} {f['processor']:8.1f} {count / f['wall']:10.0f} {count / f['processor']:14.0f} "
              f"{f['bytes'] / 1e6:12.0f}")
    print("  attune: " + figures["attune"]["printed"])
    for title, result in results.items():
        show(TITLES[title], result)
    if options.json:
        told = {"events": count, "users": len(users), "figures": figures, "results": results}
        options.json.write_text(json.dumps(told, default=int))  # numpy has its own integer types
    if any(kind["other"] for title, result in results.items() if title not in OTHER_MEANINGS for kind in result.values()):
        sys.exit("There are differences without a known reason.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        ask(json.loads(sys.argv[2]))
    else:
        main()
