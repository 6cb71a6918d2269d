"""A fault: a case with its number, what is done to the server, and its figures for the report."""

import dataclasses
import os
import typing

KILLS = int(os.environ.get("ATTUNE_KILLS", "50"))    # of the faults that kill; the nightly run says 500
STRIDE = int(os.environ.get("ATTUNE_STRIDE", "1"))   # of the faults that go through every byte or call: each so-many-th


@dataclasses.dataclass
class Fault:
    number: str
    injection: str
    short: bool       # is part of the selection that runs with all tests: no root, a few seconds
    on_request: bool  # runs only when it is named
    case: typing.Callable

    @property
    def name(self):
        return self.case.__name__


FAULTS = []


def fault(number, injection, short=False, on_request=False):
    """The case takes a folder, and gives figures by name."""
    def add(case):
        FAULTS.append(Fault(number, injection, short, on_request, case))
        return case
    return add
