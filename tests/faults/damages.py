"""A folder that was changed while no server ran: torn, flipped, with files missing or too many."""

import os
import shutil

from fault import STRIDE, fault
from harness import Client, Server, expect, run, same
from ledger import RECORD, has_command, stored
from trial import Trial


def offsets(file):
    """Where each record begins, and where the last ends."""
    content, at, found = file.read_bytes(), 40, [40]
    while at + RECORD.size <= len(content):
        length, _, _, _, sequence, _ = RECORD.unpack_from(content, at)
        if sequence == 0:
            break
        at += RECORD.size + length
        found.append(at)
    return found


class Written:
    """A folder with some events, and what its log and its store were at a time before the last of them."""

    def __init__(self, path, early=5, late=3):
        self.trial = trial = Trial(path)
        for count in (early, late):
            with trial.start() as server:
                client = Client(server.port)
                for _ in range(count):
                    same(trial.send(client).status, 200)
                client.close()
            if count == early:
                shutil.copytree(trial.data / "state", path / "early")
        self.early = early
        self.texts = stored(trial.data)
        self.log = trial.log.read_bytes()
        self.ends = offsets(trial.log)

    def restore(self, log, state="early"):
        """The folder with such a log, and with the store of before or none."""
        shutil.rmtree(self.trial.data)
        (self.trial.data / "log").mkdir(parents=True)
        self.trial.log.write_bytes(log)
        if state:
            shutil.copytree(self.trial.path / state, self.trial.data / "state")


def start_and_look(trial, texts, what):
    """Holds a server to the events that it is to have: none but these, all of these."""
    with trial.start() as server:
        known = server.behavior("ann")["metrics"]["events"] if texts else 0
        server.kill()
    same(stored(trial.data), texts, f"the events after {what}")
    same(known, len(texts), f"the events counted after {what}")


@fault("F-05", "the log ends at each byte of its last three records; its tail is zeros, noise, or there twice", short=True)
def test_f05_torn_tail(path):
    stride = max(STRIDE, 17) if os.environ.get("ATTUNE_SHORT") else STRIDE
    written = Written(path)
    trial, log, ends = written.trial, written.log, written.ends
    starts = 0
    whole = lambda offset: written.texts[:sum(end <= offset for end in ends[1:])]
    places = sorted({*range(ends[-4], ends[-1] + 1, stride), *ends[-4:], *(end - 1 for end in ends[-3:]), *(end + 1 for end in ends[-4:-1])})
    for offset in places:
        tails = {"cut": b""}
        if offset in ends[-4:] or offset % 50 == 0:
            tails["zeros"] = bytes(len(log) - offset + 4096)
            tails["noise"] = trial.chance.randbytes(len(log) - offset + 100)
            tails["noise, then zeros"] = trial.chance.randbytes(100) + bytes(4096)
        for what, tail in tails.items():
            written.restore(log[:offset] + tail)
            start_and_look(trial, whole(offset), f"{what} at {offset}")
            starts += 1
    for again in ends[-4:-1]:  # the last records once more behind the end
        written.restore(log[:ends[-1]] + log[again:ends[-1]])
        start_and_look(trial, written.texts, f"a tail from {again} that is there twice")
        starts += 1
    return {"starts": starts, "events": len(written.texts)}


def outcome(trial):
    """'started' with what it then has stored and counted, or 'refused' with the line."""
    server = Server(trial.plan, trial.data)
    try:
        server.ready()
    except AssertionError:
        expect(server.process.returncode in (1, 2), "a crash at the start:", server.process.returncode, server.complaints)
        expect(server.complaints, "refused without a word")
        return "refused", server.complaints[0], None
    answer = server.ask("/v1/status") and server.request("GET", "/user/ann/behavior", key="test-api-key")
    server.kill()
    return "started", stored(trial.data), answer.json["metrics"]["events"] if answer.status == 200 else 0


@fault("F-06", "each byte of a small log is flipped, with a store of before and without any")
def test_f06_each_byte_of_the_log(path):
    written = Written(path)
    trial, log, texts = written.trial, written.log, written.texts
    refusals = cuts = 0
    for offset in range(0, len(log), STRIDE):
        damaged = bytearray(log)
        damaged[offset] ^= 1 << trial.chance.randrange(8)
        written.restore(bytes(damaged), trial.chance.choice(("early", None)))
        how, found, counted = outcome(trial)
        if how == "refused":
            expect(trial.log.name in found, "the damaged file is not named:", found)
            refusals += 1
            if has_command("verify"):
                expect(run("verify", trial.data).returncode != 0, "verify finds nothing at", offset)
        else:
            # The last write cannot be told from one that was cut; everything before it can.
            same(found, texts[:len(found)], f"the events after the flip of byte {offset}")
            expect(len(found) >= len(texts) - 1, "byte", offset, "took", len(texts) - len(found), "events")
            same(counted, len(found), f"the events counted after the flip of byte {offset}")
            cuts += len(found) < len(texts)
    expect(refusals > len(log) // STRIDE // 2, "only", refusals, "flips were refused")
    return {"flips": len(log) // STRIDE, "refused": refusals, "taken_for_a_torn_tail": cuts}


@fault("F-06", "a byte of the store is flipped, wherever")
def test_f06_bytes_of_the_store(path):
    trial = Trial(path)
    for _ in range(3):
        with trial.start() as server:
            client = Client(server.port)
            for _ in range(20):
                trial.send(client, 20, padding=300)
                trial.send(client, 5, user="bob")
            client.close()
    texts = stored(trial.data)
    expected = sum(b'"ann"' in text for text in texts)
    shutil.copytree(trial.data, path / "kept")
    files = [file.relative_to(trial.data) for file in sorted((trial.data / "state").iterdir())
             if file.stat().st_size and not file.name.startswith(("LOG", "OPTIONS", "IDENTITY"))]
    results = {"refused": 0, "right": 0}
    for number in range(max(40, 200 // STRIDE)):
        shutil.rmtree(trial.data)
        shutil.copytree(path / "kept", trial.data)
        file = trial.data / files[number % len(files)]
        content = bytearray(file.read_bytes())
        offset = trial.chance.randrange(len(content))
        content[offset] ^= 1 << trial.chance.randrange(8)
        file.write_bytes(content)
        how, found, counted = outcome(trial)
        if how == "started":
            same(found, texts, f"the events after byte {offset} of {file.name}")
            same(counted, expected, f"the events counted after byte {offset} of {file.name}")
        results["right" if how == "started" else "refused"] += 1
        # Without the store everything comes from the log.
        if how == "refused" and number % 5 == 0:
            shutil.rmtree(trial.data / "state")
            same(outcome(trial)[0::2], ("started", expected), "without the store")
    return {"flips": sum(results.values()), **results}


@fault("F-07", "the newest file of the log is gone, or the oldest; the store is an older one; strange files lie about")
def test_f07_files(path):
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    trial.send(client, 50)
    server.stop()
    shutil.copytree(trial.data / "state", path / "older")
    server = trial.start()
    client = Client(server.port)
    while len(list((trial.data / "log").iterdir())) < 2:
        answer = trial.send(client, 100, padding=31_000)
        expect(answer.status in (200, 429), answer)
    trial.send(client, 20, user="bob")
    client.close()
    server.stop()
    first, second = sorted((trial.data / "log").iterdir())
    before = trial.made

    def refused_without(file):
        file.rename(path / "away")
        how, line, _ = outcome(trial)
        same(how, "refused", f"without {file.name}")
        expect(file.name in line or "missing" in line or "was removed" in line, "the missing file is not told of:", line)
        (path / "away").rename(file)

    refused_without(second)
    # Without the oldest file the store still has what it brought; without both there is nothing to begin with.
    first.rename(path / "away")
    how, _, counted = outcome(trial)
    same((how, counted), ("started", before - 20), "without the oldest file")
    (path / "away").rename(first)
    shutil.rmtree(trial.data / "state")
    refused_without(first)
    shutil.rmtree(trial.data / "state", ignore_errors=True)
    # An older store: what it lacks comes from the log.
    shutil.copytree(path / "older", trial.data / "state")
    # What an interrupted program could leave, and what does not belong there.
    for name in ("log/00000000000000000001.log.tmp", "log/x.new", "state/000099.dbtmp", "state/MANIFEST-000099", "notes.txt", ".plan.new"):
        (trial.data / name).write_bytes(b"\0" * 100)
    figures = trial.check()
    same(trial.made, before)
    return figures
