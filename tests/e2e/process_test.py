#!/usr/bin/env python3
"""The server as a process: how it stops, what it says on stderr, how the binary is hardened. process_test.py [CASE...]"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

from data_folder import PLAN, filled, loaded, log_file, record_offsets, serve, verify, write_plan
from harness import API_KEY, BINARY, ROOT, WRITE_KEY, Server, expect, folder, main, poll, problem, run, same, track


# --- stopping ---

def half_a_request(port):
    """A request whose body has not come to its end."""
    body = json.dumps({"batch": [track("ann", "a", messageId="half")]}).encode()
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + WRITE_KEY.encode() +
                   b"\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    expect(client.recv(100).startswith(b"HTTP/1.1 100 "), "the server has not begun to read")
    client.sendall(body[:10])
    return client, body[10:]


def test_sigterm_answers_what_has_begun_and_ends_with_0():
    with folder() as path:
        write_plan(path)
        server = serve(path).ready()
        loads = loaded(server, 20)
        client, rest = half_a_request(server.port)
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: any("draining" in line for line in server.journal), "the beginning of the end")
        for load in loads:
            load.ending.set()
        client.sendall(rest)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        expect(re.match(rb"HTTP/1\.1 (200|503) ", answer), answer)
        same(server.wait(), 0)
        for load in loads:
            load.join()
        expect(verify(path).out.endswith("clean\n"), "after the end")
        acked = {identity for load in loads for identity in load.acked} | ({"half"} if b" 200 " in answer[:20] else set())
        there = {json.loads(line)["messageId"] for line in run("export", "--data", path / "data", code=0).out.splitlines()}
        expect(acked <= there, "lost:", sorted(acked - there)[:5])


def test_a_second_sigterm_ends_at_once_and_loses_nothing():
    with folder() as path:
        write_plan(path)
        server = serve(path).ready()
        loads = loaded(server, 20)
        client, _ = half_a_request(server.port)  # for which the end waits
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: any("draining" in line for line in server.journal), "the beginning of the end")
        server.process.send_signal(signal.SIGTERM)
        same(server.wait(), 128 + signal.SIGTERM)
        client.close()
        for load in loads:
            load.ending.set()
            load.join()
        expect(verify(path).out.endswith("clean\n"), "after the end")
        there = {json.loads(line)["messageId"] for line in run("export", "--data", path / "data", code=0).out.splitlines()}
        acked = {identity for load in loads for identity in load.acked}
        expect(acked <= there, "lost:", sorted(acked - there)[:5])


# --- what is said on stderr ---

CANARIES = ["canary-key-4711", "canary@example.org", "203.0.113.77", "canary-user"]


def test_the_journal_is_a_line_of_json_for_each_request_and_nothing_of_anybody():
    with folder() as path:
        write_plan(path)
        server = Server(path / "plan.yaml", path / "data", extra=("--access-log", "--log-format", "json")).ready()
        paths = ["/user/canary-user/behavior", "/v1/users/canary-user%0d%0a%1b%5b31m/behavior?x=canary-key-4711", "/healthz", "/no/such/canary-user",
                 "/v1/segments/%E2%80%A8canary-user", "/v1/users/canary@example.org/explain?segment=busy", "/%ff%fe", "/%zz"]
        agents = ["canary-user", "a\u2028b", "x\x1b[31mred", "caf\xe9"]
        ids = []
        for i, target in enumerate(paths * 3):
            headers = {"User-Agent": agents[i % len(agents)].encode("utf-8", "replace").decode("latin-1"), "X-Forwarded-For": "203.0.113.77",
                       "Authorization": "Bearer canary-key-4711" if i % 2 else f"Bearer {API_KEY}"}
            answer = server.request("GET", target, headers=headers)
            ids.append(answer.headers["Attune-Request-Id"])
        server.send("/v1/track", {"userId": "canary-user", "event": "canary@example.org\r\n{\"level\":\"error\"}"})
        for raw in (b"GET /\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\xff\r\nBad Header\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
                client.sendall(raw)
                with contextlib.suppress(OSError):
                    client.recv(65536)
        same(len(set(ids)), len(paths) * 3, "ids of requests")
        expect(all(re.fullmatch(r"[0-9a-f]{16}", identity) for identity in ids), ids)
        same(server.stop(), 0)
        raw = "\n".join(server.journal + server.complaints)
        lines = [json.loads(line) for line in server.journal + server.complaints]
        requests = [line for line in lines if line["event"] == "request"]
        same(len(requests), len(paths) * 3 + 1 + 3, "a line for each request")
        same([line["request_id"] for line in requests[:len(ids)]], ids)
        same({line["network"] for line in requests}, {"127.0.0.0/24"})
        same(requests[0]["route"], "/user/{id}/behavior")
        same(requests[3]["route"], "")
        expect(all(set(line) == {"time", "level", "event", "request_id", "method", "route", "status", "bytes", "ms", "network"} for line in requests), requests[0])
        for canary in [*CANARIES, API_KEY, WRITE_KEY, "127.0.0.1\"", "User-Agent"]:
            expect(canary not in raw, canary, "was told")
        expect(raw.isascii() and "\x1b" not in raw, "bytes beyond ASCII")
        told = [line["event"] for line in lines if line["event"] != "request"]
        same([event for event in told if event != "running_as_root"], ["recovered", "ready", "draining", "stopped"])


def test_what_happens_is_told():
    with folder() as path:
        filled(path, events=20)
        log = log_file(path)
        whole = log.read_bytes()
        last = record_offsets(whole)[-1][0]
        log.write_bytes(whole[:last + 9])
        shutil.rmtree(path / "data/state")
        with serve(path) as server:
            poll(lambda: any('"ready"' in line for line in server.journal), "the line that says so")
            told = {json.loads(line)["event"]: json.loads(line) for line in server.journal + server.complaints}
            same(told["torn_write_cut"]["bytes"], 9)
            expect(told["recovered"]["users"] == 8 and told["recovered"]["records_applied"] >= 19, told["recovered"])
            expect(told["ready"]["url"] == server.url and told["ready"]["process"] == server.process.pid, told["ready"])
            write_plan(path, "segments: {broken: {when: 'count('}}\n")
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("the present one goes on" in line for line in server.complaints), "a refusal")
            write_plan(path, PLAN + "  idle: {when: a then no b for 1h}\n")
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("plan_changed" in line for line in server.journal), "a change")
            server.complaints.clear()
        text = Server(path / "plan.yaml", path / "data", extra=("--log-format", "text")).ready()
        same(text.stop(), 0)
        expect(any(re.match(r"\d{4}-\d\d-\d\dT\S+Z draining|\S+ requests that have begun", line) for line in text.complaints), text.complaints)


def test_answers_5xx_say_no_more_than_an_id():
    with folder() as path:
        write_plan(path)
        # The log file may not grow beyond 96 KiB: storage is full for it.
        done = subprocess.run(["prlimit", "--version"], capture_output=True)
        same(done.returncode, 0, "prlimit is there")
        with serve(path) as server:
            subprocess.run(["prlimit", "--pid", str(server.process.pid), "--fsize=98304:unlimited"], check=True)
            refused = None
            for i in range(400):
                answer = server.request("POST", "/v1/batch", {"batch": [track("ann", "a", {"text": "x" * 2000}, messageId=f"{i}-{j}") for j in range(20)]},
                                        key=WRITE_KEY)
                if answer.status != 200:
                    refused = answer
                    break
            expect(refused is not None, "storage never ran full")
            told = problem(refused, 503, "storage_full")
            same(sorted(told), ["code", "request_id", "status", "title", "type"])
            same(told["request_id"], refused.headers["Attune-Request-Id"])
            expect(refused.headers["Retry-After"], refused.headers)
            for word in (str(path), "errno", "File too large", "No space", ".log"):
                expect(word not in refused.body.decode(), word, "was told")
            line = poll(lambda: next((json.loads(line) for line in server.complaints if told["request_id"] in line), None), "a line of the journal")
            expect("data/log" in line["message"] and line["status"] == 503, line)
            poll(lambda: any('"storage_full"' in line for line in server.complaints), "a line about storage")
            subprocess.run(["prlimit", "--pid", str(server.process.pid), "--fsize=unlimited:unlimited"], check=True)
            poll(lambda: server.request("POST", "/v1/track", track("ann", "a"), key=WRITE_KEY).status == 200, "storage again")
            poll(lambda: any('"storage_back"' in line for line in server.journal), "a line about storage")


# --- the binary and the process ---

def test_the_binary_is_hardened():
    elf = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", BINARY], capture_output=True, text=True, check=True).stdout
    expect(re.search(r"Type:\s+DYN \(Position-Independent Executable", elf), "not position independent")
    expect("GNU_RELRO" in elf and re.search(r"FLAGS.*BIND_NOW|\(BIND_NOW\)|FLAGS_1.*NOW", elf), "symbols are bound lazily")
    stack = re.search(r"GNU_STACK.*", elf)[0]
    expect(" RWE" not in stack and " RW " in stack, stack)
    expect("__stack_chk_fail" in elf, "no stack protector")
    program = pathlib.Path(BINARY).read_bytes()
    if b"__asan_init" not in program and b"__tsan_init" not in program:  # sanitizers take these functions' places
        expect(re.search(r"__(memcpy|snprintf|read|pread|vsnprintf|memset|strncpy)\w*_chk", elf), "no fortified function")
    expect("glibcxx_assert_fail" in elf, "no assertions of the standard library")
    expect(not re.search(r"\((RPATH|RUNPATH)\)", elf), "a path for libraries")


def test_the_process_gives_up_what_it_does_not_need():
    with folder() as path:
        write_plan(path)
        with serve(path) as server:
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
            same(re.search(r"NoNewPrivs:\s+(\d)", status)[1], "1")
            limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
            same(re.search(r"Max core file size\s+(\d+)\s+(\d+)", limits).groups(), ("0", "0"))
            if os.geteuid() == 0:
                poll(lambda: any("running_as_root" in line for line in server.journal), "a warning")


def test_the_unit_is_one_that_systemd_takes():
    """And its options are those of the program."""
    unit = (ROOT / "packaging/attune.service").read_text()
    command = re.search(r"^ExecStart=\S+ (.*)$", unit, re.M)[1].split()
    known = run(command[0], "--help", code=0).out
    for option in command:
        expect(not option.startswith("--") or option in known, option)
    for setting in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=on-failure", "TimeoutStopSec=30", "StateDirectory=attune"):
        expect(setting in unit, setting)
    if shutil.which("systemd-analyze"):
        with folder() as path:
            (path / "attune.service").write_text(unit.replace("/usr/local/bin/attune", BINARY))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path / "attune.service")], capture_output=True, text=True)
            expect("attune.service" not in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(main(globals()))
