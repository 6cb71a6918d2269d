#!/usr/bin/env python3
"""Holds the documents to the tree: docs_check.py [--attune BINARY]

- Every relative link of every *.md leads to a file, and its #anchor to a heading.
- Every path in backticks that begins with a folder of this tree exists (a * stands for any name).
- ARCHITECTURE.md lists every module, each below those that it may include.
- Every command of README.md's boxes is a script of this tree or a subcommand of the binary.
- docs/http.md names every route of the sources, and no other, and every metric that a module adds. Its tables of reasons and
  of problem codes say of each code what src/base/code.h says, and have no other.
- The table of docs/operations.md has every setting of src/server/setting.cc, with its flag and its variable, and no other; with
  the binary, also its default.
- The aggregates of docs/language.md are those of src/language/aggregate.cc, and say the same of no event.

Prints each offence, then `N passed, M failed`, a case being one thing that was looked up.
"""

import argparse
import pathlib
import re
import subprocess
import sys

FOLDERS = ("src", "testing", "tests", "docs", "script", "cmake", "editors", "examples", "web", "bench", "fuzz", ".ci")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


class Cases:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, holds, message):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(message)


def pages(root):
    found = list(root.glob("*.md"))
    for folder in FOLDERS:
        found += [page for page in (root / folder).rglob("*.md") if "node_modules" not in page.parts]
    return sorted(found)


def split_boxes(text):
    """The prose of a page with its boxes blanked out, and the boxes as (kind, lines)."""
    prose, boxes, inside = [], [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
            if inside:
                boxes.append((line.strip()[3:], []))
            prose.append("")
        elif inside:
            boxes[-1][1].append(line)
            prose.append("")
        else:
            prose.append(line)
    return prose, boxes


def anchors(page):
    """The anchors that headings get, as the usual renderers make them."""
    found = set()
    for line in split_boxes(page.read_text())[0]:
        if match := re.match(r"#+\s+(.*)", line):
            title = re.sub(r"[^\w\- ]", "", match[1].lower())
            found.add(title.strip().replace(" ", "-"))
    return found


def check_links(root, page, cases):
    for number, line in enumerate(split_boxes(page.read_text())[0], 1):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            where = f"{page.relative_to(root)}:{number}: {target}"
            to = (page.parent / path).resolve() if path else page
            cases.expect(to.exists(), f"{where}: there is no such file")
            if anchor and to.suffix == ".md" and to.exists():
                cases.expect(anchor in anchors(to), f"{where}: there is no such heading")


def check_paths(root, page, cases):
    for number, line in enumerate(split_boxes(page.read_text())[0], 1):
        for code in CODE.findall(line):
            path = code.split(":")[0].rstrip("/")
            if not re.fullmatch(r"[\w.*/+-]+", path) or path.split("/")[0] not in FOLDERS or "/" not in code:
                continue
            cases.expect(any(root.glob(path)), f"{page.relative_to(root)}:{number}: there is no {path}")


def subcommands(binary):
    """The names that the binary's --help lists; none when it is not built."""
    if not binary or not pathlib.Path(binary).exists():
        return None
    text = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    listed = text.split("Subcommands:")[-1]
    return {line.split()[0] for line in listed.splitlines() if line.strip()}


def check_commands(root, binary, cases):
    known = subcommands(binary)
    for kind, lines in split_boxes((root / "README.md").read_text())[1]:
        if kind not in ("", "sh", "console", "bash"):
            continue
        for line in lines:
            words = line.removeprefix("$ ").split()
            if words and words[0].startswith("./"):
                script = root / words[0]
                cases.expect(script.exists() and script.stat().st_mode & 0o111, f"README.md: {words[0]} is no script of this tree")
            if known is not None and len(words) > 1 and words[0].endswith("attune") and not words[1].startswith("-"):
                cases.expect(words[1] in known, f"README.md: attune has no subcommand {words[1]}")


def check_modules(root, cases):
    """ARCHITECTURE.md lists every module of cmake/modules.cmake below those that it may include."""
    text = (root / "cmake/modules.cmake").read_text()
    for name, rest in re.findall(r"set\(([A-Z]+)\s+([^)]*)\)", text):
        text = text.replace(f"${{{name}}}", rest)
    table = {module: rest.replace('"', "").split() for module, rest in re.findall(r"set\(ATTUNE_MAY_INCLUDE_([\w/]+)\s*([^)]*)\)", text)}
    rows = re.findall(r"^\| `([\w/]+)` \|", section((root / "ARCHITECTURE.md").read_text(), "## Modules"), re.MULTILINE)
    place = {row.removeprefix("bench/"): number for number, row in enumerate(rows)}
    testing = {path.name for path in (root / "testing").iterdir()}
    for module in sorted(table.keys() - testing):
        cases.expect(module in place, f"ARCHITECTURE.md does not list the module {module}")
        above = [included for included in table[module] if place.get(included, 0) >= place.get(module, len(rows))]
        cases.expect(not above, f"ARCHITECTURE.md lists {module} above {' '.join(above)}, which it may include")
    for module in sorted(place.keys() - table.keys()):
        cases.expect(False, f"ARCHITECTURE.md lists {module}, which is no module")


def check_http(root, cases):
    page = (root / "docs/http.md").read_text()
    everything = "\n".join(path.read_text() for path in sorted((root / "src").rglob("*.[hc]*")) if not path.name.endswith("_test.cc"))
    routes = set(re.findall(r'\{"(?:GET|POST|PUT|DELETE)", "(/[^"]*)"', everything))
    routes |= set(re.findall(r'\{"(/[^"]*)", SegmentCall::', everything))
    metrics = set(re.findall(r'(?:Counter|Gauge)(?:Family)?\(\s*"(attune_\w+)"', everything))
    for what, names in (("route", routes), ("metric", metrics)):
        cases.expect(len(names) > 25, f"the sources have no {what}: this check does not find them")
    wanted = {"route": routes, "metric": metrics}
    for what, names in wanted.items():
        for name in sorted(names):
            cases.expect(f"`{name}`" in page or re.search(rf"`[A-Z ]*{re.escape(name)}[`?]", page), f"docs/http.md does not name the {what} {name}")
    for route in sorted(set(re.findall(r"`(?:GET|POST) (/[^`?]*)", page))):
        cases.expect(route in routes, f"docs/http.md names {route}, which is no route")


def check_codes(root, cases):
    page = (root / "docs/http.md").read_text()
    table = re.findall(r'\{Code::k\w+, "(\w+)", (\d+), (true|false),', (root / "src/base/code.h").read_text())
    cases.expect(len(table) > 50, "src/base/code.h: the table of codes is not found")
    statuses = {code: status for code, status, _ in table}
    reasons = {code for code, _, is_reason in table if is_reason == "true"}
    told = {code for code in re.findall(r"^\| `(\w+)` \|", section(page, "### Reasons"), re.MULTILINE)}
    for code in sorted(code for code in reasons if statuses[code] == "0"):
        cases.expect(code in told, f"docs/http.md does not list the reason {code}")
    for code in sorted(told):
        cases.expect(code in reasons, f"docs/http.md lists the reason {code}, which src/base/code.h does not have")
    told = {}
    for row in re.findall(r"^\| ([\d, ]+) \| ([^|]*) \|", section(page, "## Errors"), re.MULTILINE):
        for code in re.findall(r"`(\w+)`", row[1]):
            told[code] = row[0].split(", ")
    for code, status in sorted(statuses.items()):
        if status != "0":
            cases.expect(status in told.get(code, []), f"docs/http.md does not list the code {code} with status {status}")
    for code in sorted(told):
        cases.expect(statuses.get(code, "0") != "0", f"docs/http.md lists the code {code}, which no answer has")


def check_settings(root, binary, cases):
    kinds = dict(re.findall(r'^      \{"(\w+)", SettingKind::k(\w+),', (root / "src/server/setting.cc").read_text(), re.MULTILINE))
    cases.expect(len(kinds) > 10, "src/server/setting.cc: the table of settings is not found")
    page = section((root / "docs/operations.md").read_text(), "## Configuration")
    rows = {key: rest.split("|") for key, rest in re.findall(r"^\| `(\w+)` \|(.*)\|$", page, re.MULTILINE)}
    defaults = {}
    if binary and pathlib.Path(binary).exists():
        out = subprocess.run([binary, "config"], capture_output=True, text=True, check=True, env={}).stdout
        defaults = {key: "" if value == "null" else f"`{value.strip(chr(34))}`" for key, value in re.findall(r"^(\w+): (\S+)", out, re.MULTILINE)}
    for key, kind in kinds.items():
        flag = "" if kind == "Secret" else f"`--{key.replace('_', '-')}`"
        expected = [flag, f"`ATTUNE_{key.upper()}`", defaults.get(key)]
        found = [cell.strip() for cell in rows.get(key, ["", "", ""])[:3]]
        if key not in defaults:
            expected[2] = found[2]
        cases.expect(found == expected, f"docs/operations.md: the row of the setting {key} has {found} and not {expected}")
    for key in sorted(rows.keys() - kinds.keys()):
        cases.expect(False, f"docs/operations.md lists {key}, which src/server/setting.cc does not have")


def check_aggregates(root, cases):
    rows = re.findall(r'\{\.name = "(\w+)"(.*?)\},\n', (root / "src/language/aggregate.cc").read_text(), re.DOTALL)
    cases.expect(len(rows) > 10, "src/language/aggregate.cc: the table of aggregates is not found")
    table = {name: "0" if ".zero_of_nothing = true" in rest else "null" for name, rest in rows}
    told = {}
    page = section((root / "docs/language.md").read_text(), "## How much: aggregates")
    for written, of_nothing in re.findall(r"^\| (`\w+\(.*?`) \|.*\| (\w+) \|$", page, re.MULTILINE):
        for name in re.findall(r"`(\w+)\(", written):
            told[name] = of_nothing
    for name, of_nothing in sorted(table.items()):
        cases.expect(told.get(name) == of_nothing, f"docs/language.md does not say that {name} of nothing is {of_nothing}")
    for name in sorted(told):
        cases.expect(name in table, f"docs/language.md has the aggregate {name}, which src/language/aggregate.cc does not have")


def section(page, heading):
    """The text below a heading, up to the next one of its depth or above."""
    depth = len(heading.split()[0])
    after = page.split(f"\n{heading}\n", 1)[-1]
    return re.split(rf"\n#{{1,{depth}}} ", after)[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--attune", help="the built binary; without it subcommands are not looked up")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    cases = Cases()
    for page in pages(root):
        check_links(root, page, cases)
        check_paths(root, page, cases)
    check_commands(root, options.attune, cases)
    check_modules(root, cases)
    check_http(root, cases)
    check_codes(root, cases)
    check_settings(root, options.attune, cases)
    check_aggregates(root, cases)
    print(f"{cases.passed} passed, {cases.failed} failed")
    return cases.failed > 0


if __name__ == "__main__":
    sys.exit(main())
