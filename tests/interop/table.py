"""The table: a row a provider, a column a feature, and below it a reason for whatever is not ok."""
import datetime
import subprocess

WORDS = {
    "ok": "works",
    "FAIL": "does not work, though the provider does nothing wrong",
    "missing": "the gateway has no such feature",
    "-": "the provider has no such thing, or is not set up for it",
    "TROUBLE": "this suite could not try it",
}


def render(board, features, gateway):
    version = subprocess.run([gateway, "version"], capture_output=True, text=True).stdout.strip()
    used = [feature for feature in features if any(feature.__name__ in rows for _, rows in board.values())]
    lines = [f"# Interoperability, {datetime.date.today().isoformat()}, {version}", "",
             " · ".join(f"`{word}` {meaning}" for word, meaning in WORDS.items()), "",
             "| feature | " + " | ".join(board) + " |", "|---" * (len(board) + 1) + "|"]
    for feature in used:
        cells = [rows.get(feature.__name__, ("", ""))[0] for _, rows in board.values()]
        lines.append(f"| {feature.__doc__.strip()} | " + " | ".join(cells) + " |")
    lines += ["", "Providers:", ""]
    lines += [f"* {name}: {package}" for name, (package, _) in board.items()]
    lines += ["", "What is not `ok`:", ""]
    for name, (_, rows) in board.items():
        for feature, (word, note) in rows.items():
            if word != "ok" or note:
                lines.append(f"* {name}, {feature}: **{word}**" + (f" {' '.join(note.split())[:300]}" if note else ""))
    return "\n".join(lines) + "\n"
