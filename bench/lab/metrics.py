"""What a gateway tells Prometheus, read as Prometheus reads it: over HTTP, in the site's namespace."""

import re
import subprocess
import sys

from bench.lab.failure import Failure

URL = "http://127.0.0.1:9471/metrics"  # godwitd's default port
SECONDS = 5
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_READ = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1], timeout={}).read())"


class Samples:
    """The samples of one or several gateways: [(name, {label: value}, number)]."""

    def __init__(self, text=""):
        self.samples = []
        for line in text.splitlines():
            found = SAMPLE.match(line)
            if found:
                self.samples.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))

    def total(self, name, **labels):
        """The sum over all series with these labels. A name that nobody exports is a Failure."""
        values = [value for own, have, value in self.samples
                  if own == name and all(have.get(k) == v for k, v in labels.items())]
        if not values:
            raise Failure(f"/metrics has no {name} with {labels}")
        return sum(values)


def read(sites):
    """The samples of the gateways of these sites (as `Wan.sites`), taken together."""
    together = Samples()
    for site in sites:
        done = subprocess.run([*site["enter"], sys.executable, "-c", _READ.format(SECONDS), URL],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"/metrics of {site['name']}: {done.stderr.strip().splitlines()[-1:]}")
        together.samples += Samples(done.stdout).samples
    return together


def figures(samples, earlier=()):
    """{"sent_bytes": layer 3, "transfers": applied at the other end, "bits_per_element": of what was
    encoded, "busy_share": of the time (waiting for a processor counts), "ledger_defects"}.

    `earlier`: samples of lives that have ended; what they counted is added."""
    def total(name, **labels):
        return sum(life.total(name, **labels) for life in (samples, *earlier))

    elements = total("godwit_codec_elements_total", operation="encode")
    return {
        "sent_bytes": int(total("godwit_link_sent_bytes_total")),
        "transfers": int(total("godwit_link_transfers_received_total", result="applied")),
        "bits_per_element": round(8 * total("godwit_codec_bytes_total", operation="encode")
                                  / max(elements, 1), 2),
        "busy_share": round(total("godwit_worker_busy_seconds_total")
                            / max(total("godwit_uptime_seconds"), 1), 3),
        "ledger_defects": int(samples.total("godwit_conservation_defect")),
    }
