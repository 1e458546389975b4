"""The rows of the comparison: what each one is, how a site is told, and which rows stand for others."""

PORT = 7400
LOCAL_STEPS = (10, 50)
# Every run by the name under which it is shown, with the rows of which the better one is taken.
RUNS = {
    "oracle": ("oracle",),
    "lan": ("lan-async", "lan-bsp"),
    "tcp-async": ("tcp-async",),
    "tcp-bsp": ("tcp-bsp",),
    "tcp-bsp-local": tuple(f"tcp-bsp-{steps}" for steps in LOCAL_STEPS),
    "godwit": ("godwit",),
    "isolated": ("isolated",),
}


class Row:
    """One way of exchanging deltas. `network` is "wan", "lan" or "none"."""

    def __init__(self, name, network, arguments, stops_early=True, shown_as=None):
        self.name = name              # its name in learning_rates.json and in the progress line
        self.shown_as = shown_as or name  # the better of all rows that share this one is in the table
        self.network = network
        self.stops_early = stops_early
        self._arguments = arguments

    def site_arguments(self, index, folder):
        return self._arguments(index, folder)


def tcp(addresses, buffer_bytes, *exchange):
    """Arguments of a TCP row for every site."""
    shared = list(exchange) + ["--buffer-bytes", str(buffer_bytes)]
    for address in addresses:
        shared += ["--address", f"{address}:{PORT}"]
    return lambda index, folder: shared


def oracle(wan):
    def arguments(index, folder):
        out = ["--exchange", "oracle", "--line-folder", folder]
        for delay in wan.delays_to(index):
            out += ["--delay-ms", f"{delay:.3f}"]
        return out

    return arguments


def baseline_rows(wan):
    """In the order in which they run: the isolated one last, since it must last the longest."""
    addresses = [site["address"] for site in wan.sites]
    lan_addresses = [f"10.78.0.{index + 1}" for index in range(len(wan.sites))]
    size = wan.socket_buffer()
    bsp = ["--exchange", "tcp-bsp", "--local-steps"]
    rows = [
        Row("oracle", "wan", oracle(wan)),
        Row("lan-async", "lan", tcp(lan_addresses, 4 << 20, "--exchange", "tcp-async"),
            shown_as="lan"),
        Row("lan-bsp", "lan", tcp(lan_addresses, 4 << 20, *bsp, "1"), shown_as="lan"),
        Row("tcp-async", "wan", tcp(addresses, size, "--exchange", "tcp-async")),
        Row("tcp-bsp", "wan", tcp(addresses, size, *bsp, "1")),
    ]
    for steps in LOCAL_STEPS:
        rows.append(Row(f"tcp-bsp-{steps}", "wan", tcp(addresses, size, *bsp, str(steps)),
                        shown_as="tcp-bsp-local"))
    rows.append(Row("isolated", "none", lambda index, folder: ["--exchange", "isolated"],
                    stops_early=False))
    return rows


def better(results):
    """Of the valid ones (of all, where none is): the first at the target; of those that did not
    reach it, the most accurate."""
    return min(results, key=lambda r: (not r.valid, r.seconds_to_target is None,
                                       r.seconds_to_target or 0.0, -r.final_accuracy))
