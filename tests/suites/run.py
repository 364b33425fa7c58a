#!/usr/bin/env python3
"""Suites and clients that others wrote, run against the gateway: `make suites`.

    run.py [SUITE …] [--gateway FILE] [--write FILE] [--list]

Everything is on loopback, on ports that the kernel chooses. Whatever is started is ended.
"""
import argparse
import datetime
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from kit.cache import Cache                              # noqa: E402
from kit.gateway import UnknownKey                       # noqa: E402
from kit.processes import end_on_signals                 # noqa: E402
import suites                                            # noqa: E402
from bench import Bench, Unavailable                     # noqa: E402

SHOWN = 40                                               # of what one row did not pass
HEAD = """# Suites

Suites and clients that others wrote, run against the gateway. This page is written by `make suites`; do not edit it.

{gateway}, {date}.

| suite | what ran | passed | of | not passed |
|---|---|---|---|---|
"""


def known_suites():
    return {name.replace("_", "-"): importlib.import_module(f"suites.{name}") for name in sorted(module.name for module in pkgutil.iter_modules(suites.__path__))}


def try_suite(name, module, binary, cache, directory):
    """The rows of a suite, and why there are none."""
    shutil.rmtree(directory, ignore_errors=True)
    bench = Bench(name, binary, cache, directory)
    try:
        module.run(bench)
    except Unavailable as why:
        bench.skip(f"it cannot be had: {why}")
    except UnknownKey as why:
        bench.skip(f"no such key yet: {why}")
    except Exception as error:
        with open(directory / "trouble.txt", "w") as file:
            traceback.print_exc(file=file)
        bench.row("the suite ran", 0, 1, [f"{type(error).__name__}: {error}"[:400]])
    finally:
        bench.end()
    return bench


def explained(module, failure):
    """Why this cannot be otherwise, if that is so."""
    return next((why for part, why in getattr(module, "EXPLAINED", {}).items() if part in failure), None)


def page(board, known, binary):
    version = subprocess.run([binary, "version"], capture_output=True, text=True).stdout.strip()
    lines = [HEAD.format(gateway=version, date=datetime.date.today().isoformat())]
    for name, bench in board.items():
        for what, passed, of, failed in bench.rows:
            lines.append(f"| {known[name].TITLE} | {what} | {passed} | {of} | {len(failed) or ''} |\n")
        for why in bench.skipped:
            lines.append(f"| {known[name].TITLE} | not run: {why} | | | |\n")
    for name, bench in board.items():
        lines.append(f"\n## {known[name].TITLE}\n\n{known[name].ABOUT.strip()}\n")
        told = [f"* {what}: {explained(known[name], one) or ' '.join(one.split())}\n" for what, _, _, failed in bench.rows for one in failed[:SHOWN]]
        if told:
            lines.append("\nNot passed:\n\n" + "".join(told))
    return "".join(lines)


def main():
    end_on_signals()
    known = known_suites()
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(known))
    arguments.add_argument("--gateway", default=os.environ.get("ZENGATE", str(ROOT / "target/debug/zengate")))
    arguments.add_argument("--write", default=str(ROOT / "target/suites.md"), help="where the page goes")
    arguments.add_argument("--list", action="store_true", help="the suites, and nothing else")
    asked = arguments.parse_args()
    if asked.list:
        for name, module in known.items():
            print(f"{name:12} {module.TITLE}")
        return 0
    wanted = asked.suites or list(known)
    if unknown := [name for name in wanted if name not in known]:
        arguments.error(f"no such suite: {', '.join(unknown)}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zengate" / "suites"
    cache, board = Cache(home), {}
    for name in wanted:
        began = time.monotonic()
        board[name] = bench = try_suite(name, known[name], asked.gateway, cache, home / "run" / name)
        print(f"{name}, {time.monotonic() - began:.0f} s", flush=True)
        for what, passed, of, failed in bench.rows:
            print(f"    {passed:4} of {of:<4} {what}", flush=True)
            for one in failed[:SHOWN]:
                print(f"        {'explained' if explained(known[name], one) else 'NOT PASSED'}  {' '.join(one.split())}", flush=True)
        for why in bench.skipped:
            print(f"    not run: {why}", flush=True)
    Path(asked.write).parent.mkdir(exist_ok=True)
    Path(asked.write).write_text(page(board, known, asked.gateway))
    print(f"the page is in {asked.write}")
    return 1 if any(not explained(known[name], one) for name, bench in board.items() for _, _, _, failed in bench.rows for one in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
