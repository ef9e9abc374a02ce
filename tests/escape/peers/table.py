"""Prints what the battery found about each sandbox as a Markdown table."""

import json
import pathlib
import sys

SHOWN = {"held": "held", "escaped": "**through**", "skipped": "-", "admitted": "**through**"}


def verdict(outcome):
    """Returns the cell of one attack. A sandbox that did not start the program held nothing."""
    kind = next(iter(outcome))
    if kind == "held":
        first = outcome["held"][0] if outcome["held"] else ["", ""]
        if first[0] in ("start", "program") and first[1] != "SIGSYS":
            return "?"
    if kind == "skipped" and outcome[kind].startswith("it did not run"):
        return "?"
    return SHOWN[kind]


def main(place):
    """Reads a file of lines for each name in `order`."""
    names = (place / "order").read_text().splitlines()
    tables = {}
    for name in names:
        lines = [json.loads(line) for line in (place / f"{name}.jsonl").read_text().splitlines()]
        tables[name] = {line["name"]: verdict(line["outcome"]) for line in lines}
    print("| attack | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    attacks = dict.fromkeys(attack for table in tables.values() for attack in table)
    for attack in attacks:
        cells = [tables[name].get(attack, "?") for name in names]
        print(f"| {attack.replace('_', ' ')} | " + " | ".join(cells) + " |")
    for kind in ("held", "**through**", "?"):
        counts = [str(list(tables[name].values()).count(kind)) for name in names]
        print(f"| *{kind.strip('*')}* | " + " | ".join(counts) + " |")


main(pathlib.Path(sys.argv[1]))
