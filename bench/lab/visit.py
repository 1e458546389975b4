"""What a visitor does to the lab that --keep leaves running, and what comes of it: said as it happens."""

import time

from bench.lab import results
from bench.lab.failure import Failure

LOOK_SECONDS = 0.1      # between two looks at a link that was just healed
PATIENCE_SECONDS = 20.0


class Visit:
    """`turn` is called many times a second."""

    def __init__(self, lab):
        self._lab = lab
        self._names = [site["name"] for site in lab.wan.sites]
        self._cut = set()        # pairs of indices
        self._healed = {}        # pair: when, monotonic
        self._restarted = None   # when the last gateway was started again
        self._looked = 0.0

    def turn(self):
        lab = self._lab
        for name in lab.gateways.supervise():
            lab.console.say(f"  the gateway of {name} had died and was started again")
            self._restarted = time.monotonic()
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._watch_cuts()
        self._watch_healed()
        if self._restarted and not self._cut and not self._healed and self._all_up():
            self._restarted = None
            self._audit()

    def _pair(self, pair):
        return f"{self._names[pair[0]]}-{self._names[pair[1]]}"

    def _watch_cuts(self):
        links = self._lab.wan.links()
        now_cut = set()
        for (a, b), link in links.items():
            if link["cut"]:
                now_cut.add(tuple(sorted((self._names.index(a), self._names.index(b)))))
        for pair in sorted(now_cut - self._cut):
            self._lab.console.say(f"  the link {self._pair(pair)} is cut")
        for pair in sorted(self._cut - now_cut):
            self._lab.console.say(f"  the link {self._pair(pair)} is healed")
            self._healed[pair] = time.monotonic()
        self._cut = now_cut

    def _watch_healed(self):
        for pair, since in list(self._healed.items()):
            passed = time.monotonic() - since
            if self._up(pair):
                self._lab.console.say(f"  the link {self._pair(pair)} is up again at both gateways, "
                                      f"{passed:.1f} s later")
            elif passed > PATIENCE_SECONDS:
                self._lab.console.say(f"  the link {self._pair(pair)} is not up after {passed:.0f} s; "
                                      "`godwit status` says why")
            else:
                continue
            self._healed.pop(pair)
            self._restarted = self._restarted or since  # compare once more

    def _up(self, pair):
        a, b = pair
        return all((link := self._lab.gateways.link(own, peer)) and link["state"] == "up"
                   for own, peer in ((a, b), (b, a)))

    def _all_up(self):
        count = len(self._names)
        return all(self._up((a, b)) for a in range(count) for b in range(a + 1, count))

    def _audit(self):
        try:
            found = self._lab.gateways.audit()
        except Failure as failure:  # a visitor kills whenever he likes
            self._lab.console.say(f"  {failure}")
            return
        self._lab.console.say(f"  sums {results.audit_text(found)}")
