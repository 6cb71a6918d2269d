#!/usr/bin/env python3
"""Counts the cases of one or more test runs: count_cases.py PRESET|FILE.log...

A FILE.log is the output of a script. Of a preset, reads build/PRESET/results: ctest.xml, which knows every test that ran, and a NAME.xml from each googletest program. A
script gives its number of cases in its last line, `N passed, M failed` or `N passed, M failed, K skipped`, and a line
`skipped CASE: REASON` for each case that it skipped; without a last line it counts as one case. A program that ended
before it could say how its cases went counts as one failure more. A case that was skipped without a reason, or disabled,
has failed. Prints the failed and the skipped cases, then `N passed, M failed`, and `, K skipped` if K is not 0; the exit
code says whether M is 0.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml

LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$")
SKIPPED_LINE = re.compile(r"^skipped ([^:\n]+): (.*\S)", re.MULTILINE)
# A message of googletest begins with the place in the source; the reason follows on its own line.
PLACE = re.compile(r"^.*:\d+\n")


def skipped(name, reason):
    if reason:
        return name, "skipped", reason
    return name, "failed", "skipped without a reason"


def programs_cases(report):
    """Yields (name, outcome, why) for each case of a googletest report."""
    for suite in report.iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{suite.get('name')}.{case.get('name')}"
            if case.find("failure") is not None:
                yield name, "failed", ""
            elif case.get("status") == "notrun":
                yield name, "failed", "disabled"
            elif case.get("result") == "skipped":
                message = case.find("skipped")
                reason = "" if message is None else PLACE.sub("", message.get("message", "")).strip()
                yield skipped(name, reason)
            else:
                yield name, "passed", ""


def scripts_cases(output, failed):
    told = LAST_LINE.search(output)
    if not told:
        return [("", "failed" if failed else "passed", "")]
    if (int(told[2]) > 0) != failed:
        return [("", "failed", "its last line does not agree with its exit code")]
    reasons = [skipped(name, reason) for name, reason in SKIPPED_LINE.findall(output)]
    reasons += [skipped("(see above)", "")] * (int(told[3] or 0) - len(reasons))
    return [("", "passed", "")] * int(told[1]) + [("(see above)", "failed", "")] * int(told[2]) + reasons


def cases_of(test, folder):
    """All cases of one ctest test."""
    if test.get("status") not in ("run", "fail"):
        return [("", "failed", f"not run: {test.get('status')}")]
    failed = test.find("failure") is not None or test.get("status") == "fail"
    report = folder / f"{test.get('name')}.xml"
    if report.exists():
        cases = list(programs_cases(xml.parse(report).getroot()))
        if failed and all(outcome != "failed" for _, outcome, _ in cases):
            cases.append(("(the program itself)", "failed", ""))
        return cases
    return scripts_cases(test.findtext("system-out") or "", failed)


def presets_cases(preset):
    """Yields (test, name, outcome, why) for each case of a preset."""
    folder = pathlib.Path("build") / preset / "results"
    if not (folder / "ctest.xml").exists():
        yield "ctest", "", "failed", "did not run to its end"
        return
    for test in xml.parse(folder / "ctest.xml").getroot().iter("testcase"):
        for case in cases_of(test, folder):
            yield test.get("name"), *case


def logs_cases(path):
    """Yields (script, name, outcome, why) for each case of a script by its output."""
    output = path.read_text(errors="replace") if path.exists() else ""
    told = LAST_LINE.search(output)
    for case in scripts_cases(output, failed=not told or int(told[2]) > 0):
        yield path.stem, *case


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for run in sys.argv[1:]:
        for test, name, outcome, why in logs_cases(pathlib.Path(run)) if run.endswith(".log") else presets_cases(run):
            counts[outcome] += 1
            if outcome != "passed":
                print(f"{outcome} ({run}): {test} {name}".rstrip() + (f": {why}" if why else ""))
    last = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{last}")
    return counts["failed"] > 0 or counts["passed"] == 0


if __name__ == "__main__":
    sys.exit(main())
