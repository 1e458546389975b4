"""The committed grid of learning rates: one file, one rate per run and kind of WAN."""

import json
import math
import os

PATH = os.path.join(os.path.dirname(__file__), "..", "workloads", "learning_rates.json")


def load(path=PATH):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _distance(entry, character):
    return (abs(math.log(entry["rate_mbit"] / character["rate_mbit"]))
            + abs(math.log(max(entry["rtt_ms"], 0.01) / max(character["rtt_ms"], 0.01)))
            + abs(entry["sites"] - character["sites"]))  # more deltas add up to longer steps


def nearest(table, character):
    """The rates, by run, of the tuned WAN that resembles `character` most."""
    return min(table["wans"], key=lambda entry: _distance(entry, character))["rates"]


def store(table, character, rates, path=PATH):
    """Replaces the entry of this very WAN, or adds one."""
    entry = {"rate_mbit": round(character["rate_mbit"], 2), "rtt_ms": round(character["rtt_ms"], 1),
             "sites": character["sites"], "rates": rates}
    table["wans"] = [old for old in table["wans"] if _distance(old, entry) > 1e-6] + [entry]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(table, file, indent=2)
        file.write("\n")
