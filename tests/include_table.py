#!/usr/bin/env python3
"""Holds the sources to the include table of cmake/modules.cmake: include_table.py [ROOT]

A file of module m includes files of m itself and of the modules that the table lists for m. A module is a folder below src,
testing or bench, or a room within one (engine/state): the longest name of the table that the file's path begins with. Modules
of testing may include those of src; of src, only tests may include those of testing.
A third-party library is included in one module only, so that exchanging it touches that module alone; tests may use others' to
make their inputs. The table
has no circles. Prints each offence as file:line: message, then `N passed, M failed`, a case being a file.
"""

import pathlib
import re
import sys

# By how an include begins. Those that any module may include: xxhash, fmt, absl, and gtest in tests.
LIBRARIES = {
    "boost/": "boost", "simdjson": "simdjson", "rocksdb/": "rocksdb", "yaml-cpp/": "yaml-cpp", "re2/": "re2", "CLI/": "CLI",
    "date/": "date", "zlib.h": "zlib", "zstd": "zstd", "openssl/": "openssl", "nlohmann/": "nlohmann", "lzma": "lzma",
}
# The oracle shares no code with what it judges, so it asks these libraries itself; nor do the data files with the reading
# of histories, nor the compressor with what undoes its work. The simulator is a program of its own.
INDEPENDENT = {"data_files": {"lzma"}, "compressor": {"lzma", "zlib", "zstd"}, "oracle": {"re2", "date"}, "simulator": {"CLI"}}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
TABLE_LINE = re.compile(r'set\(ATTUNE_MAY_INCLUDE_([\w/]+)\s*([^)]*)\)')
LIST_LINE = re.compile(r'set\(([A-Z]+)\s+([^)]*)\)')  # a list that lines of the table name as ${NAME}
TOPS = ("src", "testing", "bench")


def read_table(path):
    text = path.read_text()
    for name, rest in LIST_LINE.findall(text):
        text = text.replace(f"${{{name}}}", rest)
    return {module: set(rest.replace('"', "").split()) for module, rest in TABLE_LINE.findall(text)}


def module_of(parts, table):
    """The module of a file below src or the like; None: the table has none."""
    for length in range(len(parts) - 1, 0, -1):
        if (name := "/".join(parts[:length])) in table:
            return name
    return None


def circles(table):
    """The modules that lie in a circle, or lead into one."""
    left = {module: set(included) for module, included in table.items()}
    while free := [module for module, included in left.items() if not included & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def includes_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match[1], match[2]


def library_of(name):
    return next((library for start, library in LIBRARIES.items() if name.startswith(start)), None)


def is_test(path):
    return path.name.endswith(("_test.cc", "_testing.h"))


def offences_of(path, source, module, table, testing, homes):
    """Yields (line, message). `testing` has the modules of that folder; `homes` remembers, for each library, the first file
    that included it."""
    for line, kind, name in includes_of(path):
        if kind == '"':
            target = module_of(name.split("/"), table)
            if "/" not in name:
                yield line, f'"{name}" is included without its module; write "{module}/{name}"'
            elif target is None:
                yield line, f'"{name}" belongs to no module of the table'
            elif target in testing and is_test(path):
                continue
            elif target != module and target not in table[module]:
                yield line, f"{module} may not include {target} (see cmake/modules.cmake)"
            continue
        if name.startswith("gtest/") and not is_test(path):
            yield line, "googletest is for tests alone"
        library = library_of(name)
        if not library or is_test(path) or library in INDEPENDENT.get(module, ()):
            continue
        home_module, home = homes.setdefault(library, (module, source))
        if home_module != module:
            yield line, f"{library} is included in {module}, but {home_module} has it already ({home})"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    table = read_table(root / "cmake/modules.cmake")
    passed = failed = 0
    for module in circles(table):
        print(f"cmake/modules.cmake: {module} is part of a circle")
        failed += 1
    testing = {path.name for path in (root / "testing").glob("*") if path.is_dir()}
    for module, included in table.items():
        if module not in testing and included & testing:
            print(f"cmake/modules.cmake: {module} may not include {' '.join(sorted(included & testing))}, of testing")
            failed += 1
    homes = {}
    for path in [path for top in TOPS for path in sorted((root / top).rglob("*"))]:
        if path.suffix not in (".h", ".cc"):
            continue
        source = path.relative_to(root)
        if module := module_of(source.parts[1:], table):
            offences = list(offences_of(path, source, module, table, testing, homes))
        else:
            offences = [(1, f"{source.parts[1]} is not a module of cmake/modules.cmake")]
        for line, message in offences:
            print(f"{source}:{line}: {message}")
        failed += bool(offences)
        passed += not offences
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
