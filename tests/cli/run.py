#!/usr/bin/env python3
"""The tests of the program as a whole: tests/cli/run.py build/release/fude [--tests FOLDER] [-k PATTERN]

With GTEST_OUTPUT=xml:FOLDER/ in the environment it
writes FOLDER/cli_test.xml (by the name of the tests' folder) like the other test programs, so that
scripts/test.sh counts each case.
"""

import argparse
import os
import pathlib
import sys
import time
import unittest
from xml.sax.saxutils import quoteattr

HERE = pathlib.Path(__file__).resolve().parent


class Recorder(unittest.TextTestResult):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        skipped = any(test is t for t, _ in self.skipped)
        self.cases.append((test.id(), "skipped" if skipped else "completed", time.monotonic() - self.began))
        super().stopTest(test)

    def write(self, path):
        bad = len(self.failures) + len(self.errors)
        with open(path, "w") as file:
            file.write(f'<testsuites tests="{len(self.cases)}" failures="{bad}">\n')
            for name, result, seconds in self.cases:
                file.write(f'<testcase name={quoteattr(name)} status="run" result="{result}" time="{seconds:.3f}"/>\n')
            file.write("</testsuites>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath, help="build/release/fude")
    parser.add_argument("--tests", type=pathlib.Path, default=HERE, metavar="FOLDER", help="another folder, whose tests use this one's harness")
    parser.add_argument("-k", action="append", metavar="PATTERN", help="only tests whose name contains this; again for more")
    arguments = parser.parse_args()
    os.environ["FUDE_PROGRAM"] = arguments.program
    sys.path.insert(0, str(HERE))
    tests = arguments.tests.resolve()
    loader = unittest.TestLoader()
    if arguments.k:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in arguments.k]
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(loader.discover(str(tests), "*_test.py"))
    output = os.environ.get("GTEST_OUTPUT", "")
    if output.startswith("xml:"):
        result.write(os.path.join(output[4:], f"{tests.name}_test.xml"))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
