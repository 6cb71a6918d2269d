#!/usr/bin/env python3
"""`attune serve` from outside: how it starts, who may do what, how it ends and comes back. server_test.py [CASE...]"""

import base64
import http.client
import json
import re
import signal
import socket
import sys
import threading

from harness import (API_KEY, WRITE_KEY, Server, expect, folder, main, millis, now, poll, problem, rfc3339, run, same,
                     track)
from shop_server import PLAN, Started


def contents(path):
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


# --- how it starts ---

def test_keys_are_made_once_and_kept_as_hashes():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        data = path / "data"
        with Server(path / "plan.yaml", data, keys=False) as server:
            said = "\n".join(server.said)
            found = re.findall(r"^(write key|API key): +(\S+)", said, re.M)
            same([kind for kind, _ in found], ["write key", "API key"], said)
            write, api = found[0][1], found[1][1]
            expect(write.startswith("atn_wk_") and api.startswith("atn_sk_") and len(write) > 40, said)
            same(server.request("POST", "/v1/track", track("ann", "a"), key=write).status, 200)
            same(server.request("GET", "/v1/segments", key=api).status, 200)
            same(server.request("GET", "/v1/segments", key=write).status, 403)
            same(server.request("GET", "/v1/segments", key=api[:-1] + "x").status, 401)
        for key in (write, api):
            for part in (key, key[7:], key[7:-6]):
                expect(part.encode() not in contents(data), "the folder holds a key in clear")
        with Server(path / "plan.yaml", data, keys=False) as server:
            expect("key" not in "\n".join(server.said), server.said)
            same(server.request("POST", "/v1/track", track("ann", "a"), key=write).status, 200)
            same(server.request("GET", "/v1/segments", key=api).status, 200)
        # Given ones count beside those that are stored, and are not stored themselves.
        with Server(path / "plan.yaml", data) as server:
            for key in (api, API_KEY):
                same(server.request("GET", "/v1/segments", key=key).status, 200)
        with Server(path / "plan.yaml", data, keys=False) as server:
            same(server.request("GET", "/v1/segments", key=API_KEY).status, 401)


def test_given_keys_make_none():
    with Started() as server:
        same(len(server.said), 1, "lines")
        expect(re.fullmatch(r"attune is ready at http://127\.0\.0\.1:\d+/", server.said[0]), server.said)
        same(server.ask("/healthz"), {"status": "ok"})


def test_second_server_on_the_folder():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            second = Server(path / "plan.yaml", path / "data")
            same(second.wait(), 1, "exit code of the second")
            same((len(second.complaints), second.said), (1, []), second.complaints)
            expect(str(path / "data") in second.complaints[0], second.complaints)
            server.batch([track("ann", "add_to_cart")])
            same(server.behavior("ann")["metrics"]["carts"], 1)


def test_taken_port():
    with folder() as path, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (path / "plan.yaml").write_text(PLAN)
        server = Server(path / "plan.yaml", path / "data", listen=f"127.0.0.1:{taken.getsockname()[1]}")
        same(server.wait(), 1, "exit code")
        same((len(server.complaints), server.said), (1, []), server.complaints)
        expect(str(taken.getsockname()[1]) in server.complaints[0], server.complaints)


def test_wrong_plan_and_options():
    with folder() as path:
        plan = path / "plan.yaml"
        plan.write_text("segments:\n  s: {when: 'count(add_to_cart[10m]) >= '}\n  t: {when: 'count(no_such{]) > 1'}\n")
        done = run("serve", "--plan", plan, "--data", path / "data", "--listen", "127.0.0.1:0", code=2)
        expect(re.search(rf"^{re.escape(str(plan))}:2:\d+: ", done.out + done.err, re.M), done.out, done.err)
        expect(re.search(rf"^{re.escape(str(plan))}:3:\d+: ", done.out + done.err, re.M), done.out, done.err)
        expect(not (path / "data").exists(), "data were touched")
        run("serve", "--plan", path / "missing.yaml", "--data", path / "data", code=2)
        run("serve", "--data", path / "data", code=2)
        plan.write_text(PLAN)
        for listen in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "256.1.1.1:0"):
            done = run("serve", "--plan", plan, "--data", path / "data", "--listen", listen, code=2)
            same(len(done.err.strip().splitlines()), 1, done.err)
        (path / "file").write_text("")
        done = run("serve", "--plan", plan, "--data", path / "file", "--listen", "127.0.0.1:0", code=1)
        expect(str(path / "file") in done.err, done.err)


# --- who may what ---

def test_access_matrix():
    with Started() as server:
        server.batch([track("ann", "add_to_cart")])
        document = server.request("GET", "/openapi.json").json
        expect(document["openapi"].startswith("3.1"), document["openapi"])
        asked = 0
        for path, methods in document["paths"].items():
            target = path.replace("{id}", "ann").replace("{name}", "shopper").replace("{key}", "k")
            if path.endswith("/explain"):
                target += "?segment=shopper"
            for method, operation in methods.items():
                body = track("ann", "e") if method == "post" else None
                if path == "/v1/segments/preview":
                    body = {"when": "carts >= 1"}
                if path == "/v1/dead-letters/replay":
                    body = {"filter": {}}
                if "batch" in path or path in ("/v1/b", "/v1/import"):
                    body = {"batch": [dict(body, timestamp=rfc3339(now()))]}
                if path in ("/v1/group", "/v1/g"):
                    body["groupId"] = "g"
                if "/alias" in path or path == "/v1/a":
                    body["previousId"] = "x"
                scheme = [name for option in operation.get("security", []) for name in option]
                expected = {"none": {"apiKey": 401, "writeKey": 401}, "wrong": {"apiKey": 401, "writeKey": 401},
                            "write": {"apiKey": 403}, "api": {}}
                # What is asked for is not there: who may ask is told that.
                missing = {"/v1/users/{id}/unmerge": (409, "not_merged"), "/v1/suggest": (422, "history_too_short"),
                           "/v1/segments/preview/{id}": (404, "unknown_study"), "/v1/suggest/{id}": (404, "unknown_study"),
                           "/v1/dead-letters/replay/{id}": (404, "unknown_study"), "/v1/dead-letters/{id}": (404, "unknown_dead_letter")}.get(path)
                if missing:
                    expected["api"] = {"apiKey": missing[0]}
                if path == "/v1/suggest":
                    target += "?metric=carts&goal=purchase"
                if path == "/v1/plan" and method == "put":
                    target, body = target + "?dry_run=true", PLAN
                endless = path == "/v1/stream"
                for who, key in (("none", None), ("wrong", "nobody"), ("write", WRITE_KEY), ("api", API_KEY)):
                    answer = server.request("HEAD" if endless and who == "api" else method.upper(), target, body, key=key)
                    wanted = expected[who].get(scheme[0], 200) if scheme else 200
                    expect(answer.status == wanted, f"{method} {target} with {who} key: expected {wanted}, got", answer)
                    if wanted >= 400:
                        problem(answer, wanted, {401: "invalid_write_key" if scheme == ["writeKey"] else "invalid_key",
                                                 403: "insufficient_scope"}.get(wanted) or missing[1])
                    if wanted == 401:
                        expect(answer.headers["WWW-Authenticate"], answer)
                    asked += 1
        expect(asked > 100, asked)
        # An event that was sent without a right is nowhere.
        before = server.ask("/v1/status")["events"]
        server.request("POST", "/v1/track", track("bob", "e"), key="nobody")
        same(server.ask("/v1/status")["events"], before)
        server.behavior("bob", status=404)


def test_ways_to_bring_a_key():
    with Started() as server:
        basic = lambda text: {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        event = track("ann", "e")
        ways = [(basic(WRITE_KEY + ":"), "", {}), (basic(WRITE_KEY), "", {}), ({"Authorization": "Bearer " + WRITE_KEY}, "", {}),
                ({"authorization": "bearer " + WRITE_KEY}, "", {}), ({"X-Write-Key": WRITE_KEY}, "", {}), ({"X-API-Key": WRITE_KEY}, "", {}),
                ({}, "?writeKey=" + WRITE_KEY, {}), ({}, "", {"writeKey": WRITE_KEY})]
        for headers, query, body in ways:
            answer = server.request("POST", "/v1/track" + query, dict(event, **body), headers=headers)
            same(answer.status, 200, f"{headers} {query} {body}")
            answer = server.request("POST", "/v1/batch" + query, dict({"batch": [event]}, **body), headers=headers)
            same(answer.status, 200, f"{headers} {query} {body}")
        same(server.behavior("ann")["metrics"]["events"], 2 * len(ways))


def test_unknown_paths_and_methods():
    with Started() as server:
        for path in ("/nothing", "/v1", "/v1/track/", "/v1/segments/shopper/users/more", "/user/ann", "/../etc/passwd"):
            problem(server.request("GET", path, key=API_KEY), 404, "not_found")
        for method, path, allowed in (("GET", "/v1/track", "POST"), ("POST", "/v1/segments", "GET"), ("DELETE", "/healthz", "GET"),
                                      ("PUT", "/", "GET"), ("GET", "/v1/m", "POST")):
            answer = server.request(method, path, key=API_KEY)
            problem(answer, 405, "method_not_allowed")
            expect(allowed in answer.headers["Allow"].split(", "), answer.headers["Allow"])
        for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css")):
            answer = server.request("GET", path)
            same(answer.status, 200, path)
            expect(answer.headers["Content-Type"].startswith(kind) and "default-src 'none'" in answer.headers["Content-Security-Policy"], answer)
        for path in ("/user/ann/behavior?limit=x", "/user/ann/behavior?limit=-1", "/v1/segments/shopper/users?limit=0",
                     "/v1/segments/shopper/users?cursor=x", "/v1/segments/shopper/users?cursor=64.0", "/v1/dead-letters?limit=99999999999999999999"):
            problem(server.request("GET", path, key=API_KEY), 400, "invalid_parameter")
        problem(server.request("GET", "/user/%zz/behavior", key=API_KEY), 400, "malformed_path")
        problem(server.request("GET", "/v1/segments/nobody", key=API_KEY), 404, "unknown_segment")
        problem(server.request("GET", "/user/nobody/behavior", key=API_KEY), 404, "unknown_user")
        for position in ("x", "-1", "99999999999", ""):
            answer = server.request("GET", "/user/ann/behavior", key=API_KEY, headers={"Attune-Position": position})
            problem(answer, 400, "invalid_position")


def test_metrics_can_be_read():
    with Started() as server:
        server.batch([track("ann", "add_to_cart"), track("bob", "e")])
        server.send("/v1/track", {"event": "e"})
        server.behavior("ann")
        answer = server.request("GET", "/metrics", key=API_KEY)
        expect(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer)
        kinds, values = {}, {}
        for line in answer.body.decode().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                expect(name not in kinds and kind in ("counter", "gauge", "histogram"), line)
                kinds[name] = kind
            elif not line.startswith("# HELP "):
                match = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (\d+(?:\.\d+)?)', line)
                expect(match and match[1] in kinds, line)
                values[match[1] + (match[2] or "")] = float(match[3])
        same(values["attune_events_accepted_total"], 2)
        same(values["attune_events_rejected_total"], 1)
        same(values['attune_segment_users{segment="shopper"}'], 1)
        expect(values["attune_log_position"] >= 3, values)
        same(server.request("GET", "/readyz").json, {"status": "ready"})


def test_misbehaving_connections():
    with Started() as server:
        def talk(raw, finish=True):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(raw)
                if finish:
                    connection.shutdown(socket.SHUT_WR)
                received = b""
                while piece := connection.recv(65536):
                    received += piece
                return received

        event = json.dumps(track("ann", "e")).encode()
        head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITE_KEY}\r\n".encode()
        length = b"Content-Length: %d\r\n\r\n" % len(event)
        # Cut off in the midst of its body: nothing is taken.
        talk(head + length + event[:-1])
        server.behavior("ann", status=404)
        # Two in one go, chunked, and byte by byte.
        expect(talk((head + length + event) * 2).count(b"HTTP/1.1 200") == 2, "two requests in one go")
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (1, bytes([c])) for c in event) + b"0\r\n\r\n"
        expect(talk(chunked).startswith(b"HTTP/1.1 200"), "chunked")
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            for byte in head + b"Connection: close\r\n" + length + event:
                connection.sendall(bytes([byte]))
            expect(connection.recv(65536).startswith(b"HTTP/1.1 200"), "byte by byte")
        same(server.behavior("ann")["metrics"]["events"], 4)
        for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", head + b"Content-Length: x\r\n\r\n",
                    head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    head + b"X: " + b"y" * 200_000 + b"\r\n\r\n", head + b"Content-Length: 99999999999\r\n\r\n"):
            try:
                first = talk(raw)
            except ConnectionError:
                continue  # closed while it was told so
            expect(re.match(rb"HTTP/1\.1 (4|505)", first), raw[:60], first[:200])
        same(server.behavior("ann")["metrics"]["events"], 4)
        same(server.ask("/healthz"), {"status": "ok"})


# --- how it ends, and comes back ---

def answers(server, users):
    """All that it says of these users, without what moves by itself."""
    return ({user: server.behavior(user) for user in users}, server.ask("/v1/segments"), server.ask("/v1/dead-letters?limit=1000"),
            sorted(member["user"] for member in server.ask("/v1/segments/shopper/users?limit=1000")["users"]))


def test_a_restart_changes_nothing():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        start = now() - 3_600_000 * 3
        users = [f"user-{number}" for number in range(40)]
        batch = []
        for number in range(600):
            user = users[number * 7 % 40]
            batch.append(track(user, ["add_to_cart", "purchase", "search"][number % 3], {"product_id": str(number % 11), "order_id": "o",
                         "total": 0.1 * (number % 9), "query": "q"}, timestamp=start + number * 1000, messageId=f"m{number}"))
        batch += [{"type": "identify", "userId": "user-1", "traits": {"country": "PL"}, "timestamp": start}, {"event": "broken"}]
        with Server(path / "plan.yaml", path / "data") as server:
            same(server.send("/v1/batch", {"batch": batch}).json["accepted"], 601)
            before = answers(server, users)
        for end in ("stop", "kill", "stop"):
            with Server(path / "plan.yaml", path / "data") as server:
                same(answers(server, users), before, "after a restart")
                # What was sent before still counts as sent.
                server.send("/v1/batch", {"batch": batch[:600]})
                same(server.behavior(users[0]), before[0][users[0]])
                same(answers(server, users), before, "after duplicates")
                if end == "kill":
                    server.kill()


def test_timers_run_on_after_a_restart():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data") as server:
            position = server.batch([track("ann", "add_to_cart"), track("ann", "add_to_cart")])
            at = millis(server.behavior("ann", position)["metrics"]["latest"])
            server.kill()
        with Server(path / "plan.yaml", path / "data") as server:
            poll(lambda: [segment["name"] for segment in server.behavior("ann")["segments"]] == ["hesitant", "shopper"], "the timers")
            since = {segment["name"]: segment["since"] for segment in server.behavior("ann")["segments"]}
            same(since["hesitant"], rfc3339(at + 1000))


def test_a_term_signal_under_load():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        acknowledged, stop = [], threading.Event()
        with Server(path / "plan.yaml", path / "data") as server:
            def send(sender):
                number = 0
                while not stop.is_set():
                    events = [track(f"user-{sender}", "add_to_cart", messageId=f"{sender}-{number}-{i}") for i in range(5)]
                    try:
                        answer = server.request("POST", "/v1/batch", {"batch": events}, key=WRITE_KEY)
                    except (OSError, http.client.HTTPException):
                        return  # gone
                    if answer.status == 503:
                        if "Retry-After" not in answer.headers:
                            failures.append(answer)
                        continue
                    if answer.status != 200:
                        failures.append(answer)
                        return
                    acknowledged.append(sender)
                    number += 1

            failures = []
            senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
            for sender in senders:
                sender.start()
            poll(lambda: len(acknowledged) > 100, "load")
            server.process.send_signal(signal.SIGTERM)
            same(server.wait(), 0, "exit code")
            stop.set()
            for sender in senders:
                sender.join()
            same(failures, [])
            same(server.complaints, [])
        with Server(path / "plan.yaml", path / "data") as server:
            for sender in range(8):
                carts = server.behavior(f"user-{sender}")["metrics"]["carts"]
                sent = 5 * acknowledged.count(sender)
                # One batch may have been stored without that its answer arrived.
                expect(carts in (sent, sent + 5), sender, carts, sent)


if __name__ == "__main__":
    sys.exit(main(globals()))
