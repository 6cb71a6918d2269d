"""The means by which faults are brought about: disks that lie, fail or fill up, processes that are stopped, proxies that drop.

A tool that is missing is a failure that names it, never a skipped case. What is said of the tools here was measured.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Failure, expect, poll  # noqa: E402

PACKAGES = {"strace": "strace", "xfs_io": "xfsprogs", "mkfs.xfs": "xfsprogs", "mke2fs": "e2fsprogs", "nbdkit": "nbdkit", "nbdfuse": "libnbd-bin",
            "prlimit": "util-linux", "losetup": "mount", "mount": "mount", "stress-ng": "stress-ng", "ldb": "rocksdb-tools"}
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
EATMYDATA = LIBRARIES / "libeatmydata.so"
FAKETIME = LIBRARIES / "faketime/libfaketimeMT.so.1"


def need(*tools):
    for tool in tools:
        if isinstance(tool, pathlib.Path):
            expect(tool.exists(), f"this fault needs {tool}; script/faults installs it")
        else:
            expect(shutil.which(tool), f"this fault needs {tool}: apt-get install {PACKAGES.get(tool, tool)}")


def need_root():
    expect(os.geteuid() == 0, "this fault needs root, to mount file systems and to set limits")


def tell(*command):
    """Runs a command that must succeed; gives what it printed."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    expect(done.returncode == 0, *command, "ended with", done.returncode, done.stdout, done.stderr)
    return done.stdout


@contextlib.contextmanager
def busy(*command):
    """Another program for so long."""
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        # SIGTERM lets strace go of what it holds; it may miss it when that dies at the same time.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
                break


# --- system calls ---

def strace(*injections, path=None, calls=None, fast=True, output="/dev/null"):
    """A command that becomes the server, with calls injected. -D leaves the server as the direct child, so that signals reach it.

    Calls are counted by thread. With --seccomp-bpf the other calls cost nothing, but signal injections have no effect: fast=False
    for those. `path` restricts injections to calls on that file.
    """
    need("strace")
    names = calls or ",".join(dict.fromkeys(name for injection in injections for name in injection.split(":")[0].split(",")))
    command = ["strace", "-D", "-f", "-qq", "-o", str(output), "-e", f"trace={names}", "-e", "signal=none"]
    if fast:
        command.append("--seccomp-bpf")
    if path:
        command += ["-P", str(path)]
    for injection in injections:
        command += ["-e", f"inject={injection}"]
    return command


@contextlib.contextmanager
def attached(server, *injections, path=None, output="/dev/null"):
    """The same for a server that runs already, until it ends or this does. Calls are counted from here on."""
    command = strace(*injections, path=path, fast=False, output=output)
    command.remove("-D")
    threads = lambda: [(task / "status").read_text() for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()]
    with busy(*command, "-p", server.process.pid) as tracer:
        poll(lambda: tracer.poll() is not None or all("TracerPid:\t0" not in thread for thread in threads()), "strace")
        expect(tracer.poll() is None, "strace does not attach")
        yield


def preload(*libraries, **more):
    need(*libraries)
    return {"LD_PRELOAD": ":".join(str(library) for library in libraries), **more}


def fiu(*enabled):
    """The environment for libfiu's failures of libc's wrappers, each in its own notation."""
    folder = pathlib.Path("/usr/lib/fiu")
    return preload(folder / "fiu_run_preload.so", folder / "fiu_posix_preload.so", FIU_ENABLE="\n".join(enabled))


# --- disks ---

@contextlib.contextmanager
def mounted(device, at, *options):
    """Unmounts what is left in the end, whatever still holds it."""
    need_root()
    need("mount")
    at.mkdir(exist_ok=True)
    tell("mount", *options, device, at)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], capture_output=True)


def tmpfs(at, *settings):
    return mounted("tmpfs", at, "-t", "tmpfs", "-o", ",".join(settings))


def make_file_system(kind, device):
    if kind == "xfs":
        need("mkfs.xfs")
        tell("mkfs.xfs", "-q", "-f", device)
    else:
        need("mke2fs")
        tell("mke2fs", "-q", "-F", "-t", "ext4", device)


class LoopDisk:
    """A file system in a file, of which the power can be cut."""

    def __init__(self, kind, path, megabytes):
        need_root()
        self.image, self.at = path / f"{kind}.img", path / kind
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        make_file_system(kind, self.image)
        self.at.mkdir()
        self.mount()

    def mount(self):
        tell("mount", "-o", "loop", self.image, self.at)

    def unmount(self):
        # A process that was just killed may hold it a moment longer.
        poll(lambda: subprocess.run(["umount", str(self.at)], capture_output=True).returncode == 0, f"umount {self.at}")

    def cut(self):
        """The power goes: what was not synced is gone, everything after fails."""
        need("xfs_io")
        tell("xfs_io", "-x", "-c", "shutdown", self.at)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.at)], capture_output=True)


@contextlib.contextmanager
def block_device(path, megabytes, *filters_and_settings):
    """A loop device on a disk of nbdkit, whose filters make it slow or fail; gives the device."""
    need_root()
    need("nbdkit", "nbdfuse", "losetup")
    image, place = path / "disk.img", path / "nbd"
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    place.touch()
    filters = [part for part in filters_and_settings if part.startswith("--")]
    settings = [part for part in filters_and_settings if not part.startswith("--")]
    with open(path / "nbd.log", "w") as log:
        fuse = subprocess.Popen(["nbdfuse", str(place), "--command", "nbdkit", "-s", *filters, "file", str(image), *settings],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    device = None
    try:
        poll(lambda: place.stat().st_size == megabytes << 20 or fuse.poll() is not None, "nbdfuse")
        expect(fuse.poll() is None, "nbdfuse ended:", (path / "nbd.log").read_text())
        device = tell("losetup", "--find", "--show", place).strip()
        yield device
    finally:
        if device:
            subprocess.run(["losetup", "-d", device], capture_output=True)
        subprocess.run(["fusermount3" if shutil.which("fusermount3") else "fusermount", "-uz", str(place)], capture_output=True)
        fuse.terminate()
        fuse.wait()


@contextlib.contextmanager
def filled(folder, keep=0):
    """A file that takes all the room that its file system has, but for some bytes."""
    file = folder / "filler"
    with open(file, "wb", buffering=0) as out:
        block = b"x" * 65536
        while len(block) > 0:
            try:
                out.write(block)
            except OSError:
                block = block[:len(block) // 2]
        if keep:
            out.truncate(max(0, out.tell() - keep))
        os.fsync(out.fileno())
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


# --- processes ---

@contextlib.contextmanager
def control_group(controller, **settings):
    """A group of cgroup v1; gives a function that puts a process into it. Setting `memory_limit_in_bytes` sets memory.limit_in_bytes."""
    need_root()
    root = pathlib.Path("/sys/fs/cgroup") / controller
    expect((root / "tasks").exists(), f"this fault needs the {controller} controller of cgroup v1 at {root}")
    group = root / f"attune-faults-{os.getpid()}"
    group.mkdir()
    try:
        for name, value in settings.items():
            (group / f"{controller}.{name.removeprefix(controller + '_')}").write_text(str(value))
        yield lambda process: (group / "cgroup.procs").write_text(str(process))
    finally:
        poll(lambda: not (group / "cgroup.procs").read_text().strip(), "the end of the control group's processes")
        group.rmdir()


def memory(process):
    """Resident now and at most, in MiB."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return tuple(next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(name)) for name in ("VmRSS", "VmHWM"))


class Clock:
    """The wall clock of one process, to be turned; its steady clock runs on."""

    def __init__(self, path):
        need(FAKETIME)
        self.file = path / "clock"
        self.set("+0")

    def set(self, offset):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.rename(self.file)

    def environment(self):
        return preload(FAKETIME, FAKETIME_TIMESTAMP_FILE=str(self.file), FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
                       FAKETIME_DONT_RESET="1")


# --- the network ---

class Proxy:
    """Carries connections to a port; `drop` tells of each answer whether it is lost, and the connection with it."""

    def __init__(self, port, drop):
        self.to, self.drop, self.dropped = port, drop, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self._carry, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, True), daemon=True).start()

    def _carry(self, source, target, answers):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if answers and self.drop():
                    self.dropped += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if answers:
            source.close()
            target.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def pause(seconds):
    """Lets so much time pass: for faults that are a length of time."""
    time.sleep(seconds)
