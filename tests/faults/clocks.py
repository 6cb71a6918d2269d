"""Wall clocks that jump, and midnights."""

import struct

from fault import fault
from harness import expect, poll, same
from injection import Clock
from ledger import records
from trial import Trial


def arrivals(trial):
    """The instants of arrival that the log holds, in its order."""
    return [struct.unpack_from("<q", payload, 10)[0] for kind, _, payload in records(trial.data) if kind in (1, 4, 5)]


@fault("F-26", "the server's clock jumps two years ahead and back, a day back and ahead, ten times (libfaketime), under load")
def test_f26_clock_jumps(path):
    trial = Trial(path)
    clock = Clock(path)
    with trial.load(clients=2) as load:
        server = trial.start(more_environment=clock.environment())
        load.place.set(server.port)
        load.wait(50)
        for number in range(10):
            clock.set("+2y" if number % 2 == 0 else "-23h")  # an event now is then 23 hours ahead: still taken
            load.wait(30)
            clock.set("+0")
            load.wait(30)
        load.finish()
        same(load.lost, 0, "answers lost")
    same(server.stop(), 0, "exit code")
    came = arrivals(trial)
    backwards = sum(later < earlier for earlier, later in zip(came, came[1:]))
    same(backwards, 0, "arrivals that lie before the one before them")
    return {"jumps": 20, **trial.check()}


DAYS = """
timezone: UTC
metrics:
  events: count(any)
  today: count(any[today])
segments:
  everyone: {when: count(any) >= 0}
  active: {when: "count(any[today]) >= 1"}
"""


@fault("F-28", "midnight, the end of February in a leap year, the change to summer time (libfaketime)")
def test_f28_midnights(path):
    boundaries = {"UTC": "2027-12-31 23:59:57", "Europe/Warsaw": "2028-03-25 22:59:57", "UTC ": "2028-02-28 23:59:57", "UTC  ": "2028-02-29 23:59:57"}
    for number, (zone, start) in enumerate(boundaries.items()):
        here = path / str(number)
        here.mkdir()
        trial = Trial(here, plan=DAYS.replace("UTC", zone.strip()))
        clock = Clock(here)
        clock.set("@" + start)
        environment = dict(clock.environment(), TZ="UTC")
        environment.pop("FAKETIME_DONT_RESET")
        server = trial.start(more_environment=environment)
        send = lambda name: server.batch([{"type": "track", "event": "c", "userId": "ann", "messageId": name}])
        send("before")
        first = server.behavior("ann")
        same((first["metrics"], [segment["name"] for segment in first["segments"]]), ({"events": 1, "today": 1}, ["active", "everyone"]), f"before midnight, {start}")
        until = first["segments"][0]["until"]
        poll(lambda: server.behavior("ann")["metrics"].get("today") == 0, f"midnight after {start}")
        left = [change for change in server.ask("/v1/transitions")["transitions"] if change["change"] == "leave"]
        same([(change["segment"], change["at"]) for change in left], [("active", until)], "who left at midnight")
        expect(until.endswith(("T00:00:00.000Z", "T23:00:00.000Z")), "not a midnight:", until)
        send("after")
        same(server.behavior("ann")["metrics"], {"events": 2, "today": 1}, f"after midnight, {start}")
        same(server.stop(), 0, "exit code")
    return {"midnights": len(boundaries)}
