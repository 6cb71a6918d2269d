#!/usr/bin/env python3
"""Tests the editors' files: plan.schema.json on good and bad plans, attune.tmLanguage.json on lines and their colours.

Both are held to the sources: the schema to the keys of src/plan/*loader.cc, the grammar to the aggregates of
src/language/aggregate.cc and the other functions of src/language/call_parser.cc. Prints each offence, then `N passed, M failed`.

    editors_test.py --write    writes the functions of the sources into the grammar, and tests nothing
"""

import functools
import json
import pathlib
import re
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "editors/plan.schema.json").read_text())
GRAMMAR_FILE = ROOT / "editors/attune.tmLanguage.json"
GRAMMAR = json.loads(GRAMMAR_FILE.read_text())


class Cases:
    def __init__(self):
        self.passed = self.failed = 0

    def expect(self, holds, message):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(message)


# --- the schema ---

class Yaml12(yaml.SafeLoader):
    """As editors read YAML: `on` is a word, and a date is text."""


Yaml12.yaml_implicit_resolvers = {}
for tag, pattern, first in (("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"), ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
                            ("int", r"[-+]?[0-9]+", "-+0123456789"), ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")):
    Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))

BAD_PLANS = {
    "segment: {a: {when: x}}": "segment",
    "segments: [a]": "[",
    "segments: {a: {description: nothing else}}": "when",
    "segments: {a: {when: x, whem: y}}": "whem",
    "segments: {9lives: x}": "9lives",
    "sessions: {gap: 30}": "30",
    "sessions: {gap: 30 minutes}": "30 minutes",
    "limits: {events: 0}": "0",
    "limits: {events: many}": "many",
    "limits: {catch_up: 0}": "0",
    "limits: {oldest_event: 10 years}": "10 years",
    "unknown_events: drop": "drop",
    "events: {any: {}}": "any",
    "events: {a: {properties: {p: text}}}": "text",
    "metrics: {a: [1]}": "1",
    "metrics: {a: {description: no value}}": "value",
    "triggers: {a: {}}": "{}",
    "triggers: {a: {enter: x, leave: y}}": "enter",
    "triggers: {a: {enter: x, where: y}}": "where",
    "triggers: {a: {on: x, at_most: 2}}": "2",
    "triggers: {a: {on: x, at_most: 1001 per 1h}}": "1001",
    "triggers: {a: {on: x, quiet_hours: 25:00-08:00}}": "25:00",
    "triggers: {a: {on: x, holdout: 110%}}": "110%",
    "triggers: {a: {on: x, holdout: 2}}": "2",
    "triggers: {a: {on: x, send: {to: b}}}": "to",
    "trigger_groups: {a: {}}": "at_most",
}
GOOD_PLANS = [
    "",
    "metrics: {one: 1, yes: true, ö_2: count(any)}",
    "segments: {a: count(any) > 1}",
    "limits: {events: 5, catch_up: 1000000, oldest_event: 20000d}",
    "events: {a: , b: {description: text}, c: {properties: {p: 'time?', q: address.json}}}",
    "triggers: {a: {on: x, where: y, with: {n: 1}, cooldown: 1.5h, at_most: 1000 per 1w, quiet_hours: 22:00 - 24:00, holdout: 0.1, send: b}}",
    "triggers: {a: {leave: x, holdout: 10%, only_if: consent(email), group: g}}\ntrigger_groups: {g: {at_most: 2 per 1d}}",
]


def plan_boxes(page):
    return re.findall(r"^```yaml plan\n(.*?)^```", page.read_text(), re.M | re.S)


def check_schema(cases):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    plans = {str(path.relative_to(ROOT)): path.read_text() for path in [*sorted((ROOT / "examples/plans").glob("*.yaml")), ROOT / "examples/demo/plan.yaml"]}
    for page in (ROOT / "README.md", ROOT / "docs/language.md"):
        plans |= {f"{page.name}, box {number}": box for number, box in enumerate(plan_boxes(page), 1)}
    plans |= {text: text for text in GOOD_PLANS}
    for where, text in plans.items():
        problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(yaml.load(text, Yaml12))]
        cases.expect(not problems, f"the schema refuses {where}: {problems}")
    for text, named in BAD_PLANS.items():
        problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(yaml.load(text, Yaml12))]
        cases.expect(any(named in problem for problem in problems), f"the schema lets pass: {text} {problems}")


def known_keys(schema):
    """All keys that stand in a `properties` of the schema."""
    if isinstance(schema, list):
        return set().union(*map(known_keys, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) and schema.get("additionalProperties") is False else set()
    return own.union(*(known_keys(part) for part in schema.values()))


CALLS = r"\bcount(?:\|\w+)+"  # the functions as the patterns of the grammar list them


def functions():
    """The functions of the language, in the order of the sources: aggregates, then the others."""
    aggregates = re.findall(r'\{\.name = "(\w+)"', (ROOT / "src/language/aggregate.cc").read_text())
    others = re.findall(r'\{"(\w+)", \{Form::', (ROOT / "src/language/call_parser.cc").read_text())
    return aggregates + [name for name in others if name not in aggregates]


def check_sources(cases):
    loader = "".join(path.read_text() for path in sorted((ROOT / "src/plan").glob("*loader.cc")))
    keys = set(re.findall(r'\{"(\w+)", (?:\[&\]|rise\()', loader))
    cases.expect(len(keys) > 20 and known_keys(SCHEMA) == keys, f"the schema and the loader differ in {sorted(known_keys(SCHEMA) ^ keys)}")
    for name in ("events", "catch_up"):
        limit = re.search(rf'{{"{name}", \[&\]\(const YAML::Node& n\) {{ ReadLimit\(source, n, ([\d\']+),', loader)
        cases.expect(limit and int(limit[1].replace("'", "")) == SCHEMA["properties"]["limits"]["properties"][name]["maximum"], f"another limits.{name} than the loader's")
    calls = functions()
    listed = re.findall(CALLS, GRAMMAR_FILE.read_text())
    cases.expect(len(calls) > 30 and len(listed) > 1, "the functions are not found in the sources, or not in the grammar")
    for names in map(str.split, (names.replace("|", " ") for names in listed)):
        cases.expect(names == calls, f"the grammar and the parser differ in {sorted(set(names) ^ set(calls))}; editors_test.py --write")


# --- the grammar ---

@functools.lru_cache(None)
def compiled(pattern):
    return re.compile(pattern)


def rules_of(patterns):
    """The rules that a list of patterns stands for, includes followed."""
    for rule in patterns:
        if "include" in rule:
            named = GRAMMAR["repository"][rule["include"][1:]]
            yield from [named] if "match" in named or "begin" in named else rules_of(named["patterns"])
        elif "match" in rule or "begin" in rule:
            yield rule
        else:
            yield from rules_of(rule["patterns"])


class Colours:
    """As an editor goes through lines: the first rule at the leftmost place wins, the end of an open rule before all others."""

    def __init__(self):
        self.open = []  # (rule, its end)

    def scopes(self):
        return [name for rule, _ in self.open for name in (rule.get("name"), rule.get("contentName")) if name]

    def capture(self, found, match, captures, name):
        if name:
            found.append((match.start(), match.end(), name))
        for group, capture in captures.items():
            if match.group(int(group)):
                found.append((*match.span(int(group)), capture["name"]))

    def line(self, text):
        """Each character's innermost scope, or None."""
        found, at = [], 0
        while at <= len(text):
            candidates = []
            if self.open:
                rule, end = self.open[-1]
                if match := compiled(end).search(text, at):
                    candidates.append((match.start(), -1, match, rule))
            patterns = self.open[-1][0].get("patterns", []) if self.open else GRAMMAR["patterns"]
            for order, rule in enumerate(rules_of(patterns)):
                if match := compiled(rule.get("match") or rule["begin"]).search(text, at):
                    candidates.append((match.start(), order, match, rule))
            until = min(candidates, key=lambda c: c[:2])[0] if candidates else len(text)
            if self.scopes() and until > at:
                found.append((at, until, self.scopes()[-1]))
            if not candidates:
                break
            _, order, match, rule = min(candidates, key=lambda c: c[:2])
            if order == -1:
                self.open.pop()
                self.capture(found, match, rule.get("endCaptures", {}), rule.get("name"))
            elif "match" in rule:
                self.capture(found, match, rule.get("captures", {}), rule.get("name"))
            else:
                self.capture(found, match, rule.get("beginCaptures", {}), rule.get("name"))
                self.open.append((rule, re.sub(r"\\(\d)", lambda group: re.escape(match.group(int(group[1]))), rule["end"])))
            if match.end() == at == match.start() and order != -1 and "match" in rule:
                raise ValueError(f"a rule that takes nothing: {rule}")
            at = match.end()
        colours = [None] * len(text)
        for begin, end, name in found:
            colours[begin:end] = [name] * (end - begin)
        return colours


def words(text, colours):
    """The coloured pieces of a line: (text, the scope without `.attune`)."""
    pieces, at = [], 0
    while at < len(text):
        end = at
        while end < len(text) and colours[end] == colours[at]:
            end += 1
        if colours[at] and text[at:end].strip():
            pieces.append((text[at:end], colours[at].removesuffix(".attune")))
        at = end
    return pieces


EXAMPLES = {
    "  high_intent_shopper: {when: \"count(add_to_cart[10m]) >= 5\"}": [
        ("when", "entity.name.tag.yaml"), ("count", "support.function"), ("add_to_cart", "entity.name.type.event"),
        ("10m", "constant.numeric.duration"), (">=", "keyword.operator.comparison"), ("5", "constant.numeric")],
    "    when: add_to_cart then no purchase for 30m": [
        ("add_to_cart", "variable.other"), ("then no", "keyword.control.absence"), ("for", "keyword.control"), ("30m", "constant.numeric.duration")],
    "    enter: add_to_cart then no purchase for 30m  # of the last": [("30m", "constant.numeric.duration")],
    "  carts: count(add_to_cart.price[7d offset 7d]) / 2": [
        ("carts", "entity.name.tag.yaml"), (".price", "variable.other.property"), ("offset", "keyword.control.window"), ("/", "keyword.operator.arithmetic")],
    "    on: purchase{price >= 100 and not (coupon exists)}": [
        ("purchase", "entity.name.type.event"), ("price", "variable.other"), ("and", "keyword.operator.logical"), ("exists", "keyword.operator.comparison")],
    "    on: (search{query exists} or purchase){coupon exists}": [
        ("search", "entity.name.type.event"), ("query", "variable.other"), ("or", "keyword.operator.logical"), ("purchase", "variable.other"), ("coupon", "variable.other")],
    "    on: (search or purchase){coupon exists}": [("search", "variable.other"), ("exists", "keyword.operator.comparison")],
    "    when: 'first(any.context.campaign.source[ever]) = \"facebook\"'": [
        ("first", "support.function"), ("any", "support.class.any"), ("ever", "constant.language.window"), ('"facebook"', "string.quoted.double")],
    "    when: \"search{query matches '^size [0-9]+'} then no purchase for 1d\"": [
        ("matches", "keyword.operator.comparison"), ("'^size [0-9]+'", "string.quoted.single")],
    "    when: \"trait.country = \\\"PL\\\" and hour() < 6\"": [
        ("trait", "variable.language"), (".country", "variable.other.property"), ('\\"PL\\"', "string.quoted.double"), ("hour", "support.function")],
    "    when: sequence(search -> not purchase => add_to_cart within 2h by cart_id)[session]": [
        ("sequence", "support.function"), ("->", "keyword.operator.sequence"), ("=>", "keyword.operator.sequence"),
        ("within", "keyword.control"), ("by", "keyword.control"), ("session", "constant.language.window")],
    "    when: first_time(any) between 2026-01-01 and 2026-04-01T10:00:00Z": [
        ("2026-01-01", "constant.other.date"), ("2026-04-01T10:00:00Z", "constant.other.date"), ("between", "keyword.operator.comparison")],
    "    with: {items: \"list(add_to_cart.product_id[1d], 10)\", total: \"sum(add_to_cart.price[1d])\"}": [
        ("list", "support.function"), ("10", "constant.numeric"), ("total", "entity.name.tag.yaml"), ("sum", "support.function")],
    "    when: count(Łódź[today]) > 0 and count(any[since last_time(login) + 10m]) = 0": [
        ("Łódź", "entity.name.type.event"), ("today", "constant.language.window"), ("since", "keyword.control.window"), ("last_time", "support.function")],
}
NOT_EXPRESSIONS = [
    "    description: Five products into the cart within 10 minutes, and count(any) is not meant.",
    "timezone: Europe/Warsaw", "sessions: {gap: 30m, max: 24h}", "# when: count(any) > 1", "    cooldown: 1d",
    "    description: \"count(any) in words\"", "on: push", "value: \"some text\"",
]
BLOCK = """\
  facebook_q1_buyers:
    when: >
      first(any.context.campaign.source[ever]) = "facebook"

      and count(purchase[7d]) >= 1
    description: count(any) in words
  carts: |-  # a metric
    count(add_to_cart)
  more: text
"""


def check_grammar(cases):
    patterns = re.findall(r'"(?:match|begin|end)": ("(?:[^"\\]|\\.)*")', (ROOT / "editors/attune.tmLanguage.json").read_text())
    for pattern in map(json.loads, patterns):
        try:
            re.compile(pattern.replace(r"\1", ""))
            cases.expect(True, "")
        except re.error as problem:
            cases.expect(False, f"the pattern {pattern} cannot be compiled: {problem}")
    for text, wanted in EXAMPLES.items():
        found = words(text, Colours().line(text))
        cases.expect([piece for piece in wanted if piece not in found] == [], f"{text}\n  expected {wanted}\n  found    {found}")
        if " # " in text:
            cases.expect("#" not in "".join(word for word, _ in found), f"{text}: the comment is coloured")
    for text in NOT_EXPRESSIONS:
        found = words(text, Colours().line(text))
        cases.expect(found == [] or text.startswith("#"), f"{text}\n  expected no expression, found {found}")
    colours = Colours()
    found = [words(line, colours.line(line)) for line in BLOCK.splitlines()]
    for number, piece in ((1, ("when", "entity.name.tag.yaml")), (2, ("first", "support.function")), (4, ("count", "support.function")),
                          (6, ("carts", "entity.name.tag.yaml")), (7, ("add_to_cart", "variable.other"))):
        cases.expect(piece in found[number], f"line {number} of the block: expected {piece}, found {found[number]}")
    cases.expect(found[0] == found[5] == found[8] == [], f"what is beside the blocks is coloured: {found}")
    # Every example of the reference is coloured to its last character.
    boxes = re.findall(r"^```(?:attune|selector)\n(.*?)^```", (ROOT / "docs/language.md").read_text(), re.M | re.S)
    for line in "".join(boxes).splitlines():
        colours = Colours()
        colours.line("  when: >")
        plain = [char for char, colour in zip("    " + line, colours.line("    " + line)) if colour == "meta.embedded.expression.attune" and not char.isspace()]
        cases.expect(not plain, f"{line}: nothing colours {''.join(plain)}")


def check_extension(cases):
    manifest = json.loads((ROOT / "editors/package.json").read_text())["contributes"]
    for entry in manifest["grammars"]:
        cases.expect((ROOT / "editors" / entry["path"]).exists() and entry["scopeName"] == GRAMMAR["scopeName"], f"package.json: {entry}")
    for entry in manifest["yamlValidation"]:
        cases.expect((ROOT / "editors" / entry["url"]).exists(), f"package.json: {entry}")


def main():
    if sys.argv[1:] == ["--write"]:
        GRAMMAR_FILE.write_text(re.sub(CALLS, "|".join(functions()), GRAMMAR_FILE.read_text()))
        return False
    cases = Cases()
    check_schema(cases)
    check_sources(cases)
    check_grammar(cases)
    check_extension(cases)
    print(f"{cases.passed} passed, {cases.failed} failed")
    return cases.failed > 0


if __name__ == "__main__":
    sys.exit(main())
