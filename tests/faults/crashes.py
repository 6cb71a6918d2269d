"""The process dies: at random, at each of its system calls, while it recovers, with the power."""

import contextlib
import http.client
import shutil

from fault import KILLS, STRIDE, fault
from harness import API_KEY, Client, Failure, Server, expect, poll, same
from injection import EATMYDATA, LoopDisk, attached, need, pause, preload, strace
from ledger import check_the_check, stored
from trial import Trial


def kill(server, load):
    server.kill()
    load.place.set(None)


def restart(trial, load):
    server = trial.start()
    load.place.set(server.port)
    return server


def kill_under_load(trial, kills):
    with trial.load() as load:
        server = restart(trial, load)
        for _ in range(kills):
            pause(trial.chance.uniform(0, 0.6))
            if trial.chance.random() < 0.5:  # every other kill falls into a time of answers, however slow the machine
                load.wait(1)
            kill(server, load)
            server = restart(trial, load)
        load.finish()
    server.kill()
    return {"kills": kills, "answers_lost": load.lost, **trial.check()}


@fault("F-01", "`kill -9` at random moments under load")
def test_f01_kill_under_load(path):
    trial = Trial(path)
    figures = kill_under_load(trial, KILLS)
    check_the_check(trial.ledger, stored(trial.data), trial.chance)
    return figures


# --- each system call ---

OF_LOG = ("pwrite64", "fdatasync", "fallocate", "ftruncate")         # every kind of change to the log's file
OF_STORE = ("write", "fsync", "fdatasync", "rename", "unlink")       # and to the files and names of the store


def scripted(client, trial):
    """A small workload: single events, a batch with a refusal, another user."""
    for _ in range(2):
        trial.send(client)
    trial.send(client, 5, refused=True)
    trial.send(client, 1, user="bob")


def traced_start(trial, injection, path):
    """From the first instruction on, in a folder that is new."""
    server = Server(trial.plan, trial.data, wrap=strace(injection, path=path, fast=False))
    return server, contextlib.nullcontext()


def traced_recovery(trial, injection, path):
    """The same in a folder that a killed server left."""
    with trial.start() as server:
        scripted(Client(server.port), trial)
        server.kill()
    return traced_start(trial, injection, path)


def traced_run(trial, injection, path):
    """Counts from when the server is ready."""
    server = trial.start()
    return server, attached(server, injection, path=path)


def crash_at_each_call(path, calls, on_log):
    """For each kind of call: kills at a thread's first, second, third … until the workload comes to its end unharmed."""
    kills = events = 0
    for begin in (traced_start, traced_recovery, traced_run):
        for call in calls:
            number, died = 1, True
            while died:
                here = path / f"{begin.__name__}-{call}-{number}"
                here.mkdir()
                trial = Trial(here)
                server, tracing = begin(trial, f"{call}:signal=SIGKILL:when={number}", trial.log if on_log else None)
                try:
                    with tracing:
                        client = Client(server.ready().port)
                        scripted(client, trial)
                        client.close()
                        server.stop()
                except (Failure, OSError, http.client.HTTPException) as failure:
                    same(server.wait(), -9, f"the end of the server, after {failure!r}")
                died = server.process.returncode == -9
                expect(died or server.process.returncode == 0, "exit code", server.process.returncode)
                if (trial.data / "log").exists():
                    events += trial.check()["events"]
                else:
                    expect(not trial.ledger.verdicts, "there is no log, and events were answered")
                shutil.rmtree(here)
                kills += died
                number += STRIDE
    expect(kills > 5, "only", kills, "calls to die at: the injection does not work")
    return {"kills": kills, "events": events}


@fault("F-02", "SIGKILL at each call that changes the log's file (strace)")
def test_f02_kill_at_each_call_on_the_log(path):
    return crash_at_each_call(path, OF_LOG, on_log=True)


@fault("F-02", "SIGKILL at each write, sync, rename and unlink of a thread (strace)")
def test_f02_kill_at_each_call_on_the_store(path):
    return crash_at_each_call(path, OF_STORE, on_log=False)


# --- while it recovers ---

@fault("F-03", "`kill -9` while it recovers, five times in a row")
def test_f03_kill_during_recovery(path):
    trial = Trial(path)
    rounds = max(1, KILLS // 6)
    with trial.load() as load:
        server = restart(trial, load)
        for _ in range(rounds):
            load.wait(20)
            kill(server, load)
            for _ in range(5):
                recovering = Server(trial.plan, trial.data)
                pause(trial.chance.uniform(0.0, 0.15))
                recovering.kill()
            server = restart(trial, load)
        load.finish()
    server.kill()
    return {"kills": rounds * 6, "answers_lost": load.lost, **trial.check()}


# --- power ---

def cut_under_load(trial, disk, number=0, **of_server):
    """Cuts the power of the data's disk while clients send, and brings it back."""
    server = trial.start(**of_server)
    with trial.load(clients=3, first=1_000_000 * number) as load:
        load.place.set(server.port)
        load.wait(400)
        disk.cut()
        pause(trial.chance.uniform(0, 0.05))
        load.place.leave()
        server.kill()
    disk.unmount()
    disk.mount()


def power_cuts(path, kind):
    with LoopDisk(kind, path, 600) as disk:
        trial = Trial(path, data=disk.at / "data")
        rounds = max(3, KILLS // 10)
        unknown = 0
        for number in range(rounds):
            cut_under_load(trial, disk, number)
            unknown = len(trial.ledger.unknown())
        return {"cuts": rounds, **trial.check(), "unknown": unknown}


def power_cut_with_a_lie(path, kind, **of_server):
    """The control: where syncs do nothing, the check must find a loss."""
    with LoopDisk(kind, path, 600) as disk:
        trial = Trial(path, data=disk.at / "data")
        cut_under_load(trial, disk, **of_server)
        accepted = len(trial.ledger.accepted())
        trial.expect_loss("the power cut on a disk that lies")
        found = len(stored(trial.data))
        return {"accepted": accepted, "found_again": found}


@fault("F-04", "power cut (`xfs_io -x -c shutdown`), XFS")
def test_f04_power_cut_xfs(path):
    return power_cuts(path, "xfs")


@fault("F-04", "power cut, ext4")
def test_f04_power_cut_ext4(path):
    return power_cuts(path, "ext4")


@fault("F-04", "control: power cut, XFS, libeatmydata; the check must see a loss")
def test_f04_control_eatmydata_xfs(path):
    return power_cut_with_a_lie(path, "xfs", more_environment=preload(EATMYDATA))


@fault("F-04", "control: power cut, ext4, libeatmydata; the check must see a loss")
def test_f04_control_eatmydata_ext4(path):
    return power_cut_with_a_lie(path, "ext4", more_environment=preload(EATMYDATA))


@fault("F-04", "control: power cut, XFS, a disk that lies (strace `fdatasync:retval=0`); the check must see a loss")
def test_f04_control_lying_sync(path):
    return power_cut_with_a_lie(path, "xfs", wrap=strace("fdatasync,fsync:retval=0"))


@fault("F-07", "power cut right after the log began its second file (its name must last)")
def test_f07_power_cut_after_rotation(path):
    with LoopDisk("xfs", path, 1200) as disk:
        trial = Trial(path, data=disk.at / "data")
        server = trial.start()
        client = Client(server.port)
        while len(list((trial.data / "log").iterdir())) < 2:
            answer = trial.send(client, 100, padding=31_000)
            expect(answer.status in (200, 429), answer)
        trial.send(client)
        disk.cut()
        server.kill()
        client.close()
        disk.unmount()
        disk.mount()
        expect(len(list((trial.data / "log").iterdir())) == 2, "the second file is gone")
        return trial.check()


@fault("F-12", "`kill -9` while the plan changes (`PUT /v1/plan`), and while shards write snapshots")
def test_f12_kill_during_plan_change(path):
    trial = Trial(path)
    original = trial.plan.read_text()
    more = original.replace("metrics:\n", "metrics:\n  more: count(any[7d])\n")
    kills = max(5, KILLS // 5)
    with trial.load(clients=2) as load:
        server = restart(trial, load)
        for i in range(kills):
            load.wait(20)
            answer = server.request("PUT", "/v1/plan", more if i % 2 == 0 else original, key=API_KEY)
            expect(answer.status in (200, 202), answer)
            pause(trial.chance.uniform(0, 0.1))
            kill(server, load)
            server = restart(trial, load)
        load.finish()
    expect(server.request("PUT", "/v1/plan", original, key=API_KEY).status in (200, 202), "the first plan")
    poll(lambda: server.ask("/v1/plan")["change"] is None or server.ask("/v1/plan")["change"]["state"] == "done", "the first plan")
    server.kill()
    same(trial.plan.read_text(), original, "the plan's file")
    return {"kills": kills, "answers_lost": load.lost, **trial.check()}
