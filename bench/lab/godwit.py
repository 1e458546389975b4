"""The gateways of the lab: certificates, one configuration file for all sites, one godwitd per site."""

import json
import os
import shlex
import shutil
import subprocess
import time

from bench.lab import metrics
from bench.lab.failure import Failure
from bench.lab.rows import Row

PORT = 7443
UP_SECONDS = 20        # for a gateway to open its clients' socket
RESTART_AFTER = 1.0    # seconds that a dead gateway stays dead, as a service manager would do it
AUDIT_SECONDS = 60     # for what is still open to arrive after training has ended
UNHEALTHY = 10         # exit status of `godwit` and of the auditor: answered, and not well
TOPIC = "quickstart/model"
# The emulator's devices, through DPDK's packet sockets; all sites are in one network.
DEVICE = 'device = "af_packet:wan0"\nprefix = 16\n'


def gateway_name(site):
    """A site's name as configurations allow it."""
    return "".join(c if c.isalnum() else "-" for c in site["name"].lower())


class Gateways:
    def __init__(self, lab, port="uring", workers=1, connections=1):
        self.lab = lab
        self.port = port
        self.workers, self.connections = workers, connections
        self.names = [gateway_name(site) for site in lab.wan.sites]
        self.folder = lab.registry.folder("godwit-lab.")
        self.config = os.path.join(self.folder, "godwit.toml")
        self._processes = {}
        self._dead_since = {}
        self._killed = set()     # indices of gateways that `kill` has ended
        self._earlier = []       # what gateways had counted before they were killed: metrics.Samples
        self.deaths = []         # names of gateways that ended by themselves
        certificates = os.path.join(self.folder, "certificates")
        os.mkdir(certificates)
        self._godwit("cert", "init", certificates)
        self._godwit("cert", "issue", certificates, *self.names)
        for name in self.names:
            os.mkdir(os.path.join(self.folder, name))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self._config_text())
        self._godwit("config", "check", self.config)

    def _godwit(self, *arguments):
        done = subprocess.run([self.lab.program("godwit"), *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"godwit {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def _config_text(self):
        text = (f'# The lab of bench/quickstart: one file for all sites; a gateway is told its own by --site.\n'
                f'version = 1\n\n[self]\nsite = "{self.names[0]}"\n'
                f'state_dir = "{self.folder}/{{site}}/state"\n'
                f'durable_dir = "{self.folder}/{{site}}/durable"\n'
                f'client = "{self.folder}/{{site}}/client.sock"\n'
                f'admin = "{self.folder}/{{site}}/admin.sock"\nworkers = {self.workers}\n\n'
                f'[port]\nkind = "{self.port}"\n{DEVICE if self.port == "dpdk" else ""}\n'
                f'[tls]\nca = "{self.folder}/certificates/ca.pem"\n'
                f'cert = "{self.folder}/certificates/{{site}}.pem"\n'
                f'key = "{self.folder}/certificates/{{site}}.key"\n')
        for name, site in zip(self.names, self.lab.wan.sites):
            text += f'\n[sites.{name}]\nendpoint = "{site["address"]}:{PORT}"\n'
        links = self.lab.wan.links()
        sites = self.lab.wan.sites
        for a in range(len(sites)):
            for b in range(a + 1, len(sites)):
                there = links[sites[a]["name"], sites[b]["name"]]
                back = links[sites[b]["name"], sites[a]["name"]]
                text += (f'\n[[links]]\nends = ["{self.names[a]}", "{self.names[b]}"]\n'
                         f'connections = {self.connections}\n')
                rates = [link["rate_mbit"] for link in (there, back) if link["rate_mbit"]]
                if rates:
                    text += f'cap = "{min(rates):.3f}Mbit/s"\n'
                rtt_us = round(1000 * (there["delay_ms"] + back["delay_ms"]))
                text += f'rtt = "{max(rtt_us, 1)}us"\n'
        return text

    def socket(self, index):
        return os.path.join(self.folder, self.names[index], "client.sock")

    def admin(self, index):
        return os.path.join(self.folder, self.names[index], "admin.sock")

    def pid_file(self, index):
        """Holds the process id of the gateway's present life."""
        return os.path.join(self.folder, self.names[index], "pid")

    def pids(self):
        return [process.pid for process in self._processes.values()]

    def kill(self, index):
        """What it has counted so far is kept; its next life begins at zero."""
        if self._processes[index].poll() is not None:
            return  # it has not come back yet
        try:
            self._earlier.append(metrics.read([self.lab.wan.sites[index]]))
        except Failure as failure:
            self.lab.console.say(f"  {failure}: what it has counted is missing below")
        self._killed.add(index)
        self._processes[index].kill()

    def _start_one(self, index):
        log = os.path.join(self.folder, self.names[index], "godwitd.log")
        with open(log, "ab") as file:
            self._processes[index] = self.lab.registry.start(
                self.lab.wan.sites[index]["enter"]
                + [self.lab.program("godwitd"), "-c", self.config, "--site", self.names[index]],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        with open(self.pid_file(index), "w", encoding="ascii") as file:
            file.write(f"{self._processes[index].pid}\n")

    def start(self):
        if self.port == "dpdk":
            self.lab.wan.take_addresses()
        for index, name in enumerate(self.names):
            for kind in ("state", "durable"):  # a run begins at zero, also when tuning repeats it
                shutil.rmtree(os.path.join(self.folder, name, kind), ignore_errors=True)
            self._start_one(index)
        until = time.monotonic() + UP_SECONDS
        for index, name in enumerate(self.names):
            while not os.path.exists(self.socket(index)):
                if self._processes[index].poll() is not None or time.monotonic() > until:
                    with open(os.path.join(self.folder, name, "godwitd.log"),
                              encoding="utf-8", errors="replace") as log:
                        raise Failure(f"the gateway of {name} does not start: {log.read()[-2000:]}")
                time.sleep(0.02)

    def supervise(self):
        """Restarts gateways that have died, as a service manager does; returns the sites' names."""
        restarted = []
        now = time.monotonic()
        for index, process in self._processes.items():
            if process.poll() is None:
                continue
            since = self._dead_since.setdefault(index, now)
            if now - since >= RESTART_AFTER:
                self._dead_since.pop(index)
                if index not in self._killed:
                    self.deaths.append(self.names[index])
                self._killed.discard(index)
                self._start_one(index)
                restarted.append(self.names[index])
        return restarted

    def row(self):
        def arguments(index, folder):
            return ["--exchange", "godwit", "--gateway-socket", self.socket(index),
                    "--publisher", f"trainer-{self.names[index]}", "--log", self.log_file(index)]

        return Row("godwit", "wan", arguments)

    def log_file(self, index):
        """The publisher's own integers, written when it ends."""
        return os.path.join(self.folder, self.names[index], "published.sums")

    def ask(self, index, *words):
        """What a gateway answers to a question of `godwit`; None while it is not there."""
        done = subprocess.run([self.lab.program("godwit"), "--admin", self.admin(index), "--json",
                               "--timeout", "1", *words], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode in (0, UNHEALTHY) else None

    def link(self, own, peer):
        """How one gateway sees its link to another one; None while it is away."""
        answer = self.ask(own, "link", self.names[peer])
        return answer["links"][0] if answer else None

    def is_up(self, own, peer):
        """Whether all connections of a link are up, as its one end sees it."""
        answer = self.ask(own, "link", self.names[peer])
        return bool(answer) and all(link["state"] == "up" for link in answer["links"])

    def audit(self):
        """{"identical", "conservation_defect", "metrics": {…}, …}: what a process of its own finds from
        outside, and what the gateways say of themselves."""
        command = [self.lab.program("godwit-auditor"), "--deadline", str(AUDIT_SECONDS)]
        for index in range(len(self.names)):
            command += ["--socket", self.socket(index), "--log", self.log_file(index)]
        process = self.lab.registry.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          text=True)
        while process.poll() is None:
            self.lab.supervise()
            time.sleep(0.05)
        words, complaint = process.communicate()
        if process.returncode not in (0, UNHEALTHY):
            raise Failure(f"the audit failed: {complaint.strip()}")
        found = json.loads(words)
        found["metrics"] = metrics.figures(metrics.read(self.lab.wan.sites), self._earlier)
        return found

    def commands(self):
        """Three things to try, each a line to paste."""
        control = shlex.join([self.lab.program("godwit-wan"), "ctl", self.lab.wan.socket_path])
        a, b = (site["name"] for site in self.lab.wan.sites[:2])
        explain = [self.lab.program("godwit"), "explain", TOPIC, "--admin", self.admin(0)]
        return [
            (f"kill the gateway of {self.names[0]}; it comes back by itself",
             f"kill -9 $(cat {shlex.quote(self.pid_file(0))})"),
            (f"cut the link between {a} and {b} for 30 s",
             f"{control} cut {a} {b}; sleep 30; {control} heal {a} {b}"),
            ("explain where a topic stands, lane by lane",
             shlex.join(explain)),
        ]

    def stop(self):
        processes, self._processes = list(self._processes.values()), {}
        self._earlier = []
        self.lab.registry.end(processes, patience=5.0)
        if self.port == "dpdk":
            self.lab.wan.give_addresses()
