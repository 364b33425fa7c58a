"""The board: numbers by plan, then every module that is not simply PASS, with its reason."""
import collections
import datetime
import subprocess

from control import RIGHT, all_failed
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
        by_reason.setdefault((row["verdict"], row["module"], reason.replace("|", "/")), []).append(PLANS[name].title)
    for (word, module, reason), plans in by_reason.items():
        lines.append(f"* `{module}` ({'; '.join(plans)}): **{word}**, {reason[:300]}\n")
    if not shown:
        lines.append("Nothing.\n")
    if control:
        lines.append("\n## A relying party that checks nothing\n\nThe same suite, asked the same way: it must fail every module whose answer is wrong. "
                     + ("It does.\n\n" if all_failed(control) else "**It does not.**\n\n"))
        lines += [f"* `{module}`: {result}{' (as it should: nothing is wrong there)' if module == RIGHT else ''}\n" for module, result, _ in control]
    return "".join(lines)
