"""Clients that vanish, send twice, have wrong clocks, or send what cannot be taken."""

import json
import socket
import struct

from fault import KILLS, fault
from harness import WRITE_KEY, Client, expect, millis, now, poll, rfc3339, same
from injection import Proxy
from ledger import ACCEPTED, body_of, event_of, letters, post, records, sent
from trial import Trial


def raw_request(batch):
    body = body_of(batch)
    return (f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITE_KEY}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


@fault("F-22", "the client closes or resets at a random byte of its request, or after it and before the answer", short=True)
def test_f22_client_vanishes(path):
    trial = Trial(path)
    server = trial.start()
    whole = cut = 0
    for _ in range(KILLS * 4):
        batch = trial.batch(trial.chance.choice((1, 5, 40)), padding=trial.chance.choice((0, 2000)), refused=trial.chance.random() < 0.1)
        request = raw_request(batch)
        end = trial.chance.randrange(len(request)) if trial.chance.random() < 0.6 else len(request)
        connection = socket.create_connection(("127.0.0.1", server.port))
        if end == len(request):
            trial.ledger.sent(batch)  # got no answer: may be stored
            whole += 1
        else:
            cut += 1  # never sent as a whole: the check calls it stored and never sent
        connection.sendall(request[:end])
        if trial.chance.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        connection.close()
    with trial.load(clients=2) as load:
        load.place.set(server.port)
        load.wait(50)
        load.finish()
    server.kill()
    figures = trial.check()
    # What was never sent is not asked for by the retry.
    return {"cut": cut, "unanswered": whole, **figures}


@fault("F-23", "a proxy loses 30 % of the answers: clients send again", short=True)
def test_f23_answers_lost(path):
    trial = Trial(path)
    server = trial.start()
    with trial.load() as load, Proxy(server.port, lambda: trial.chance.random() < 0.3) as proxy:
        load.place.gone = lambda port: None  # only the answer is lost, not the server
        load.place.set(proxy.port)
        load.wait(KILLS * 30)
        load.finish()
    expect(proxy.dropped > 10, "only", proxy.dropped, "answers were lost: the injection does not work")
    expect(server.ask("/v1/status")["duplicates"] > 0, "no duplicate came")
    server.kill()
    return {"answers_lost": load.lost, **trial.check()}


def times_of(trial):
    """By id: the event time and the instant of arrival that the log holds."""
    found = {}
    for kind, _, payload in records(trial.data):
        if kind in (1, 4, 5):
            found[event_of(payload)[0]] = struct.unpack_from("<qq", payload, payload[0] + 1)
    return found


@fault("F-27", "clients whose clocks are ten years, a day or a minute wrong, with and without `sentAt`", short=True)
def test_f27_client_clocks(path):
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    minute, day, year = 60_000, 86_400_000, 365 * 86_400_000
    happened = {}  # by id: how long before it was sent, of those whose clock `sentAt` corrects; 0 where it is too wrong for that
    taken_as_is = {}
    batch = []
    for number, skew in enumerate((10 * year, -10 * year, year // 2, -year // 2, 25 * 3600_000, -day, minute, -minute, 0)):
        for said in (True, False):
            clock = now() + skew
            event = {"type": "track", "event": "c", "userId": f"skewed-{number}", "messageId": f"skew-{number}-{said}",
                     "timestamp": rfc3339(clock - 5000), "properties": {"amount": 1, "item": "x"}}
            expected = ACCEPTED
            if said:
                event["sentAt"] = rfc3339(clock)
                happened[event["messageId"]] = 5000 if abs(skew) < year else 0
            elif skew - 5000 > day:
                expected = "timestamp_out_of_range"
            elif skew <= -10 * year:
                expected = "timestamp_too_old"
            else:
                taken_as_is[event["messageId"]] = clock - 5000
            batch.append(sent(event, expected))
    trial.ledger.begin(batch)
    same(post(client, trial.ledger, batch).status, 200)
    refused = {letter["messageId"]: letter["reason"] for letter in letters(server)}
    same(refused, {event.id: event.expected for event in batch if event.expected != ACCEPTED}, "dead letters")
    client.close()
    server.stop()
    times = times_of(trial)
    for identity, before in happened.items():
        at, received = times[identity]
        # sentAt and the arrival are one request apart; a minute is more than any.
        expect(-minute < (received - before) - at < minute, identity, "happened at", at, "and came at", received)
    for identity, at in taken_as_is.items():
        same(times[identity][0], at, f"the time of {identity}, whose clock nothing tells")
    same(len(times), len(batch) - len(refused), "stored")
    return {"events": len(batch), "refused": len(refused)}


POISON = {
    "too_deep": lambda event: event.replace('"properties"', '"context":' + '{"a":' * 40 + "1" + "}" * 40 + ',"properties"').encode(),
    "invalid_encoding": lambda event: event.encode().replace(b"item-", b"\xff\xfeitem-"),
    "number_out_of_range": lambda event: event.replace('"amount":', '"huge":1e999,"amount":').encode(),
    "event_too_large": lambda event: event.replace('"properties"', f'"context":{{"x":"{"y" * 40_000}"}},"properties"').encode(),
    "identity_missing": lambda event: event.replace('"userId"', '"nobody"').encode(),
    "identity_placeholder": lambda event: event.replace('"ann"', '"undefined"').encode(),
    "missing_field": lambda event: event.replace('"event"', '"evnt"').encode(),
    "unknown_type": lambda event: event.replace('"track"', '"tracked"').encode(),
    "invalid_timestamp": lambda event: event.replace('"timestamp": "', '"timestamp": "not ').encode(),
    "not_an_object": lambda event: b"17",
}


@fault("F-29", "one event of a batch of 100 is too deep, not UTF-8, a huge number …, in turn", short=True)
def test_f29_poison(path):
    trial = Trial(path)
    server = trial.start()
    client = Client(server.port)
    process = server.process.pid
    for number, (reason, spoil) in enumerate(POISON.items(), 1):
        batch = trial.batch(100)
        place = trial.chance.randrange(100)
        victim = batch[place]
        del trial.ledger.events[victim.id]  # its bytes are no longer those of the ledger
        text = spoil(victim.text.decode())
        body = b'{"batch":[' + b",".join(event.text if event is not victim else text for event in batch) + b"]}"
        healthy = [event for event in batch if event is not victim]
        trial.ledger.sent(healthy)
        answer = client.request("POST", "/v1/batch", body, {"Authorization": f"Bearer {WRITE_KEY}"})
        same(answer.status, 200, answer)
        same((answer.json["accepted"], [(refusal["index"], refusal["reason"]) for refusal in answer.json["rejected"]]), (99, [(place, reason)]), reason)
        trial.ledger.answered(healthy, [])
        found = [letter for letter in letters(server) if letter["reason"] == reason]
        same(len(found), 1, f"dead letters for {reason}")
    same(len(letters(server)), len(POISON), "dead letters")
    same(server.process.pid, process)
    client.close()
    expected = {"events": 99 * len(POISON)}
    same(server.ask("/user/ann/behavior")["metrics"]["events"], expected["events"], "events of the user")
    same(server.stop(), 0, "exit code")
    from ledger import check_folder
    check_folder(trial.data, trial.ledger)
    return {**expected, "refused": len(POISON)}
