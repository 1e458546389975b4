"""One run of the main job: N sites train until all have passed the target, or until a limit."""

import json
import math
import os
import queue
import subprocess
import threading
import time

from bench.lab import evaluation
from bench.lab.failure import Failure
from bench.lab.processes import prioritise

READY_SECONDS = 90     # for all sites to load their data and to connect
EVALUATOR_SECONDS = 120  # for one answer, on a machine that others keep busy
START_AHEAD = 0.3      # from "all connected" to the first step: lets the word reach everybody
EVALUATOR_NICENESS = 5  # chosen: with less, a machine that others keep busy never got to an answer
OVERRUN_SHARE_MAX = 0.02
LATENESS_MS_MAX = 5.0
TURNS_AFTER = 40.0     # seconds of a run
STATS_EVERY = 0.5      # seconds between two readings of the byte counters


class Lines:
    """The standard output of several processes, as (index, parsed JSON line); None at its end."""

    def __init__(self):
        self._queue = queue.Queue()

    def follow(self, index, process):
        def read():
            for line in process.stdout:
                try:
                    self._queue.put((index, json.loads(line)))
                except ValueError:
                    pass  # a half line of a process that was killed
            self._queue.put((index, None))

        threading.Thread(target=read, daemon=True).start()

    def get(self, timeout):
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


class Result:
    """What one run has shown. Accuracies are shares; seconds count from all-connected."""

    def __init__(self, name, sites, target, learning_rate):
        self.name = name
        self.sites = [site["name"] for site in sites]
        self.target = target
        self.learning_rate = learning_rate
        self.seconds_to_target = None  # of the worst site; None: not reached
        self.seconds = 0.0             # how long the run lasted
        self.final = []                # per site, on the full test set
        self.curves = []               # per site: [[seconds, accuracy], …]
        self.bytes = []                # [[seconds, bytes of site 0, …], …]: sent and received
        self.wan_bytes = 0
        self.steps = []
        self.overruns = []
        self.lateness_ms = 0.0
        self.tap_drops = 0
        self.tap_write_errors = 0
        self.description = ""
        self.parameters = 0            # of the model
        self.faults = []               # why the run is not valid
        self.audit = None              # what became of the sums, of Godwit's run

    @property
    def valid(self):
        return not self.faults

    def judge(self, crosses_wan):
        """Notes what makes the run no fair one."""
        share = max((o / max(s, 1) for o, s in zip(self.overruns, self.steps)), default=0)
        if not all(self.steps):
            self.faults.append("a site has not trained")
        if share > OVERRUN_SHARE_MAX:
            self.faults.append(f"{100 * share:.0f} % of a site's steps overran")
        if crosses_wan and self.lateness_ms > LATENESS_MS_MAX:
            self.faults.append(f"emulator {self.lateness_ms:.1f} ms late (p99)")
        if self.tap_drops:
            self.faults.append(f"emulator missed {self.tap_drops} packets")
        if self.tap_write_errors:
            self.faults.append(f"emulator could not deliver {self.tap_write_errors} packets")

    @property
    def final_accuracy(self):
        return min(self.final) if self.final else 0.0

    @property
    def best_final_accuracy(self):
        return max(self.final) if self.final else 0.0

    def count_bytes_until_target(self):
        """A run that goes on after the target pays nothing more; every byte has two sites."""
        if self.seconds_to_target is None or not self.bytes:
            return
        before = [0.0] * len(self.bytes[0])
        for row in self.bytes:
            if row[0] >= self.seconds_to_target:
                span = row[0] - before[0]
                share = (self.seconds_to_target - before[0]) / span if span > 0 else 1.0
                both_ends = sum(before[1:]) + share * (sum(row[1:]) - sum(before[1:]))
                self.wan_bytes = round(both_ends / 2)
                return
            before = row

    def time_text(self):
        if self.seconds_to_target is None:
            return f">{math.floor(self.seconds)}"
        return round(self.seconds_to_target, 1)

    def to_json(self):
        """Everything, for bench/report."""
        members = dict(vars(self))
        members["valid"] = self.valid
        return members


class Training:
    """Runs one row of the table. `network` is what counts bytes: it has stats()."""

    def __init__(self, lab, network):
        self.lab = lab
        self.network = network

    def run(self, row, learning_rate, limit, on_progress):
        """`row`: name, site_arguments(index) -> list, stops_early. Returns a Result."""
        lab = self.lab
        folder = lab.registry.folder("godwit-run.")
        processes = []
        self._lines = Lines()
        self._evaluator = lab.registry.start(
            [lab.program("godwit-evaluator")], nice=EVALUATOR_NICENESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        try:
            self._result = Result(row.name, lab.wan.sites, lab.target, learning_rate)
            self._crosses_wan = row.network == "wan"
            self._states = [evaluation.SiteEvaluation(lab.target) for _ in lab.wan.sites]
            self._folders = []
            for index in range(len(lab.wan.sites)):
                self._folders.append(os.path.join(folder, str(index)))
                os.mkdir(self._folders[-1])
            self._asked = None      # what the evaluator is busy with
            self._full_is_next = False
            self._seconds = 0.0     # since the first step
            self._finished = False  # the sites have ended
            self._lines.follow("evaluator", self._evaluator)
            for index, site in enumerate(lab.wan.sites):
                command = site["enter"] + [lab.program("godwit-site")]
                command += lab.common_arguments(index, self._folders[index], learning_rate)
                command += row.site_arguments(index, folder)
                process = lab.registry.start(command, stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, text=True)
                processes.append(process)
                self._lines.follow(index, process)
            self._wait_until_ready(len(processes))
            self._train(row, processes, limit, on_progress)
            # A gateway that was killed must be back for what its site has not handed over yet.
            lab.registry.end(processes, patience=10.0, meanwhile=lab.supervise)
            self._finish(on_progress)
            return self._result
        finally:
            lab.registry.end(processes)
            lab.registry.end([self._evaluator])
            lab.registry.remove(folder)

    def _wait_until_ready(self, count):
        ready = set()
        until = time.monotonic() + READY_SECONDS
        while len(ready) < count:
            self.lab.supervise()
            item = self._lines.get(0.1)
            if item is None:
                if time.monotonic() < until:
                    continue
                raise Failure(f"{self._result.name}: the sites have not connected in "
                              f"{READY_SECONDS} s")
            index, line = item
            if line is None:
                raise Failure(f"{self._result.name}: {self._label(index)} ended before it was "
                              "connected; its words are above")
            if line["event"] == "ready":
                ready.add(index)
                self._result.description = line["exchange"]
                self._result.parameters = line["parameters"]

    def _label(self, index):
        return "the evaluator" if index == "evaluator" else f"site {self._result.sites[index]}"

    def _train(self, row, processes, limit, on_progress):
        result = self._result
        before = self.network.stats()
        start_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(START_AHEAD * 1e9)
        for process in processes:
            process.stdin.write(f"start {start_ns}\n")
            process.stdin.flush()
        start = start_ns / 1e9
        stats_due = start
        self._progress = [None] * len(processes)
        while True:
            now = time.monotonic()
            self._seconds = now - start
            if now >= stats_due:
                self._note_bytes(now - start, before)
                self._scan()
                on_progress(result, now - start, self._progress,
                            [state.latest() for state in self._states])
                stats_due += STATS_EVERY
            may_end = self.lab.turn(row, now - start)
            if now - start >= limit or (row.stops_early and may_end and self._all_reached()):
                break
            item = self._lines.get(min(0.1, max(0.01, stats_due - now)))
            if item is not None:
                self._on_line(item)
        stats = self._note_bytes(time.monotonic() - start, before)
        result.seconds = min(time.monotonic() - start, limit)
        result.lateness_ms = stats["lateness_ms"]["p99"]
        result.tap_drops = sum(site["tap_drops"] for site in stats["sites"])
        result.tap_write_errors = sum(site["tap_write_errors"] for site in stats["sites"])

    def _note_bytes(self, seconds, before):
        """Bytes per site, sent and received, since the run began; before the first step it is 0."""
        stats = self.network.stats()
        earlier = {(p["from"], p["to"]): p["bytes"] for p in before["pairs"]}
        per_site = {name: 0 for name in self._result.sites}
        total = 0
        for pair in stats["pairs"]:
            count = pair["bytes"] - earlier.get((pair["from"], pair["to"]), 0)
            per_site[pair["from"]] += count
            per_site[pair["to"]] += count
            total += count
        self._result.bytes.append([round(max(seconds, 0.0), 2), *per_site.values()])
        self._result.wan_bytes = total
        return stats

    def _on_line(self, item):
        index, line = item
        if index == "evaluator":
            self._on_evaluated(line)
        elif line is None:
            if not self._finished:
                raise Failure(f"{self._result.name}: {self._label(index)} has died; its words are "
                              "above")
        elif line["event"] in ("step", "end"):
            self._progress[index] = line

    def _on_evaluated(self, line):
        if line is None:
            raise Failure("the evaluator has died; its words are above")
        site, path, samples = self._asked
        self._asked = None
        state = self._states[site]
        if "error" in line:
            raise Failure(f"the evaluator: {line['error']}")
        accuracy = line["correct"] / line["samples"]
        if samples == evaluation.SAMPLE:
            state.add(path, line["seconds"], line["step"], accuracy)
        else:
            state.set_full(path, accuracy)
        for other in state.disposable():
            try:
                os.unlink(other)
            except FileNotFoundError:
                pass
        self._scan()

    def _scan(self):
        """Gives the evaluator its next question when it is idle: new snapshots first, for the curves
        and so that training is disturbed alike all the time. A busy machine may never get further, so
        in a long run they take turns with the question whether the target is reached."""
        if self._asked is not None:
            return
        self._full_is_next = self._seconds > TURNS_AFTER and not self._full_is_next
        question = ((self._next_full() or self._next_new()) if self._full_is_next else
                    (self._next_new() or self._next_full()))
        if question:
            self._asked = question
            self._evaluator.stdin.write(f"{question[1]} {question[2]}\n")
            self._evaluator.stdin.flush()

    def _next_new(self):
        behind = None
        for site, state in enumerate(self._states):
            path = os.path.join(self._folders[site], f"{len(state.points):06d}.snapshot")
            if os.path.exists(path) and (behind is None or len(state.points) < behind[0]):
                behind = (len(state.points), site, path)
        return (behind[1], behind[2], evaluation.SAMPLE) if behind else None

    def _next_full(self):
        for site, state in enumerate(self._states):
            path = state.next_wanted()
            if path:
                return (site, path, evaluation.FULL)
        if self._finished:
            for site, state in enumerate(self._states):
                if state.points and state.final() is None:
                    return (site, state.points[-1]["path"], evaluation.FULL)
        return None

    def _all_reached(self):
        return all(state.reached is not None for state in self._states)

    def _finish(self, on_progress):
        """The sites have ended: evaluate what is left, then judge."""
        self._finished = True
        result = self._result
        prioritise(self._evaluator.pid, 0)  # nobody trains any more
        self._scan()
        while self._asked is not None:
            item = self._lines.get(EVALUATOR_SECONDS)
            if item is None:
                raise Failure("the evaluator does not answer")
            self._on_line(item)
        while (item := self._lines.get(0.05)) is not None:
            self._on_line(item)
        if self._all_reached():
            result.seconds_to_target = max(state.reached for state in self._states)
        result.final = [state.final() or 0.0 for state in self._states]
        result.curves = [state.curve() for state in self._states]
        result.count_bytes_until_target()
        result.steps = [p["step"] if p else 0 for p in self._progress]
        result.overruns = [p["overruns"] if p else 0 for p in self._progress]
        result.judge(self._crosses_wan)
        on_progress(result, result.seconds, self._progress, result.final)
