"""Child processes and scratch folders that never outlive this process, whatever ends it."""

import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import time

from bench.lab.janitor import Janitor

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def prioritise(pid, nice):
    """As far as we may: only root steps forward. A niceness weighs within a session; where the kernel
    groups processes by session (sched_autogroup), the session, here always one program, has its own."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
    except OSError:
        pass


class Registry:
    """Owns every process and every scratch folder; `close` ends and removes them all."""

    def __init__(self):
        self._janitor = Janitor()  # before any thread: it is a fork
        self._processes = []
        self._folders = []
        self.base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # of scratch folders

    def start(self, command, nice=0, **options):
        """A process that gets SIGTERM when this one dies, and is out of reach of the terminal's Ctrl-C."""
        parent = os.getpid()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died in between
                os._exit(1)
            prioritise(os.getpid(), nice)

        process = subprocess.Popen(command, preexec_fn=prepare, start_new_session=True, **options)
        self._processes.append(process)
        self._janitor.note_process(process.pid)
        return process

    def folder(self, prefix):
        """A scratch folder, in memory if there is room."""
        path = os.path.join(self.base, prefix + secrets.token_hex(4))
        self._janitor.note_folder(path)
        self._folders.append(path)
        os.mkdir(path, 0o700)
        return path

    def remove(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self._folders = [other for other in self._folders if other != folder]

    def end(self, processes, patience=3.0, meanwhile=lambda: None):
        """SIGTERM, then SIGKILL after `patience` seconds, to these processes together."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + patience
        for process in processes:
            while process.poll() is None and time.monotonic() < until:
                meanwhile()
                time.sleep(0.01)
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    try:
                        stream.close()
                    except OSError:
                        pass  # what was still buffered for a process that has gone
        self._processes = [p for p in self._processes if p not in processes]

    def close(self):
        self.end(list(self._processes))
        while self._folders:
            self.remove(self._folders[-1])
        self._janitor.close()
