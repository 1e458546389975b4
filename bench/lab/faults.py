"""Faults during Godwit's run, and how long the rest of the lab took to get over them.

A kill is SIGKILL to one gateway, which is started again as a service manager would; a cut takes one
link away for CUT_SECONDS. What comes of it is what the gateways themselves say: *up* is the time
until both ends of every link concerned call it up, *recovery* the time until they have received whole
transfers from one another again.

Everything happens in `turn`, which the loops of a run call many times a second: no thread.
"""

import time

CUT_SECONDS = 30.0
LANDED_SECONDS = 0.9    # after a kill what was on its way has arrived, and the gateway is not back yet
POLL_SECONDS = 0.1      # between two questions to gateways: the resolution of a recovery
PATIENCE_SECONDS = 20.0  # after which a fault counts as not overcome
SETTLE_SECONDS = 3.0    # for which a run goes on at least after its last fault


def promised_seconds(round_trip):
    """Within which a healed link has carried changes both ways (api/gateway/README.md)."""
    return 1.0 + 2 * round_trip


def figure(seconds):
    """A number, or a bound as text."""
    return f">{PATIENCE_SECONDS:.0f}" if seconds is None else round(seconds, 2)


class Fault:
    """At `at` seconds of the run it begins; `turn` moves it on; `over` once nothing more will happen."""

    def __init__(self, at):
        self.at = at
        self.over = False
        self.up = None    # seconds; None: not yet, or never
        self.recovery = None    # as well
        self._began = None      # monotonic, as all below
        self._ended = None
        self._since = None      # when recovery is counted from
        self._asked = 0.0
        self._before = {}       # (own, peer): transfers that `own` had received when it ended

    def turn(self, lab, seconds):
        now = time.monotonic()
        if self.over or seconds < self.at:
            return
        if self._began is None:
            self.begin(lab)
            self._began = self._since = time.monotonic()
        elif self._ended is None:
            if now >= self._began + self.duration:
                for end in self.ends(lab):
                    link = lab.gateways.link(*end)
                    self._before[end] = link["received_transfers"] if link else 0
                self.end(lab)
                self._ended = time.monotonic()
        elif now >= self._asked + POLL_SECONDS:
            self._asked = now
            self._look(lab)

    def ends(self, lab):
        """(own, peer) of both ends of every link that it concerns."""
        return [end for a, b in self.links(lab) for end in ((a, b), (b, a))]

    def _look(self, lab):
        passed = time.monotonic() - self._since
        links = {end: lab.gateways.link(*end) for end in self.ends(lab)}
        if all(link and link["state"] == "up" for link in links.values()):
            shortest = min((link["in_state_ns"] for link in links.values()), default=0) / 1e9
            self.up = max(0.0, passed - shortest)
            if all(link["received_transfers"] > self._before.get(end, 0)
                   for end, link in links.items()):
                self.recovery = passed
        self.over = self.recovery is not None or passed > PATIENCE_SECONDS
        if self.over:
            lab.console.say(f"  {self.story(lab)}")

    def to_json(self, lab):
        return {"fault": self.kind, "what": self.subject(lab), "at_seconds": self.at,
                "up_seconds": figure(self.up), "recovery_seconds": figure(self.recovery)}


class Cut(Fault):
    """The link between two sites."""

    kind = "cut"
    duration = CUT_SECONDS

    def __init__(self, at, a, b):
        super().__init__(at)
        self.a, self.b = a, b

    def links(self, lab):
        return [(self.a, self.b)]

    def _names(self, lab):
        return [lab.wan.sites[index]["name"] for index in (self.a, self.b)]

    def subject(self, lab):
        return "-".join(self._names(lab))

    def begin(self, lab):
        lab.wan.cut(*self._names(lab))
        lab.console.say(f"  cut the link {self.subject(lab)} for {CUT_SECONDS:.0f} s")

    def end(self, lab):
        lab.wan.heal(*self._names(lab))
        self._since = time.monotonic()
        lab.console.say(f"  healed the link {self.subject(lab)}")

    def story(self, lab):
        return (f"the link {self.subject(lab)} was up again {figure(self.up)} s after it was healed, "
                f"and had carried changes both ways after {figure(self.recovery)} s "
                f"(promised: {self.promised(lab):.2f} s)")

    def promised(self, lab):
        return promised_seconds(lab.wan.round_trip_ms(*self._names(lab)) / 1e3)


class Kill(Fault):
    """The gateway of one site."""

    kind = "kill"
    duration = LANDED_SECONDS

    def __init__(self, at, index):
        super().__init__(at)
        self.index = index

    def links(self, lab):
        """Those that are not cut just now: a dead link is no fault of the gateway."""
        names = [site["name"] for site in lab.wan.sites]
        known = lab.wan.links()
        return [(self.index, other) for other, name in enumerate(names)
                if other != self.index and not known[self.subject(lab), name]["cut"]]

    def subject(self, lab):
        return lab.wan.sites[self.index]["name"]

    def begin(self, lab):
        lab.gateways.kill(self.index)
        lab.console.say(f"  killed the gateway of {self.subject(lab)} (kill -9)")

    def end(self, lab):
        pass  # Gateways.supervise starts it again

    def story(self, lab):
        return (f"the gateway of {self.subject(lab)} had its links up again {figure(self.up)} s after "
                f"the kill, and had exchanged changes over all of them after {figure(self.recovery)} s")


class Plan:
    """All faults of a run: the first kill hits the first site's gateway, the next one the next; the
    first cut hits the first pair of sites, the next one the next."""

    def __init__(self, kills, cuts, sites):
        pairs = [(a, b) for a in range(sites) for b in range(a + 1, sites)]
        self.faults = [Kill(at, i % sites) for i, at in enumerate(sorted(kills))]
        self.faults += [Cut(at, *pairs[i % len(pairs)]) for i, at in enumerate(sorted(cuts))]

    def turn(self, lab, seconds):
        for fault in self.faults:
            fault.turn(lab, seconds)

    def settled(self):
        """Whether a run may end."""
        return all(fault.over for fault in self.faults)

    def limit(self, limit):
        """A run's limit, moved so far that every fault ends before it."""
        return max([limit] + [fault.at + fault.duration + PATIENCE_SECONDS + SETTLE_SECONDS
                              for fault in self.faults])

    def problems(self, lab):
        out = []
        for fault in self.faults:
            if fault.recovery is None:
                out.append(f"the {fault.kind} of {fault.subject(lab)} was not overcome")
            elif fault.kind == "cut" and fault.recovery > fault.promised(lab):
                out.append(f"{fault.subject(lab)}: carried changes {fault.recovery:.2f} s after a cut; "
                           f"promised are {fault.promised(lab):.2f} s")
        return out

    def to_json(self, lab):
        """Members of the JSON: none without faults, `recovery_seconds` (the worst) with a cut."""
        if not self.faults:
            return {}
        told = [fault.to_json(lab) for fault in self.faults]
        cuts = [entry["recovery_seconds"] for entry in told if entry["fault"] == "cut"]
        members = {"faults": told}
        if cuts:
            members["recovery_seconds"] = max(cuts, key=lambda r: float(str(r).lstrip(">")))
        return members
