#!/usr/bin/env python3
"""Holds tests/data to its rules: only compressed data, each folder with its attribution, nothing that may not be redistributed.
Shows that a case is skipped only for want of a data set that is not part of the project."""

import contextlib
import io
import lzma
import os
import re
import sys
import tarfile
import unittest

import data_files
from data_files import DATA, ROOT
from harness import expect, folder, main, same

LICENCES = ("MIT", "Apache-2.0", "Creative Commons Attribution 4.0 International (CC BY 4.0)")


def folders():
    return sorted(path.name for path in DATA.iterdir() if path.is_dir())


def files():
    return sorted(path for path in DATA.rglob("*") if path.is_file())


def test_everything_is_compressed_and_whole():
    for path in files():
        if path.suffix == ".xz":
            content = lzma.decompress(path.read_bytes())
            if path.suffixes[-2:] == [".tar", ".xz"]:
                with tarfile.open(fileobj=io.BytesIO(content)) as members:
                    for member in members:
                        expect(member.isfile() and re.fullmatch(r"[^/]{1,99}", member.name), path, member.name)
        else:
            expect(path.name in ("README.md", "ATTRIBUTION.md", "LICENSE", "withheld.txt"), "not compressed:", path)


def test_each_folder_has_its_attribution():
    for name in folders():
        text = (DATA / name / "ATTRIBUTION.md").read_text()
        fields = dict(re.findall(r"^- (Source|Authors|Licence|Changes): (\S.*)", text, re.MULTILINE))
        same(sorted(fields), ["Authors", "Changes", "Licence", "Source"], name)
        licence = next((licence for licence in LICENCES if fields["Licence"].startswith(licence)), None)
        expect(licence, name, "unknown licence:", fields["Licence"])
        # The MIT licence asks for its text in every copy; the project's own LICENSE is the text of Apache-2.0.
        same((DATA / name / "LICENSE").exists(), licence == "MIT", f"{name}/LICENSE")


def test_the_table_lists_each_folder_and_who_reads_it():
    rows = re.findall(r"^\| `(.+)/` \|.*\| (.+) \|$", (DATA / "README.md").read_text(), re.MULTILINE)
    same(sorted(name for name, _ in rows), folders())
    for name, readers in rows:
        for reader in re.findall(r"`(.+?)`", readers):
            expect(name in (ROOT / reader).read_text(), reader, "does not read", name)


def test_nothing_withheld_is_part_of_the_project():
    same(set(data_files.withheld()) & set(folders()), set())
    same(sorted(data_files.withheld()), ["cdnow", "hillstrom_email", "rees46_oct2019_head"])


def test_the_access_log_has_no_real_addresses():
    lines = data_files.content("web_logs/apache_logs.log").decode("utf-8", "replace").splitlines()
    same(len(lines), 10000, "lines")
    addresses = {line.split()[0] for line in lines}
    same([address for address in addresses if not address.startswith("10.")], [])
    same(len(addresses), 1753, "addresses")
    # In a path or a referrer, four numbers with dots would be an address; in the name of a browser they are a version.
    for line in lines:
        found = re.findall(r"[=/@](\d{1,3}(?:\.\d{1,3}){3})(?![\w.])", line.rpartition('" "')[0])
        expect(all(address.startswith("10.") for address in found), line)


@contextlib.contextmanager
def shared(path):
    before = os.environ.pop("ATTUNE_SHARED", None)
    if path is not None:
        os.environ["ATTUNE_SHARED"] = str(path)
    try:
        yield
    finally:
        os.environ.pop("ATTUNE_SHARED", None)
        if before is not None:
            os.environ["ATTUNE_SHARED"] = before


def outcome(name):
    try:
        return data_files.data_set(name)
    except (OSError, unittest.SkipTest) as problem_found:
        return type(problem_found)


def test_only_what_is_withheld_is_skipped():
    with folder() as path:
        (path / "data/cdnow").mkdir(parents=True)
        with shared(path):
            same(outcome("msweb"), DATA / "msweb")
            same(outcome("cdnow"), path / "data/cdnow")
            same(outcome("hillstrom_email"), FileNotFoundError)  # whoever names a folder means it
        beside = ROOT.parent / "shared/data/cdnow"
        for nothing in (None, ""):
            with shared(nothing):
                same(outcome("msweb"), DATA / "msweb")
                same(outcome("cdnow"), beside if beside.is_dir() else unittest.SkipTest)


def test_what_is_missing_from_the_project_is_a_failure():
    for read in (data_files.content, data_files.archive):
        try:
            read("blns/none")
        except FileNotFoundError:
            continue
        expect(False, read.__name__, "does not fail")


if __name__ == "__main__":
    sys.exit(main(globals()))
