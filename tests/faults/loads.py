"""More than the machine has: memory, descriptors, processor, time."""

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import statistics
import threading
import time

from fault import KILLS, fault
from harness import API_KEY, WRITE_KEY, Client, Failure, expect, poll, same
from injection import block_device, busy, control_group, make_file_system, memory, mounted, need, pause, tell
from ledger import post
from trial import Trial

PATIENT = float(os.environ.get("ATTUNE_LENGTH", "1"))  # how much longer the faults last that are a length of time


@fault("F-16", "64 descriptors (`prlimit --nofile`), 200 connections")
def test_f16_descriptors(path):
    need("prlimit")
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    trial.send(client, 10)
    used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    tell("prlimit", f"--pid={server.process.pid}", f"--nofile={used + 20}")
    connections = []
    for _ in range(200):
        with contextlib.suppress(OSError):
            connections.append(socket.create_connection(("127.0.0.1", server.port), timeout=1))
    # Who is connected is served, and the log goes on.
    for _ in range(20):
        same(trial.send(client, 5, user="bob").status, 200)
    expect(server.process.poll() is None, "the process ended")
    for connection in connections:
        connection.close()
    late = Client(server.port)
    poll(lambda: trial.send(late).status == 200, "a new connection is served")
    for each in (client, late):
        each.close()
    server.stop()
    return {"connections": len(connections), **trial.check()}


@fault("F-17", "the OOM killer (cgroup v1, 160 MiB) under load with large bodies")
def test_f17_oom_kill(path):
    trial = Trial(path)
    kills = 0
    with control_group("memory", memory_limit_in_bytes=160 << 20) as put, trial.load(clients=2) as load:
        for _ in range(2):
            server = trial.start()
            put(server.process.pid)
            load.place.set(server.port)
            load.wait(50)
            # Bodies that are begun and never ended are what costs most memory for least work.
            held = []
            head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITE_KEY}\r\nContent-Length: 4000000\r\n\r\n".encode()
            with contextlib.suppress(OSError):
                while server.process.poll() is None and len(held) < 200:
                    connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
                    connection.sendall(head + b'{"batch":[' + b" " * 3_900_000)
                    held.append(connection)
            poll(lambda: server.process.poll() is not None, "the OOM killer")
            same(server.wait(), -9, "how it ended")
            kills += 1
            load.place.set(None)
            for connection in held:
                connection.close()
        server = trial.start()
        load.place.set(server.port)
        load.wait(50)
        load.finish()
    server.kill()
    return {"kills": kills, "answers_lost": load.lost, **trial.check()}


@fault("F-17", "no more address space (`prlimit --as`): large bodies are refused or dropped, the process lives")
def test_f17_no_address_space(path):
    need("prlimit")
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    trial.send(client, 10)
    size = int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[0]) * 4096
    tell("prlimit", f"--pid={server.process.pid}", f"--as={size + (48 << 20)}")
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITE_KEY}\r\nContent-Length: 4000000\r\n\r\n".encode()
    held = []
    for _ in range(40):
        with contextlib.suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            connection.sendall(head + b'{"batch":[' + b" " * 3_900_000)
            held.append(connection)
    pause(1)
    alive = server.process.poll() is None
    for connection in held:
        connection.close()
    if alive:
        poll(lambda: trial.send(Client(server.port)).status == 200, "an event")
        server.kill()
    trial.check()
    expect(alive, "the process ended with", server.process.returncode, server.complaints)
    return {"bodies": len(held)}


@fault("F-19", "the process stands still (SIGSTOP) under load, then goes on")
def test_f19_stall(path):
    trial = Trial(path)
    seconds = 5 * PATIENT
    with trial.load() as load:
        server = trial.start()
        load.place.set(server.port)
        load.wait(200)
        server.process.send_signal(signal.SIGSTOP)
        pause(seconds)
        server.process.send_signal(signal.SIGCONT)
        load.wait(200)
        load.finish()
        same(load.lost, 0, "answers lost")
    server.kill()
    return {"seconds": seconds, **trial.check()}


@fault("F-20", "every core is taken (stress-ng), the server is the least favoured process")
def test_f20_no_processor(path):
    need("stress-ng")
    trial = Trial(path)
    with busy("stress-ng", "--cpu", 2 * (os.cpu_count() or 1)), trial.load() as load:
        server = trial.start(wrap=("nice", "-n", "19"))
        load.place.set(server.port)
        load.wait(500)
        load.finish()
        same(load.lost, 0, "answers lost")
    server.kill()
    return {"answers_429_or_503": sum(trial.ledger.refusals.values()), **trial.check()}


# --- overload ---

class Stream(threading.Thread):
    """Sends the next batch of those that it shares with others, each at its time if they have one, whatever the answers say."""

    def __init__(self, trial, port, batches):
        super().__init__(daemon=True)
        self.trial, self.port, self.batches = trial, port, batches
        self.accepted = 0  # events
        self.last_sent = 0.0
        self.failure = None

    def run(self):
        client = Client(self.port)
        try:
            for at, batch in self.batches:
                pause(max(0.0, at - time.monotonic()))
                self.last_sent = time.monotonic()
                if post(client, self.trial.ledger, batch).status == 200:
                    self.accepted += len(batch)
        except Exception as failure:
            self.failure = failure
        finally:
            client.close()


class Shared:
    """What several threads take from in turn: (time, batch)."""

    def __init__(self, times, make):
        self.lock, self.times, self.make = threading.Lock(), iter(times), make

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            at = next(self.times)
        return at, self.make()


def run_streams(streams):
    """How long they sent, and how many events a second were accepted until the last answer."""
    begun = time.monotonic()
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
        if stream.failure:
            raise stream.failure
    ended = time.monotonic()
    return max(stream.last_sent for stream in streams) - begun, sum(stream.accepted for stream in streams) / (ended - begun)


@fault("F-21", "ten times what a disk of 3 MB/s takes (nbdkit's rate filter), open loop")
def test_f21_overload(path):
    with slow_disk(path, 3 << 20) as at:
        return overload(Trial(path, data=at / "data"), seconds=10)


@contextlib.contextmanager
def slow_disk(path, bytes_per_second):
    with block_device(path, 900, "--filter=rate", f"rate={bytes_per_second * 8}", "burstiness=0.5") as device:
        make_file_system("ext4", device)
        with mounted(device, path / "mnt") as at:
            yield at


def overload(trial, seconds, lanes=64, events=100, padding=30_000):
    """What waits for the disk is at most 64 MiB: 64 clients with 3 MB each are more than that."""
    server = trial.start()
    numbers = itertools.count()
    make = lambda: trial.batch(events, user=f"u{next(numbers)}", padding=padding)
    # What it takes when nobody presses.
    calm = Shared([0.0] * 14, make)
    capacity = run_streams([Stream(trial, server.port, calm) for _ in range(4)])[1]
    # Ten times that, each batch at its time, if a lane is free.
    count = round(10 * capacity * seconds / events)
    begun = time.monotonic() + 0.2
    hard = Shared([begun + seconds * i / count for i in range(count)], make)
    sent_for, rate = run_streams([Stream(trial, server.port, hard) for _ in range(lanes)])
    most = memory(server.process.pid)[1]
    refused = sum(trial.ledger.refusals.values())
    offered = count * events / sent_for
    expect(refused, f"nothing was refused at {offered / capacity:.1f} times the capacity: the injection does not work")
    same(set(trial.ledger.refusals), {"overloaded"}, "refusals")
    # 64 MiB wait for the disk, 128 MiB for the shards, and each connection has its body, and what it became.
    bound = 64 + 128 + 64 + lanes * 8
    expect(most < bound, "memory:", most, "MiB; the bound is", bound)
    expect(rate >= 0.8 * capacity, f"accepted {rate:.0f} events a second; the capacity is {capacity:.0f}")
    same(trial.send(Client(server.port)).status, 200, "afterwards")
    server.kill()
    # What was refused was answered as not stored: the check takes it for a phantom from here on.
    for event in trial.ledger.unknown():
        del trial.ledger.events[event.id]
    figures = trial.check()
    return {"times_the_capacity_offered": round(offered / capacity, 1), "percent_of_capacity_accepted": round(100 * rate / capacity),
            "requests_refused": refused, "MiB_at_most": most, **figures}


@fault("F-30", "a hot user, then many users of one event each, beside a client who looks")
def test_f30_hot_user(path):
    trial = Trial(path)
    server = trial.start()
    total = int(20_000 * PATIENT)

    def answers(streams):
        """How long another user's questions take meanwhile."""
        waits, client = [], Client(server.port)
        for stream in streams:
            stream.start()
        while any(stream.is_alive() for stream in streams):
            begun = time.monotonic()
            answer = client.request("GET", "/user/bob/behavior", headers={"Authorization": f"Bearer {API_KEY}"})
            expect(answer.status in (200, 429, 503), answer)
            waits.append(time.monotonic() - begun)
        client.close()
        for stream in streams:
            if stream.failure:
                raise stream.failure
        return statistics.quantiles(waits, n=100)[98] * 1000 if len(waits) > 100 else max(waits) * 1000

    client = Client(server.port)
    trial.send(client, 10, user="bob")
    many = [Stream(trial, server.port, [(0.0, trial.batch(500, user=f"u{lane}-{i}", users=500)) for i in range(total // 1000)]) for lane in range(2)]
    spread = answers(many)
    hot = [Stream(trial, server.port, [(0.0, trial.batch(500, age_ms=3_600_000)) for _ in range(total // 1000)]) for _ in range(2)]
    crowd = answers(hot)
    now, most = memory(server.process.pid)
    same(server.ask("/user/ann/behavior")["metrics"]["events"], total, "the hot user's events")
    client.close()
    expect(most < 700, "memory:", most, "MiB")
    server.kill()
    return {"p99_ms_many_users": round(spread), "p99_ms_hot_user": round(crowd), "MiB_at_most": most, **trial.check()}


# --- threads ---

@fault("F-37", "F-01 and F-21, short, with a binary built for the thread sanitizer (ATTUNE_BINARY)", on_request=True)
def test_f37_thread_sanitizer(path):
    from harness import BINARY
    expect(b"__tsan_init" in pathlib.Path(BINARY).read_bytes(), f"{BINARY} is not built by the preset tsan; set ATTUNE_BINARY=build/tsan/attune")
    reports = path / "tsan"
    os.environ["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + f" log_path={reports} exitcode=66"
    import crashes
    for name in ("kills", "overload"):
        (path / name).mkdir()
    found = lambda: [file.read_text() for file in path.glob("tsan.*")]
    try:
        figures = crashes.kill_under_load(Trial(path / "kills"), min(KILLS, 10))
    except Failure:
        same(found(), [], "reports of the thread sanitizer")
        raise
    with slow_disk(path / "overload", 6 << 20) as at:
        trial = Trial(path / "overload", data=at / "data")
        server = trial.start()
        batches = Shared([0.0] * 120, lambda: trial.batch(100, padding=30_000))
        run_streams([Stream(trial, server.port, batches) for _ in range(40)])
        same(server.stop(), 0, "exit code")
        trial.check()
    same(found(), [], "reports of the thread sanitizer")
    return figures
