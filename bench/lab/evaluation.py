"""When did each site's own model pass the target? Decided on the full test set, with little computing.

Every snapshot is first tried on the first SAMPLE test images: that is the live accuracy and the curve.
The full set is asked only for snapshots near the target or above it, and only those that can be part
of three in a row: of three neighbours the last is asked first, and when it fails, none of the three
can begin such a row.

Pure bookkeeping: the caller runs the evaluator.
"""

SAMPLE = 1000
FULL = 10000
IN_A_ROW = 3
# A snapshot that misses the target by more than this on the sample counts as missing it on the full
# set: the sample of 1,000 has a standard deviation of 0.0126 at accuracy 0.8.
MARGIN = 0.04


class SiteEvaluation:
    """The snapshots of one site, in order."""

    def __init__(self, target):
        self.target = target
        self.points = []      # dictionaries: path, seconds, step, sample, full (None: not known)
        self.position = 0     # no row of three begins before this index
        self.reached = None   # seconds of the first of three in a row

    def add(self, path, seconds, step, accuracy):
        self.points.append({"path": path, "seconds": seconds, "step": step, "sample": accuracy,
                            "full": None})

    def set_full(self, path, accuracy):
        for point in self.points:
            if point["path"] == path:
                point["full"] = accuracy
        self.next_wanted()

    def _passes(self, point):
        """True, False, or None when the full set has to say."""
        if point["full"] is not None:
            return point["full"] >= self.target
        return False if point["sample"] < self.target - MARGIN else None

    def next_wanted(self):
        """The path of the snapshot that the full set should be asked about, or None."""
        while self.reached is None and self.position + IN_A_ROW <= len(self.points):
            for index in range(self.position + IN_A_ROW - 1, self.position - 1, -1):
                verdict = self._passes(self.points[index])
                if verdict is None:
                    return self.points[index]["path"]
                if not verdict:
                    self.position = index + 1
                    break
            else:
                self.reached = self.points[self.position]["seconds"]
        return None

    def disposable(self):
        """Paths that nobody will ask about again, except for the newest; each is named once."""
        out = []
        last_needed = self.position if self.reached is None else len(self.points)
        for index, point in enumerate(self.points[:-1]):
            settled = point["full"] is not None or self._passes(point) is False
            if not point.get("gone") and (settled or index < last_needed):
                point["gone"] = True
                out.append(point["path"])
        return out

    def latest(self):
        return self.points[-1]["sample"] if self.points else None

    def final(self):
        """The accuracy of the newest snapshot on the full set, if it is known."""
        return self.points[-1]["full"] if self.points else None

    def curve(self):
        return [[round(p["seconds"], 3), p["full"] if p["full"] is not None else p["sample"]]
                for p in self.points]
