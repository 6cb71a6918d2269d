#!/usr/bin/env python3
"""Configuration: `attune serve --config`, variables, flags, `attune config`, sources and their origins, and the commands that ask a
server (`--server URL`). config_test.py [CASE...]"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import yaml

from harness import API_KEY, BINARY, WRITE_KEY, Server, expect, folder, main, poll, problem, rfc3339, same, track
from shop_server import PLAN

ORIGIN = "https://shop.example"
OTHER = "https://other.example"


def attune(*arguments, code=0, cwd=None, **variables):
    """Runs the binary with these ATTUNE_ variables alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTUNE_")}
    environment.update(variables)
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=cwd, timeout=600,
                          stdin=subprocess.DEVNULL)
    expect(done.returncode == code, f"exit code {done.returncode} and not {code}:", arguments, done.stdout, done.stderr)
    return done


def written(path, text, plan=PLAN):
    (path / "plan.yaml").write_text(plan)
    (path / "attune.yaml").write_text(text)
    return path / "attune.yaml"


def in_force(*arguments, **variables):
    """`attune config`: {key: (value, origin)} of the settings."""
    out = attune("config", *arguments, **variables).stdout
    values = yaml.safe_load(out)
    origins = dict(re.findall(r"^(\w+): .*  # (.*)$", out, re.MULTILINE))
    return {key: (values[key], origin) for key, origin in origins.items()}


# --- attune config ---

def test_a_flag_counts_before_a_variable_and_a_variable_before_the_file():
    with folder() as path:
        file = written(path, "plan: plan.yaml\nthreads: 2\nkeep_effects: 20\nlisten: 127.0.0.1:1\nrate_limit: 2.5\naccess_log: true\n")
        found = in_force("--config", file, "--threads", "4", "--access-log=false", ATTUNE_THREADS="3", ATTUNE_KEEP_EFFECTS="30")
        same(found["threads"], (4, "--threads"))
        same(found["keep_effects"], (30, "ATTUNE_KEEP_EFFECTS"))
        same(found["listen"], ("127.0.0.1:1", f"{file}:4"))
        same(found["rate_limit"], (2.5, f"{file}:5"))
        same(found["access_log"], (False, "--access-log"))
        same(found["plan"], (str(path / "plan.yaml"), f"{file}:1"), "relative to the file")
        same(found["keep_dead_letters"], (1_000_000, "default"))
        same(found["data"], (None, "not set"))
        same(in_force("--access-log")["access_log"], (True, "--access-log"))
        # The file may be named by a variable too; the flag counts before it.
        same(in_force(ATTUNE_CONFIG=str(file))["threads"], (2, f"{file}:2"))
        same(in_force("--config", file, ATTUNE_CONFIG=str(path / "none.yaml"))["threads"], (2, f"{file}:2"))


def test_every_flag_of_serve_is_a_setting_of_the_file_and_a_variable():
    help_text = attune("serve", "--help").stdout
    flags = set(re.findall(r"^\s+--([a-z-]+)", help_text, re.MULTILINE)) - {"help", "config"}
    settings = in_force()
    same(sorted(flag.replace("-", "_") for flag in flags), sorted(set(settings) - {"write_key", "api_key"}))
    values = {"plan": "p", "data": "d", "listen": "127.0.0.1:2", "admin_listen": "127.0.0.1:3", "metrics": "open", "write_key": "w", "api_key": "a",
              "threads": 1, "keep_effects": 2, "keep_dead_letters": 3, "rate_limit": 4, "rate_limit_network": 5,
              "max_connections_per_network": 6, "log_format": "text", "access_log": True}
    same(sorted(values), sorted(settings), "this test has a value for every setting")
    with folder() as path:
        file = written(path, json.dumps(values))
        by_file = in_force("--config", file)
        by_variable = in_force(**{f"ATTUNE_{key.upper()}": str(value).lower() if value is True else str(value) for key, value in values.items()})
        for key, value in values.items():
            shown = {"plan": str(path / "p"), "data": str(path / "d"), "write_key": "(set, hidden)", "api_key": "(set, hidden)"}.get(key, value)
            same(by_file[key], (shown, f"{file}:1"), key)
            shown = {"write_key": "(set, hidden)", "api_key": "(set, hidden)"}.get(key, value)
            same(by_variable[key], (shown, f"ATTUNE_{key.upper()}"), key)


def test_secrets_are_hidden_everywhere():
    with folder() as path:
        (path / "token").write_text("canary-token\n")
        file = written(path, """
write_key: canary-write
sources: {web: {write_key: canary-web, origins: ["https://shop.example"]}}
secrets:
  ops_secret: {env: OPS_SECRET, hosts: [ops.example]}
  crm: {file: token, hosts: [api.example, 127.0.0.1]}
""")
        done = attune("config", "--config", file, ATTUNE_API_KEY="canary-api", OPS_SECRET="canary-ops")
        shown = yaml.safe_load(done.stdout)
        same((shown["write_key"], shown["api_key"]), ("(set, hidden)", "(set, hidden)"))
        same(shown["sources"], {"web": {"write_key": "(set, hidden)", "origins": ["https://shop.example"]}})
        same(shown["secrets"], {"ops_secret": {"env": "OPS_SECRET", "value": "(set, hidden)", "hosts": ["ops.example"]},
                                "crm": {"file": str(path / "token"), "value": "(set, hidden)", "hosts": ["api.example", "127.0.0.1"]}})
        expect("canary" not in done.stdout + done.stderr, done.stdout, done.stderr)
        # A secret without a value names itself and where it should come from; nothing of the others is said.
        done = attune("config", "--config", file, code=2, ATTUNE_API_KEY="canary-api")
        same((done.stdout, done.stderr), ("", f'{file}:5:3: the secret "ops_secret" has no value: the environment variable OPS_SECRET is not set\n'))
        (path / "token").unlink()
        done = attune("config", "--config", file, code=2, OPS_SECRET="canary-ops")
        expect(done.stderr.startswith(f'{file}:6:3: the secret "crm" has no value: cannot read the file {path / "token"}'), done.stderr)
        expect("canary" not in done.stderr, done.stderr)


MISTAKES = [  # (text, mistake below the file's name)
    ("lisen: 127.0.0.1:80\n", ':1:1: unknown key "lisen" in the configuration; did you mean "listen"?'),
    ("tls: {cert: a}\n", ':1:1: unknown key "tls" in the configuration; expected one of plan, data, listen, '),
    ("threads: many\n", ':1:10: threads: expected a whole number from 0 to 1000, found "many"'),
    ("threads: 1001\n", ':1:10: threads: expected a whole number from 0 to 1000, found "1001"'),
    ("listen: [a]\n", ":1:9: listen: expected HOST:PORT such as 127.0.0.1:8080, found a list"),
    ("log_format: xml\n", ':1:13: log_format: expected one of auto, text, json, found "xml"'),
    ("access_log: maybe\n", ':1:13: access_log: expected true or false, found "maybe"'),
    ("rate_limit: -1\n", ':1:13: rate_limit: expected a number above 0 (leave it out for no limit), found "-1"'),
    ("data: a\ndata: b\n", ':2:1: "data" occurs here twice'),
    ("data: [a\n", ":2:1: not YAML: "),
    ("write_key: k\napi_key: k\n", None),
    ("sources: {web: {origins: ['https://a.example']}}\n", ':1:11: the source "web" has no write_key'),
    ("sources: {web: {write_key: a, origins: [a.example/x]}}\n", ':1:41: expected an origin such as https://shop.example'),
    ("sources: {web: {write_key: a, hash: [userId]}}\n", ':1:31: unknown key "hash" in the source "web"'),
    ("secrets: {ops: {env: A, hosts: ['*.example']}}\n", ':1:33: expected a host such as ops.example, found "*.example"; a wildcard is not allowed'),
    ("secrets: {ops: {env: A, hosts: [a.example]}}\n", ':1:11: the secret "ops" has no value: the environment variable A is not set'),
]


def test_a_mistake_has_its_place_and_ends_with_2():
    with folder() as path:
        for text, mistake in MISTAKES:
            file = written(path, text)
            for command in (["config"], ["serve", "--plan", path / "plan.yaml", "--data", path / "data"]):
                done = attune(*command, "--config", file, code=2)
                expected = f"{file}{mistake}" if mistake else "write_key and api_key are the same"
                expect(done.stderr.startswith(expected), text, done.stderr)
                same((done.stdout, done.stderr.count("\n")), ("", 1), text)
        expect(not (path / "data").exists(), "a server that does not start makes no folder")
        done = attune("config", "--config", path / "none.yaml", code=2)
        expect(done.stderr.startswith(f"{path / 'none.yaml'}:1:1: cannot be read: No such file"), done.stderr)
        same(attune("config", code=2, ATTUNE_THREADS="x").stderr, 'ATTUNE_THREADS: expected a whole number from 0 to 1000, found "x"\n')
        same(attune("config", "--threads", "x", code=2).stderr, '--threads: expected a whole number from 0 to 1000, found "x"\n')


def test_a_mistyped_variable_is_warned_of():
    done = attune("config", ATTUNE_KEEP_EFECTS="1", ATTUNE_SOMETHING_ELSE="1")
    same(done.stderr, "warning: the variable ATTUNE_KEEP_EFECTS sets nothing; did you mean ATTUNE_KEEP_EFFECTS?\n")
    with folder() as path:
        written(path, "")
        with Server(path / "plan.yaml", path / "data", more_environment={"ATTUNE_TREADS": "1"}) as server:
            told = poll(lambda: [line for line in server.complaints if "unknown_variable" in line], "a warning")
            expect("did you mean ATTUNE_THREADS?" in told[0], told)


# --- serve ---

def test_serve_from_a_file_alone():
    with folder() as path:
        file = written(path, f"plan: plan.yaml\ndata: data\nlisten: 127.0.0.1:0\nwrite_key: {WRITE_KEY}\napi_key: {API_KEY}\nlog_format: json\n")
        with Server(None, None, listen=None, keys=False, extra=("--config", str(file))) as server:
            same(server.behavior("ann", server.batch([track("ann", "add_to_cart")]))["metrics"]["carts"], 1)
            expect((path / "data/log").is_dir(), "the folder is relative to the file")
            # SIGHUP reads the plan that the file names.
            (path / "plan.yaml").write_text(PLAN + "  idle: {when: count(search) = 0}\n")
            server.process.send_signal(signal.SIGHUP)
            poll(lambda: any("plan_changed" in line for line in server.journal), "a change of the plan")
        # Variables alone, too; they count before the file.
        data = str(path / "other")
        with Server(None, None, more_environment={"ATTUNE_CONFIG": str(file), "ATTUNE_DATA": data}, listen=None) as server:
            same(server.behavior("ann", status=404)["code"], "unknown_user")
            expect((path / "other/log").is_dir(), "the variable's folder")


def test_what_is_missing_is_said_with_all_three_ways():
    with folder() as path:
        written(path, "")
        for flags, variables, key in ((["--data", path / "d"], {}, "plan"), ([], {"ATTUNE_PLAN": str(path / "plan.yaml")}, "data")):
            done = attune("serve", *flags, code=2, **variables)
            same(done.stderr, f"attune: `{key}` is not set: use the flag --{key} PATH, the variable ATTUNE_{key.upper()}, "
                              f"or `{key}: PATH` in the file of --config\n")


# --- sources ---

def preflight(server, origin, path="/v1/t"):
    return server.request("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": "POST",
                                                    "Access-Control-Request-Headers": "authorization"})


def send_as(server, key, origin, user="ann", body=None):
    return server.request("POST", "/v1/t", body if body is not None else track(user, "e"), key=key, headers={"Origin": origin} if origin else {})


SOURCES = """
plan: plan.yaml
data: data
sources:
  web: {write_key: wk-web, origins: ["https://shop.example", "https://www.shop.example"]}
  blog: {write_key: wk-blog, origins: ["https://blog.example"]}
"""


def test_origins_of_a_source_are_the_only_ones_that_may_read():
    with folder() as path:
        file = written(path, SOURCES)
        with Server(None, None, keys=False, extra=("--config", str(file)), more_environment={"ATTUNE_API_KEY": API_KEY}) as server:
            allowed = lambda answer: answer.headers.get("Access-Control-Allow-Origin")
            # A preflight has no key: any source's origin is allowed, and no other.
            for origin in (ORIGIN, "https://www.shop.example", "https://blog.example"):
                answer = preflight(server, origin)
                same((answer.status, allowed(answer), answer.headers["Access-Control-Allow-Credentials"]), (204, origin, "true"))
                expect("POST" in answer.headers["Access-Control-Allow-Methods"], answer.headers)
            for origin in (OTHER, "null", "https://shop.example.evil.example", "http://shop.example", "https://SHOP.example"):
                answer = preflight(server, origin)
                same((answer.status, answer.headers["Vary"]), (204, "Origin"))
                expect(not any(name.startswith("Access-Control") for name in answer.headers), origin, answer.headers)
            # With a key in the query it is answered for the key's source.
            same(allowed(preflight(server, ORIGIN, "/v1/t?writeKey=wk-web")), ORIGIN)
            same(allowed(preflight(server, ORIGIN, "/v1/t?writeKey=wk-blog")), None)
            # An answer is for its own source, wherever the key stands.
            cases = [("wk-web", ORIGIN, ORIGIN), ("wk-web", "https://blog.example", None), ("wk-blog", "https://blog.example", "https://blog.example"),
                     ("wk-blog", ORIGIN, None), ("wk-web", OTHER, None), ("wk-web", None, None)]
            for key, origin, expected in cases:
                answer = send_as(server, key, origin)
                same((answer.status, allowed(answer)), (200, expected), f"{key} {origin}")
                same(answer.headers.get("Vary"), "Origin" if origin else None)
                same(allowed(server.request("POST", "/v1/t", {**track("ann", "e"), "writeKey": key}, headers={"Origin": origin} if origin else {})), expected)
            # Refusals too: of its own source once the key is known, else of any.
            same((allowed(send_as(server, "wk-web", ORIGIN, body="{")), allowed(send_as(server, "wk-blog", ORIGIN, body="{"))), (ORIGIN, None))
            same((send_as(server, "no-key", ORIGIN).status, allowed(send_as(server, "no-key", ORIGIN)), allowed(send_as(server, "no-key", OTHER))), (401, ORIGIN, None))
            # Keys of sources send and read nothing.
            problem(server.request("GET", "/v1/segments", key="wk-web"), 403, "insufficient_scope")
            counts = dict(re.findall(r'attune_source_events_total\{source="(\w+)"\} (\d+)', server.request("GET", "/metrics", key=API_KEY).body.decode()))
            same(counts, {"default": "0", "web": "8", "blog": "4"})


def test_a_source_without_origins_allows_all():
    with folder() as path:
        file = written(path, SOURCES + "  app: {write_key: wk-app}\n")
        with Server(None, None, extra=("--config", str(file))) as server:
            same(preflight(server, OTHER).headers["Access-Control-Allow-Origin"], OTHER)
            same(send_as(server, "wk-app", OTHER).headers["Access-Control-Allow-Origin"], OTHER)
            same(send_as(server, WRITE_KEY, OTHER).headers["Access-Control-Allow-Origin"], OTHER)
            expect("Access-Control-Allow-Origin" not in send_as(server, "wk-web", OTHER).headers, "of its own source")
            counts = dict(re.findall(r'attune_source_events_total\{source="(\w+)"\} (\d+)', server.request("GET", "/metrics", key=API_KEY).body.decode()))
            same(counts, {"default": "1", "web": "1", "blog": "0", "app": "1"})


# --- metrics ---

def test_metrics_need_a_key_unless_they_are_open():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "closed") as server:
            problem(server.request("GET", "/metrics"), 401, "invalid_key")
            problem(server.request("GET", "/metrics", key=WRITE_KEY), 403, "insufficient_scope")
            same(server.request("GET", "/metrics", key=API_KEY).status, 200)
        with Server(path / "plan.yaml", path / "open", extra=("--metrics", "open")) as server:
            same(server.request("GET", "/metrics").status, 200)
            problem(server.request("GET", "/v1/segments"), 401, "invalid_key")


def test_the_listener_for_operations():
    with folder() as path:
        (path / "plan.yaml").write_text(PLAN)
        with Server(path / "plan.yaml", path / "data", extra=("--admin-listen", "127.0.0.1:0")) as server:
            url = next(match[1] for line in server.said if (match := re.match(r"metrics are at (http://\S+)/metrics$", line)))

            def admin(target, method="GET"):
                request = urllib.request.Request(url + target, method=method, headers={"Authorization": "Bearer " + API_KEY})
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as error:
                    return error.code, error.read().decode()

            server.batch([track("ann", "add_to_cart")])
            status, text = admin("/metrics")
            same(status, 200)
            figures = {line.split()[0]: int(line.split()[1]) for line in text.splitlines() if line[0] != "#" and "{" not in line}
            expect(figures["attune_events_accepted_total"] == 1 and figures["attune_http_requests_total"] >= 1, figures)
            expect(figures["process_resident_memory_bytes"] > 1 << 20 and figures["process_open_fds"] > 5, figures)
            expect(abs(figures["process_start_time_seconds"] - time.time()) < 3600, figures)
            same(admin("/healthz")[0], 200)
            same(admin("/readyz")[0], 200)
            # What needs a key is not there, with a key either.
            for target, method in (("/v1/segments", "GET"), ("/v1/track", "POST"), ("/v1/plan", "PUT"), ("/", "GET"), ("/nothing", "GET")):
                same(admin(target, method)[0], 404, target)
            same(admin("/metrics", "POST")[0], 405)


# --- commands that ask a server ---

class Asked:
    """A server with a few events, and `ask`, which runs a command with `--server` or with `--data`."""

    def __enter__(self):
        self.folder = folder()
        self.path = self.folder.__enter__()
        (self.path / "plan.yaml").write_text(PLAN)
        self.server = Server(self.path / "plan.yaml", self.path / "data").ready()
        self.url = f"http://127.0.0.1:{self.server.port}"
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)
        self.folder.__exit__(*error)

    def by_server(self, command, *more, code=0, key=API_KEY, url=None):
        return attune(command, "--server", url or self.url, *more, code=code, **({"ATTUNE_API_KEY": key} if key else {}))

    def by_data(self, command, *more, code=0):
        return attune(command, "--data", self.path / "data", *more, code=code)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_explain_by_a_server_says_the_same():
    with Asked() as asked:
        at = 1_772_359_200_000
        position = asked.server.batch([track("an/n?", "add_to_cart", timestamp=at + i, messageId=f"m-{i}") for i in range(3)])
        asked.server.behavior("an/n?", position)
        for expression in ("shopper", "count(add_to_cart[10m]) >= 5", "carts", "sequence(add_to_cart -> purchase within 1h)"):
            for more in ((), ("--json",)):
                arguments = ("an/n?", expression, "--at", "2026-03-01T10:00:01Z", *more)
                same(asked.by_server("explain", *arguments).stdout, asked.by_data("explain", *arguments).stdout, expression)
        wrong = ("an/n?", "cuont(x)")
        same(asked.by_server("explain", *wrong, code=2).stderr.removeprefix("attune: "), asked.by_data("explain", *wrong, code=2).stderr)
        unknown = ("nobody", "shopper")
        same(asked.by_server("explain", *unknown, code=1).stderr, asked.by_data("explain", *unknown, code=1).stderr)
        expect("--plan is for --data" in asked.by_server("explain", "--plan", "p", *unknown, code=2).stderr, "its own plan")


def test_suggest_by_a_server_says_the_same():
    with Asked() as asked:
        day, start = 86_400_000, 1_772_323_200_000
        events = []
        for user in range(120):
            for n in range(user % 6):
                events.append(track(f"u{user}", "add_to_cart", timestamp=start + (n + 1) * 1000))
                events.append(track(f"u{user}", "add_to_cart", timestamp=start + 20 * day + n * 1000))
            events.append(track(f"u{user}", "page_viewed", timestamp=start))
            for after in (2 * day, 22 * day):
                if user % 6 >= 4:
                    events.append(track(f"u{user}", "purchase", {"order_id": "x"}, timestamp=start + after))
        events.append(track("u0", "page_viewed", timestamp=start + 30 * day))
        events.sort(key=lambda event: event["timestamp"])  # a value at an instant rests on what had come by then
        for at in range(0, len(events), 1000):
            position = asked.server.batch(events[at:at + 1000])
        asked.server.behavior("u1", position)
        question = ("--metric", "carts", "--goal", "purchase", "--horizon", "3d", "--at", rfc3339(start + day), "--validate-at", rfc3339(start + 21 * day))
        for more in ((), ("--json",)):
            told = asked.by_server("suggest", *question, *more).stdout
            same(told, asked.by_data("suggest", *question, *more).stdout)
            expect("carts >= 4" in told, told)
        wrong = ("--metric", "cuont(x)", "--goal", "purchase")
        same(asked.by_server("suggest", *wrong, code=2).stderr, asked.by_data("suggest", *wrong, code=2).stderr)
        short = ("--metric", "carts", "--goal", "purchase", "--horizon", "900d")
        same(asked.by_server("suggest", *short, code=2).stderr, asked.by_data("suggest", *short, code=2).stderr)


def test_export_by_a_server_has_its_dead_letters():
    with Asked() as asked:
        asked.server.send("/v1/batch", {"batch": [track("ann", "purchase", messageId="bad"), track("ann", "e")]})
        done = asked.by_server("export", "--dead-letters")
        letters = [json.loads(line) for line in done.stdout.splitlines()]
        same([(letter["messageId"], letter["reason"]) for letter in letters], [("bad", "missing_property")])
        same(done.stderr, "1 dead letters\n")
        out = asked.path / "letters.ndjson"
        asked.by_server("export", "--dead-letters", "--out", out)
        same(out.read_text(), done.stdout)
        expect("export its events with --data DIR" in asked.by_server("export", code=2).stderr, "what to do for events")
        expect("are for --data" in asked.by_server("export", "--dead-letters", "--from", "1", code=2).stderr, "a range")
        asked.by_server("export", "--dead-letters", "--out", asked.path / "none.ndjson", key="wrong", code=1)
        expect(not (asked.path / "none.ndjson").exists() and not (asked.path / "none.ndjson.part").exists(), "no file without an answer")


def test_verify_needs_a_stopped_server():
    with Asked() as asked:
        expect("verify reads the files of a stopped server" in asked.by_server("verify", code=2).stderr, "what to do")
        asked.server.stop()
        expect(attune("verify", asked.path / "data").stdout.endswith("clean\n"), "by its place")
        expect(asked.by_data("verify").stdout.endswith("clean\n"), "by its name")
        expect("the data folder" in attune("verify", code=2).stderr, "neither")


def test_a_server_that_cannot_answer():
    commands = {"explain": ("ann", "shopper"), "suggest": ("--metric", "carts", "--goal", "purchase"), "export": ("--dead-letters",)}
    with Asked() as asked:
        for command, more in commands.items():
            told = lambda code, **options: asked.by_server(command, *more, code=code, **options).stderr
            gone = f"http://127.0.0.1:{closed_port()}"
            expect(f"{gone}: connect to" in told(1, url=gone) and "is the server running there?" in told(1, url=gone), command)
            expect("the server does not know the key in ATTUNE_API_KEY" in told(1, key="wrong"), command)
            expect("use an API key, not a write key" in told(1, key=WRITE_KEY), command)
            expect("set ATTUNE_API_KEY to an API key" in told(2, key=None), command)
            expect("answered 404" in told(1, url=asked.url + "/elsewhere"), command)
            for url in ("127.0.0.1:80", "https://127.0.0.1", "http://", "http://a:b", "http://127.0.0.1:99999", "http://u@h"):
                expect("--server: expected http://HOST:PORT" in told(2, url=url), command, url)
            expect("known host" in told(1, url="http://no-such-host.invalid:80"), command)
            done = attune(command, "--server", asked.url, "--data", asked.path / "data", *more, code=2)
            expect("excludes" in done.stderr, done.stderr)
            expect("--server URL" in attune(command, *more, code=2).stderr, command)
        # The name of a host, and a slash at the end.
        asked.server.batch([track("ann", "add_to_cart")])
        told = asked.by_server("explain", "ann", "shopper", url=f"http://localhost:{asked.server.port}/").stdout
        expect(told.startswith("ann at ") and "count(add_to_cart[ever]) >= 1  =  true" in told, told)


def scripted(answer):
    """A server that sends these bytes to one request, then closes; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with listener, connection:
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_that_is_not_attunes_or_not_whole():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    html = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"
    old = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with folder() as path:
        out = path / "letters.ndjson"
        ask = lambda answer, *arguments: attune(arguments[0], "--server", scripted(answer), *arguments[1:], code=1, ATTUNE_API_KEY="k").stderr
        told = ask(head + b"3\r\n{}\n\r\n", "export", "--dead-letters", "--out", out)
        expect("the answer is not whole" in told, told)
        same(list(path.iterdir()), [], "no file of half an answer")
        for arguments in (("export", "--dead-letters"), ("explain", "ann", "shopper"), ("suggest", "--metric", "m", "--goal", "g")):
            expect("is not an attune server" in ask(html, *arguments), arguments)
        for arguments in (("explain", "ann", "shopper"), ("suggest", "--metric", "m", "--goal", "g")):
            expect("the server is older than this program" in ask(old, *arguments), arguments)
        expect("the answer is not whole" in ask(b"", "explain", "ann", "shopper"), "no answer")


def test_a_server_on_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as reason:
        raise unittest.SkipTest(f"no IPv6 here: {reason}") from None
    with folder() as path:
        written(path, "")
        with Server(path / "plan.yaml", path / "data", listen="[::1]:0") as server:
            done = attune("explain", "--server", f"http://[::1]:{server.port}", "ann", "shopper", code=1, ATTUNE_API_KEY=API_KEY)
            same(done.stderr, "attune: no event of the user ann has come\n")


if __name__ == "__main__":
    sys.exit(main(globals()))
