#!/usr/bin/env python3
"""Runs the scenarios of the plan library through the plans as they are shipped: library_test.py --attune BINARY

A scenario tests/scenarios/library_PLAN_NAME.scenario repeats definitions of examples/plans/PLAN.yaml, and scenario_test holds
them to the engine and to the oracle. Here

- every plan passes `attune check --strict`,
- what a scenario repeats is what the plan says, but for blanks,
- `attune replay` of the scenario's events with the whole plan gives what the scenario says of those definitions, and
- every metric, segment and trigger of a plan is the matter of some scenario.

Prints each offence, then `N passed, M failed`.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = {"metrics": "value", "segments": "when", "triggers": None}
EVENT = re.compile(r"(\S+) (\w+)(?: (\{.*?\}))?(?: context (\{.*\}))?$")
CHECK = re.compile(r"and at (.+) (\S+) has (\w+) = (.+)$")


class Wrong(Exception):
    pass


class Cases:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, holds, message):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(message)


def plan_of(text):
    """All scalars as text: expressions are not YAML's business."""
    return yaml.load(text, yaml.BaseLoader)


def meaning(kind, definition):
    """What a definition says, without blanks, descriptions and receivers."""
    if kind == "triggers":
        kept = {key: value for key, value in definition.items() if key not in ("description", "send")}
        return re.sub(r"\s", "", json.dumps(kept, sort_keys=True))
    text = definition if isinstance(definition, str) else definition[KINDS[kind]]
    return re.sub(r"\s", "", text)


def instant(text):
    """`10:00:00` or `2026-03-29 10:00:00.250` as attune writes it, and the rest of the line."""
    match = re.match(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d:\d\d)(?:\.(\d{3}))? ?", text)
    if not match:
        raise Wrong(f"expected a time: {text}")
    return f"{match[1] or '2026-03-01'}T{match[2]}.{match[3] or '000'}Z", text[match.end():]


def json_object(text):
    return json.loads(re.sub(r'([{,]\s*)(\w+):', r'\1"\2":', text)) if text else {}


class Scenario:
    """The part of the format that the library's scenarios use."""

    def __init__(self, text):
        self.plan, self.events, self.then, self.checks, self.until = "", [], [], [], None
        block = ""
        for line in text.splitlines():
            if line.startswith(" ") and block == "plan:":
                self.plan += line + "\n"
            elif not line or line.startswith("#"):
                continue
            elif not line.startswith(" "):
                block = line
                self.sentence(line)
            elif block == "given:":
                self.event(line.strip())
            elif line.strip() != "nothing":
                self.then.append(self.change(line.strip()))
        self.plan = plan_of(self.plan)
        self.until = self.until or max(event["timestamp"] for event in self.events)

    def sentence(self, line):
        if line.startswith("when the clock reads "):
            self.until = instant(line.removeprefix("when the clock reads "))[0]
        elif match := CHECK.match(line):
            self.checks.append((instant(match[1])[0], match[2], match[3], json.loads(match[4])))
        elif line not in ("plan:", "given:", "then:"):
            raise Wrong(f"not of the library's scenarios: {line}")

    def event(self, line):
        time, rest = instant(line)
        match = EVENT.match(rest)
        if not match:
            raise Wrong(f"not of the library's scenarios: {line}")
        self.events.append({"type": "track", "messageId": str(len(self.events)), "timestamp": time, "userId": match[1],
                            "event": match[2], "properties": json_object(match[3]), "context": json_object(match[4])})

    @staticmethod
    def change(line):
        time, rest = instant(line)
        user, does, name, *values = rest.split(" ", 3)
        return time, user, name, does, json_object(values[0] if values else "{}") if does == "fires" else {}

    def names(self, kind):
        return set(self.plan.get(kind, {}))


def replay(binary, plan, scenario):
    """What became of the events: changes and firings, values by (instant, user), dead letters."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in scenario.events))
        at = [option for instant in sorted({check[0] for check in scenario.checks}) for option in ("--at", instant)]
        done = subprocess.run([binary, "replay", "--plan", plan, "--events", folder / "events.ndjson", "--out", folder / "out",
                               "--until", scenario.until, "--threads", "1", *at], capture_output=True, text=True)
        if done.returncode:
            raise Wrong(done.stderr.strip())
        found = {file.stem: [json.loads(line) for line in file.read_text().splitlines()] for file in (folder / "out").iterdir()}
    changes = [(t["at"], t["user"], t["segment"], {"enter": "enters", "leave": "leaves"}[t["change"]], {}) for t in found["transitions"]]
    changes += [(f["at"], f["user"], f["trigger"], "fires", f["values"]) for f in found["firings"]]
    values = {(v["at"], v["user"]): v["metrics"] for v in found.get("values", [])}
    return sorted(changes, key=lambda change: change[:3]), values, found["dead_letters"]


def check_scenario(binary, plan_file, scenario, where, cases):
    plan = plan_of(plan_file.read_text())
    for key in ("timezone", "sessions"):
        cases.expect(key not in scenario.plan or scenario.plan[key] == plan.get(key), f"{where}: {key} is another than the plan's")
    for kind in KINDS:
        for name, definition in scenario.plan.get(kind, {}).items():
            shipped = plan.get(kind, {}).get(name)
            cases.expect(shipped and meaning(kind, shipped) == meaning(kind, definition), f"{where}: {name} is not what {plan_file.name} says")
    changes, values, dead = replay(binary, plan_file, scenario)
    cases.expect(not dead, f"{where}: the plan refuses events: {dead}")
    asked = scenario.names("segments") | scenario.names("triggers")
    changes = [change for change in changes if change[2] in asked]
    cases.expect(changes == scenario.then, f"{where}: with the shipped plan\n  expected {scenario.then}\n  found    {changes}")
    for at, user, metric, value in scenario.checks:
        found = values.get((at, user), {}).get(metric)
        cases.expect(found == value, f"{where}: at {at} {user} has {metric} = {json.dumps(found)}, expected {json.dumps(value)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--attune", required=True, help="the built binary")
    binary = parser.parse_args().attune
    cases = Cases()
    for plan_file in sorted((ROOT / "examples/plans").glob("*.yaml")):
        done = subprocess.run([binary, "check", "--strict", plan_file], capture_output=True, text=True)
        cases.expect(done.returncode == 0, f"{plan_file.name}: {done.stdout}{done.stderr}")
        told = set()
        for file in sorted((ROOT / "tests/scenarios").glob(f"library_{plan_file.stem}_*.scenario")):
            try:
                scenario = Scenario(file.read_text())
                check_scenario(binary, plan_file, scenario, file.name, cases)
                told |= {change[2] for change in scenario.then} | {check[2] for check in scenario.checks}
            except Wrong as problem:
                cases.expect(False, f"{file.name}: {problem}")
        plan = plan_of(plan_file.read_text())
        for kind, key in KINDS.items():
            for name, definition in plan.get(kind, {}).items():
                cases.expect(name in told, f"{plan_file.name}: no scenario says anything of {name}")
                cases.expect(isinstance(definition, dict) and definition.get("description"), f"{plan_file.name}: {name} has no description")
    print(f"{cases.passed} passed, {cases.failed} failed")
    return cases.failed > 0


if __name__ == "__main__":
    sys.exit(main())
