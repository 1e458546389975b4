"""Child processes that never outlive this one, whatever ends it."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Registry:
    """Owns every process and every scratch folder; `close` ends and removes them all, newest first."""

    def __init__(self):
        self._processes = []
        self._folders = []
        self._actions = []

    def start(self, command, **options):
        """A process that gets SIGTERM when this one dies, and is out of reach of the terminal's Ctrl-C."""
        parent = os.getpid()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died in between
                os._exit(1)

        process = subprocess.Popen(command, preexec_fn=prepare, start_new_session=True, **options)
        self._processes.append(process)
        return process

    def folder(self, prefix):
        """A scratch folder in memory."""
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        path = tempfile.mkdtemp(prefix=prefix, dir=base)
        self._folders.append(path)
        return path

    def remove(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self._folders = [other for other in self._folders if other != folder]

    def at_end(self, action):
        """Calls `action` before the processes are ended."""
        self._actions.append(action)

    def end(self, processes, patience=3.0):
        """SIGTERM, then SIGKILL after `patience` seconds, to these processes together."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + patience
        for process in processes:
            try:
                process.wait(max(0.05, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    try:
                        stream.close()
                    except OSError:
                        pass  # what was still buffered for a process that has gone
        self._processes = [p for p in self._processes if p not in processes]

    def release(self):
        """Forgets everything without ending it: for a lab that stays."""
        self._processes, self._folders, self._actions = [], [], []

    def close(self):
        while self._actions:
            self._actions.pop()()
        while self._processes:
            self.end([self._processes[-1]])
        while self._folders:
            self.remove(self._folders[-1])
