"""Something to run that yields figures: an entry of a part's table."""


class Benchmark:
    """`measure(lab)` returns the figures `names`, and takes about `seconds`. `needs` is a section of
    .ci/packages that only some benchmarks need, or None."""

    def __init__(self, names, summary, seconds, measure, needs=None):
        self.names, self.summary, self.seconds, self.measure = names, summary, seconds, measure
        self.needs = needs
