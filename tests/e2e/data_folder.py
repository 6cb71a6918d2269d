"""A data folder with a small plan, filled and looked at from outside."""

import http.client
import json
import re
import threading

from harness import WRITE_KEY, Client, Server, now, poll, rfc3339, run, same, track

PLAN = """
timezone: UTC
events:
  a: {properties: {amount: integer?}}
metrics:
  events: count(any)
  total: sum(a.amount)
  latest: last_time(any)
segments:
  everyone: {when: count(any) >= 0}
  busy: {when: count(a) >= 3}
"""


def write_plan(path, text=PLAN):
    (path / "plan.yaml").write_text(text)
    return path / "plan.yaml"


def serve(path, data="data", **more):
    return Server(path / "plan.yaml", path / data, **more)


def values_of(server, users):
    """What the server knows of users, without what depends on the instant of asking."""
    known = {user: server.behavior(user) for user in users}
    return {user: (told["metrics"], [segment["name"] for segment in told["segments"]]) for user, told in known.items()}


def replayed(path, events, at=None):
    """The same by a replay of a file of events."""
    at = at or rfc3339(now() + 60_000)
    run("replay", "--plan", path / "plan.yaml", "--events", events, "--out", path / "replayed", "--until", at, "--at", at, code=0)
    same((path / "replayed/dead_letters.ndjson").read_text(), "", "dead letters of the replay")
    lines = [json.loads(line) for line in (path / "replayed/values.ndjson").read_text().splitlines()]
    return {line["user"]: (line["metrics"], line["segments"]) for line in lines}


# --- verify and repair ---

def filled(path, users=8, events=40, keys=True):
    """A folder that was served and stopped, and what was sent, in its order."""
    write_plan(path)
    at = now() - 600_000
    sent = [track(f"user-{i % users}", "a", {"amount": i}, messageId=f"m{i}", timestamp=rfc3339(at + i)) for i in range(events)]
    with serve(path, keys=keys) as server:
        for event in sent:
            # One by one: each is a group of its own.
            answer = server.request("POST", "/v1/batch", {"batch": [event]}, key=WRITE_KEY if keys else made_key(server, "write"))
            same(answer.status, 200, answer)
    return sent


def made_key(server, kind):
    """A key that the server made and told when it started."""
    return next(re.search(rf"{kind} key: +(\S+)", line)[1] for line in server.said if f"{kind} key:" in line)


def verify(path, *more, code=0, data="data"):
    return run("verify", path / data, *more, code=code)


def record_offsets(log):
    """Offset and sequence of each record of a log file."""
    found, at = [], 40
    while at + 20 <= len(log):
        length, sequence = int.from_bytes(log[at:at + 4], "little"), int.from_bytes(log[at + 8:at + 16], "little")
        if sequence == 0:
            break
        found.append((at, sequence))
        at += 20 + length
    return found


def flip(file, offset, bit=1):
    content = bytearray(file.read_bytes())
    content[offset] ^= bit
    file.write_bytes(content)


def log_file(path, data="data"):
    return sorted((path / data / "log").glob("*.log"))[0]


# --- backup and restore ---

class Load(threading.Thread):
    """A client that sends events one by one until it is told to end."""

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.client, self.number = Client(port), number
        self.acked, self.ending, self.failure = [], threading.Event(), None

    def run(self):
        made = 0
        while not self.ending.is_set():
            made += 1
            event = track(f"user-{self.number}-{made % 5}", "a", {"amount": made}, messageId=f"{self.number}-{made}", timestamp=rfc3339(now()))
            try:
                answer = self.client.request("POST", "/v1/batch", {"batch": [event]}, {"Authorization": f"Bearer {WRITE_KEY}"})
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                self.acked.append(event["messageId"])
            elif not self.ending.is_set():
                self.failure = answer
                return


def loaded(server, events):
    """Clients that send, each with more than so many events acknowledged."""
    loads = [Load(server.port, number) for number in range(3)]
    for load in loads:
        load.start()
    poll(lambda: all(len(load.acked) > events for load in loads), "events")
    return loads
