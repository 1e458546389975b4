"""From runs to what people and programs read: the JSON, the table, and one sentence."""

import math

from bench.lab.rows import better

GAP_MIN = 0.05  # how far below the target the best isolated site must end


def in_table(results, rows):
    """One result per name that is shown: of several candidates the better one."""
    shown = {}
    for row in rows:
        if row.name in results:
            shown.setdefault(row.shown_as, []).append(results[row.name])
    return {name: better(candidates) for name, candidates in shown.items()}


def ratio(numerator, denominator):
    """numerator's time in units of denominator's; None when nothing is known.

    Text where only a bound follows: ">x" of a numerator that did not reach the target, "<x" to a
    denominator that did not. Rounded so that the bound stays true.
    """
    if numerator is None or denominator is None:
        return None
    if numerator.seconds_to_target is None and denominator.seconds_to_target is None:
        return None
    if numerator.seconds_to_target is None:
        return f">{math.floor(100 * numerator.seconds / denominator.seconds_to_target) / 100:.2f}"
    if denominator.seconds_to_target is None:
        return f"<{math.ceil(100 * numerator.seconds_to_target / denominator.seconds) / 100:.2f}"
    return round(numerator.seconds_to_target / denominator.seconds_to_target, 3)


def split_faults(isolated, target):
    """Why the run without communication shows that the data are not split as they should be."""
    if isolated.best_final_accuracy <= target - GAP_MIN:
        return []
    return [f"its best site ends at {isolated.best_final_accuracy:.1%}, not "
            f"{100 * GAP_MIN:.0f} points below the target: the split is wrong"]


def audit_faults(audit):
    """What is wrong with the sums of Godwit's run."""
    faults = []
    if not audit["identical"]:
        faults.append("the sites do not hold the same sums")
    if audit["conservation_defect"] != 0:
        faults.append("the sums are not what was published")
    if audit["metrics"]["ledger_defects"] != 0:
        faults.append("a gateway's own ledger does not balance; its log says what is wrong")
    return faults


def judge(result):
    """What is wrong with a run, in sentences."""
    return [f"{result.name} at {result.learning_rate:g}: {fault}" for fault in result.faults]


def to_json(wan, target, shown, audit):
    godwit = shown.get("godwit")
    runs = [{"name": name, "seconds_to_target": result.time_text(),
             "final_accuracy": round(result.final_accuracy, 4), "wan_bytes": result.wan_bytes,
             "valid": result.valid, "problems": result.faults} for name, result in shown.items()]
    return {
        "wan": wan.name, "sites": len(wan.sites), "target": target, "runs": runs,
        "identical": bool(audit and audit["identical"]),
        "conservation_defect": audit["conservation_defect"] if audit else None,
        "ratio_to_oracle": ratio(godwit, shown.get("oracle")),
        "ratio_to_lan": ratio(godwit, shown.get("lan")),
        "speedup_over_bsp": ratio(shown.get("tcp-bsp"), godwit),
        "speedup_over_async": ratio(shown.get("tcp-async"), godwit),
        "metrics": audit["metrics"] if audit else None,
    }


MEANING = {
    "isolated": "no communication",
    "lan": "kernel TCP, 1 Gbit/s",
    "oracle": "the WAN's delays, unlimited rate",
    "tcp-async": "kernel TCP, merged while busy",
    "tcp-bsp": "kernel TCP, lockstep every step",
    "tcp-bsp-local": "kernel TCP, lockstep every n steps",
    "godwit": "this project",
}


def audit_text(audit):
    return (f"bit-identical at all sites: {'yes' if audit['identical'] else 'NO'}; "
            f"conservation defect: {audit['conservation_defect']}")


def metrics_text(metrics):
    return (f"the gateways count {metrics['sent_bytes'] / 1e6:.1f} MB (layer 3, to the run's end), "
            f"{metrics['transfers']} transfers at {metrics['bits_per_element']:.2f} bits an\n"
            f"         element, busy {metrics['busy_share']:.0%} of the time, ledger defects: "
            f"{metrics['ledger_defects']}")


def table(shown, audit):
    lines = [f"{'run':<15}{'what it is':<36}{'rate':>6}{'seconds':>9}{'final':>8}{'WAN MB':>9}"
             f"{'overrun':>9}{'late p99':>10}  valid"]
    lines.append("─" * 108)
    for name, r in shown.items():
        meaning = MEANING.get(name, "")
        if r.name.startswith("tcp-bsp-"):
            meaning = meaning.replace(" n ", f" {r.name.rsplit('-', 1)[1]} ")
        if name == "lan":
            meaning += ", " + ("lockstep" if r.name.endswith("bsp") else "asynchronous")
        share = max((o / max(s, 1) for o, s in zip(r.overruns, r.steps)), default=0)
        lines.append(f"{name:<15}{meaning:<36}{r.learning_rate:>6g}{r.time_text():>9}"
                     f"{r.final_accuracy:>8.1%}{r.wan_bytes / 1e6:>9.1f}{share:>9.1%}"
                     f"{r.lateness_ms:>7.2f} ms  {'yes' if r.valid else 'NO: ' + '; '.join(r.faults)}")
    lines.append("")
    lines.append("seconds: from all-connected until the worst site's own model has passed the target "
                 "three times running.")
    lines.append("WAN MB:  layer 3, all directed pairs, until the target or the end; for the oracle as many "
                 "bytes as its\n         deltas have, for the lan what its devices sent.")
    lines.append("overrun: steps of the worst site not done when the next was due.   "
                 "late: the emulator itself.")
    if audit:
        lines.append(f"sums:    {audit_text(audit)}")
        lines.append(f"metrics: {metrics_text(audit['metrics'])}")
    return "\n".join(lines)


def _comparisons(numbers):
    """What the seconds of a run that reached the target are to be compared with, as far as known."""
    out = []
    oracle = numbers["ratio_to_oracle"]
    if oracle is not None:
        if isinstance(oracle, str):
            out.append(f"less than {oracle.lstrip('<')} times what latency alone costs")
        elif oracle > 1:
            out.append(f"{oracle} times what latency alone costs")
        else:  # nothing is faster than the bound: the step in which the worst site passes is luck
            out.append("no more than what latency alone costs")
    for key, name in (("speedup_over_bsp", "TCP in lockstep"),
                      ("speedup_over_async", "asynchronous TCP")):
        factor = numbers[key]
        if isinstance(factor, str):
            out.append(f"more than {factor.lstrip('>')} times as fast as {name}")
        elif factor is not None:
            out.append(f"{factor} times as fast as {name}")
    return out


def sentence(numbers, shown, character):
    """What the table means."""
    where = (f"{numbers['sites']} sites, {character['rate_mbit']:.3g} Mbit/s and "
             f"{character['rtt_ms']:.3g} ms round trip between them")
    godwit = shown.get("godwit")
    if godwit is None:
        return f"{where}: the other ways alone; Godwit was not asked to run."
    if godwit.seconds_to_target is None:
        return (f"{where}: through Godwit the worst site's model came to {godwit.final_accuracy:.1%} "
                f"within {godwit.seconds:.0f} s and did not reach {numbers['target']:.0%}.")
    known = _comparisons(numbers)
    text = ", ".join(known[:-1]) + (" and " if len(known) > 1 else "") + "".join(known[-1:])
    return (f"{where}: through Godwit every site's model reached {numbers['target']:.0%} in "
            f"{godwit.seconds_to_target:.1f} s" + (f": {text}." if text else "."))
