"""Something to run that yields figures: an entry of a part's table."""


class Benchmark:
    """`measure(lab)` returns the figures `names`, and takes about `seconds`."""

    def __init__(self, names, summary, seconds, measure):
        self.names, self.summary, self.seconds, self.measure = names, summary, seconds, measure
