#!/usr/bin/env python3
"""Writes the events of a shop over 30 days, as NDJSON in the form that Segment's libraries send, ordered by time. They are
determined by a seed: every run with the same numpy writes the same file.

    bench/events.py FILE [--events 10000000] [--users 500000] [--seed 1]

Every user visits at least once. The other visits are distributed by Zipf's law (weights 1 / (rank + 1000), so that the most active
user has some hundreds of visits instead of a tenth of all). More visits begin in the evening than at night. A visit is a random walk
over twelve event names, mostly forward from viewing to buying. Its events are seconds to minutes apart. One event in 500 has the same
millisecond as the previous one, as when a client sends two at once.
"""

import argparse
import time

import numpy as np
from statements import BEGIN, DAY, HOUR, NAMES, PRICED

MEAN_VISIT = 8
LONGEST_VISIT = 60
PRODUCTS = 2000
CATEGORIES = ("shoes", "dresses", "bags", "shirts", "hats")
BY_HOUR = np.array([3, 2, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 8, 7, 7, 7, 7, 8, 9, 10, 11, 10, 8, 5], float)

# Weights of the next event's name, given the previous name.
NEXT = {
    "page_viewed": {"page_viewed": 30, "product_viewed": 40, "search": 25, "coupon_applied": 2, "review": 1},
    "product_viewed": {"product_viewed": 35, "page_viewed": 20, "add_to_cart": 20, "search": 15, "wishlist_added": 6,
                       "product_shared": 2, "review": 2},
    "search": {"product_viewed": 65, "search": 20, "page_viewed": 15},
    "add_to_cart": {"product_viewed": 40, "checkout_started": 25, "add_to_cart": 12, "remove_from_cart": 12, "page_viewed": 7,
                    "coupon_applied": 4},
    "remove_from_cart": {"product_viewed": 50, "page_viewed": 30, "add_to_cart": 20},
    "checkout_started": {"payment_info_entered": 55, "coupon_applied": 12, "remove_from_cart": 10, "page_viewed": 23},
    "payment_info_entered": {"purchase": 75, "page_viewed": 15, "checkout_started": 10},
    "purchase": {"page_viewed": 60, "review": 15, "product_shared": 10, "product_viewed": 15},
    "review": {"page_viewed": 60, "product_shared": 15, "product_viewed": 25},
    "wishlist_added": {"product_viewed": 70, "add_to_cart": 15, "page_viewed": 15},
    "coupon_applied": {"checkout_started": 55, "page_viewed": 30, "remove_from_cart": 15},
    "product_shared": {"product_viewed": 60, "page_viewed": 40},
}


def zipf(random, count, ranks, shift):
    """Ranks from 0, each with a weight of 1 / (rank + shift)."""
    below = np.cumsum(1 / (np.arange(ranks) + shift))
    return np.searchsorted(below, random.random(count) * below[-1])


def make(events, users, seed):
    """Users, names, products (numbers) and times (ms), in the order of time."""
    random = np.random.Generator(np.random.PCG64(seed))
    visits = max(users, events // MEAN_VISIT)
    mean = events / visits
    length = np.minimum(random.geometric(1 / mean, visits), LONGEST_VISIT)
    while (missing := events - int(length.sum())) > 0:  # add the events that limits and chance removed
        length[random.choice(visits, min(missing, visits), replace=False)] += 1
    while (surplus := int(length.sum()) - events) > 0:
        long = np.flatnonzero(length > 1)
        length[random.choice(long, min(surplus, len(long)), replace=False)] -= 1

    user = np.concatenate([np.arange(users), zipf(random, visits - users, users, 1000)])
    user = random.permutation(users)[user]  # so that names do not show who is active
    hour_of_day = np.searchsorted(np.cumsum(BY_HOUR) / BY_HOUR.sum(), random.random(visits))
    since_midnight = random.integers(0, 30, visits) * DAY + hour_of_day * HOUR + random.integers(0, HOUR, visits)
    begins = since_midnight - BEGIN % DAY

    below = np.cumsum([[NEXT[a].get(b, 0) for b in NAMES] for a in NAMES], axis=1).astype(float)
    below /= below[:, -1:]
    name = np.zeros(visits, np.int8)
    at = begins.copy()
    parts = []
    for step in range(int(length.max())):
        going = np.flatnonzero(length > step)
        if step > 0:
            name[going] = (below[name[going]] < random.random(len(going))[:, None]).sum(axis=1)
            gap = np.minimum(random.lognormal(np.log(20_000), 1.2, len(going)), 15 * 60_000).astype(np.int64)
            at[going] += np.where(random.random(len(going)) < 0.002, 0, gap)
        parts.append((user[going], name[going].copy(), zipf(random, len(going), PRODUCTS, 20), at[going].copy()))
    user, name, product, at = (np.concatenate(column) for column in zip(*parts))
    at = BEGIN + at % (30 * DAY)
    order = np.argsort(at, kind="stable")
    return user[order], name[order], product[order], at[order]


def product_text(number):
    cents = 99 + (number * 7919) % 15_000
    return f'"product_id":"P{number:04}","price":{cents / 100},"category":"{CATEGORIES[number % len(CATEGORIES)]}"'


def write(out, user, name, product, at, chunk=200_000):
    products = [product_text(i) for i in range(PRODUCTS)]
    heads = [f'{{"type":"track","event":"{n}","userId":"user-' for n in NAMES]
    priced = [n in PRICED for n in NAMES]
    for first in range(0, len(at), chunk):
        part = slice(first, first + chunk)
        times = np.datetime_as_string(at[part].astype("datetime64[ms]")).tolist()
        rows = zip(range(first, first + chunk), user[part].tolist(), name[part].tolist(), product[part].tolist(), times)
        out.write("".join(
            f'{heads[n]}{u:07}","messageId":"m-{i}","timestamp":"{t}Z","properties":{{'
            f'{products[p] if priced[n] else f"{chr(34)}path{chr(34)}:{chr(34)}/p/{p}{chr(34)}"}}}}}\n' for i, u, n, p, t in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, help="default: a twentieth of the events")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    users = options.users or max(1, options.events // 20)
    began = time.monotonic()
    columns = make(options.events, users, options.seed)
    with open(options.file, "w", encoding="ascii") as out:
        write(out, *columns)
    print(f"{options.events} events of {users} users in {options.file}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
