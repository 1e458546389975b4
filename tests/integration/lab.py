"""Real gateways on loopback for the tests: configuration, certificates, processes and questions.

Every process is a child of the test and is killed by its own number when the lab closes.
"""
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

BUILD = pathlib.Path(os.environ.get("GODWIT_BUILD", ".build/check"))
GODWITD = BUILD / "api/gateway/godwitd"
GODWIT = BUILD / "api/cli/godwit"
PUBLISHER = BUILD / "tests/integration/integration_publisher"
AUDITOR = BUILD / "tests/integration/integration_auditor"
PROBE = BUILD / "tests/integration/integration_probe"
WAN = BUILD / "bench/wan/godwit-wan"
JUNK = BUILD / "bench/dataplane/godwit-junk"
HOSTILE = BUILD / "tests/integration/integration_hostile"
FULL = os.environ.get("GODWIT_LENGTH") == "full"
# What a process may grow by under a flood. ThreadSanitizer keeps four words of its own for every word that a
# process touches.
GROWTH_MAX_KB = (5 if "GODWIT_SANITIZE:STRING=thread" in (BUILD / "CMakeCache.txt").read_text() else 1) * 16 * 1024

TOPIC = "test/weights"
ELEMENTS = 20_000
READY_SECONDS = 60  # chosen: sanitizers on two busy cores


_given = set()  # ports, (kind, number): nobody holds one until a gateway takes it


def free_port(kind):
    while True:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if (kind, port) not in _given:
            _given.add((kind, port))
            return port


def free_ports(kind, count):
    """The first of so many neighbours."""
    while True:
        first = free_port(kind)
        others = {(kind, first + i) for i in range(1, count)}
        if others & _given:
            continue
        try:
            held = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
            for i, probe in enumerate(held):
                probe.bind(("127.0.0.1", first + i))
            _given.update(others)
            return first
        except (OSError, OverflowError):
            continue
        finally:
            for probe in held:
                probe.close()


def run(*words, timeout=60):
    """A finished command: exit status, standard output, standard error."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=timeout, check=False)
    return done


def resident_kb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


class Child:
    """A process whose output goes to a file (or a pipe, for questions and answers)."""

    def __init__(self, words, log, questions=False):
        self.log = pathlib.Path(log)
        with self.log.open("ab") as out:
            pipe = subprocess.PIPE if questions else subprocess.DEVNULL
            self.process = subprocess.Popen([str(word) for word in words], stdin=pipe,
                                            stdout=subprocess.PIPE if questions else out,
                                            stderr=out, text=True, bufsize=1)

    @property
    def running(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9, and wait until the kernel has taken everything away."""
        if self.running:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def end(self, timeout=60):
        """SIGTERM, once it listens to it: a process just started would only die. Its exit status."""
        Lab.wait_for(lambda: not self.running or self.listens_to(signal.SIGTERM),
                     f"{self.process.args[0]} listens to SIGTERM")
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def listens_to(self, number):
        """Whether it catches the signal, or blocks it in order to read it from a descriptor."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        masks = (int(line.split()[1], 16) for line in status.splitlines()
                 if line.startswith(("SigCgt:", "SigBlk:")))
        return any(mask >> (number - 1) & 1 for mask in masks)

    def line(self, timeout):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            raise TimeoutError(f"no answer within {timeout} s: {self.text()}")
        return self.process.stdout.readline().strip()

    def ask(self, question, timeout):
        self.process.stdin.write(question + "\n")
        return self.line(timeout)

    def text(self):
        return self.log.read_text(errors="replace")


class Lab:
    """Sites with their configuration, in a folder of their own. Use with `with`."""

    def __init__(self, sites=("a", "b", "c"), policies="", relays=None, cap="200Mbit/s",
                 places=None, port="", workers=None, connections=1):
        """`workers` says of each site how many it has; more than one need `connections`. `places` says where a site is that has a network of its own: {"address", "enter"}, the
        latter the words before a command; `port` is the content of the table [port]."""
        self.sites = list(sites)
        self.places = places or {}
        self.port = port
        # On tmpfs like the real thing where there is one; short, for the paths of Unix sockets.
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gw-", dir=base))
        self.policies = policies
        self.cap = cap
        self.workers = {site: 1 for site in self.sites} | (workers or {})
        self.connections = connections
        self.relays = relays or {}
        self.endpoints = {}  # (site, other): all endpoints of the other in the site's file
        self.ports = {site: self.port_for(site, socket.SOCK_DGRAM) for site in self.sites}
        self.metrics = {site: self.port_for(site, socket.SOCK_STREAM) for site in self.sites}
        self.gateways = {}
        self.children = []
        self.certificates = self.folder / "tls"
        self.certificates.mkdir()
        self.cli("cert", "init", self.certificates)
        self.cli("cert", "issue", self.certificates, *self.sites)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in [*self.gateways.values(), *self.children]:
            child.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def port_for(self, site, kind):
        if site in self.places:
            return 7443
        return free_port(kind) if self.connections == 1 else free_ports(kind, self.connections)

    def enter(self, site):
        return self.places[site]["enter"] if site in self.places else []

    def cli(self, *words, code=0, timeout=60):
        done = run(GODWIT, *words, timeout=timeout)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def config_text(self, site, tls=None):
        """The file of one site; a relay stands in for a peer's address where there is one."""
        tls = tls or {}
        root = self.folder / site
        text = (f'version = 1\n[self]\nsite = "{site}"\nstate_dir = "{root}/state"\n'
                f'durable_dir = "{root}/durable"\nclient = "{root}/client"\n'
                f'admin = "{root}/admin"\nmetrics_port = {self.metrics[site]}\n'
                f'memory = "{256 * self.connections}MiB"\nworkers = {self.workers[site]}\n'
                + (f"[port]\n{self.port}\n" if self.port else "") +
                f'[tls]\nca = "{tls.get("ca", self.certificates / "ca.pem")}"\n'
                f'cert = "{tls.get("cert", self.certificates / (site + ".pem"))}"\n'
                f'key = "{tls.get("key", self.certificates / (site + ".key"))}"\n')
        for other in self.sites:
            port = self.relays.get((site, other), self.ports[other])
            host = self.places[other]["address"] if other in self.places else "127.0.0.1"
            several = self.endpoints.get((site, other))
            text += f'[sites.{other}]\n' + (
                f"endpoints = {json.dumps(several)}\n" if several
                else f'endpoint = "{host}:{port}"\n')
        for one, other in itertools.combinations(self.sites, 2):
            text += (f'[[links]]\nends = ["{one}", "{other}"]\ncap = "{self.cap}"\n'
                     f'connections = {self.connections}\n')
        return text + self.policies

    def start(self, site, wait=True, tls=None):
        root = self.folder / site
        root.mkdir(exist_ok=True)
        config = root / "godwit.toml"
        config.write_text(self.config_text(site, tls))
        self.gateways[site] = Child([*self.enter(site), GODWITD, "--config", config], root / "log")
        if wait:
            self.wait_for(lambda: self.answers(site), f"gateway {site}")
        return self.gateways[site]

    def start_all(self):
        for site in self.sites:
            self.start(site, wait=False)
        for site in self.sites:
            self.wait_for(lambda site=site: self.answers(site), f"gateway {site}")

    def answers(self, site):
        gateway = self.gateways[site]
        assert gateway.running, f"gateway {site} has ended: {gateway.text()[-2000:]}"
        return run(GODWIT, "--admin", self.folder / site / "admin", "status").returncode in (0, 10)

    @staticmethod
    def wait_for(condition, what, seconds=READY_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds} s")
            time.sleep(0.05)

    def ask(self, site, *words, codes=(0, 10)):
        done = run(GODWIT, "--admin", self.folder / site / "admin", "--json", *words)
        assert done.returncode in codes, (site, words, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def problems(self, site):
        return self.ask(site, "status")["problems"]

    def wait_healthy(self, seconds=READY_SECONDS):
        for site in self.sites:
            self.cli("--admin", self.folder / site / "admin", "status", "--wait", seconds,
                     timeout=seconds + 30)

    def report(self):
        """What every gateway says of itself, for a test that has failed."""
        text = ""
        for site in self.sites:
            admin = ("--admin", self.folder / site / "admin")
            for words in (("status",), ("ledger",), ("explain", TOPIC), ("topic", TOPIC)):
                done = run(GODWIT, *admin, *words)
                text += f"\n--- {site}: {' '.join(words)}\n{done.stdout}{done.stderr}"
            text += "\n".join(self.gateways[site].text().splitlines()[-40:])
        return text

    def metric(self, site, name):
        """All series of a family: {values of its labels in their order, but `site`: value}."""
        def labels_of(line):
            inside = line[len(name):line.rindex(" ")].strip("{}")
            pairs = (pair.split("=", 1) for pair in inside.split('",') if pair)
            return tuple(value.strip('"') for key, value in pairs if key != "site")

        url = f"http://127.0.0.1:{self.metrics[site]}/metrics"
        if site in self.places:
            fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
            lines = run(*self.enter(site), "python3", "-c", fetch, url).stdout.splitlines()
        else:
            with urllib.request.urlopen(url, timeout=10) as page:
                lines = page.read().decode().splitlines()
        return {labels_of(line): float(line[line.rindex(" "):])
                for line in lines if line.startswith((name + "{", name + " "))}

    def log_of(self, name):
        return self.folder / f"{name}.log"

    def publisher(self, site, name, **options):
        words = [PUBLISHER, "--socket", self.folder / site / "client", "--name", name,
                 "--log", self.log_of(name)]
        for key, value in ({"topic": TOPIC, "elements": ELEMENTS} | options).items():
            words += ["--" + key.replace("_", "-"), value]
        return self.child(words, self.folder / f"{name}.err")

    def auditor(self, site, name="auditor", **options):
        words = [AUDITOR, "--socket", self.folder / site / "client", "--name", name]
        for key, value in ({"topic": TOPIC, "elements": ELEMENTS} | options).items():
            words += ["--" + key, value]
        child = self.child(words, self.folder / f"{name}-{site}.err", questions=True)
        assert child.line(READY_SECONDS) == "ready", child.text()
        return child

    def child(self, words, log, questions=False):
        child = Child(words, log, questions)
        self.children.append(child)
        return child

    def probe(self, action, site, **options):
        words = [PROBE, action, "--socket", self.folder / site / "client"]
        for key, value in options.items():
            words += ["--" + key, value]
        return run(*words, timeout=90).stdout.strip()

    def hostile(self, kind, site, **options):
        words = [HOSTILE, kind, "--socket", self.folder / site / "client", "--topic", TOPIC,
                 "--elements", ELEMENTS]
        for key, value in options.items():
            words += ["--" + key, value]
        done = run(*words, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else f"died: {done}"


def seeded(test):
    """A generator whose seed is printed, and may be given by GODWIT_SEED."""
    seed = int(os.environ.get("GODWIT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"{test}: repeat the draws with GODWIT_SEED={seed}", flush=True)
    return random.Random(seed)
