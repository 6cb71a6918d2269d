"""What the end-to-end tests share: the binary as a child process, requests to it, and the running of cases.

The binary is ATTUNE_BINARY, else build/release/attune; attune-simulate lies beside it. A case is a function `test_…` of the
calling module; it fails by an exception, and is skipped by unittest.SkipTest, which says why. Cases `long_test_…` run only with
ATTUNE_LONG. Nothing here waits for a time: it polls for a condition and gives up at a deadline.
"""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("ATTUNE_BINARY") or str(ROOT / "build/release/attune")
SIMULATE = str(pathlib.Path(BINARY).with_name("attune-simulate"))
LONG = bool(os.environ.get("ATTUNE_LONG"))  # script/nightly sets it
WRITE_KEY = "test-write-key"
API_KEY = "test-api-key"
# What presets with sanitizers set, which make a program slower and larger.
PATIENCE = float(os.environ.get("ATTUNE_PATIENCE", 60))  # seconds until a condition is given up
MEMORY = int(os.environ.get("ATTUNE_MEMORY", 1))  # a test's bound on memory counts this many times


class Failure(AssertionError):
    pass


def expect(condition, *told):
    if not condition:
        raise Failure(" ".join(str(part) for part in told) or "a condition does not hold")


def same(found, expected, what=""):
    if found == expected:
        return
    place, found, expected = difference(found, expected)
    told = " ".join(part for part in (str(what), place) if part)
    raise Failure(f"{told}{': ' if told else ''}expected\n    {shortened(expected)}\n  found\n    {shortened(found)}")


def shortened(value, length=2000):
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def difference(found, expected, place=""):
    """Follows two unequal values down to where they differ."""
    if isinstance(found, dict) and isinstance(expected, dict) and list(found) == list(expected):
        steps = [(found[key], expected[key], f"{place}.{key}") for key in expected]
    elif isinstance(found, (list, tuple)) and type(found) is type(expected) and len(found) == len(expected):
        steps = [(one, other, f"{place}[{i}]") for i, (one, other) in enumerate(zip(found, expected))]
    else:
        return place, found, expected
    for one, other, inner in steps:
        if one != other:
            return difference(one, other, inner)
    return place, found, expected


def poll(condition, what, patience=PATIENCE):
    """Calls until it gives something true, which is returned."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"waited {patience:.0f} s without success: {what}")
        time.sleep(0.005)


def millis(text):
    """RFC 3339 in UTC with milliseconds, as every answer writes times."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z", text)
    expect(match, "not a time as it should be written:", text)
    import calendar
    numbers = [int(group) for group in match.groups()]
    return calendar.timegm(tuple(numbers[:6]) + (0, 0, 0)) * 1000 + numbers[6]


def rfc3339(at):
    import datetime
    base = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=at)
    return base.strftime("%Y-%m-%dT%H:%M:%S.") + f"{base.microsecond // 1000:03d}Z"


def now():
    return int(time.time() * 1000)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="attune-e2e-") as path:
        yield pathlib.Path(path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers.get('Content-Type')} {self.body[:400]!r}"


class Client:
    """One connection that is kept; a new one is made when it was closed."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Server:
    """`attune serve` on a free port; its keys are known unless told otherwise. A flag whose value is None is left out. `wrap` is a
    command that becomes the server, and `more_environment` is added to that of the process."""

    def __init__(self, plan, data, keys=True, write_key=WRITE_KEY, listen="127.0.0.1:0", extra=(), wrap=(), more_environment=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTUNE_")}
        if keys:
            environment.update(ATTUNE_WRITE_KEY=write_key, ATTUNE_API_KEY=API_KEY)
        environment.update(more_environment or {})
        flags = [part for flag, value in (("--plan", plan), ("--data", data), ("--listen", listen)) if value is not None
                 for part in (flag, str(value))]
        command = [*wrap, BINARY, "serve", *flags, *extra]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        # What is told on stderr: of the journal what is no more than information apart from the rest.
        self.said, self.complaints, self.journal, self.port, self.url = [], [], [], None, None
        self.lines = queue.Queue()
        self.readers = [threading.Thread(target=self._read, args=(self.process.stdout, self.said, True), daemon=True),
                        threading.Thread(target=self._read, args=(self.process.stderr, self.complaints, False), daemon=True)]
        for reader in self.readers:
            reader.start()
        self._clients = threading.local()

    def _read(self, stream, lines, told):
        for line in stream:
            kept = self.journal if not told and ('"level":"info"' in line or '"event":"running_as_root"' in line) else lines
            kept.append(line.rstrip("\n"))
            if told:
                self.lines.put(line)
        if told:
            self.lines.put(None)

    def ready(self):
        """Waits for the line with the URL."""
        end = time.monotonic() + PATIENCE
        while self.port is None:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise Failure("the server did not get ready") from None
            if line is None:
                self.process.wait()
                raise Failure(f"the server ended with {self.process.returncode}: {self.complaints}")
            if match := re.search(r"attune is ready at (http://\S+:(\d+)/)", line):
                self.url, self.port = match[1], int(match[2])
        return self

    def __enter__(self):
        return self.ready()

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            if kind is None:
                code = self.stop()
                expect(code == 0, f"exit code {code} after SIGTERM:", *self.complaints[-100:])
            else:
                self.kill()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.wait()

    def wait(self):
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("the server did not end") from None
        for reader in self.readers:
            reader.join()
        return self.process.returncode

    # Requests, one connection for each thread.

    def request(self, method, path, body=None, key=None, headers=None):
        client = getattr(self._clients, "client", None)
        if client is None or client.port != self.port:
            client = self._clients.client = Client(self.port)
        headers = dict(headers or {})
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return client.request(method, path, body, headers)

    def ask(self, path, headers=None, status=200):
        answer = self.request("GET", path, key=API_KEY, headers=headers)
        expect(answer.status == status, "GET", path, "answered", answer)
        return answer.json

    def send(self, path, body, status=200, headers=None):
        answer = self.request("POST", path, body, key=WRITE_KEY, headers=headers)
        expect(answer.status == status, "POST", path, "answered", answer)
        return answer

    def batch(self, events, **more):
        """Sends a batch, all of which must be taken; gives the position."""
        answer = self.send("/v1/batch", {"batch": events, **more})
        same(answer.json["rejected"], [], "rejected")
        same(answer.json["accepted"], len(events), "accepted")
        return answer.headers["Attune-Position"]

    def behavior(self, user, position=None, status=200):
        headers = {"Attune-Position": position} if position else {}
        return self.ask(f"/user/{urllib.parse.quote(user, safe='')}/behavior", headers, status)


class Listener:
    """A client of /v1/stream: reads on a thread of its own what comes. `query` has no question mark."""

    def __init__(self, port, query="", last_id=None, key=API_KEY, held=False):
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.request("GET", "/v1/stream" + ("?" + query if query else ""), headers=headers)
        self.response = self.connection.getresponse()
        expect(self.response.status == 200, "GET /v1/stream answered", self.response.status, query)
        same(self.response.headers["Content-Type"], "text/event-stream")
        self.socket = self.connection.sock
        self.events = []  # (id, event, data)
        self.last_id = last_id
        self.clean_end = None  # once it ended: whether the answer was whole
        self.reader = threading.Thread(target=self._read, daemon=True)
        if not held:
            self.reader.start()

    def _read(self):
        kind, data = None, []
        try:
            while line := self.response.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    kind = value
                elif field == "data":
                    data.append(value)
                elif field == "" and data:
                    self.events.append((self.last_id, kind, json.loads("\n".join(data))))
                    kind, data = None, []
            self.clean_end = True
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            self.clean_end = False

    def told(self):
        """`+shopper ann` for entering, `-shopper ann` for leaving, `!thanks ann` for a firing, in order."""
        return [f"!{data['trigger']} {data['user']}" if kind == "firing" else
                f"{'+' if data['change'] == 'enter' else '-'}{data['segment']} {data['user']}" for _, kind, data in list(self.events)]

    def wait(self, count):
        poll(lambda: len(self.events) >= count, f"{count} events of a stream")
        return self

    def close(self):
        """Leaves; what has come by then stays in `events`."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(2)
        if self.reader.ident:
            self.reader.join()
        self.connection.close()
        return self


def track(user, event, properties=None, **more):
    return {"type": "track", "userId": user, "event": event, "properties": properties or {}, **more}


def run(*arguments, stdin=None, code=None, patience=10 * PATIENCE, program=BINARY):
    """Runs the binary, or another program, to its end."""
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, timeout=patience, **given)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    if code is not None:
        expect(done.returncode == code, f"exit code {done.returncode} and not {code}:", arguments, done.out, done.err)
    return done


def problem(answer, status, code):
    """Holds an answer to RFC 9457."""
    same(answer.status, status, f"status of {answer}")
    expect(answer.headers["Content-Type"].startswith("application/problem+json"), "not a problem:", answer)
    told = answer.json
    same(told["status"], status, "the problem's status")
    same(told["code"], code, "the problem's code")
    expect(told["type"].startswith("https://") and told["title"], told)
    return told


def main(cases):
    """Runs all cases of a module, or those named on the command line; returns the exit code."""
    chosen = sys.argv[1:]
    passed, failed, skipped = 0, [], 0
    for name, case in list(cases.items()):
        if not name.startswith(("test_", "long_test_") if LONG else "test_") or (chosen and name not in chosen):
            continue
        try:
            case()
            passed += 1
        except unittest.SkipTest as reason:
            skipped += 1
            print(f"skipped {name}: {reason}")
        except Exception:
            failed.append(name)
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
    if failed:
        print("failed:", " ".join(failed))
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed + skipped else 0
