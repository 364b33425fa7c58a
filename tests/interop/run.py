#!/usr/bin/env python3
"""Signs people in at OpenID providers that others wrote, and prints a table of what works.

    run.py [PROVIDER …] [--features a,b] [--gateway FILE] [--out FILE] [--list]

Everything is on loopback, on ports that the kernel chooses. Whatever is started is ended.
"""
import argparse
import importlib
import json
import os
import pkgutil
import shutil
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from kit.app import App                                  # noqa: E402
from kit.cache import Cache                              # noqa: E402
from kit.gateway import UnknownKey                       # noqa: E402
from kit.processes import Failed, PortTaken, end_on_signals   # noqa: E402
import features as all_features                          # noqa: E402
import providers                                         # noqa: E402
from provider import Unsupported                         # noqa: E402
from scene import Scene                                  # noqa: E402
import table                                             # noqa: E402


def known_providers():
    """Every module of `providers/`, by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(providers.__path__))
    return {name: importlib.import_module(f"providers.{name}").PROVIDER for name in names}


def try_feature(feature, provider, binary, app, directory, again=True):
    """One cell of the table: a word and what was seen."""
    scene = Scene(provider, binary, app, directory)
    try:
        note = feature(scene)
        return "ok", note or ""
    except Unsupported as why:
        return "-", str(why)
    except UnknownKey as why:
        return "missing", f"no such key yet: {why}"
    except PortTaken as why:
        taken = str(why)
    except Failed as why:
        return "FAIL", str(why)
    except Exception as error:                           # the suite's own trouble is told as such
        with open(directory / "trouble.txt", "w") as file:
            traceback.print_exc(file=file)
        return "TROUBLE", f"{type(error).__name__}: {error}"
    finally:
        scene.end()
    return try_feature(feature, provider, binary, app, directory, False) if again else ("TROUBLE", taken)


def try_provider(kind, names, binary, app, cache, base):
    rows = {}
    directory = base / kind.name
    shutil.rmtree(directory, ignore_errors=True)
    provider = kind(cache, directory)
    try:
        began = time.monotonic()
        provider.installed().start()
        print(f"{kind.name}: {provider.package}, up after {time.monotonic() - began:.0f} s at {provider.issuer}", flush=True)
    except Exception as error:
        provider.stop()
        with open(directory / "trouble.txt", "w") as file:
            traceback.print_exc(file=file)
        print(f"{kind.name}: did not start: {error}", flush=True)
        return {"start": ("TROUBLE", str(error))}
    try:
        for feature in all_features.FEATURES:
            if names and feature.__name__ not in names:
                continue
            where = directory / feature.__name__
            where.mkdir(parents=True, exist_ok=True)
            word, note = try_feature(feature, provider, binary, app, where)
            rows[feature.__name__] = (word, note)
            print(f"{kind.name:22} {word:8} {feature.__name__:20} {' '.join(note.split())[:400]}", flush=True)
    finally:
        provider.stop()
    return rows


def main():
    end_on_signals()
    known = known_providers()
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("providers", nargs="*", metavar="PROVIDER", help=", ".join(known))
    arguments.add_argument("--features", default="", help="only these, by name, with commas between")
    arguments.add_argument("--gateway", default=os.environ.get("ZENGATE", str(ROOT / "target/debug/zengate")))
    arguments.add_argument("--out", default=str(ROOT / "target/interop.md"), help="where the table goes")
    arguments.add_argument("--jobs", type=int, default=2, help="how many providers at once")
    arguments.add_argument("--list", action="store_true", help="providers and features, and nothing else")
    asked = arguments.parse_args()
    if asked.list:
        for name, kind in known.items():
            print(f"{name:24} {kind.package}")
        for feature in all_features.FEATURES:
            print(f"   {feature.__name__:20} {feature.__doc__}")
        return 0
    wanted = asked.providers or list(known)
    if unknown := [name for name in wanted if name not in known]:
        arguments.error(f"no such provider: {', '.join(unknown)}")
    names = set(filter(None, asked.features.split(",")))
    app, cache = App(), Cache(os.environ.get("ZENGATE_INTEROP_CACHE") or ROOT / "target" / "interop")
    base = cache.path / "run"
    for name in wanted:
        known[name].name = known[name].name or name
    with ThreadPoolExecutor(asked.jobs) as pool:
        rows = dict(zip(wanted, pool.map(lambda name: try_provider(known[name], names, asked.gateway, app, cache, base), wanted)))
    board = {name: (known[name].package, rows[name]) for name in wanted}
    (base / "board.json").write_text(json.dumps(board, indent=1))
    text = table.render(board, all_features.FEATURES, asked.gateway)
    Path(asked.out).write_text(text)
    print(text)
    return 1 if any(word in ("FAIL", "TROUBLE") for _, rows in board.values() for word, _ in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
