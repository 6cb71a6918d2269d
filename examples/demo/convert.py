#!/usr/bin/env python3
"""Turns the two data sets of the demo into the compact files beside this script, and checks that nothing is lost.

    convert.py "e-shop clothing 2008.csv" OTTO-train.jsonl [FOLDER]

products.csv, sessions.txt: a product's category, colour, place, photograph, price and page are the same in every click on it (but for one click,
which names its category: `A18/2`), so they are said once. A session is one line: its country, then its products in
the order of its clicks. Its number is the line's: sessions are numbered from 1 in the order of the file. A line
`@ 2008-04-01` begins a day.

otto.txt: a line `@ 3` begins a session; `1659304800025 c 1517085` is a click (c), cart (a) or order (o) of an article.
"""
import csv
import json
import pathlib
import sys

PRODUCT_COLUMNS = [7, 6, 8, 9, 10, 11, 12, 13]


def read_original(path):
    with open(path, newline="", encoding="ascii") as file:
        header, *rows = csv.reader(file, delimiter=";")
    return header, rows


def write(header, rows, folder):
    products, lines, day, session = {}, [], None, None
    for row in rows:
        if (row[0], row[1], row[2]) != day:
            day = (row[0], row[1], row[2])
            lines.append("@ %s-%02d-%02d" % (day[0], int(day[1]), int(day[2])))
        if row[5] != session:
            session = row[5]
            lines.append(row[4])
        product = products.setdefault(row[7], [row[i] for i in PRODUCT_COLUMNS])
        lines[-1] += " " + row[7] + ("" if product[1] == row[6] else "/" + row[6])
    key = lambda model: (model[0], int(model[1:]))
    with open(folder / "products.csv", "w", encoding="ascii") as file:
        for row in [[header[i] for i in PRODUCT_COLUMNS]] + [products[m] for m in sorted(products, key=key)]:
            file.write(",".join(row) + "\n")
    (folder / "sessions.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


def read_back(folder):
    with open(folder / "products.csv", newline="", encoding="ascii") as file:
        products = {row[0]: row for row in csv.reader(file)}
    rows, session = [], 0
    for line in (folder / "sessions.txt").read_text(encoding="ascii").splitlines():
        country, *clicks = line.split(" ")
        if country == "@":
            date = [str(int(part)) for part in clicks[0].split("-")]
            continue
        session += 1
        for order, click in enumerate(clicks, 1):
            model, _, category = click.partition("/")
            product = products[model]
            rows.append(date + [str(order), country, str(session), category or product[1], model] + product[2:])
    return rows


OTTO_LETTERS = {"clicks": "c", "carts": "a", "orders": "o"}
OTTO_TYPES = {letter: name for name, letter in OTTO_LETTERS.items()}


def write_otto(sessions, path):
    lines = []
    for session in sessions:
        lines.append("@ %d" % session["session"])
        lines += ["%d %s %d" % (e["ts"], OTTO_LETTERS[e["type"]], e["aid"]) for e in session["events"]]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_otto(path):
    sessions = []
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.split(" ")
        if words[0] == "@":
            sessions.append({"session": int(words[1]), "events": []})
            continue
        event = {"aid": int(words[2]), "ts": int(words[0]), "type": OTTO_TYPES[words[1]]}
        sessions[-1]["events"].append(event)
    return sessions


def main():
    folder = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else ".")
    with open(sys.argv[2], encoding="ascii") as file:
        otto = [json.loads(line) for line in file]
    write_otto(otto, folder / "otto.txt")
    assert read_otto(folder / "otto.txt") == otto, "otto.txt does not say what the original says"
    header, rows = read_original(sys.argv[1])
    write(header, rows, folder)
    assert read_back(folder) == rows, "the converted files do not say what the original says"
    events = sum(len(session["events"]) for session in otto)
    print(f"{len(rows)} clicks and {events} events; the way back gives the same")


main()
