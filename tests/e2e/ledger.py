"""What clients know of the events they sent, and what must be true of a server in the end, whatever happened to it.

A client writes each event's id, the hash of its exact bytes and the verdict it expects to a file of its own, synced, before it
sends the event. Afterwards the ledger knows of each event: accepted, refused with a reason, or no answer (unknown). Then
`check` holds the data folder to it:

- accepted: stored exactly once, byte for byte; refused: not stored, and exactly one dead letter with that reason;
- unknown: stored once or not at all, and exactly once (or refused) after it was sent again;
- nothing is stored that was never sent;
- every user's metrics and segments are what plain counting makes of the ledger, and what `attune replay` makes of the stored events;
- `attune verify` finds nothing, and the stored events that `attune export` gives are those that the log holds.

The log is read by `stored` below, which knows docs/formats.md and nothing of the program.
"""

import collections
import functools
import hashlib
import http.client
import json
import os
import pathlib
import random
import struct
import threading

from harness import WRITE_KEY, Client, Failure, Server, expect, millis, now, poll, rfc3339, run, same

REST = 1000  # milliseconds, of the segment `rested`

PLAN = f"""
timezone: UTC
events:
  a: {{properties: {{amount: integer, item: string}}}}
metrics:
  events: count(any)
  a: count(a)
  b: count(b)
  c: count(c)
  recent_a: count(a[1d])
  total: sum(any.amount)
  largest: max(any.amount)
  items: distinct(any.item)
  last_item: last(any.item)
  latest: last_time(any)
segments:
  everyone: {{when: count(any) >= 0}}
  busy: {{when: count(any) >= 50}}
  spender: {{when: "sum(a.amount[1d]) >= 500"}}
  rested: {{when: a then no b for {REST}ms}}
  polish: {{when: 'trait.country = "PL"'}}
triggers:
  reminder: {{enter: a then no b for {REST}ms, cooldown: 1d}}
"""

ACCEPTED = "accepted"
Sent = collections.namedtuple("Sent", "id text event expected")  # the exact bytes, what they say, and the verdict to come


def sent(event, expected=ACCEPTED, text=None):
    return Sent(event["messageId"], (text or json.dumps(event)).encode(), event, expected)


class Ledger:
    """What the clients know: each event, synced before it is sent, and what became of it. For any thread."""

    def __init__(self, path):
        self.file = open(path, "w")
        self.lock = threading.Lock()
        self.events = {}                       # by id: Sent
        self.sends = collections.Counter()     # by id
        self.verdicts = {}                     # by id: accepted, or the reason of the refusal
        self.order = []                        # ids in the order of their acceptance
        self.refusals = collections.Counter()  # answers that refused a whole request, by code

    def write(self, lines):
        with self.lock:
            self.file.write("".join(json.dumps(line) + "\n" for line in lines))
            self.file.flush()
            os.fsync(self.file.fileno())

    def begin(self, batch):
        """Notes events before they are sent."""
        self.write({"id": event.id, "sha256": hashlib.sha256(event.text).hexdigest(), "expected": event.expected} for event in batch)
        with self.lock:
            for event in batch:
                same(self.events.setdefault(event.id, event), event, "two events with one id")

    def sent(self, batch):
        with self.lock:
            self.sends.update(event.id for event in batch)

    def refused(self, code):
        with self.lock:
            self.refusals[code] += 1

    def answered(self, batch, rejected):
        reasons = {refusal["messageId"]: refusal["reason"] for refusal in rejected}
        verdicts = {event.id: reasons.get(event.id, ACCEPTED) for event in batch}
        self.write([{"verdicts": verdicts}])
        with self.lock:
            for identity, verdict in verdicts.items():
                same(verdict, self.events[identity].expected, f"the verdict on {identity}")
                if self.verdicts.setdefault(identity, verdict) != verdict:
                    raise Failure(f"{identity} was {self.verdicts[identity]}, then {verdict}")
                if verdict == ACCEPTED:
                    self.order.append(identity)

    def accepted(self):
        """The events with that verdict, as objects, in the order of their acceptance."""
        return [self.events[identity].event for identity in dict.fromkeys(self.order)]

    def unknown(self):
        """What was sent and has no verdict."""
        return [event for identity, event in self.events.items() if identity not in self.verdicts and self.sends[identity]]


def body_of(batch):
    return b'{"batch":[' + b",".join(event.text for event in batch) + b"]}"


SINGLE = {"track": "/v1/track", "identify": "/v1/identify"}


def request_of(batch, single):
    """Path and body. One event can be sent alone as well."""
    if single and len(batch) == 1:
        return SINGLE[batch[0].event["type"]], batch[0].text
    return "/v1/batch", body_of(batch)


def post(client, ledger, batch, single=False):
    """Sends a batch and notes the verdicts; gives the answer. An answer that is lost is an OSError or HTTPException."""
    ledger.sent(batch)
    path, body = request_of(batch, single)
    answer = client.request("POST", path, body, {"Authorization": f"Bearer {WRITE_KEY}"})
    if answer.status in (429, 503):
        expect("Retry-After" in answer.headers or answer.json["code"] == "storage_failed", "no Retry-After:", answer)
        ledger.refused(answer.json["code"])
        return answer
    expect(answer.status == 200, answer)
    told = answer.json
    same(told["accepted"] + len(told["rejected"]), len(batch), "verdicts")
    ledger.answered(batch, told["rejected"])
    return answer


# --- clients ---

class Place:
    """Where the server is, while it is there."""

    def __init__(self):
        self.changed = threading.Condition()
        self.port = None
        self.ending = threading.Event()   # make no new events
        self.leaving = threading.Event()  # nor send what got no answer

    def set(self, port):
        with self.changed:
            self.port = port
            self.changed.notify_all()

    def gone(self, port):
        with self.changed:
            if self.port == port:
                self.port = None

    def leave(self):
        self.ending.set()
        self.leaving.set()
        with self.changed:
            self.changed.notify_all()

    def wait(self):
        """The port; None when the clients are to leave."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.port is not None or self.leaving.is_set(), 120):
                raise Failure("the server did not come back")
            return None if self.leaving.is_set() else self.port


class Sender(threading.Thread):
    """A client with users of its own. Keeps what got no answer and sends it again before all else."""

    def __init__(self, number, ledger, place, seed, users=15, devices=2, sizes=(1, 1, 5, 20), pause=0.0):
        super().__init__(daemon=True)
        self.number, self.ledger, self.place, self.sizes, self.pause = number, ledger, place, sizes, pause
        self.random = random.Random(seed * 100 + number)
        self.devices = devices  # of each user, used before the user identifies
        self.users = [f"user-{number}-{i}" for i in range(users)]
        self.clocks = dict.fromkeys(self.users, 0)
        self.made = self.lost = 0
        self.failure = None

    def run(self):
        try:
            while not self.place.ending.wait(self.pause):
                batch = [self.event() for _ in range(self.random.choice(self.sizes))]
                self.ledger.begin(batch)
                self.deliver(batch)
        except Exception as failure:
            self.failure = failure

    def event(self):
        self.made += 1
        user = self.random.choice(self.users)
        # No two events of a user at one instant: then the order of arrival does not matter to any number.
        at = self.clocks[user] = max(now(), self.clocks[user] + 1)
        device = f"device-{user}-{self.random.randrange(self.devices)}"
        unknown = self.random.random() < 0.4
        event = {"type": "track", "messageId": f"{self.number}-{self.made}", "timestamp": rfc3339(at)}
        event.update({"anonymousId": device} if unknown else {"userId": user})
        roll = self.random.random()
        if roll < 0.05:
            event.update({"userId": user, "anonymousId": device} if roll < 0.01 else {})
            return sent(dict(event, type="identify", traits={"country": self.random.choice(("PL", "DE", "FR"))}))
        properties = {"amount": self.random.randrange(100), "item": f"item-{self.random.randrange(20)}"}
        if roll < 0.10:
            return sent(dict(event, event="a", properties=dict(properties, amount="many")), "invalid_property")
        return sent(dict(event, event=self.random.choice("abc"), properties=properties))

    def deliver(self, batch):
        """Sends until there is an answer."""
        client = None
        single = self.random.random() < 0.5
        while (port := self.place.wait()) is not None:
            if client is None or client.port != port:
                client = Client(port)
            try:
                answer = post(client, self.ledger, batch, single)
            except (OSError, http.client.HTTPException):
                self.lost += 1
                self.place.gone(port)
                continue
            if answer.status == 200:
                break
            self.place.leaving.wait(0.02)
        if client is not None:
            client.close()


class Load:
    """Clients that send until told to end. As a context: leaves no thread behind."""

    def __init__(self, ledger, seed, clients=4, first=0, **of_sender):
        """`first` is where the numbers of the events begin: loads of one ledger must not share any."""
        self.ledger, self.place = ledger, Place()
        self.senders = [Sender(number, ledger, self.place, seed, **of_sender) for number in range(clients)]
        for sender in self.senders:
            sender.made = first

    def __enter__(self):
        for sender in self.senders:
            sender.start()
        return self

    def __exit__(self, kind, *_):
        self.place.leave()
        for sender in self.senders:
            sender.join()
        if kind is None:
            self.check()

    def check(self):
        for sender in self.senders:
            if sender.failure:
                raise sender.failure

    def failed(self):
        return any(sender.failure for sender in self.senders)

    def wait(self, count, what="answers"):
        """Until so many more events have a verdict."""
        goal = len(self.ledger.verdicts) + count
        poll(lambda: len(self.ledger.verdicts) >= goal or self.failed(), f"{count} {what}")
        self.check()

    def finish(self):
        """Everything that was begun gets its answer."""
        self.place.ending.set()
        for sender in self.senders:
            sender.join()
        self.check()

    @property
    def lost(self):
        return sum(sender.lost for sender in self.senders)


# --- the log, read as docs/formats.md describes it ---

RECORD = struct.Struct("<IBBHQI")
EVENT_TYPES = (1, 4, 5)  # events, linking or linked or not


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def event_of(payload):
    """The id and the JSON, as sent, of an encoded event."""
    version = payload[0]  # 2 has a byte more, its marks
    expect(version in (1, 2), "the version of an encoded event:", version)
    at, texts = 17 + version, []
    for _ in range(5):
        size, at = varint(payload, at)
        texts.append(payload[at:at + size])
        at += size
    same(at, len(payload), "the length of an encoded event")
    return texts[0].decode(), texts[4]


def records(data):
    """(type, sequence, payload) of every whole record of a data folder's log, in order."""
    due = None
    for file in sorted(pathlib.Path(data, "log").glob("*.log")):
        content = file.read_bytes()
        if len(content) < 40 or not any(content[:40]):
            continue
        same(content[:8], b"attn-log", f"the beginning of {file}")
        at = 40
        while at + RECORD.size <= len(content):
            length, kind, _, _, sequence, _ = RECORD.unpack_from(content, at)
            if sequence == 0 or at + RECORD.size + length > len(content):
                break
            expect(due is None or sequence == due, file, "at", at, "has record", sequence, "and not", due)
            yield kind, sequence, content[at + RECORD.size:at + RECORD.size + length]
            at += RECORD.size + length
            due = sequence + 1


def stored(data):
    """The accepted events of a stopped server's folder as they were sent, an event that came twice once: [bytes]."""
    found = {}
    for kind, _, payload in records(data):
        if kind in EVENT_TYPES:
            identity, text = event_of(payload)
            same(found.setdefault(identity, text), text, f"the copies of {identity}")
    return list(found.values())


@functools.cache
def has_command(name):
    return any(line.split()[:1] == [name] for line in run("--help", code=0).out.splitlines())


def exported(data):
    """The same from the program."""
    return run("export", "--data", data, code=0).stdout.splitlines()


# --- what must be true ---

def check_stored(events, ledger):
    """Holds stored events, as bytes, to the ledger."""
    counts = collections.Counter()
    for text in events:
        identity = json.loads(text)["messageId"]
        expect(identity in ledger.events, "a phantom is stored:", text)
        counts[identity] += 1
        expect(ledger.sends[identity] > 0, identity, "is stored and was never sent")
        same(hashlib.sha256(text).hexdigest(), hashlib.sha256(ledger.events[identity].text).hexdigest(), f"the bytes of {identity}")
    for identity, event in ledger.events.items():
        count, verdict = counts[identity], ledger.verdicts.get(identity, "unknown")
        if verdict == ACCEPTED:
            same(count, 1, f"how often {identity}, which was accepted, is stored")
        elif verdict == "unknown" and event.expected == ACCEPTED:
            expect(count <= 1, identity, "got no answer and is stored", count, "times")
        else:
            same(count, 0, f"how often {identity}, which was {verdict}, is stored")


def recount(events):
    """Each user's metrics and segments, by plain counting."""
    histories = collections.defaultdict(list)
    leads_to = {event["anonymousId"]: event["userId"] for event in events if "anonymousId" in event and "userId" in event}
    for event in events:
        histories[event.get("userId") or leads_to.get(event["anonymousId"], event["anonymousId"])].append(event)
    state = {}
    for user, history in histories.items():
        history.sort(key=lambda event: event["timestamp"])
        tracks = [event for event in history if event["type"] == "track"]
        traits = [event["traits"]["country"] for event in history if event["type"] == "identify"]
        amounts = [event["properties"]["amount"] for event in tracks]
        counts = collections.Counter(event["event"] for event in tracks)
        metrics = {"events": len(tracks), "a": counts["a"], "b": counts["b"], "c": counts["c"], "recent_a": counts["a"],
                   "total": sum(amounts), "items": len({event["properties"]["item"] for event in tracks})}
        if tracks:
            metrics.update(largest=max(amounts), last_item=tracks[-1]["properties"]["item"], latest=tracks[-1]["timestamp"])
        steps = [event["event"] for event in tracks if event["event"] in "ab"]
        segments = {"everyone": True, "busy": len(tracks) >= 50, "rested": bool(steps) and steps[-1] == "a",
                    "spender": sum(event["properties"]["amount"] for event in tracks if event["event"] == "a") >= 500,
                    "polish": bool(traits) and traits[-1] == "PL"}
        state[user] = (metrics, sorted(name for name, held in segments.items() if held))
    return state


def live(server):
    """The same as the server has it."""
    state, cursor = {}, ""
    while cursor is not None:
        page = server.ask("/v1/segments/everyone/users?limit=17" + (f"&cursor={cursor}" if cursor else ""))
        for member in page["users"]:
            known = server.behavior(member["user"])
            expect(member["user"] not in state, member["user"], "is listed twice")
            state[member["user"]] = (known["metrics"], [segment["name"] for segment in known["segments"]])
        cursor = page["next"]
    return state


def replayed(path, texts, at):
    """The same as a replay of events has it, which are bytes or objects."""
    file = path / "replayed.ndjson"
    file.write_bytes(b"".join((text if isinstance(text, bytes) else json.dumps(text).encode()) + b"\n" for text in texts))
    run("replay", "--plan", path / "plan.yaml", "--events", file, "--out", path / "out", "--until", at, "--at", at, code=0)
    same((path / "out/dead_letters.ndjson").read_text(), "", "dead letters of the replay")
    lines = [json.loads(line) for line in (path / "out/values.ndjson").read_text().splitlines()]
    return {line["user"]: (line["metrics"], line["segments"]) for line in lines}


def compare(found, expected, what):
    same(sorted(found), sorted(expected), f"users, {what}")
    for user in expected:
        same({name: found[user][0][name] for name in sorted(found[user][0])},
             {name: expected[user][0][name] for name in sorted(expected[user][0])}, f"{user}, {what}")
        same(found[user][1], expected[user][1], f"segments of {user}, {what}")


def letters(server):
    """All dead letters of events, newest first. Of whole requests there are others, samples of what was no request."""
    found, cursor = [], ""
    while cursor is not None:
        page = server.ask("/v1/dead-letters?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        found += [letter for letter in page["dead_letters"] if letter.get("class", "event") == "event"]
        cursor = page["next"]
    return found


def check_letters(server, ledger):
    """Every refusal is kept exactly once with its reason, and nothing else is."""
    kept = collections.Counter()
    for letter in letters(server):
        identity = letter["event"]["messageId"]
        expect(identity in ledger.events, "a phantom among the dead letters:", letter)
        same(letter["event"], ledger.events[identity].event, "the event of a dead letter")
        same(letter["reason"], ledger.events[identity].expected, f"the reason of {identity}")
        expect(letter["repeats"] < ledger.sends[identity], identity, "was sent", ledger.sends[identity], "times, refused again",
               letter["repeats"], "times")
        kept[identity] += 1
    refused = {identity: 1 for identity, verdict in ledger.verdicts.items() if verdict != ACCEPTED}
    unknown = {event.id for event in ledger.unknown()}
    same({identity: count for identity, count in sorted(kept.items()) if identity not in unknown}, dict(sorted(refused.items())),
         "dead letters")
    expect(all(count == 1 for count in kept.values()), "dead letters that are there twice")


def instant_of_rest(ledger):
    """Waits until no timer of an accepted event is to come, and gives the instant."""
    accepted = ledger.accepted()
    at = max((millis(event["timestamp"]) for event in accepted), default=0) + REST + 100
    poll(lambda: now() > at, "an instant when all timers are over")
    return rfc3339(max(at, now()))


def retry(server, ledger):
    """Sends again what got no answer."""
    unknown = ledger.unknown()
    client = Client(server.port)
    for i in range(0, len(unknown), 100):
        batch = unknown[i:i + 100]
        poll(lambda: post(client, ledger, batch).status == 200, "an answer to what had none")
    client.close()


def check_folder(data, ledger):
    """What a stopped server left. `ledger` may have unknowns."""
    events = stored(data)
    check_stored(events, ledger)
    if has_command("export"):
        same(exported(data), events, "exported and read from the log")
    if has_command("verify"):
        run("verify", data, code=0)
    return events


def check(path, ledger, data=None, **of_server):
    """All of it, for a stopped server with path/plan.yaml and path/data: before a start, after it, and after what got no
    answer was sent again. Gives the figures for a report."""
    data = data or path / "data"
    with Server(path / "plan.yaml", data, **of_server) as server:
        recovered = server.ask("/v1/status")["position"]
    check_folder(data, ledger)
    unknown = len(ledger.unknown())
    with Server(path / "plan.yaml", data, **of_server) as server:
        expect(server.ask("/v1/status")["position"] >= recovered, "the position went back")
        retry(server, ledger)
        same([event.id for event in ledger.unknown()], [], "events without a verdict")
        at = instant_of_rest(ledger)
        expected = recount(ledger.accepted())
        compare(live(server), expected, "live and counted")
        check_letters(server, ledger)
    events = check_folder(data, ledger)
    compare(replayed(path, events, at), expected, "the stored events replayed, and the ledger counted")
    return {"events": len(events), "refused": sum(verdict != ACCEPTED for verdict in ledger.verdicts.values()), "unknown": unknown}


def must_fail(what, checked, *arguments, **more):
    """A control: the check has to notice."""
    try:
        checked(*arguments, **more)
    except Failure:
        return
    raise Failure(f"not noticed: {what}")


def check_the_check(ledger, events, chance):
    """Holds stored events to a ledger when one of them is missing, there twice, another, or of nobody."""
    check_stored(events, ledger)
    victim = chance.randrange(len(events))
    rest = events[:victim] + events[victim + 1:]
    changed = events[victim].replace(b'"messageId"', b' "messageId"')
    phantom = json.dumps(dict(json.loads(events[victim]), messageId="phantom")).encode()
    if json.loads(events[victim])["messageId"] in ledger.verdicts:
        must_fail("a missing event", check_stored, rest, ledger)
    must_fail("an event that is there twice", check_stored, events + [events[victim]], ledger)
    must_fail("an event with a blank more", check_stored, rest + [changed], ledger)
    must_fail("a phantom", check_stored, events + [phantom], ledger)
    refused = [event.text for identity, event in ledger.events.items() if ledger.verdicts.get(identity, ACCEPTED) != ACCEPTED]
    if refused:
        must_fail("a refused event that is stored", check_stored, events + [chance.choice(refused)], ledger)
