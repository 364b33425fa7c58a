"""The board: numbers by plan, then every module that is not simply PASS, with its reason."""
import collections
import datetime
import subprocess

from control import RIGHT, none_passed
from plans import PLANS
from verdict import WORDS

HEAD = """# Conformance

The OpenID Foundation's conformance suite plays the provider, zengate is the relying party, and a scripted browser is the
person. This page is written by `make conformance` (`tests/conformance/README.md`); do not edit it.

Suite {suite}, {gateway}, {date}.

"""


def render(results, control, suite, gateway):
    version = subprocess.run([gateway, "version"], capture_output=True, text=True).stdout.strip()
    lines = [HEAD.format(suite=f"`{suite}`", gateway=version, date=datetime.date.today().isoformat())]
    lines.append("| plan | modules | " + " | ".join(WORDS) + " |\n" + "|---" * (2 + len(WORDS)) + "|\n")
    for name, rows in results.items():
        count = collections.Counter(row["verdict"] for row in rows)
        lines.append(f"| {PLANS[name].title} | {len(rows)} | " + " | ".join(str(count[word] or "") for word in WORDS) + " |\n")
    lines.append("\n" + "\n".join(f"* **{word}**: {meaning}." for word, meaning in WORDS.items()) + "\n")
    lines.append("\n## Not PASS\n\n")
    shown = [(name, row) for name, rows in results.items() for row in rows if row["verdict"] != "PASS"]
    by_reason = collections.OrderedDict()
    for name, row in shown:
        reason = row.get("reason") or "; ".join(row.get("suite", [])[:1] + row["notes"][-1:])
        by_reason.setdefault((row["verdict"], reason.replace("|", "/")[:300]), []).append((PLANS[name].title, row["module"]))
    for (word, reason), where in by_reason.items():
        modules = sorted({module for _, module in where})
        plans = ", ".join(dict.fromkeys(title for title, _ in where))
        names = ", ".join(f"`{module}`" for module in modules) if len(modules) <= 3 else f"{len(where)} modules"
        lines.append(f"* **{word}**, {reason}: {names} ({plans})\n")
    if not shown:
        lines.append("Nothing.\n")
    if control:
        lines.append("\n## A relying party that checks nothing\n\nThe same suite, asked the same way: it must pass no module whose answer is wrong. "
                     + ("It does.\n\n" if none_passed(control) else "**It does not.**\n\n"))
        lines += [f"* `{module}`: {result}{' (as it should: nothing is wrong there)' if module == RIGHT else ''}\n" for module, result, _ in control]
    return "".join(lines)
