"""What a fault is tried on: a plan, a data folder, the clients' ledger, and a seed."""

import os
import random
import threading

import injection  # noqa: F401  (finds the harness)
from harness import Server, now, rfc3339
from ledger import ACCEPTED, PLAN, Ledger, Load, check, check_stored, post, sent, stored


class Trial:
    def __init__(self, path, data=None, plan=PLAN):
        self.path, self.data = path, data or path / "data"
        self.plan = path / "plan.yaml"
        self.plan.write_text(plan)
        self.seed = int(os.environ["ATTUNE_SEED"])
        self.chance = random.Random(self.seed)
        self.ledger = Ledger(path / "ledger.log")
        self.made = self.clock = 0
        self.lock = threading.Lock()

    @property
    def log(self):
        """The log's first file."""
        return self.data / "log/00000000000000000001.log"

    def start(self, **of_server):
        return Server(self.plan, self.data, **of_server).ready()

    def load(self, **of_senders):
        return Load(self.ledger, self.seed, **of_senders)

    def batch(self, size=1, user="ann", age_ms=60_000, padding=0, refused=False, users=1):
        """Events of one user, or of so many, a minute old unless told otherwise, noted in the ledger and not yet sent."""
        batch = []
        with self.lock:
            first, self.made = self.made, self.made + size
            # No two at one instant: then the order of arrival does not matter to any number.
            begin = max(now() - age_ms, self.clock)
            self.clock = begin + size
        for i in range(size):
            number = first + i + 1
            event = {"type": "track", "event": "c", "userId": user if users == 1 else f"{user}-{i % users}", "messageId": f"one-{number}",
                     "timestamp": rfc3339(begin + i),
                     "properties": {"amount": number % 100, "item": f"item-{number % 20}"}}
            if refused and i == 0:
                event = dict(event, event="a", properties={"amount": "many", "item": "x"})
            if padding:
                event["context"] = {"padding": "x" * padding}
            batch.append(sent(event, "invalid_property" if refused and i == 0 else ACCEPTED))
        self.ledger.begin(batch)
        return batch

    def send(self, client, size=1, **of_batch):
        return post(client, self.ledger, self.batch(size, **of_batch))

    def check(self, **of_server):
        """The end of every fault: the server is stopped, the means of the fault are gone."""
        return check(self.path, self.ledger, self.data, **of_server)

    def expect_loss(self, what):
        """A control: the check has to see that something accepted is gone."""
        try:
            check_stored(stored(self.data), self.ledger)
        except AssertionError as failure:
            return str(failure).replace("\n", " ")
        raise AssertionError(f"not noticed: {what}")
