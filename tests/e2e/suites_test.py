#!/usr/bin/env python3
"""Hostile bodies: published suites of JSON and of strings, and bodies made up at random.

With ATTUNE_LONG=1, which script/nightly sets, the random bodies run longer. What was decided by looking at it once stands in
verdicts/; ATTUNE_WRITE_VERDICTS=1 writes it again.
"""

import gzip
import itertools
import json
import os
import pathlib
import struct
import sys
import urllib.parse
import zlib

import data_files
from harness import LONG, WRITE_KEY, Server, expect, folder, main, run, same, track
from hostile_server import PLAN, alive, served, verdict

VERDICTS = pathlib.Path(__file__).resolve().parent / "verdicts"



def frozen(name, lines):
    """Holds lines to those of a file that somebody has read and agreed to."""
    path = VERDICTS / name
    if os.environ.get("ATTUNE_WRITE_VERDICTS"):
        head = [line for line in path.read_text().splitlines() if line.startswith("#")] if path.exists() else []
        path.write_text("\n".join(head + lines) + "\n")
    known = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for found, expected in itertools.zip_longest(lines, known):
        same(found, expected, f"a line of {path.name}")


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7


def logged_events(data):
    """The JSON of each event in the log, as docs/formats.md says to read it; the server must have ended."""
    events = []
    for file in sorted((data / "log").glob("*.log")):
        content = file.read_bytes()
        at = 40
        while at + 20 <= len(content):
            length, kind, _, _, sequence, _ = struct.unpack_from("<IBBHQI", content, at)
            if sequence == 0:
                break
            payload = content[at + 20:at + 20 + length]
            at += 20 + length
            if kind in (1, 4, 5):
                place = 17 + payload[0]
                for _ in range(5):
                    size, place = varint(payload, place)
                    text, place = payload[place:place + size], place + size
                events.append(text)
    return events


# --- JSONTestSuite ---

def json_suite():
    files = data_files.archive("jsontestsuite/test_parsing")
    same({letter: sum(name[0] == letter for name in files) for letter in "yni"}, {"y": 95, "n": 188, "i": 35}, "files of JSONTestSuite")
    return list(files.items())


def test_json_suite_as_bodies():
    """A body that is JSON is never called anything else, one that is none always; of the rest the verdict is frozen."""
    undecided = []
    with served() as server:
        for name, body in json_suite():
            answer = server.request("POST", "/v1/track", body, key=WRITE_KEY)
            found = verdict(answer)
            same(verdict(server.request("POST", "/v1/track", body, key=WRITE_KEY)), found, f"{name}, sent again")
            told = verdict(server.request("POST", "/v1/events/validate", body, key=WRITE_KEY))
            expect(told == found or name[0] != "n", f"{name}: validated it is {told}, sent {found}")
            if name[0] == "y":
                expect(found in ("400 not_an_object", "accepted 0, missing_field"), name, found)
            elif name[0] == "n":
                blank = not body.decode("utf-8-sig", "replace").strip()
                same(found, "400 body_empty" if blank else "400 invalid_json", name)
                if not blank:
                    expect(answer.json["offset"] <= len(body) and answer.json["line"] > 0, name, answer)
            else:
                undecided.append(f"{name}: {found}")
        alive(server)
    frozen("json_bodies.txt", undecided)


def test_json_suite_inside_a_batch():
    """As a value among the properties of one of three events: its neighbours are accepted whenever the whole is still JSON."""
    undecided = []
    taken = 0
    with served() as server:
        for name, value in json_suite():
            around = [json.dumps(track("neighbour", "neighbour", messageId=f"{name} {i}")).encode() for i in range(2)]
            event = b'{"type":"track","userId":"suite","event":"suite","messageId":"' + name.encode() + b'","properties":{"value":' + value + b"}}"
            body = b'{"batch":[' + around[0] + b"," + event + b"," + around[1] + b"]}"
            told = verdict(server.request("POST", "/v1/events/validate", body, key=WRITE_KEY))
            found = verdict(server.request("POST", "/v1/batch", body, key=WRITE_KEY))
            same(told, found, f"{name}: what would become of it, and what did")
            if name[0] == "y":
                same(found, "accepted 3", name)
            elif name[0] == "n":
                same(found, "400 invalid_json", name)
            else:
                undecided.append(f"{name}: {found}")
            if found.startswith("accepted"):
                expect(int(found[9]) >= 2, name, "a neighbour is missing:", found)
                taken += 2
        same(server.behavior("neighbour")["metrics"]["neighbours"], taken, "neighbours")
        alive(server)
    frozen("json_in_batches.txt", undecided)


def test_the_log_keeps_json_as_it_was_sent():
    sent = []
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            for name, value in json_suite():
                event = b'{"userId":"suite","event":"suite","properties":{"value":' + value.strip() + b"} }"
                if verdict(server.request("POST", "/v1/track", event, key=WRITE_KEY)).startswith("accepted 1"):
                    sent.append(event)
        same(logged_events(path / "data"), sent, "the events of the log")
        expect(len(sent) > 95, "few were accepted:", len(sent))


# --- Big List of Naughty Strings ---

def naughty():
    strings = json.loads(data_files.content("blns/blns.json"))
    same(len(strings), 515, "naughty strings")
    return strings


# Where a string is put: into an event of a user of its own.
FIELDS = {
    "event": lambda event, text: event.update(event=text),
    "userId": lambda event, text: event.update(userId=text),
    "messageId": lambda event, text: event.update(messageId=text),
    "property name": lambda event, text: event.update(properties={text: 1}),
    "property value": lambda event, text: event.update(properties={"value": text}),
    "url": lambda event, text: event.update(type="page", properties={"url": text}),
    "context": lambda event, text: event.update(context={"page": {"referrer": text}, text: {"a": 1}}),
    "trait name": lambda event, text: event.update(type="identify", traits={text: 1}),
    "trait value": lambda event, text: event.update(type="identify", traits={"value": text}),
}


def naughty_event(field, number, text):
    event = track(f"{field} {number}", "naughty", messageId=f"{field} {number}")
    FIELDS[field](event, text)
    return event


def nested(name, value):
    """A trait's dotted name is a path."""
    for piece in reversed(name.split(".")[1:]):
        value = {piece: value}
    return {name.split(".")[0]: value}


def check_shown(field, number, text, server):
    """What the API tells of an accepted string is that string."""
    user = text if field == "userId" else f"{field} {number}"
    told = server.behavior(user)
    same(told["user"], user, f"{field} {number}")
    recent = [event for event in told["recent_events"] if event["event"] != "neighbour"]
    if field.startswith("trait"):
        expected = nested(text, 1) if field == "trait name" else {"value": text}
        return same(told["traits"], expected, f"{field} {number}")
    event = next((event for event in recent if event["id"] == f"{field} {number}"), recent[0])
    if field == "messageId" and text.strip(" \t"):
        same(event["id"], text, f"{field} {number}")
    if field == "property name":
        same(event["properties"], {text: 1}, f"{field} {number}")
    if field in ("property value", "url"):
        same(event["properties"], {"value" if field == "property value" else "url": text}, f"{field} {number}")
    if field == "event":
        expect(event["event"] and len(event["event"].encode()) <= 4 * len(text.encode()), f"{field} {number}", event)


def letters_of(server):
    cursor, letters = None, []
    while True:
        page = server.ask("/v1/dead-letters?limit=1000" + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
        letters += page["dead_letters"]
        cursor = page["next"]
        if cursor is None:
            return letters


def test_naughty_strings_in_every_field():
    """Each of 515 strings in each field comes back exactly, or is refused for a reason that is written down."""
    refused, sent, buried = [], [], {}
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            neighbours = 0
            for field in FIELDS:
                strings = naughty()
                for begin in range(0, len(strings), 200):
                    batch = []
                    for number, text in enumerate(strings[begin:begin + 200], begin):
                        batch += [naughty_event(field, number, text), track("neighbour", "neighbour", messageId=f"n {field} {number}")]
                    bodies = [json.dumps(event, ensure_ascii=number % 2 == 0) for number, event in enumerate(batch)]
                    told = server.send("/v1/batch", '{"batch":[' + ",".join(bodies) + "]}").json
                    out = {letter["index"]: letter for letter in told["rejected"]}
                    same(told["accepted"] + len(out), len(batch), "events answered for")
                    neighbours += len(batch) // 2
                    for index, event in enumerate(batch):
                        if index in out:
                            expect(index % 2 == 0, "a neighbour was refused:", out[index])
                            number = begin + index // 2
                            refused.append(f"{field} {number}: {out[index]['reason']} {out[index]['field']}")
                            buried[json.dumps(event, sort_keys=True)] = out[index]["reason"]
                        else:
                            sent.append(bodies[index].encode())
                gone = {line.partition(":")[0] for line in refused}
                for number, text in enumerate(strings):
                    if f"{field} {number}" not in gone:
                        check_shown(field, number, text, server)
            same(server.behavior("neighbour")["metrics"]["neighbours"], neighbours, "neighbours")
            found = {json.dumps(letter["event"], sort_keys=True): letter["reason"] for letter in letters_of(server)}
            same(found, buried, "dead letters")
            alive(server)
        log = logged_events(path / "data")
        same(len(log), len(sent), "events in the log")
        same(sorted(log), sorted(sent), "the log's JSON")
    frozen("naughty_strings.txt", refused)


# --- what one key twice means ---

def test_of_a_name_twice_the_last_counts_everywhere():
    texts = [
        b'{"type":"track","userId":"first","userId":"dup","event":"x","event":"bought","messageId":"1","messageId":"d-1",'
        b'"timestamp":"2020-01-01T00:00:00Z","timestamp":"2026-03-01T10:00:00.000Z","properties":{"price":1},'
        b'"properties":{"price":5,"price":150,"a":{"b":1},"a":{"b":2,"b":3}}}',
        b'{"type":"track","type":"identify","userId":"dup","messageId":"d-2","traits":{"plan":"no"},'
        b'"traits":{"plan":"free","plan":"paid","n":{"m":1},"n":{"m":2}},"context":{"consent":{"categoryPreferences":{"email":false,"email":true}}}}',
    ]
    expected = {"price": 150, "nested": 3}
    with served() as server:
        position = server.send("/v1/batch", b'{"batch":[],"batch":[' + b",".join(texts) + b"]}").headers["Attune-Position"]
        told = server.behavior("dup", position)
        same({name: told["metrics"].get(name) for name in expected}, expected, "metrics")
        same(told["traits"], {"plan": "paid", "n": {"m": 2}}, "traits")
        same(told["consents"], {"email": True}, "consents")
        same([segment["name"] for segment in told["segments"]], ["dear"], "segments")
        event = told["recent_events"][0]
        same((event["id"], event["event"], event["timestamp"]), ("d-1", "bought", "2026-03-01T10:00:00.000Z"))
        # Any reader of the answer sees the same, whichever of two it takes.
        same(json.loads(json.dumps(event["properties"]))["price"], 150)
        explained = server.ask("/v1/users/dup/explain?expression=" + urllib.parse.quote("last(bought.price) >= 100"))["explanation"]
        same((explained["value"], explained["parts"][0]["value"]), (True, 150), "explain")
        same(server.behavior("first", status=404)["code"], "unknown_user")
        # A name written with escapes is the same name.
        server.send("/v1/track", b'{"userId":"esc","event":"bought","properties":{"price":7,"pr\\u0069ce":200},"userI\\u0064":"esc2"}')
        same(server.behavior("esc2")["metrics"]["price"], 200)
        # A refused event is refused by its last members too.
        refused = server.send("/v1/track", b'{"userId":"dup","userId":"null","event":"e"}').json["rejected"][0]
        same((refused["reason"], refused["field"]), ("identity_placeholder", "userId"))
        # The plan of a key that stands twice in the envelope.
        same(verdict(server.request("POST", "/v1/batch", b'{"writeKey":"wrong","writeKey":"%s","batch":[%s]}' % (WRITE_KEY.encode(), texts[0]))), "accepted 1")
        same(verdict(server.request("POST", "/v1/track", b'{"writeKey":"%s","writeKey":"wrong","userId":"u","event":"e"}' % WRITE_KEY.encode())),
             "401 invalid_write_key")
    with folder() as path:  # and a replay agrees
        (path / "plan.yaml").write_text(PLAN)
        (path / "events.ndjson").write_bytes(b"\n".join(texts[:1]) + b"\n")
        run("replay", "--plan", path / "plan.yaml", "--events", path / "events.ndjson", "--out", path / "out", "--at", "2026-03-01T11:00:00Z", code=0)
        values = json.loads((path / "out/values.ndjson").read_text().splitlines()[-1])
        same(values["user"], "dup")
        same({name: values["metrics"].get(name) for name in expected}, expected, "metrics of the replay")
        same([segment if isinstance(segment, str) else segment["name"] for segment in values["segments"]], ["dear"], "segments of the replay")


# --- bodies made up at random ---

def test_random_bodies_are_counted_once_or_refused():
    """Whatever is sent, the server answers, never with a fault of its own; and each event that it accepted is counted exactly once."""
    import hypothesis
    import hypothesis.configuration
    from hypothesis import strategies as st

    odd = st.sampled_from(["", " ", "\0", "null", "undefined", "\ufeff", "é", "🙂", "a.b", "__proto__", "x" * 300, "x" * 600, "\u2028", "%", "..", "1e400", "-0"])
    text = st.one_of(odd, st.text(max_size=20))
    scalar = st.one_of(st.none(), st.booleans(), st.integers(-2 ** 70, 2 ** 70), st.floats(allow_nan=False), text)
    value = st.recursive(scalar, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)), max_leaves=12)
    times = st.one_of(st.just("2026-03-01T10:00:00.000Z"), st.integers(-10 ** 18, 10 ** 18), value)
    members = {"type": st.one_of(st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]), value), "event": st.one_of(text, value),
               "userId": st.one_of(text, value), "anonymousId": st.one_of(text, value), "previousId": text, "groupId": value, "timestamp": times,
               "originalTimestamp": times, "sentAt": times, "properties": value, "traits": value, "context": value, "name": value}
    people, objects = st.sampled_from(["ann", "bob", "łucja", "u.1", "0"]), st.dictionaries(text, value, max_size=4)
    right = st.fixed_dictionaries({"type": st.just("track"), "event": st.sampled_from(["bought", "Page Viewed", "e"]), "userId": people},
                                  optional={"properties": objects, "context": objects, "timestamp": st.just("2026-03-01T10:00:00Z")})
    traits = st.fixed_dictionaries({"type": st.just("identify"), "userId": people}, optional={"traits": objects, "anonymousId": text})
    event = st.sampled_from([right, right, right, traits, st.fixed_dictionaries({}, optional=members), value]).flatmap(lambda kind: kind)
    mangled = st.tuples(st.integers(0, 10 ** 6), st.binary(max_size=3), st.integers(0, 3))
    request = st.tuples(st.sampled_from(["/v1/batch", "/v1/import", "/v1/track", "/v1/identify", "/v1/alias", "/v1/page", "/v1/group"]), st.lists(event, min_size=1, max_size=6),
                        st.sampled_from(["plain", "plain", "plain", "mangled", "gzip", "zlib", "bytes"]), mangled, st.fixed_dictionaries({}, optional={
                            "context": value, "sentAt": times, "writeKey": st.just(WRITE_KEY)}), st.binary(max_size=60))
    numbers = itertools.count()
    totals = {"requests": 0, "accepted": 0}

    with served() as server, folder() as home:
        hypothesis.configuration.set_hypothesis_home_dir(home)

        @hypothesis.settings(max_examples=3000 if LONG else 400, derandomize=True, database=None, deadline=None,
                             suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(request)
        def send(asked):
            path, events, form, (place, junk, cut), envelope, raw = asked
            marks = []
            for given in events:
                if isinstance(given, dict):
                    given["messageId"] = f"h-{next(numbers)}"
                marks.append(given)
            if path in ("/v1/batch", "/v1/import"):
                body = json.dumps({**envelope, "batch": marks}).encode()
            else:
                body = json.dumps(marks[0] if marks else {}).encode()
            if form == "mangled":
                place %= len(body)
                body = body[:place] + junk + body[place + cut:]
            elif form == "bytes":
                body = raw
            elif form in ("gzip", "zlib"):
                body = (gzip if form == "gzip" else zlib).compress(body)
            answer = server.request("POST", path, body, key=WRITE_KEY)
            expect(answer.status in (200, 400, 401, 413), answer)
            totals["requests"] += 1
            if answer.status == 200:
                told = answer.json
                totals["accepted"] += told["accepted"]
                expect(told["success"] is True and all(letter["reason"] for letter in told["rejected"]), answer)
                if form != "mangled" and form != "bytes":
                    same(told["accepted"] + len(told["rejected"]), len(marks) if path in ("/v1/batch", "/v1/import") else 1, "events answered for")

        send()
        status = server.ask("/v1/status")
        print(f"{totals['requests']} requests, {totals['accepted']} events accepted")
        # Each accepted event is one of the log, applied once; ids sent twice by a shrinking example count as what they are.
        same(status["events"], totals["accepted"], "events applied")
        expect(totals["accepted"] > 100, "few were accepted:", totals)
        alive(server)


if __name__ == "__main__":
    sys.exit(main(globals()))
