"""What the driver has started and made is gone when the driver is, whatever ended it."""

import os
import signal
import subprocess
import sys
import time
import unittest

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..")

# A driver with a folder, a child that obeys SIGTERM and one that does not. Says what there is, waits.
DRIVER = """
import signal, sys, time
from bench.lab.processes import Registry
registry = Registry()
folder = registry.folder("godwit-test.")
gentle = registry.start(["sleep", "1000"])
stubborn = registry.start([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); "
    "time.sleep(1000)"], stdout=-1)
stubborn.stdout.readline()
def stop(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGINT, stop)
try:
    print(folder, gentle.pid, stubborn.pid, flush=True)
    for _ in range(1000):
        time.sleep(0.1)  # a signal just before it does not end it: Python hears of it afterwards
except KeyboardInterrupt:
    pass
finally:
    registry.close()
"""
GONE_SECONDS = 10.0


def is_running(pid):
    """A zombie whose parent has not looked yet does not count."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class NothingIsLeft(unittest.TestCase):
    def setUp(self):
        self.driver = subprocess.Popen([sys.executable, "-B", "-c", DRIVER], cwd=ROOT, text=True,
                                       stdout=subprocess.PIPE)
        self.addCleanup(self.driver.stdout.close)
        self.addCleanup(self.driver.wait)
        self.addCleanup(self.driver.kill)
        folder, *pids = self.driver.stdout.readline().split()
        self.folder, self.pids = folder, [int(pid) for pid in pids]
        self.assertTrue(os.path.isdir(folder))
        for pid in self.pids:
            self.assertTrue(is_running(pid))

    def expect_nothing(self):
        until = time.monotonic() + GONE_SECONDS
        while os.path.exists(self.folder) or any(map(is_running, self.pids)):
            self.assertLess(time.monotonic(), until, "something is left")
            time.sleep(0.02)

    def test_after_ctrl_c(self):
        self.driver.send_signal(signal.SIGINT)
        self.assertEqual(self.driver.wait(GONE_SECONDS), 0)
        self.assertFalse(os.path.exists(self.folder))
        self.assertFalse(any(map(is_running, self.pids)))

    def test_after_kill_9(self):
        self.driver.kill()
        self.driver.wait()
        self.expect_nothing()


if __name__ == "__main__":
    unittest.main()
