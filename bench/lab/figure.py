"""A figure beside its reference: the medians, the JSON line, and whether the bar is met."""

import json
import math

NOISY = 1.3  # upper over lower quartile of what is judged; above, the figure is measured again


def quantile(values, q):
    """Linear between the two nearest of the sorted values."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values):
    return quantile(values, 0.5)


class Bar:
    """What a figure must reach. `of` is "ratio" or "value"; `sense` is ">=" or "<="."""

    def __init__(self, of, sense, limit):
        self.of, self.sense, self.limit = of, sense, limit

    def meets(self, number):
        return number >= self.limit if self.sense == ">=" else number <= self.limit

    def text(self):
        return f"{self.of} {self.sense} {self.limit:g}"


class Condition:
    """What every run must have kept for its figure to say anything: `values`, one per run, none of them below
    `at_least` or above `at_most`. The worst is a member of the JSON line, under `name`."""

    def __init__(self, name, values, at_least=None, at_most=None):
        self.name = name
        self.sense, self.limit = ("at least", at_least) if at_most is None else ("at most", at_most)
        self.worst = min(values) if at_most is None else max(values)

    def holds(self):
        return self.worst >= self.limit if self.sense == "at least" else self.worst <= self.limit

    def text(self):
        return f"{self.name} {_short(self.worst):g}, needed is {self.sense} {self.limit:g}"


class Figure:
    """`pairs` are (value, reference value), one per run. `bound`: values that reach it only say that
    the true one is at least as large; they are written as text, like ">7"."""

    def __init__(self, name, unit, reference, pairs, bar=None, bound=None, conditions=()):
        self.name, self.unit, self.reference = name, unit, reference
        self.pairs, self.bar, self.bound, self.conditions = pairs, bar, bound, conditions

    @property
    def values(self):
        return [value for value, _ in self.pairs]

    @property
    def ratios(self):
        return [value / reference for value, reference in self.pairs]

    @property
    def judged(self):
        return self.values if self.bar and self.bar.of == "value" else self.ratios

    def met(self):
        """None without a bar; False also when noise alone could have met it, or when it was not measured."""
        if self.bar is None:
            return None
        if not self.measured():
            return False
        worse = quantile(self.judged, 0.25 if self.bar.sense == ">=" else 0.75)
        return self.bar.meets(worse if self.noisy() else median(self.judged))

    def broken(self):
        """The conditions that do not hold."""
        return [condition for condition in self.conditions if not condition.holds()]

    def measured(self):
        return not self.broken()

    def noisy(self):
        low, high = quantile(self.judged, 0.25), quantile(self.judged, 0.75)
        return high > NOISY * low

    def members(self):
        is_bound = self.bound is not None and median(self.values) >= self.bound
        mark = (lambda number: f">{number:g}") if is_bound else (lambda number: number)
        reference = median([reference for _, reference in self.pairs])
        members = {"name": self.name, "value": mark(_short(median(self.values))), "unit": self.unit,
                   "reference": self.reference, "reference_value": _short(reference),
                   "ratio": mark(_short(median(self.ratios))), "p25": _short(quantile(self.ratios, 0.25)),
                   "p75": _short(quantile(self.ratios, 0.75)), "runs": len(self.pairs)}
        for condition in self.conditions:
            members[condition.name] = _short(condition.worst)
        return members

    def line(self):
        return json.dumps(self.members())


def _short(number):
    """Four digits are more than any of these figures is good for."""
    return float(f"{number:.4g}")
