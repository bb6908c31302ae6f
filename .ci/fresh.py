"""On a fresh clone every exercise is red, each check says "not started yet", and no check is green.

A plain `cargo test` must grade the student's page, whatever else is in the workspace: Cargo unifies features, and if any
package asked for a lesson's reference answers, unwritten exercises would be graded green.
"""

import pathlib
import re
import subprocess
import sys
import tomllib


def main():
    common = tomllib.loads(pathlib.Path("lessons/support/grader/common.toml").read_text())
    everywhere = [check["name"] for check in common["check"]]
    expected = set()
    for sheet in sorted(pathlib.Path("lessons").glob("*/exercises.toml")):
        for exercise in tomllib.loads(sheet.read_text())["exercise"]:
            names = [check["name"] for check in exercise["check"]] + everywhere
            expected.update((exercise["id"], name) for name in names)
    assert expected, "no exercise was found"

    run = subprocess.run(
        ["cargo", "test", "--workspace", "--no-fail-fast", "--test", "exercises"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    output = run.stdout + run.stderr
    faults = []
    if run.returncode == 0:
        faults.append("cargo test ended well")
    results = re.findall(r"^test (\S+)::(\S+) +\.\.\. (\w+)$", output, re.MULTILINE)
    said = re.findall(r"^---- (\S+)::(\S+) ----\n(.*)$", output, re.MULTILINE)
    red = {(exercise, check) for exercise, check, result in results if result == "FAILED"}
    fresh = {
        (exercise, check)
        for exercise, check, line in said
        if line.startswith(f"{exercise}: not started yet. Write ") and "src/exercises.rs" in line
    }
    for exercise, check, result in results:
        if result != "FAILED":
            faults.append(f"{exercise}::{check} is {result}")
    for exercise, check in sorted(expected - red):
        faults.append(f"{exercise}::{check} is not red")
    for exercise, check in sorted(expected - fresh):
        faults.append(f"{exercise}::{check} does not say that it is not started yet, and where to write")
    if faults:
        sys.exit(output + "\n" + "\n".join(faults))
    exercises = len({exercise for exercise, _ in expected})
    print(f"{exercises} exercises, {len(red)} checks: all red, all not started yet")


main()
