"""Runs the compiled tests and the lessons as an ordinary user without any privilege.

The programs have been compiled by now; they are only run, since the ordinary user may not be able to use Rust at all. So
tests that call Cargo stay out. (The workbook's test `machines` plays all experiments as nobody, and more.) Where this is no root, everything has been run without privilege already, and there is nothing to do.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NOBODY = 65534

# Tests that call Cargo: whole packages, and single ones. None of them is about what a user may do.
PACKAGES_OUT = {"workbook", "pages"}
TESTS_OUT = {"nobody_depends_on_a_lesson"}
DEADLINE = 600


def as_nobody(command, **more):
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], umask=0o022, stdin=subprocess.DEVNULL, **more
    )


def artifacts(*command):
    """What Cargo builds: package, kinds, name, whether it is a test, program."""
    build = ["cargo", *command, "--workspace", "--features", "solutions", "--quiet", "--message-format=json"]
    output = subprocess.run(build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True).stdout
    for message in map(json.loads, output.splitlines()):
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            target = message["target"]
            package = pathlib.Path(message["manifest_path"]).parent
            yield package, target["kind"], target["name"], message["profile"]["test"], message["executable"]


def compiled():
    """The lessons and the tests: package, name, program."""
    for package, _, name, _, program in artifacts("build", "--bins"):
        if package.parent.name == "lessons":
            yield package, name, program
    for package, kinds, name, is_test, program in artifacts("test", "--no-run"):
        if is_test and "bench" not in kinds and package.name not in PACKAGES_OUT:
            yield package, name, program


def main():
    if sys.argv[1:2] == ["--can-read"]:
        sys.exit(as_nobody(["test", "-r", sys.argv[2]]).returncode)
    if os.geteuid() != 0:
        print("this is no root: everything before this has been run without privilege")
        return
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, NOBODY, NOBODY)
        env = {"HOME": home, "TMPDIR": home, "PATH": os.environ["PATH"], "OBSERVER_STRACE": "insist"}
        faults, count, out = [], 0, set(TESTS_OUT)
        for package, name, program in compiled():
            if name in TESTS_OUT:
                out.discard(name)
                continue
            begin = time.monotonic()
            env["CARGO_MANIFEST_DIR"] = str(package)
            run = as_nobody(
                [program],
                cwd=package,
                env=env,
                timeout=DEADLINE,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            count += 1
            lines = run.stdout.strip().splitlines() or [""]
            result = next((line for line in reversed(lines) if line.startswith("test result: ")), f"status {run.returncode}")
            print(f"{package.name} {name}: {result} ({time.monotonic() - begin:.1f} s)", flush=True)
            if run.returncode != 0:
                faults.append(f"--- {package.name} {name}\n{run.stdout}")
        if count < 5:
            faults.append(f"only {count} programs were found")
        if out:
            faults.append(f"there is no test {out} any more: take it out of TESTS_OUT in .ci/unprivileged.py")
        left = os.listdir(home)
        if left:
            faults.append(f"files were left behind: {left}")
    if faults:
        sys.exit("\n".join(faults))


main()
