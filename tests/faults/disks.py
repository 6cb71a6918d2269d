"""Disks that fail, fill up, are slow, or do half of what they were asked."""

import subprocess

from fault import KILLS, fault
from harness import API_KEY, Client, Server, expect, poll, problem, same
from injection import LoopDisk, attached, block_device, filled, fiu, make_file_system, mounted, need, pause, strace, tell, tmpfs
from trial import Trial


def send_until_refused(trial, client, limit=200):
    """Single events until the first 503; the answers."""
    for number in range(limit):
        answer = trial.send(client)
        if answer.status == 503:
            return answer, number
    raise AssertionError(f"{limit} events were sent and none refused: the injection does not work")


def expect_no_more(trial, server, client):
    """After a failed sync nothing is accepted, the server says that it is not ready, and its process ends with an error (R-07)."""
    for _ in range(5):
        try:
            answer = trial.send(client)
        except OSError:
            break  # the process has ended
        expect(answer.status == 503, "after the failure:", answer)
        try:
            expect(server.request("GET", "/readyz").status == 503, "ready after the failure")
        except OSError:
            break
    same(server.wait() != 0, True, "the exit code is an error")
    expect(any("log" in line for line in server.complaints), "why it ended is not said:", server.complaints)


def fail_once(path, injection):
    trial = Trial(path)
    starts = 0
    for when in (3, 4, 9):  # a thread's syncs
        server = trial.start(wrap=strace(f"{injection}:when={when}", path=trial.log))
        client = Client(server.port)
        answer, _ = send_until_refused(trial, client)
        problem(answer, 503, "storage_failed")
        expect_no_more(trial, server, client)
        client.close()
        starts += 1
    return {"failures": starts, **trial.check()}


@fault("F-08", "the log's fdatasync fails once with EIO (strace)", short=True)
def test_f08_sync_fails_once(path):
    return fail_once(path, "fdatasync:error=EIO")


@fault("F-08", "the log's write fails once with EIO (strace)")
def test_f08_write_fails_once(path):
    return fail_once(path, "pwrite64:error=EIO")


@fault("F-08", "any fdatasync fails with EIO at random, the store's too (libfiu), under load")
def test_f08_syncs_fail_at_random(path):
    trial = Trial(path)
    trial.start().stop()  # the store is there
    failures = 0
    with trial.load(clients=2) as load:
        for _ in range(max(3, KILLS // 10)):
            server = Server(trial.plan, trial.data, more_environment=fiu("enable_random name=posix/io/sync/fdatasync,failinfo=5,probability=0.02"))
            try:
                server.ready()
            except AssertionError:
                failures += 1  # failed while it started
                continue
            load.place.set(server.port)
            poll(lambda: server.process.poll() is not None or "storage_failed" in trial.ledger.refusals or load.failed(), "a failure")
            load.check()
            expect(server.wait() != 0, "the exit code is an error")
            trial.ledger.refusals.clear()
            load.place.set(None)
            failures += 1
        server = trial.start()
        load.place.set(server.port)
        load.wait(20)
        load.finish()
    server.kill()
    return {"failures": failures, "answers_lost": load.lost, **trial.check()}


@fault("F-08", "the store's writes fail with EIO (strace): the log goes on, state comes from it")
def test_f08_store_fails(path):
    trial = Trial(path)
    with trial.load(clients=2) as load:
        # Of the calls `write` of a thread the first thousand are those of the start.
        server = trial.start(wrap=strace("write:error=EIO:when=400+", calls="write"))
        load.place.set(server.port)
        load.wait(600)
        load.finish()
    server.kill()
    return trial.check()


@fault("F-09", "block writes fail with EIO (nbdkit's error filter under ext4), then work again")
def test_f09_block_writes_fail(path):
    trigger = path / "fail"
    with block_device(path, 300, "--filter=error", "error-pwrite=EIO", "error-pwrite-rate=100%", f"error-pwrite-file={trigger}") as device:
        make_file_system("ext4", device)
        with mounted(device, path / "mnt") as at:
            trial = Trial(path, data=at / "data")
            server = trial.start()
            client = Client(server.port)
            for _ in range(20):
                same(trial.send(client, 3).status, 200)
            trigger.touch()
            answer, _ = send_until_refused(trial, client)
            expect_no_more(trial, server, client)
            client.close()
            trigger.unlink()
            tell("umount", at)
            subprocess.run(["e2fsck", "-p", device], capture_output=True)
            tell("mount", device, at)
            return trial.check()


@fault("F-10", "calls are interrupted (strace `EINTR`) and do half of what they were asked (libfiu `reduce`)")
def test_f10_interrupted_and_short_calls(path):
    trial = Trial(path)
    interrupted = ("pwrite64:error=EINTR:when=2+3", "sendmsg:error=EINTR:when=3+5", "recvmsg:error=EINTR:when=3+5",
                   "accept4:error=EINTR:when=2+3", "epoll_wait:error=EINTR:when=5+7", "ftruncate,fallocate:error=EINTR:when=1+2")
    short = fiu("enable_random name=posix/io/rw/pwrite/reduce,probability=0.3", "enable_random name=posix/io/rw/pread/reduce,probability=0.3",
                "enable_random name=posix/io/rw/write/reduce,probability=0.3", "enable_random name=posix/io/rw/read/reduce,probability=0.3",
                "enable_random name=posix/io/net/send/reduce,probability=0.3", "enable_random name=posix/io/net/recv/reduce,probability=0.3")
    lost = 0
    for number, how in enumerate(({"wrap": strace(*interrupted)}, {"more_environment": short})):
        with trial.load(clients=2, first=1_000_000 * number) as load:
            server = trial.start(**how)
            load.place.set(server.port)
            load.wait(1000)
            load.finish()
            lost += load.lost
        server.ask("/v1/users/user-0-0/explain?segment=busy")
        same(server.stop(), 0, "exit code")
    same(lost, 0, "answers lost")
    same(trial.ledger.refusals, {}, "requests refused")
    return trial.check()


@fault("F-11", "reads of the log fail with EIO (strace) while questions are asked")
def test_f11_reads_fail(path):
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    trial.send(client, 20)
    failed = 0
    with attached(server, "pread64:error=EIO:when=1+", path=trial.log):
        for _ in range(5):
            for question in ("/v1/users/ann/explain?segment=busy", "/user/ann/behavior"):
                answer = server.request("GET", question, key=API_KEY)
                expect(answer.status in (200, 500, 503), answer)
                failed += answer.status != 200
            same(server.ask("/user/ann/behavior?limit=0")["metrics"]["events"], trial.made, "what needs no reading")
            same(trial.send(client).status, 200, "an event meanwhile")
    expect(failed, "no question failed: the injection does not work")
    same(server.ask("/v1/users/ann/explain?segment=busy")["explanation"]["value"], False, "an answer when the disk reads again")
    client.close()
    same(server.stop(), 0, "exit code")
    return {"questions_failed": failed, **trial.check()}


# --- no room ---

def fill_and_free(trial, room):
    """Fills the disk under a running server, under load, and frees it: it goes on without a restart (R-08)."""
    server = trial.start()
    with trial.load(clients=2) as load:
        load.place.set(server.port)
        load.wait(100)
        with filled(room):
            # What is reserved is still there to be written; a big batch is not.
            poll(lambda: trial.ledger.refusals["storage_full"] or load.failed() or send_big(trial, server), "storage_full")
            load.check()
            client = Client(server.port)
            answer = trial.send(client, 400, padding=9_000)
            problem(answer, 503, "storage_full")
            expect(answer.headers["Retry-After"], answer)
            pause(3)  # snapshots and the outbox are written once a second, or try to be
            # Questions are answered.
            server.ask("/v1/segments/everyone/users")
            server.ask("/user/user-0-0/behavior")
            expect(server.process.poll() is None, "the process ended")
        poll(lambda: trial.send(client).status == 200, "an event is accepted again", patience=5)  # R-08's own bound
        client.close()
        load.wait(100)
        before = snapshots(server)
        poll(lambda: snapshots(server) > before or load.failed(), "a snapshot is written again")
        load.finish()
        refused = sum(trial.ledger.refusals.values())
    same(server.stop(), 0, "exit code")
    return {"requests_refused": refused, **trial.check()}


def snapshots(server):
    text = server.request("GET", "/metrics", key=API_KEY).body.decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("attune_snapshots_total "))


def send_big(trial, server):
    client = Client(server.port)
    answer = trial.send(client, 400, padding=9_000)
    client.close()
    return answer.status == 503


@fault("F-13", "a full disk (tmpfs, filled by another process), then freed")
def test_f13_full_tmpfs(path):
    with tmpfs(path / "mnt", "size=96m") as at:
        return fill_and_free(Trial(path, data=at / "data"), at)


@fault("F-13", "a full disk (ext4), then freed")
def test_f13_full_ext4(path):
    with LoopDisk("ext4", path, 120) as disk:
        return fill_and_free(Trial(path, data=disk.at / "data"), disk.at)


@fault("F-13", "a full disk, kill -9, and a start that finds no room")
def test_f13_start_on_a_full_disk(path):
    with tmpfs(path / "mnt", "size=96m") as at:
        trial = Trial(path, data=at / "data")
        server = trial.start()
        client = Client(server.port)
        for _ in range(20):
            same(trial.send(client, 5, user="bob", refused=True).status, 200)
        with filled(at):
            server.kill()
            client.close()
            try:
                server = trial.start()
                server.ask("/user/bob/behavior")
                server.kill()
            except AssertionError as failure:
                expect("No space left" in str(failure) or "storage full" in str(failure), "the reason is not said:", failure)
        return trial.check()


@fault("F-14", "no inodes left (tmpfs `nr_inodes`), then some")
def test_f14_no_inodes(path):
    with tmpfs(path / "mnt", "size=200m", "nr_inodes=80") as at:
        trial = Trial(path, data=at / "data")
        server = trial.start()
        with trial.load(clients=2) as load:
            load.place.set(server.port)
            load.wait(50)
            taken = []
            while True:
                try:
                    taken.append(at / f"taken-{len(taken)}")
                    taken[-1].touch()
                except OSError:
                    break
            before = len(trial.ledger.verdicts)
            pause(1.5)  # snapshots come once a second
            expect(server.process.poll() is None, "the process ended")
            answered = len(trial.ledger.verdicts) - before
            server.ask("/user/user-0-0/behavior")
            server.kill()
            load.place.set(None)
            again = Server(trial.plan, trial.data)
            try:
                again.ready()
                again.kill()
            except AssertionError as failure:
                expect("No space left" in str(failure), "the reason is not said:", failure)
            for file in taken:
                file.unlink(missing_ok=True)
            server = trial.start()
            load.place.set(server.port)
            load.wait(50)
            load.finish()
        server.stop()
        return {"answered_meanwhile": answered, **trial.check()}


@fault("F-15", "files may not grow (`prlimit --fsize`), then they may", short=True)
def test_f15_files_may_not_grow(path):
    need("prlimit")
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    same(trial.send(client, 5).status, 200)
    limit = trial.log.stat().st_size
    tell("prlimit", f"--pid={server.process.pid}", f"--fsize={limit}:unlimited")
    poll(lambda: trial.send(client, 400, padding=9_000).status == 503, "a refusal")
    answer = trial.send(client, 400, padding=9_000)
    problem(answer, 503, "storage_full")
    server.ask("/user/ann/behavior")
    expect(server.process.poll() is None, "the process ended")
    tell("prlimit", f"--pid={server.process.pid}", "--fsize=unlimited:unlimited")
    poll(lambda: trial.send(client, 400, padding=9_000).status == 200, "an event is accepted again", patience=5)
    client.close()
    same(server.stop(), 0, "exit code")
    return trial.check()


@fault("F-18", "a slow disk: each sync takes 200 ms (strace `delay_enter`)")
def test_f18_slow_disk(path):
    trial = Trial(path)
    server = trial.start(wrap=strace("fdatasync:delay_enter=200000", path=trial.log, output=path / "syncs"))
    with trial.load(clients=16, sizes=(20,)) as load:
        load.place.set(server.port)
        load.wait(2000)
        load.finish()
    server.kill()
    syncs = (path / "syncs").read_text().count("DELAYED")
    expect(syncs > 3, "the injection does not work")
    figures = trial.check()
    expect(figures["events"] > 5 * syncs, "events are not gathered into groups:", figures["events"], "in", syncs, "syncs")
    return {"syncs": syncs, **figures}
