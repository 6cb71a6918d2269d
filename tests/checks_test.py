#!/usr/bin/env python3
"""Shows that the checks of the sources find what they are for, and that cases are counted right."""

import pathlib
import subprocess
import sys
import tempfile
import unittest
from xml.sax.saxutils import quoteattr

TESTS = pathlib.Path(__file__).resolve().parent
TABLE = """
set(ATTUNE_MAY_INCLUDE_base   "")
set(ATTUNE_MAY_INCLUDE_event  base)
set(ATTUNE_MAY_INCLUDE_plan   base event)
"""


def run(script, *args, cwd):
    return subprocess.run([sys.executable, TESTS / script, *args], cwd=cwd, capture_output=True, text=True)


class Tree(unittest.TestCase):
    """A folder with files in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


class IncludeTable(Tree):
    def check(self, files, table=TABLE):
        self.write("cmake/modules.cmake", table)
        for path, text in files.items():
            self.write(path, text)
        return run("include_table.py", cwd=self.root)

    def test_takes_what_the_table_allows(self):
        result = self.check({"src/base/a.h": "#include <string>\n", "src/plan/b.cc": '#include "base/a.h"\n#include "plan/b.h"\n'})
        self.assertEqual((result.stdout, result.returncode), ("2 passed, 0 failed\n", 0))

    def test_finds_an_include_upwards(self):
        result = self.check({"src/base/a.h": '#include "plan/b.h"\n'})
        self.assertIn("src/base/a.h:1: base may not include plan", result.stdout)
        self.assertEqual(result.returncode, 1)

    def test_finds_a_library_in_two_modules(self):
        result = self.check({"src/base/a.h": "#include <simdjson.h>\n", "src/event/b.h": "\n#  include <simdjson.h>\n"})
        self.assertIn("src/event/b.h:2: simdjson is included in event, but base has it already", result.stdout)

    def test_finds_a_folder_without_a_row_and_a_circle(self):
        result = self.check({"src/util/a.h": ""}, TABLE + "set(ATTUNE_MAY_INCLUDE_x y)\nset(ATTUNE_MAY_INCLUDE_y x)\n")
        self.assertIn("util is not a module", result.stdout)
        self.assertIn("x is part of a circle", result.stdout)
        self.assertTrue(result.stdout.endswith("0 passed, 3 failed\n"))

    def test_of_src_only_tests_include_testing(self):
        table = TABLE + "set(ATTUNE_MAY_INCLUDE_oracle base)\n"
        files = {"testing/oracle/o.h": '#include "base/a.h"\n', "src/base/a_test.cc": '#include "oracle/o.h"\n'}
        self.assertEqual(self.check(files, table).stdout, "2 passed, 0 failed\n")
        result = self.check(files | {"src/base/a.h": '#include "oracle/o.h"\n', "testing/oracle/o.cc": '#include "plan/b.h"\n'}, table)
        self.assertIn("src/base/a.h:1: base may not include oracle", result.stdout)
        self.assertIn("testing/oracle/o.cc:1: oracle may not include plan", result.stdout)
        self.assertEqual(result.returncode, 1)

    def test_a_row_of_src_may_not_list_a_module_of_testing(self):
        table = TABLE.replace("base event)", "base event oracle)") + "set(ATTUNE_MAY_INCLUDE_oracle base)\n"
        result = self.check({"testing/oracle/o.h": "", "src/plan/b.cc": ""}, table)
        self.assertIn("cmake/modules.cmake: plan may not include oracle, of testing", result.stdout)
        self.assertEqual(result.returncode, 1)


class CountCases(Tree):
    # How googletest 1.12 writes the outcome of a case.
    OUTCOMES = {
        "passed": 'status="run" result="completed"/>',
        "failed": 'status="run" result="completed"><failure message="a.cc:5&#x0A;Failed"/></testcase>',
        "disabled": 'status="notrun" result="suppressed"/>',
        "skipped": 'status="run" result="skipped"><skipped message="a.cc:2&#x0A;there is no data"/></testcase>',
        "silent": 'status="run" result="skipped"><skipped message="a.cc:2&#x0A;"/></testcase>',
    }

    def report(self, tests, reports=None):
        """tests: (name, status, output); reports: name -> {case: outcome}. Gives the lines and the exit code."""
        cases = "".join(
            f'<testcase name="{name}" status="{status}">{"<failure/>" if status == "fail" else ""}'
            f"<system-out>{output}</system-out></testcase>" for name, status, output in tests)
        self.write("build/release/results/ctest.xml", f"<testsuite>{cases}</testsuite>")
        for name, outcomes in (reports or {}).items():
            suite = "".join(f"<testcase name={quoteattr(case)} {self.OUTCOMES[outcome]}" for case, outcome in outcomes.items())
            self.write(f"build/release/results/{name}.xml", f'<testsuites><testsuite name="S">{suite}</testsuite></testsuites>')
        result = run("count_cases.py", "release", cwd=self.root)
        return result.stdout.splitlines(), result.returncode

    def count(self, tests, reports=None):
        lines, code = self.report([(name, "run" if passed else "fail", output) for name, passed, output in tests], reports)
        return lines[-1], code

    def test_counts_cases_of_programs_and_scripts(self):
        counted = self.count([("a_test", True, ""), ("script", True, "fine\n7 passed, 0 failed\n"), ("plain", True, "")],
                             {"a_test": {"x": "passed", "y": "passed", "z": "skipped"}})
        self.assertEqual(counted, ("10 passed, 0 failed, 1 skipped", 0))

    def test_names_what_was_skipped_and_why(self):
        told = self.report([("a_test", "run", ""), ("script", "run", "skipped test_x: no data: none\nfine\n7 passed, 0 failed, 1 skipped\n")],
                           {"a_test": {"x": "passed", "z": "skipped"}})
        self.assertEqual(told, (["skipped (release): a_test S.z: there is no data", "skipped (release): script test_x: no data: none",
                                 "8 passed, 0 failed, 2 skipped"], 0))

    def test_a_case_skipped_without_a_reason_has_failed(self):
        self.assertEqual(self.count([("a_test", True, "")], {"a_test": {"x": "passed", "z": "silent"}}), ("1 passed, 1 failed", 1))
        for output in ("2 passed, 0 failed, 1 skipped\n", "skipped test_x:\n2 passed, 0 failed, 1 skipped\n"):
            self.assertEqual(self.count([("script", True, output)]), ("2 passed, 1 failed", 1))

    def test_a_disabled_case_has_failed(self):
        self.assertEqual(self.count([("a_test", True, "")], {"a_test": {"x": "passed", "z": "disabled"}}), ("1 passed, 1 failed", 1))

    def test_a_test_that_was_not_run_has_failed(self):
        told, code = self.report([("gone", "notrun", ""), ("off", "disabled", ""), ("script", "run", "7 passed, 0 failed\n")])
        self.assertEqual((told[-1], code), ("7 passed, 2 failed", 1))

    def test_counts_failures(self):
        counted = self.count([("a_test", False, ""), ("script", False, "7 passed, 2 failed\n"), ("plain", False, "")],
                             {"a_test": {"x": "passed", "y": "failed"}})
        self.assertEqual(counted, ("8 passed, 4 failed", 1))

    def test_a_crash_is_a_failure_even_without_a_report(self):
        self.assertEqual(self.count([("a_test", False, "")]), ("0 passed, 1 failed", 1))
        self.assertEqual(self.count([("b_test", False, "")], {"b_test": {"x": "passed"}}), ("1 passed, 1 failed", 1))

    def test_a_script_that_fails_after_it_counted_is_not_taken_at_its_word(self):
        self.assertEqual(self.count([("script", False, "7 passed, 0 failed\n")]), ("0 passed, 1 failed", 1))
        self.assertEqual(self.count([("script", True, "7 passed, 2 failed\n"), ("other", True, "")]), ("1 passed, 1 failed", 1))

    def test_a_run_that_did_not_end_is_a_failure(self):
        result = run("count_cases.py", "release", cwd=self.root)
        self.assertEqual((result.stdout.splitlines()[-1], result.returncode), ("0 passed, 1 failed", 1))

    def test_counts_the_cases_of_a_log(self):
        self.write("a.log", "skipped faults: they need root\n2 passed, 3 failed, 1 skipped\n")
        self.write("b.log", "1 passed, 0 failed\nand then it died\n")
        for logs, last, code in ((["a.log"], "2 passed, 3 failed, 1 skipped", 1), (["b.log"], "0 passed, 1 failed", 1),
                                 (["none.log"], "0 passed, 1 failed", 1), (["a.log", "none.log"], "2 passed, 4 failed, 1 skipped", 1)):
            result = run("count_cases.py", *logs, cwd=self.root)
            self.assertEqual((result.stdout.splitlines()[-1], result.returncode), (last, code), logs)

    def test_nothing_at_all_is_no_success(self):
        self.assertEqual(self.count([]), ("0 passed, 0 failed", 1))


if __name__ == "__main__":
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(tests)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)
