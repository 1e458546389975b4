"""Cleans up behind a driver that was killed with SIGKILL and could not do it itself.

A process of its own reads, from a pipe, which scratch folders and child processes there are. The pipe
closes when the driver ends, however that happens. Children have then got SIGTERM from the kernel
(PR_SET_PDEATHSIG); those that are still there after PATIENCE seconds get SIGKILL, and the folders go.
"""

import os
import select
import shutil
import signal
import time

PATIENCE = 3.0


class Janitor:
    def __init__(self):
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._write)
                os.setsid()  # out of reach of the terminal
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                _watch(read)
            finally:
                os._exit(0)
        os.close(read)

    def note_folder(self, path):
        """To be called before the folder is made, so that there is none that nobody knows."""
        self._tell("folder", path)

    def note_process(self, pid):
        self._tell("process", str(pid))

    def _tell(self, kind, what):
        try:
            os.write(self._write, f"{kind} {what}\n".encode())
        except BrokenPipeError:
            pass  # somebody has killed it; the driver still cleans up itself

    def close(self):
        """Lets it sweep what is still noted; returns when nothing is left."""
        os.close(self._write)
        os.waitpid(self._pid, 0)


def _watch(read):
    processes, folders = [], []
    with os.fdopen(read, encoding="utf-8") as lines:
        for line in lines:
            kind, what = line.rstrip("\n").split(" ", 1)
            if kind == "folder":
                folders.append(what)
            elif kind == "process":
                try:
                    # Names this very process for ever, even when its number is given away again.
                    processes.append(os.pidfd_open(int(what)))
                except OSError:
                    pass  # it has ended already
    _end(processes)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _end(processes):
    poll = select.poll()
    for process in processes:
        poll.register(process, select.POLLIN)  # readable once the process has ended
    until = time.monotonic() + PATIENCE
    left = len(processes)
    while left and (rest := until - time.monotonic()) > 0:
        for process, _ in poll.poll(1000 * rest):
            poll.unregister(process)
            left -= 1
    for process in processes:
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        except OSError:
            pass  # it has ended
