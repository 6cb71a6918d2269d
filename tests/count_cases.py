#!/usr/bin/env python3
"""Counts the cases of one or more test runs: count_cases.py PRESET...

Reads build/PRESET/results: ctest.xml, which knows every test that ran, and a NAME.json from each googletest program. A
script tells its number of cases by a last line `N passed, M failed`; without it counts as one case. A program that ended
before it could say how its cases went counts as one failure more. Prints the failed cases, then `N passed, M failed`;
the exit code says whether M is 0.
"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def programs_cases(report):
    """Yields (name, outcome) for each case of a googletest report."""
    for suite in report.get("testsuites", []):
        for case in suite.get("testsuite", []):
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                yield name, "failed"
            elif case.get("status") == "NOTRUN" or case.get("result") in ("SKIPPED", "SUPPRESSED"):
                yield name, "skipped"
            else:
                yield name, "passed"


def cases_of(test, folder):
    """All cases of one ctest test."""
    failed = test.find("failure") is not None or test.get("status") == "fail"
    report = folder / f"{test.get('name')}.json"
    if report.exists():
        cases = list(programs_cases(json.loads(report.read_text())))
        if failed and all(outcome != "failed" for _, outcome in cases):
            cases.append(("(the program itself)", "failed"))
        return cases
    told = re.search(r"(\d+) passed, (\d+) failed\s*$", test.findtext("system-out") or "")
    if told and (int(told[2]) > 0) == failed:
        return [("", "passed")] * int(told[1]) + [("(see above)", "failed")] * int(told[2])
    return [("", "failed" if failed else "passed")]


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for preset in sys.argv[1:]:
        folder = pathlib.Path("build") / preset / "results"
        if not (folder / "ctest.xml").exists():
            counts["failed"] += 1
            print(f"failed ({preset}): ctest did not run to its end")
            continue
        for test in xml.parse(folder / "ctest.xml").getroot().iter("testcase"):
            for name, outcome in cases_of(test, folder):
                counts[outcome] += 1
                if outcome == "failed":
                    print(f"failed ({preset}): {test.get('name')} {name}".rstrip())
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return counts["failed"] > 0 or counts["passed"] == 0


if __name__ == "__main__":
    sys.exit(main())
