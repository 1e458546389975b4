"""Accuracy and loss after training over several sites through the codec, by budget and outer optimiser."""

import json
import os
import subprocess
import time

from bench.lab import machine
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure
from bench.training import picture

UNCODED = 32  # bits a parameter
BITS = (0.05, 0.2, 0.5, 1, UNCODED)
# Model: what its score is.
MEASURES = {"images": "accuracy", "text": "loss"}
UNITS = {"accuracy": "of 5,000 images", "loss": "nats a byte"}
OUTERS = ("average", "nesterov", "published", "gentle", "inside", "dropped")
SEEDS = (1, 2, 3)
ROUNDS = 25
SECONDS_MAX = 7200
RECORD = os.path.join(machine.BUILD, "training.jsonl")  # every round of the last run
LOOK_SECONDS = 0.5


def has_meaning(model, outer, bits):
    """As godwit-training leaves out the others: nothing is open to be dropped, Adam has momentum anyway."""
    return (outer, bits) != ("dropped", UNCODED) and (outer, model) != ("inside", "text")


# Of what a user should run: plain averaging at a bit a parameter. Chosen.
BARS = {("images", "average", 1): Bar("ratio", ">=", 0.99), ("text", "average", 1): Bar("ratio", "<=", 1.02)}
COURSES = [(model, outer, bits) for model in MEASURES for outer in OUTERS for bits in BITS
           if has_meaning(model, outer, bits)]


def name_of(model, outer, bits):
    return f"{model}_{outer}_{'fp32' if bits == UNCODED else format(bits, 'g')}"


NAMES = [name_of(*course) for course in COURSES]


def by_course(lines):
    """{(model, outer, bits): [the lines of a seed, in the order of rounds, ...]}"""
    found = {}
    for line in lines:
        course = found.setdefault((line["model"], line["outer"], line["bits"]), {})
        course.setdefault(line["seed"], []).append(line)
    return {course: [rounds for _, rounds in sorted(seeds.items())] for course, seeds in found.items()}


def reference_of(model, outer, bits):
    """The course without coding; of one without coding the plain average."""
    if bits == UNCODED:
        return model, "average", UNCODED
    return model, "nesterov" if outer == "dropped" else outer, UNCODED


def figures(lines):
    """`lines` are what godwit-training says, a line for each round."""
    courses, found = by_course(lines), []
    for model, outer, bits in COURSES:
        course, reference = (model, outer, bits), reference_of(model, outer, bits)
        for wanted in (course, reference):
            if wanted not in courses:
                raise Failure(f"godwit-training said nothing of {name_of(*wanted)}")
        defects = sum(line["defect"] for rounds in courses[course] for line in rounds)
        if defects:
            raise Failure(f"{name_of(*course)}: what was published is not what arrived and is open, by {defects} quanta")
        measure = MEASURES[model]
        pairs = [(rounds[-1][measure], other[-1][measure])
                 for rounds, other in zip(courses[course], courses[reference], strict=True)]
        words = "the same, uncoded" if bits != UNCODED else "the plain average, uncoded"
        found.append(Figure(name_of(*course), UNITS[measure], words, pairs, BARS.get((model, outer, bits))))
    return found


def count_lines(path):
    with open(path, "rb") as file:
        return file.read().count(b"\n")


def train(lab):
    """What godwit-training says of every model under every seed; as many at once as there are processors."""
    folder = lab.registry.folder("godwit-training.")

    def path_of(job):
        return os.path.join(folder, "_".join(map(str, job)))

    jobs = [(seed, model) for seed in SEEDS for model in MEASURES]
    rounds = ROUNDS * len(COURSES) * len(SEEDS)
    waiting, running, lines = list(jobs), {}, []
    until = time.monotonic() + SECONDS_MAX
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                job = waiting.pop(0)
                with open(path_of(job), "wb") as out:
                    running[job] = lab.registry.start(
                        [lab.program("godwit-training"), "--seed", str(job[0]), "--model", job[1],
                         "--rounds", str(ROUNDS)],
                        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True)
            time.sleep(LOOK_SECONDS)
            done = sum(count_lines(path_of(job)) for job in jobs if job not in waiting)
            lab.console.progress("training", f"  {done} of {rounds} rounds")
            if time.monotonic() > until:
                raise Failure(f"godwit-training did not end within {SECONDS_MAX} s")
            for job, process in list(running.items()):
                if process.poll() is not None:
                    if process.returncode != 0:
                        raise Failure(process.stderr.read().strip() or "godwit-training failed")
                    lab.registry.end([running.pop(job)])
        for job in jobs:
            with open(path_of(job), encoding="utf-8") as file:
                lines += [json.loads(line) for line in file]
    finally:
        lab.registry.end(list(running.values()))
        lab.registry.remove(folder)
    return lines


def measure(lab):
    lines = train(lab)
    with open(RECORD, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    found = figures(lines)
    if lab.pictures:
        picture.draw(lab.pictures, by_course(lines))
    return found

