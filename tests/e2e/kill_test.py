#!/usr/bin/env python3
"""Nothing that was acknowledged is lost and nothing counts twice, however the process dies. kill_test.py [CASE...]

Clients write every event to a ledger of their own, synced, before they send it. The server is killed at random moments
under load, also while it recovers. What got no answer is sent again with the same ids. In the end every user's numbers
must be those that the ledger gives by plain counting, and those that `attune replay` makes of the ledger.

ATTUNE_KILLS says how many kills (default 12), ATTUNE_SEED repeats a run.
"""

import copy
import os
import random
import shutil
import sys
import threading

from harness import Server, folder, main, poll, same
from ledger import (ACCEPTED, PLAN, Ledger, Load, check_folder, check_letters, check_stored, check_the_check, compare, instant_of_rest,
                    live, must_fail, recount, replayed)

KILLS = int(os.environ.get("ATTUNE_KILLS", "12"))
SEED = int(os.environ.get("ATTUNE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


# --- the run ---

def load_and_kill(path, ledger, chance):
    pause = threading.Event()  # never set: a wait that lasts a random time is what decides where the kill falls
    start = lambda: Server(path / "plan.yaml", path / "data")
    with Load(ledger, SEED) as load:
        server = start().ready()
        load.place.set(server.port)
        kills = 0
        while kills < KILLS:
            answers = len(ledger.order)
            pause.wait(chance.uniform(0, 0.5))
            # Every other kill falls into a time of answers, however slow the machine.
            if chance.random() < 0.5:
                poll(lambda: len(ledger.order) > answers or load.failed(), "an acceptance")
            server.kill()
            load.place.set(None)
            kills += 1
            while kills < KILLS and chance.random() < 0.4:  # once more, while it recovers
                server = start()
                pause.wait(chance.uniform(0, 0.15))
                server.kill()
                kills += 1
            server = start().ready()
            load.place.set(server.port)
            load.check()
        load.finish()
    return server, load.lost


def test_what_was_acknowledged_is_there_exactly_once():
    chance = random.Random(SEED)
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        ledger = Ledger(path / "ledger.log")
        server, lost = load_and_kill(path, ledger, chance)
        with server:
            same(sorted(ledger.verdicts), sorted(ledger.events), "events with a verdict")
            events = ledger.accepted()
            at = instant_of_rest(ledger)
            expected = recount(events)
            found = live(server)
            compare(found, expected, "live and counted")
            compare(replayed(path, events, at), expected, "replayed and counted")
            # The order in which they were accepted does not matter.
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
                must_fail(what, compare, found, recount(others), "control")
            dead = next(identity for identity, verdict in ledger.verdicts.items() if verdict != ACCEPTED)
            for verdicts in ({**ledger.verdicts, dead: ACCEPTED}, {**ledger.verdicts, victim["messageId"]: "invalid_property"}):
                ledger.verdicts, kept = verdicts, ledger.verdicts
                must_fail("another verdict", check_letters, server, ledger)
                ledger.verdicts = kept
        stored = check_folder(path / "data", ledger)
        check_the_check(ledger, stored, chance)
        compare(replayed(path, stored, at), expected, "what is stored, replayed, and counted")
        # A start that reads the snapshot alone.
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

        must_fail("the loss of half of the log", half)
        must_fail("the loss of half of the log", lambda: check_stored(check_folder(path / "data", ledger), ledger))
        print(f"seed {SEED}: {KILLS} kills, {len(events)} events of {len(expected)} users, {len(ledger.verdicts) - len(events)} refused, "
              f"{lost} answers lost")


if __name__ == "__main__":
    print(f"ATTUNE_SEED={SEED}", flush=True)
    sys.exit(main(globals()))
