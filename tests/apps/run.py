#!/usr/bin/env python3
"""Real apps from their packages, each behind a gateway with the block of its page in docs/apps, signed in and used.

    run.py [APP …] [--gateway FILE] [--out FILE] [--list]

Everything is on loopback, on ports that the kernel chooses. Whatever is started is ended.
"""
import argparse
import importlib
import os
import pkgutil
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from kit.cache import Cache                              # noqa: E402
from kit.processes import end_on_signals                 # noqa: E402
import apps                                              # noqa: E402
from scene import Scene, Unavailable                     # noqa: E402
from stage import Stage                                  # noqa: E402


def known_apps():
    """Every module of `apps/`, by the name of its page."""
    names = sorted(module.name for module in pkgutil.iter_modules(apps.__path__))
    return {name.replace("_", "-"): importlib.import_module(f"apps.{name}") for name in names}


def try_app(name, module, stage, cache):
    """A word, what was seen, and what was not."""
    scene = Scene(name, stage, cache)
    try:
        module.use(scene)
        return ("FAIL" if scene.missed else "ok"), scene.seen, scene.missed
    except Unavailable as why:
        return "skipped", [], [f"its package cannot be had: {why}"]
    except Exception as error:
        with open(scene.directory / "trouble.txt", "w") as file:
            traceback.print_exc(file=file)
        return "FAIL", scene.seen, [*scene.missed, f"{type(error).__name__}: {error}"[:600]]
    finally:
        scene.end()


def table(board, known):
    rows = ["| app | result | done and seen | not seen |", "|---|---|---|---|"]
    for name, (word, seen, missed) in board.items():
        cells = [f"{known[name].PACKAGE}", word, "; ".join(seen), "; ".join(missed)]
        rows.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def main():
    end_on_signals()
    known = known_apps()
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("apps", nargs="*", metavar="APP", help=", ".join(known))
    arguments.add_argument("--gateway", default=os.environ.get("ZENGATE", str(ROOT / "target/debug/zengate")), help="built with the feature demo")
    arguments.add_argument("--out", default=str(ROOT / "target/apps.md"), help="where the table goes")
    arguments.add_argument("--list", action="store_true", help="the apps, and nothing else")
    asked = arguments.parse_args()
    if asked.list:
        for name, module in known.items():
            print(f"{name:20} {module.PACKAGE:50} {module.__doc__}")
        return 0
    wanted = asked.apps or list(known)
    if unknown := [name for name in wanted if name not in known]:
        arguments.error(f"no such app: {', '.join(unknown)}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zengate" / "apps"
    cache = Cache(home)
    stage = Stage(asked.gateway, home / "run")
    board = {}
    try:
        refused = stage.check_pages()
        for name, fault in refused.items():
            print(f"docs/apps/{name}.md: the gateway refuses the block: {' '.join(fault.split())}", flush=True)
        for name in wanted:
            began = time.monotonic()
            board[name] = word, seen, missed = try_app(name, known[name], stage, cache)
            print(f"{name:18} {word:8} {time.monotonic() - began:4.0f} s", flush=True)
            for what in seen:
                print(f"    seen      {what}", flush=True)
            for what in missed:
                print(f"    {'NOT SEEN' if word == 'FAIL' else 'because'}  {' '.join(what.split())}", flush=True)
    finally:
        stage.stop()
    text = table(board, known)
    Path(asked.out).parent.mkdir(exist_ok=True)
    Path(asked.out).write_text(text)
    words = [word for word, _, _ in board.values()]
    print(f"\n{words.count('ok')} of {len(words)} apps work, {words.count('skipped')} skipped; the table is in {asked.out}")
    return 1 if refused or "FAIL" in words else 0


if __name__ == "__main__":
    sys.exit(main())
