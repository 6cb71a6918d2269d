"""The data that tests read: tests/data, and data sets that may not be redistributed (see tests/data/README.md)."""

import io
import lzma
import os
import pathlib
import tarfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"


def content(name):
    """The bytes of tests/data/NAME.xz."""
    return lzma.decompress((DATA / f"{name}.xz").read_bytes())


def archive(name):
    """The files of tests/data/NAME.tar.xz: their bytes by name, sorted by name."""
    with tarfile.open(fileobj=io.BytesIO(content(f"{name}.tar"))) as members:
        files = {member.name: members.extractfile(member).read() for member in members if member.isfile()}
    return dict(sorted(files.items()))


def withheld():
    """Why a data set may not be redistributed, by the name of its folder."""
    lines = (DATA / "withheld.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def data_set(name):
    """The folder of a data set. Skips the running case if it may not be redistributed and is not on this machine."""
    reason = withheld().get(name)
    if reason is None:
        return DATA / name
    told = os.environ.get("ATTUNE_SHARED")
    folder = pathlib.Path(told or ROOT.parent / "shared") / "data" / name
    if not folder.is_dir():
        if told:
            raise FileNotFoundError(f"ATTUNE_SHARED has no data set {name}: {folder}")
        raise unittest.SkipTest(f"the data set {name} is not part of the project ({reason}) and not in ../shared; see tests/data/README.md")
    return folder
