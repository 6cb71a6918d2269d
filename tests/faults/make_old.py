#!/usr/bin/env python3
"""Keeps a data folder of this version for the tests of later ones. make_old.py tests/faults/old/VERSION.tar.xz

It holds three batches of ten events of ann, one of each refused, and one of five of bob; and the accepted events beside them.
"""

import os
import sys
import tarfile

from trial import Trial  # finds the harness
from harness import Client, folder, same

os.environ["ATTUNE_SEED"] = "1"
with folder() as path:
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    for _ in range(3):
        trial.send(client, 10, refused=True)
    trial.send(client, 5, user="bob")
    client.close()
    same(server.stop(), 0, "exit code")
    texts = [trial.ledger.events[identity].text for identity in trial.ledger.order]
    (trial.data / "ledger.ndjson").write_bytes(b"".join(text + b"\n" for text in texts))

    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        name = os.path.basename(entry.name)
        return None if name.startswith("LOG") or name == "LOCK" else entry

    with tarfile.open(sys.argv[1], "w:xz") as tar:
        for name in ("log", "state", "ledger.ndjson"):
            tar.add(trial.data / name, name, filter=plain)
