#!/usr/bin/env python3
"""Nothing that was acknowledged is lost and nothing counts twice, however the process dies. kill_test.py [CASE...]

Clients write every event to a ledger of their own, synced, before they send it. The server is killed at random moments
under load, also while it recovers. What got no answer is sent again with the same ids. In the end every user's numbers
must be those that the ledger gives by plain counting, and those that `attune replay` makes of the ledger.

ATTUNE_KILLS says how many kills (default 12), ATTUNE_SEED repeats a run.
"""

import collections
import copy
import http.client
import json
import os
import random
import shutil
import sys
import threading

from harness import API_KEY, WRITE_KEY, Client, Failure, Server, expect, folder, main, millis, now, poll, rfc3339, run, same

KILLS = int(os.environ.get("ATTUNE_KILLS", "12"))
SEED = int(os.environ.get("ATTUNE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CLIENTS, USERS = 4, 15  # users of each client
DEVICES = 2             # of each user, from which she comes without being known
REST = 1000             # of the segment `rested`

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


class Ledger:
    """What the clients know: each event, synced before it is sent, and what became of it."""

    def __init__(self, path):
        self.file = open(path, "w")
        self.lock = threading.Lock()
        self.events = {}                       # by id
        self.sends = collections.Counter()     # by id
        self.verdicts = {}                     # by id: acked, or the reason of the refusal
        self.order = []                        # ids in the order of their acknowledgement

    def write(self, lines):
        with self.lock:
            self.file.write("".join(json.dumps(line) + "\n" for line in lines))
            self.file.flush()
            os.fsync(self.file.fileno())

    def begin(self, events):
        self.write(events)
        with self.lock:
            self.events.update((event["messageId"], event) for event in events)

    def sent(self, events):
        with self.lock:
            self.sends.update(event["messageId"] for event in events)

    def answered(self, events, rejected):
        reasons = {refusal["messageId"]: refusal["reason"] for refusal in rejected}
        verdicts = {event["messageId"]: reasons.get(event["messageId"], "acked") for event in events}
        self.write([{"verdicts": verdicts}])
        with self.lock:
            for identity, verdict in verdicts.items():
                if self.verdicts.setdefault(identity, verdict) != verdict:
                    raise Failure(f"{identity} was {self.verdicts[identity]}, then {verdict}")
                if verdict == "acked":
                    self.order.append(identity)

    def acknowledged(self):
        return [self.events[identity] for identity in self.order]


class Sender(threading.Thread):
    """A client with users of its own. Keeps what got no answer and sends it again before all else."""

    def __init__(self, number, ledger, place):
        super().__init__(daemon=True)
        self.number, self.ledger, self.place = number, ledger, place
        self.random = random.Random(SEED * 100 + number)
        self.users = [f"user-{number}-{i}" for i in range(USERS)]
        self.clocks = dict.fromkeys(self.users, 0)
        self.made = self.lost = 0
        self.failure = None

    def run(self):
        try:
            while not self.place.ending.is_set():
                batch = [self.event() for _ in range(self.random.choice((1, 1, 5, 20)))]
                self.ledger.begin(batch)
                self.deliver(batch)
        except Exception as failure:
            self.failure = failure

    def event(self):
        self.made += 1
        user = self.random.choice(self.users)
        # No two events of a user at one instant: then the order of arrival does not matter to any number.
        at = self.clocks[user] = max(now(), self.clocks[user] + 1)
        device = f"device-{user}-{self.random.randrange(DEVICES)}"
        unknown = self.random.random() < 0.4
        event = {"type": "track", "messageId": f"{self.number}-{self.made}", "timestamp": rfc3339(at)}
        event.update({"anonymousId": device} if unknown else {"userId": user})
        roll = self.random.random()
        if roll < 0.05:
            event.update({"userId": user, "anonymousId": device} if roll < 0.01 else {})
            return dict(event, type="identify", traits={"country": self.random.choice(("PL", "DE", "FR"))})
        properties = {"amount": self.random.randrange(100), "item": f"item-{self.random.randrange(20)}"}
        if roll < 0.10:
            return dict(event, event="a", properties=dict(properties, amount="many"))  # to be refused
        return dict(event, event=self.random.choice("abc"), properties=properties)

    def deliver(self, batch):
        """Sends until there is an answer."""
        client = None
        while True:
            port = self.place.wait()
            if client is None or client.port != port:
                client = Client(port)
            self.ledger.sent(batch)
            try:
                answer = client.request("POST", "/v1/batch", {"batch": batch}, {"Authorization": f"Bearer {WRITE_KEY}"})
            except (OSError, http.client.HTTPException):
                self.lost += 1
                self.place.gone(port)
                continue
            if answer.status in (429, 503):
                continue
            expect(answer.status == 200, answer)
            told = answer.json
            same(told["accepted"] + len(told["rejected"]), len(batch), "verdicts")
            self.ledger.answered(batch, told["rejected"])
            client.close()
            return


class Place:
    """Where the server is, while it is there."""

    def __init__(self):
        self.changed = threading.Condition()
        self.port = None
        self.ending = threading.Event()

    def set(self, port):
        with self.changed:
            self.port = port
            self.changed.notify_all()

    def gone(self, port):
        with self.changed:
            if self.port == port:
                self.port = None

    def wait(self):
        with self.changed:
            if not self.changed.wait_for(lambda: self.port is not None, 120):
                raise Failure("the server did not come back")
            return self.port


# --- what must be true in the end ---

def recount(events, at):
    """Each user's metrics and segments at an instant, by plain counting."""
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


def replayed(path, events, at):
    """The same as a replay of the ledger has it."""
    file = path / "ledger.ndjson"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
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


def check_letters(server, ledger):
    """Every refusal is kept with its reason: once at least, and not more often than it was sent."""
    kept, cursor = collections.Counter(), ""
    while cursor is not None:
        page = server.ask("/v1/dead-letters?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        for letter in page["dead_letters"]:
            identity = letter["event"]["messageId"]
            same(letter["event"], ledger.events[identity], "the event of a dead letter")
            same((letter["reason"], letter["field"]), ("invalid_property", "properties.amount"))
            kept[identity] += 1
        cursor = page["next"]
    refused = {identity for identity, verdict in ledger.verdicts.items() if verdict != "acked"}
    expect(refused, "no event was refused")
    same(sorted(kept), sorted(refused), "refused events")
    for identity, count in kept.items():
        expect(count <= ledger.sends[identity], identity, "was sent", ledger.sends[identity], "times and kept", count)


def must_fail(check, what):
    try:
        check()
    except Failure:
        return
    raise Failure(f"not noticed: {what}")


# --- the run ---

def load_and_kill(path, ledger, chance):
    place = Place()
    senders = [Sender(number, ledger, place) for number in range(CLIENTS)]
    pause = threading.Event()  # never set: a wait that lasts a random time is what decides where the kill falls
    start = lambda: Server(path / "plan.yaml", path / "data")
    server = start().ready()
    place.set(server.port)
    for sender in senders:
        sender.start()
    kills = 0
    while kills < KILLS:
        acked = len(ledger.order)
        pause.wait(chance.uniform(0, 0.5))
        # Every other kill falls into a time of answers, however slow the machine.
        if chance.random() < 0.5:
            poll(lambda: len(ledger.order) > acked or any(sender.failure for sender in senders), "an acknowledgement")
        server.kill()
        place.set(None)
        kills += 1
        while kills < KILLS and chance.random() < 0.4:  # once more, while it recovers
            server = start()
            pause.wait(chance.uniform(0, 0.15))
            server.kill()
            kills += 1
        server = start().ready()
        place.set(server.port)
        failures = [sender.failure for sender in senders if sender.failure]
        if failures:
            raise failures[0]
    place.ending.set()
    for sender in senders:
        sender.join()
        if sender.failure:
            raise sender.failure
    return server, sum(sender.lost for sender in senders)


def test_what_was_acknowledged_is_there_exactly_once():
    chance = random.Random(SEED)
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        ledger = Ledger(path / "ledger.log")
        server, lost = load_and_kill(path, ledger, chance)
        with server:
            same(sorted(ledger.verdicts), sorted(ledger.events), "events with a verdict")
            for identity, event in ledger.events.items():
                bad = event.get("properties", {}).get("amount") == "many"
                same(ledger.verdicts[identity], "invalid_property" if bad else "acked", identity)
            events = ledger.acknowledged()
            last = max(event["timestamp"] for event in events)
            at = rfc3339(max(now(), millis(last)) + REST + 100)
            poll(lambda: rfc3339(now()) >= at, "an instant when all timers are over")
            expected = recount(events, at)
            found = live(server)
            compare(found, expected, "live and counted")
            compare(replayed(path, events, at), expected, "replayed and counted")
            # The order in which they were acknowledged does not matter.
            mixed = list(events)
            chance.shuffle(mixed)
            compare(replayed(path, mixed, at), expected, "replayed in disorder and counted")
            check_letters(server, ledger)

            # This check can fail. What if one event were missing, one more there, or one another?
            victim = chance.choice([event for event in events if event["type"] == "track"])
            other = copy.deepcopy(victim)
            other["properties"]["amount"] += 1
            rest = [event for event in events if event is not victim]
            for what, others in (("a missing event", rest), ("an event that counts twice", events + [victim]),
                                 ("an event that was changed", rest + [other]), ("a phantom", events + [dict(victim, userId="phantom")])):
                must_fail(lambda: compare(found, recount(others, at), "control"), what)
        # A clean end, and a start that reads the snapshot alone.
        with Server(path / "plan.yaml", path / "data") as server:
            compare(live(server), expected, "after a clean end")
            server.kill()
        # Without the snapshots the log alone gives the same.
        shutil.rmtree(path / "data/state")
        with Server(path / "plan.yaml", path / "data") as server:
            compare(live(server), expected, "from the log alone")
            check_letters(server, ledger)
            server.kill()
        # Half a log is noticed, by the server or by this check.
        shutil.rmtree(path / "data/state")
        for file in sorted((path / "data/log").iterdir()):
            os.truncate(file, len(file.read_bytes().rstrip(b"\0")) // 2)

        def half():
            with Server(path / "plan.yaml", path / "data") as server:
                compare(live(server), expected, "control")

        must_fail(half, "the loss of half of the log")
        print(f"seed {SEED}: {KILLS} kills, {len(events)} events of {len(expected)} users, {len(ledger.verdicts) - len(events)} refused, "
              f"{lost} answers lost")


if __name__ == "__main__":
    print(f"ATTUNE_SEED={SEED}", flush=True)
    sys.exit(main(globals()))
