"""The main job from beginning to end: what bench/quickstart does between its first and last line."""

import json
import os
import time

from bench.lab import (faults, godwit, learning_rates, machine, report_html, results, rows,
                       training, visit, wan)
from bench.lab.failure import Failure
from bench.lab.lan import Lan

STEP_MS = 200            # up to three sites; see slowdown
TARGET = 0.80            # chosen: the oracle needs about 20 s, an isolated site never gets there
LIMIT_SECONDS = 40.0     # of every run by default: nine runs end within eight minutes
LIMIT_SECONDS_FULL = 360.0  # nine runs within an hour; lockstep every step takes about 250 s
SETTLE_SECONDS = 3.0     # after the target the isolated run goes on at least so much longer


def slowdown(sites):
    """All runs together are that much slower than with three sites: every site sends to every other
    one, and two cores carry about six such lanes at STEP_MS."""
    return max(1.0, sites * (sites - 1) / 6)


def step_time_ms(sites):
    return STEP_MS * slowdown(sites)


class MainJob:
    def __init__(self, options, registry, console):
        self.options = options
        self.registry = registry
        self.console = console
        self.target = options.target or TARGET
        self.limit = (LIMIT_SECONDS_FULL if options.full else LIMIT_SECONDS) * slowdown(options.sites)
        self.wan = None
        self.gateways = None
        self.faults = faults.Plan(options.kill, options.cut, options.sites)
        self.results = {}
        self.problems = []  # of all runs, also of those that a better one of its row has replaced

    # What Training needs to know of us.
    def program(self, name):
        return machine.program(name)

    def common_arguments(self, index, snapshots, learning_rate):
        count = len(self.wan.sites)
        return ["--site", str(index), "--sites", str(count), "--snapshots", snapshots,
                "--learning-rate", f"{learning_rate:g}", "--step-ms", f"{step_time_ms(count):.0f}",
                "--phase-ms", f"{step_time_ms(count) * index / count:.0f}"]

    def supervise(self):
        """Starts again what has died; to be called from every loop that waits."""
        if self.gateways is not None:
            for name in self.gateways.supervise():
                self.console.say(f"  the gateway of {name} had died and was started again")

    def turn(self, row, seconds):
        """Supervision and faults at that second of a run; whether the run may end."""
        self.supervise()
        if row.name != "godwit":
            return True
        self.faults.turn(self, seconds)
        return self.faults.settled()

    def run(self):
        """The exit status."""
        options, say = self.options, self.console.say
        with_godwit = "godwit" in options.runs
        tries = len(learning_rates.load()["grid"]) if options.tune else 1
        machine.announce(say, tries * len(options.runs), self.limit, options.port,
                         options.sites)
        self._check_json()
        machine.check_tun()
        self.registry.base = machine.scratch_base(options.sites)
        machine.install(*machine.sections(options.port))
        wanted = list(machine.PROGRAMS if with_godwit else machine.BASELINE_PROGRAMS)
        machine.build(self.registry, self.console, wanted, options.port)
        name = options.wan or wan.scarcest(self.program("godwit-wan"))
        self.wan = wan.Wan(self.program("godwit-wan"), self.registry, name, options.sites)
        self.character = self.wan.character()
        self.grid = learning_rates.load()
        self.rows = rows.baseline_rows(self.wan)
        if with_godwit:
            self.gateways = godwit.Gateways(self, options.port)
            self.rows.insert(-1, self.gateways.row())
        self.rows = [row for row in self.rows if row.name in options.runs]
        say(f"\n{len(self.wan.sites)} sites ({', '.join(s['name'] for s in self.wan.sites)}) over "
            f"{self.wan.name}; target {self.target:.1%} on the whole test set, at every site")
        if options.tune:
            return self._tune()
        rates = learning_rates.nearest(self.grid, self.character)
        for row in self.rows:
            self._run_row(row, rates[row.name])
        return self._conclude()

    def _check_json(self):
        """Better now than after eight minutes. The file itself is written whole, at the end."""
        path = self.options.json
        if path and os.path.isdir(path):
            raise Failure(f"--json: {path} is a folder")
        if path and not os.access(path if os.path.exists(path) else os.path.dirname(path) or ".", os.W_OK):
            raise Failure(f"--json: {path} cannot be written")

    def _limit_for(self, row):
        """The isolated run lasts at least as long as the longest other one."""
        if row.name == "godwit":
            return self.faults.limit(self.limit)
        if row.network != "none" or not self.results:
            return self.limit
        longest = max((result.seconds for result in self.results.values()), default=0.0)
        return max(longest, min(self.limit, longest + SETTLE_SECONDS))

    def _run_row(self, row, rate):
        limit = self._limit_for(row)
        network, lan = self.wan, None
        is_godwit = self.gateways is not None and row.name == "godwit"
        try:
            self.wan.reset()
            if row.network == "lan":
                network = lan = Lan(self.wan.sites)
            if is_godwit:
                self.gateways.start()
            result = training.Training(self, network).run(row, rate, limit, self._on_progress)
        finally:
            if lan:
                lan.close()
        if is_godwit:  # where its sockets lie today tells nobody anything
            result.description = result.description.replace(self.gateways.folder + os.sep, "")
        if row.name == "oracle":
            self._count_oracle_bytes(result)
        if row.name == "isolated":
            result.faults += results.split_faults(result, self.target)
        self.results[row.name] = result
        self.console.progress(row.name, self._line(result, "reached" if result.seconds_to_target else
                                                   "stopped"), force=True)
        self.console.finish_line()
        if result.description:
            self.console.say(f"  {result.description}")
        if is_godwit:
            result.audit = self.gateways.audit()
            result.faults += results.audit_faults(result.audit) + self.faults.problems(self)
            result.faults += [f"the gateway of {name} died by itself" for name in self.gateways.deaths]
            self.gateways.deaths.clear()
            if not self.options.keep:
                self.gateways.stop()
        self.problems += results.judge(result)
        return result

    def _count_oracle_bytes(self, result):
        """No emulator sees them: every delta of every site to every other one, four bytes an element."""
        peers = len(result.steps) - 1
        result.wan_bytes = sum(result.steps) * peers * 4 * result.parameters
        per_site = [2 * steps * peers * 4 * result.parameters for steps in result.steps]
        for row in result.bytes:
            row[1:] = [round(row[0] / max(result.seconds, 0.1) * total) for total in per_site]
        result.count_bytes_until_target()

    def _on_progress(self, result, seconds, progress, accuracies):
        steps = min((p["step"] if p else 0) for p in progress)
        sites = "  ".join(f"{name} {accuracy:.1%}" if accuracy is not None else f"{name} –"
                          for name, accuracy in zip(result.sites, accuracies))
        self.console.progress(result.name, f"{result.name:<12}{max(seconds, 0):6.1f} s  step {steps:<5d}"
                                           f"{sites}  {result.wan_bytes / 1e6:9.1f} MB")

    def _line(self, result, word):
        accuracies = "  ".join(f"{name} {accuracy:.1%}"
                               for name, accuracy in zip(result.sites, result.final))
        return f"{result.name:<12}{word} {result.time_text()} s  {accuracies}"

    def _tune(self):
        """Every run at every rate of the grid; writes the best ones down."""
        best = {}
        for row in self.rows:
            tried = []
            for rate in self._rates_to_try(row, best):
                tried.append(self._run_row(row, rate))
            best[row.name] = rows.better(tried).learning_rate
            self.console.say(f"{row.name}: best first learning rate {best[row.name]:g}")
            self.results[row.name] = rows.better(tried)
        known = learning_rates.nearest(self.grid, self.character)
        learning_rates.store(self.grid, self.character, {**known, **best})
        self.console.say(f"written to {os.path.relpath(learning_rates.PATH)}")
        return self._conclude()

    def _rates_to_try(self, row, best):
        """Lockstep computes the same on every network, and on a WAN only slower: too slow for a limit
        to tell its rates apart. It takes the rate that the LAN has found."""
        if row.name != "tcp-bsp":
            return self.grid["grid"]
        known = learning_rates.nearest(self.grid, self.character)
        return [best.get("lan-bsp", known["lan-bsp"])]

    def _conclude(self):
        say = self.console.say
        shown = results.in_table(self.results, self.rows)
        audit = shown["godwit"].audit if "godwit" in shown else None
        numbers = results.to_json(self.wan, self.target, shown, audit)
        numbers.update(self.faults.to_json(self))
        numbers["port"] = self.options.port
        meaning = results.sentence(numbers, shown, self.character)
        say("\n" + results.table(shown, audit))
        say("\n" + meaning)
        for problem in self.problems:
            say(f"NOT VALID  {problem}")
        record = {"wan": self.wan.name, "character": self.character, "target": self.target,
                  "sentence": meaning, "numbers": numbers,
                  "runs": {name: result.to_json() for name, result in shown.items()}}
        with open(os.path.join(machine.BUILD, "record.json"), "w", encoding="utf-8") as file:
            json.dump(record, file)
        report = os.path.join(machine.BUILD, "report.html")
        with open(report, "w", encoding="utf-8") as file:
            file.write(report_html.render(record))
        say(f"\nreport  {report}")
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                file.write(json.dumps(numbers, indent=1) + "\n")
        if self.options.keep:
            self._keep()
        return 1 if self.problems else 0

    def _keep(self):
        """Leaves emulator and gateways running until Ctrl-C, and restarts what is killed."""
        say = self.console.say
        say("\nThe lab goes on. In another terminal:")
        for meaning, command in self.gateways.commands():
            say(f"  # {meaning}\n  {command}")
        say("What comes of it is said here. Ctrl-C ends the lab.")
        visitor = visit.Visit(self)
        try:
            while True:
                time.sleep(0.1)
                visitor.turn()
                if self.wan.process.poll() is not None:
                    raise Failure("the WAN emulator has ended")
        except KeyboardInterrupt:
            say("the lab is ended")
