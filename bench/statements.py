"""The 280 conditions of the comparison, as one table: 200 windowed counts and sums, 40 funnels of three steps, 40 sequences with
a time gate. The plan of attune, the query of ClickHouse and the statements of Esper are all generated from it, so that all have
the same meaning.

    python3 bench/statements.py plan | values-plan | sql | epl     prints one of them
"""

import sys
from dataclasses import dataclass

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

BEGIN = 1_772_395_200_000  # 2026-03-01T20:00:00Z; in the evening, so that short windows at the end contain events
END = BEGIN + 30 * DAY

NAMES = ("page_viewed", "product_viewed", "search", "add_to_cart", "remove_from_cart", "checkout_started",
         "payment_info_entered", "purchase", "review", "wishlist_added", "coupon_applied", "product_shared")
PRICED = ("product_viewed", "add_to_cart", "remove_from_cart", "checkout_started", "purchase", "review", "wishlist_added",
          "product_shared")
WINDOWS = {10 * MINUTE: "10m", HOUR: "1h", 6 * HOUR: "6h", DAY: "1d", 3 * DAY: "3d", 7 * DAY: "7d", 14 * DAY: "14d",
           30 * DAY: "30d"}


def duration(ms):
    """`5m`, as attune writes it."""
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if ms % unit == 0:
            return f"{ms // unit}{letter}"
    return f"{ms}ms"


@dataclass(frozen=True)
class Filter:
    """A bound on a property, or none. All three languages write it the same way."""
    property: str = ""
    operator: str = ""
    literal: str = ""

    def attune(self):
        quoted = f'"{self.literal}"' if self.property == "category" else self.literal
        return f"{{{self.property} {self.operator} {quoted}}}" if self.property else ""

    def sql(self):
        quoted = f"'{self.literal}'" if self.property == "category" else self.literal
        return f" AND {self.property} {self.operator} {quoted}" if self.property else ""

    def epl(self):
        quoted = f"'{self.literal}'" if self.property == "category" else self.literal
        return f", {self.property} {self.operator} {quoted}" if self.property else ""


@dataclass(frozen=True)
class Aggregate:
    """`count`, `sum` of price or `distinct` of product_id over a window, against a bound."""
    id: str
    kind: str
    name: str
    filter: Filter
    window_ms: int
    least: float

    def attune_value(self):
        of = {"count": "", "sum": ".price", "distinct": ".product_id"}[self.kind]
        return f"{self.kind}({self.name}{self.filter.attune()}{of}[{duration(self.window_ms)}])"

    def attune(self):
        return f"{self.attune_value()} >= {self.least}"

    def sql_value(self):
        which = f"name = '{self.name}'{self.filter.sql()} AND time > {END - self.window_ms}"
        return {"count": f"countIf({which})", "sum": f"sumIf(price, {which})",
                "distinct": f"uniqExactIf(product_id, {which})"}[self.kind]

    def sql(self):
        return f"{self.sql_value()} >= {self.least}"

    def epl(self):
        value = {"count": "count(*)", "sum": "sum(price)", "distinct": "count(distinct productId)"}[self.kind]
        return (f"select user from Event(name = '{self.name}'{self.filter.epl()})#time({self.window_ms // 1000} sec) "
                f"group by user having {value} >= {self.least}")


@dataclass(frozen=True)
class Sequence:
    """Steps in their order within a window; `gates_ms[i]` bounds the time from step i to the next (0: no bound)."""
    id: str
    kind: str  # funnel or gate
    steps: tuple
    gates_ms: tuple
    window_ms: int

    def steps_attune(self):
        text = self.steps[0]
        for step, gate in zip(self.steps[1:], self.gates_ms):
            text += f" -> {step}" + (f" within {duration(gate)}" if gate else "")
        return text

    def attune(self):
        return f"sequence({self.steps_attune()})[{duration(self.window_ms)}]"

    def attune_value(self):
        return f"{'depth' if self.kind == 'funnel' else 'matches'}({self.steps_attune()})[{duration(self.window_ms)}]"

    def sql_call(self, function, clock="time", after=None):
        conditions = ", ".join(f"name = '{step}'" for step in self.steps)
        return f"{function}({clock}, {conditions}, time > {END - self.window_ms if after is None else after})"

    def pattern(self, unit_ms=1):
        text = "(?1)"
        for i, gate in enumerate(self.gates_ms, 2):
            text += f"(?t<={gate // unit_ms})(?{i})"
        return text

    def sql_value(self):
        if self.kind == "funnel":
            return self.sql_call(f"windowFunnelIf({self.window_ms})")
        return self.sql_call(f"sequenceCountIf('{self.pattern()}')")

    def sql(self):
        if self.kind == "funnel":
            return f"{self.sql_value()} >= {len(self.steps)}"
        return self.sql_call(f"sequenceMatchIf('{self.pattern()}')")

    def sql_from_first_step(self):
        """A funnel with windowFunnel's default meaning: its window begins at any first step of the history."""
        return f"{self.sql_call(f'windowFunnelIf({self.window_ms})', after=0)} >= {len(self.steps)}"

    def sql_in_seconds(self):
        """A gate over times truncated to seconds, as in a column of type DateTime."""
        return self.sql_call(f"sequenceMatchIf('{self.pattern(1000)}')", clock="intDiv(time, 1000)")

    def epl(self):
        """A run begins at each first step, and waits for the others at most for the window or the gate."""
        text = f"every e1=Event(name = '{self.steps[0]}') -> ("
        for i, (step, gate) in enumerate(zip(self.steps[1:], self.gates_ms), 2):
            event = f"e{i}=Event(name = '{step}', user = e1.user)"
            if gate:
                event = f"({event} where timer:within({gate // 1000} sec))"
            text += (" -> " if i > 2 else "") + event
        return f"select e1.user from pattern [{text}) where timer:within({self.window_ms // 1000} sec)]"


FILTERS = (("product_viewed", Filter("price", ">=", "50")), ("product_viewed", Filter("category", "=", "shoes")),
           ("add_to_cart", Filter("price", "<", "20")), ("add_to_cart", Filter("category", "=", "dresses")),
           ("purchase", Filter("price", ">=", "100")), ("wishlist_added", Filter("category", "!=", "shoes")))
FUNNELS = (("product_viewed", "add_to_cart", "purchase"), ("search", "product_viewed", "add_to_cart"),
           ("add_to_cart", "checkout_started", "purchase"), ("page_viewed", "search", "purchase"),
           ("product_viewed", "wishlist_added", "add_to_cart"), ("checkout_started", "payment_info_entered", "purchase"),
           ("add_to_cart", "coupon_applied", "checkout_started"), ("purchase", "review", "product_shared"),
           ("add_to_cart", "remove_from_cart", "add_to_cart"), ("search", "add_to_cart", "remove_from_cart"))
GATED = (("add_to_cart", "purchase"), ("search", "add_to_cart"), ("product_viewed", "wishlist_added"),
         ("checkout_started", "remove_from_cart"), ("purchase", "review"), ("page_viewed", "coupon_applied"),
         ("search", "product_viewed", "add_to_cart"), ("add_to_cart", "checkout_started", "purchase"),
         ("product_viewed", "product_shared", "purchase"), ("wishlist_added", "add_to_cart", "remove_from_cart"))


def aggregates():
    found = []

    def add(kind, name, window_ms, least, which=Filter()):
        found.append(Aggregate(f"{kind}_{len(found):03}", kind, name, which, window_ms, least))

    windows = list(WINDOWS)
    for n, name in enumerate(NAMES):
        for w, window in enumerate(windows):
            add("count", name, window, 2 + (n + w) % 4)
    for n, (name, which) in enumerate(FILTERS):
        for w, window in enumerate(windows[1::2]):
            add("count", name, window, 2 + (n + w) % 3, which)
    for n, name in enumerate(PRICED):
        for w, window in enumerate(windows):
            add("sum", name, window, 100 * (w + 1))
    for n, name in enumerate(("product_viewed", "add_to_cart", "purchase", "wishlist_added")):
        for w, window in enumerate(windows[1::2]):
            add("distinct", name, window, 2 + (n + w) % 3)
    return found


def sequences():
    found = [Sequence(f"funnel_{i * 4 + w:02}", "funnel", steps, (0, 0), window)
             for i, steps in enumerate(FUNNELS) for w, window in enumerate((HOUR, DAY, 7 * DAY, 30 * DAY))]
    for steps in GATED:
        for gate in (5 * MINUTE, HOUR):
            for window in (7 * DAY, 30 * DAY):
                found.append(Sequence(f"gate_{len(found) - 40:02}", "gate", steps, (gate,) * (len(steps) - 1), window))
    return found


STATEMENTS = tuple(aggregates() + sequences())


def plan(which=STATEMENTS):
    """The conditions as segments."""
    return "segments:\n" + "".join(f"  {s.id}: {{when: '{s.attune()}'}}\n" for s in which)


def values_plan(which=STATEMENTS):
    """The numbers behind the conditions, as metrics."""
    return "metrics:\n" + "".join(f"  {s.id}: '{s.attune_value()}'\n" for s in which)


def query(table, which=STATEMENTS, form="sql"):
    """One pass over all events: a row for each user with an answer for each statement. `form`: the method that writes it."""
    columns = ",\n  ".join(f"{getattr(s, form)()} AS {s.id}" for s in which)
    return f"SELECT user,\n  {columns}\nFROM {table}\nWHERE time <= {END}\nGROUP BY user"


def epl(which=STATEMENTS):
    return "".join(f"{s.id}\t{s.epl()}\n" for s in which)


FUNNEL_STATEMENTS = tuple(s for s in STATEMENTS if s.kind == "funnel")
GATE_STATEMENTS = tuple(s for s in STATEMENTS if s.kind == "gate")

assert len(STATEMENTS) == 280 and len({s.id for s in STATEMENTS}) == 280

if __name__ == "__main__":
    makers = {"plan": plan, "values-plan": values_plan, "sql": lambda: query("events"), "epl": epl}
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        sys.exit(__doc__.strip())
    print(makers[sys.argv[1]]())
