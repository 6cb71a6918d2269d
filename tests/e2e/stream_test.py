#!/usr/bin/env python3
"""The stream of changes and firings. stream_test.py [CASE...]"""

import http.client
import socket
import sys
import threading

from harness import API_KEY, WRITE_KEY, Listener, Server, expect, folder, main, poll, problem, same, track
from shop_server import Started


# --- the stream ---

STREAM = """
segments:
  shopper: {when: count(add_to_cart) >= 1}
  buyer: {when: count(purchase) >= 1}
  hasty: {when: "count(add_to_cart[2s]) >= 2"}
triggers:
  thanks: {on: purchase, with: {total: sum(purchase.total)}}
  reminder: {enter: count(add_to_cart) >= 3}
"""


def test_stream_tells_changes_and_firings():
    with Started(STREAM) as server:
        server.batch([track("before", "add_to_cart")])
        server.ask("/v1/segments")  # so that it has been told
        everything = Listener(server.port)
        queries = {"type=firing": "!reminder ann,!thanks bob", "segment=shopper": "+shopper ann,+shopper bob", "user=bob": "+shopper bob,+buyer bob,!thanks bob",
                   "segment=buyer&trigger=thanks": "+buyer bob,!thanks bob", "change=leave&segment=hasty,buyer": "-hasty ann",
                   "trigger=reminder": "!reminder ann", "type=transition&user=ann": "+shopper ann,+hasty ann,-hasty ann"}
        some = {query: Listener(server.port, query) for query in queries}
        for _ in range(3):
            server.batch([track("ann", "add_to_cart")])
        server.batch([track("bob", "add_to_cart")])
        server.batch([track("bob", "purchase", {"total": 7})])
        expected = ["+shopper ann", "+hasty ann", "!reminder ann", "+shopper bob", "+buyer bob", "!thanks bob", "-hasty ann"]
        same(sorted(everything.wait(7).told()), sorted(expected))
        for query, told in queries.items():
            same(some[query].wait(told.count(",") + 1).told(), told.split(","), query)
        ids = [tuple(map(int, event[0].split("-"))) for event in everything.events]
        same(ids, sorted(set(ids)), "ids grow")
        by_name = {data.get("segment") or data.get("trigger"): (kind, data) for _, kind, data in everything.events}
        kind, data = by_name["shopper"]
        same((kind, list(data)), ("transition", ["at", "user", "segment", "change", "corrected"]))
        kind, data = by_name["thanks"]
        same((kind, list(data), data["values"]), ("firing", ["at", "trigger", "user", "key", "id", "values"], {"total": 7}))
        # The lists tell the same, the newest first.
        listed = server.ask("/v1/transitions")["transitions"] + server.ask("/v1/firings")["firings"]
        same(sorted(entry["stream_id"] for entry in listed if entry["user"] != "before"), sorted(event[0] for event in everything.events))
        same([entry["trigger"] for entry in server.ask("/v1/firings?limit=1")["firings"]], ["thanks"])
        text = server.request("GET", "/metrics", key=API_KEY).body.decode()
        expect("attune_stream_clients 8\n" in text and "attune_outbox_effects 8\n" in text, text)
        for listener in (everything, *some.values()):
            listener.close()
        poll(lambda: b"attune_stream_clients 0\n" in server.request("GET", "/metrics", key=API_KEY).body, "who has left is forgotten")


def test_stream_is_resumed_where_it_was_left():
    with Started(STREAM) as server:
        send = lambda first, last: server.batch([track(f"u{n}", "add_to_cart") for n in range(first, last)])
        position = send(0, 10)
        whole = Listener(server.port, last_id="0").wait(10)
        for place in range(10):
            same(Listener(server.port, last_id=whole.events[place][0]).wait(9 - place).close().events, whole.events[place + 1:], place)
        # `since` is for who cannot send headers; one who comes back with a header has both.
        same(Listener(server.port, "since=0&segment=shopper").wait(10).close().events, whole.events)
        same(Listener(server.port, "since=0", last_id=whole.events[7][0]).wait(2).close().events, whole.events[8:])
        # Everything that comes of what is sent from here on, known by the answer to what was sent before.
        later = Listener(server.port, f"since={position}")
        quiet = Listener(server.port, "segment=buyer")
        poll(lambda: quiet.last_id, "a place, told before anything happens")
        expect(int(quiet.last_id) >= int(position), quiet.last_id, position)
        send(10, 20)
        same(later.wait(10).told(), [f"+shopper u{n}" for n in range(10, 20)])
        # A client in the midst of things.
        left = Listener(server.port, last_id="0").wait(5).close()
        again = Listener(server.port, last_id=left.last_id).wait(20 - len(left.events)).close()
        same(left.events + again.events, whole.wait(20).events)
        for query, header, told in (("segment=shoper", None, 'did you mean "shopper"'), ("trigger=nix", None, "nix"), ("change=enters", None, "enter"),
                                    ("type=fire", None, "fire"), ("sgment=shopper", None, "segment"), ("since=x", None, "since"),
                                    ("since=1-2-3", None, "since"), ("", "999999999-0", "Last-Event-ID"), ("", "x", "Last-Event-ID")):
            answer = server.request("GET", f"/v1/stream?{query}", key=API_KEY, headers={"Last-Event-ID": header} if header else None)
            expect(told in problem(answer, 400, "invalid_parameter")["detail"], answer)
        same(server.request("GET", "/v1/stream", key=WRITE_KEY).status, 403)
        same(server.request("HEAD", "/v1/stream", key=API_KEY).status, 200)
        # HTTP/1.0 knows no chunks, and a browser's EventSource no headers.
        with socket.create_connection(("127.0.0.1", server.port)) as old:
            old.sendall(f"GET /v1/stream?since=0&user=u3&token={API_KEY} HTTP/1.0\r\n\r\n".encode())
            text = b""
            while b'"u3"' not in text:
                text += old.recv(65536)
            expect(b"chunked" not in text and b"\r\n\r\nretry: 1000\nid: 0\n\nid: 4-0\nevent: transition\ndata: {" in text, text)


def test_stream_says_what_is_no_longer_kept():
    with Started(STREAM, extra=("--keep-effects", "100")) as server:
        first = Listener(server.port, last_id="0")
        for n in range(10):
            server.batch([track(f"u{n}-{i}", "add_to_cart") for i in range(50)])
        first.wait(500).close()
        asked = lambda: server.request("GET", "/v1/stream", key=API_KEY, headers={"Last-Event-ID": first.events[50][0]})
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

        def status():
            client.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {API_KEY}", "Last-Event-ID": first.events[50][0]})
            found = client.getresponse().status
            client.close()
            return found
        poll(lambda: status() == 410, "old ones are dropped")
        problem(asked(), 410, "no_longer_kept")
        oldest = Listener(server.port, last_id="0").wait(100).close()
        same(oldest.events, first.events[-len(oldest.events):])
        expect(len(oldest.events) < 200, len(oldest.events))


def test_slow_clients_lose_nothing():
    with Started(STREAM) as server:
        held = Listener(server.port, held=True)
        quick = Listener(server.port)
        count = 0
        for n in range(60):  # more than the kernel takes for a client
            count += 1000
            server.batch([track(f"user-{n}-{i}-{'x' * 200}", "add_to_cart") for i in range(1000)])
        held.reader.start()
        same(len(quick.wait(count).events), count)
        events = []
        while True:
            poll(lambda: len(events) + len(held.events) >= count or held.clean_end is not None, f"{count} events of a stream, or its end")
            events += held.close().events
            if len(events) >= count:
                break
            # The server cuts off a client that takes nothing for 30 seconds. The client resumes.
            held = Listener(server.port, last_id=events[-1][0] if events else "0")
        same(events, quick.close().events)


def test_many_listen():
    with Started(STREAM) as server:
        listeners = [Listener(server.port, f"user=u{n % 20}" if n % 2 else "") for n in range(200)]
        for n in range(20):
            server.batch([track(f"u{n}", "add_to_cart"), track(f"u{n}", "purchase")])
        whole = [listener.wait(60).events for listener in listeners[::2]]
        for events in whole:
            same(events, whole[0])
        for n in range(1, 200, 2):
            same(listeners[n].wait(3).told(), [f"+shopper u{n % 20}", f"+buyer u{n % 20}", f"!thanks u{n % 20}"])
        # The end of the server is a whole answer, not a broken one.
        same(server.stop(), 0)
        for listener in listeners:
            listener.reader.join()
            expect(listener.clean_end, "an answer that was broken off")


def test_a_stream_goes_on_after_a_crash():
    """Events keep coming, the server is killed again and again, a client comes back with its last id: it hears of every
    change once, and in the end just what one hears who begins at the beginning."""
    with folder() as path:
        (path / "plan.yaml").write_text(STREAM)
        servers = [Server(path / "plan.yaml", path / "data").ready()]
        ended, sent = threading.Event(), []

        def send():  # like a client library: what is not answered is sent again
            while not ended.is_set():
                number = len(sent)
                events = [track(f"u{number}-{i}", name, messageId=f"m-{number}-{i}-{at}") for i in range(5)
                          for at, name in enumerate(("add_to_cart", "add_to_cart", "add_to_cart", "purchase"))]
                while True:
                    try:
                        if servers[-1].request("POST", "/v1/batch", {"batch": events}, key=WRITE_KEY).status == 200:
                            break
                    except (OSError, http.client.HTTPException):
                        pass
                    if ended.wait(0.005):
                        return
                sent.append(number)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            heard, last_id = [], "0"
            for crash in range(5):
                listener = Listener(servers[-1].port, last_id=last_id)
                listener.wait(500 + 100 * crash)
                if crash % 2:  # gone before the crash, or by it
                    listener.close()
                servers[-1].kill()
                listener.reader.join()
                heard += listener.events
                last_id = heard[-1][0]
                servers.append(Server(path / "plan.yaml", path / "data").ready())
        finally:
            ended.set()
            sender.join()
        users = [f"u{number}-{i}" for number in sent for i in range(5)]
        expected = [f"{what} {user}" for user in users for what in ("+shopper", "+buyer", "+hasty", "-hasty", "!thanks", "!reminder")]
        with servers[-1] as server:
            listener = Listener(server.port, last_id=last_id)
            answered = set(users)
            count = lambda events: sum(data["user"] in answered for _, _, data in list(events))
            poll(lambda: count(heard) + count(listener.events) >= len(expected), "all that came of the events")
            heard += listener.close().events
            ids = [tuple(map(int, event[0].split("-"))) for event in heard]
            expect(all(a < b for a, b in zip(ids, ids[1:])), "ids that do not grow")
            whole = Listener(server.port, last_id="0").wait(len(heard)).close()
            same(whole.events[:len(heard)], heard)
            found = sorted(told for told in whole.told() if told.split(" ")[1] in answered)
            same(found, sorted(expected))


if __name__ == "__main__":
    sys.exit(main(globals()))
