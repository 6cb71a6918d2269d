"""A server under hostile input, and what it says to it."""

import contextlib

from harness import Client, Server, expect, folder, same

PLAN = """
metrics:
  neighbours: count(neighbour[ever])
  total: count(any[ever])
  price: last(bought.price)
  nested: last(bought.a.b)
  carriers: count(carrier[ever])
segments:
  dear: {when: "last(bought.price) >= 100"}
"""


@contextlib.contextmanager
def served(plan=PLAN, data=None, **options):
    with folder() as path:
        (path / "plan.yaml").write_text(plan)
        with Server(path / "plan.yaml", data or path / "data", **options) as server:
            yield server


def verdict(answer):
    """What an answer of the collector says, in words: `400 invalid_json`, `accepted 2, too_deep`."""
    expect(answer.status < 500, "a fault of the server:", answer)
    if answer.status != 200:
        return f"{answer.status} {answer.json['code']}"
    told = answer.json
    return ", ".join([f"accepted {told['accepted']}"] + [letter["reason"] for letter in told["rejected"]])


def alive(server):
    same(Client(server.port).request("GET", "/healthz").status, 200, "the server answers")
    expect(server.process.poll() is None, "the server has ended")
