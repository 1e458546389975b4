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


class Figure:
    """`pairs` are (value, reference value), one per run. `bound`: values that reach it only say that
    the true one is at least as large; they are written as text, like ">7"."""

    def __init__(self, name, unit, reference, pairs, bar=None, bound=None):
        self.name, self.unit, self.reference = name, unit, reference
        self.pairs, self.bar, self.bound = pairs, bar, bound

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
        """None without a bar; False also when noise alone could have met it."""
        if self.bar is None:
            return None
        worse = quantile(self.judged, 0.25 if self.bar.sense == ">=" else 0.75)
        return self.bar.meets(worse if self.noisy() else median(self.judged))

    def noisy(self):
        low, high = quantile(self.judged, 0.25), quantile(self.judged, 0.75)
        return high > NOISY * low

    def members(self):
        is_bound = self.bound is not None and median(self.values) >= self.bound
        mark = (lambda number: f">{number:g}") if is_bound else (lambda number: number)
        reference = median([reference for _, reference in self.pairs])
        return {"name": self.name, "value": mark(_short(median(self.values))), "unit": self.unit,
                "reference": self.reference, "reference_value": _short(reference),
                "ratio": mark(_short(median(self.ratios))), "p25": _short(quantile(self.ratios, 0.25)),
                "p75": _short(quantile(self.ratios, 0.75)), "runs": len(self.pairs)}

    def line(self):
        return json.dumps(self.members())


def _short(number):
    """Four digits are more than any of these figures is good for."""
    return float(f"{number:.4g}")
