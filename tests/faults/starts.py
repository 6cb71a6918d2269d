"""Starts that must fail with one line, and signals."""

import pathlib
import signal
import socket
import struct
import tarfile
import time

from fault import fault
from harness import Client, Server, expect, same
from injection import need, tell
from ledger import PLAN, stored
from trial import Trial

OLD = pathlib.Path(__file__).parent / "old"


def refused(trial, what, plan=None, data=None, extra=(), **of_server):
    """A start that has to end with an error and one line; gives the line."""
    server = Server(plan or trial.plan, data or trial.data, extra=extra, **of_server)
    begun = time.monotonic()
    code = server.wait()
    expect(code not in (0, -6, -11), what, "ended with", code)
    same(server.said, [], f"standard output, {what}")
    expect(len(server.complaints) == 1 and ": " in server.complaints[0], what, "said", server.complaints)
    return server.complaints[0], time.monotonic() - begun


@fault("F-31", "a second server on the same folder", short=True)
def test_f31_two_servers(path):
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    trial.send(client, 10)
    line, seconds = refused(trial, "a second server")
    expect(seconds < 10, "it took", seconds, "s; the promise is 2 s on a machine that does nothing else")
    expect(str(trial.data) in line, "the folder is not named:", line)
    trial.send(client, 10)
    client.close()
    server.kill()
    return {"seconds_to_the_refusal": round(seconds, 2), **trial.check()}


@fault("F-32", "a plan that is missing, broken or of the wrong kind, a port that is taken, a folder that is a file", short=True)
def test_f32_config_errors(path):
    trial = Trial(path)
    with trial.start() as server:
        client = Client(server.port)
        trial.send(client, 10)
        client.close()
    before = {file: file.read_bytes() for file in (trial.data / "log").iterdir()}
    broken = path / "broken.yaml"
    broken.write_text("metrics: {a: count(}\n")
    not_yaml = path / "not.yaml"
    not_yaml.write_text("{[")
    empty = path / "empty"
    empty.mkdir()
    file = path / "file"
    file.write_text("x")
    lines = {}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"127.0.0.1:{taken.getsockname()[1]}"
        for what, of_start in {"a missing plan": {"plan": path / "nowhere.yaml"}, "a plan with a mistake": {"plan": broken},
                               "a plan that is not YAML": {"plan": not_yaml}, "an empty folder of plans": {"plan": empty},
                               "a port that is taken": {"listen": port}, "no port": {"listen": "nonsense"},
                               "data that is a file": {"data": file}}.items():
            lines[what], _ = refused(trial, what, **of_start)
    same({file: file.read_bytes() for file in (trial.data / "log").iterdir()}, before, "the log's files")
    same(file.read_text(), "x", "the file that is no folder")
    return {"starts": len(lines), **trial.check()}


# --- formats ---

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


@fault("F-33", "folders that earlier versions wrote; a log and a store of a newer version", short=True)
def test_f33_versions(path):
    archives = sorted(OLD.glob("*.tar.xz"))
    expect(archives, "there are no folders in", OLD)
    for archive in archives:
        here = path / archive.name
        here.mkdir()
        trial = Trial(here)
        with tarfile.open(archive) as tar:
            tar.extractall(trial.data, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(trial.data)
        texts = (trial.data / "ledger.ndjson").read_bytes().splitlines()
        same(stored(trial.data), texts, f"the events of {archive.name}")
        with trial.start() as server:
            same(server.ask("/user/ann/behavior")["metrics"]["events"], 27, "ann's events")
            same(server.ask("/user/bob/behavior")["metrics"]["events"], 5, "bob's events")
            same(len(server.ask("/v1/dead-letters")["dead_letters"]), 3, "dead letters")
            server.kill()
        same(stored(trial.data), texts, "the events after a start")

        # The same log from tomorrow.
        file = trial.log
        content = bytearray(file.read_bytes())
        original = bytes(content)
        struct.pack_into("<I", content, 8, 2)
        struct.pack_into("<I", content, 36, crc32c(content[:36]))
        file.write_bytes(content)
        line, _ = refused(trial, "a newer log")
        expect(file.name in line and "version" in line, "file and version are not named:", line)
        same(file.read_bytes(), bytes(content), "the newer log")
        file.write_bytes(original)

    return {"folders": len(archives)}


@fault("F-33", "a store of a newer version (RocksDB's `ldb` writes it)")
def test_f33_newer_store(path):
    need("ldb")
    trial = Trial(path)
    with trial.start() as server:
        client = Client(server.port)
        trial.send(client, 10)
        client.close()
    version = lambda: tell("ldb", f"--db={trial.data / 'state'}", "get", "v").strip()
    known = version()
    tell("ldb", f"--db={trial.data / 'state'}", "put", "v", "99")
    line, _ = refused(trial, "a newer store")
    expect("version" in line and "99" in line, "the version is not named:", line)
    same(version(), "99", "the version afterwards")
    tell("ldb", f"--db={trial.data / 'state'}", "put", "v", known)
    return trial.check()


@fault("F-35", "100 changes of the plan by SIGHUP, every tenth one broken, under load")
def test_f35_reload_under_load(path):
    trial = Trial(path)
    more = PLAN.replace("metrics:\n", "metrics:\n  more: count(any[7d])\n")
    with trial.load(clients=2) as load:
        server = trial.start()
        load.place.set(server.port)
        for number in range(100):
            fresh = path / "plan.new"
            fresh.write_text("metrics: {" if number % 10 == 9 else more if number % 2 else PLAN)
            fresh.rename(trial.plan)
            server.process.send_signal(signal.SIGHUP)
            load.wait(2)
        trial.plan.write_text(PLAN)
        server.process.send_signal(signal.SIGHUP)
        load.wait(100)
        load.finish()
        same(load.lost, 0, "answers lost")
    expect(any("mistakes" in line for line in server.complaints), "broken plans were not told of:", server.complaints[-3:])
    server.kill()
    return {"reloads": 101, **trial.check()}
