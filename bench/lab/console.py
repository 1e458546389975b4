"""Words for the person at the keyboard: lines, and one line that changes while a run goes on."""

import shutil
import sys
import time

PLAIN_EVERY = 5.0  # seconds between progress lines when the output is not a terminal


class Console:
    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._open = False
        self._last = {}

    def say(self, text=""):
        self.finish_line()
        print(text, file=self._out, flush=True)

    def progress(self, key, text, force=False):
        """`key` says which run it is about: each has its own rhythm."""
        if self._live:
            columns = shutil.get_terminal_size().columns  # a line that wraps cannot be taken back
            self._out.write("\r\x1b[K" + text[:columns - 1])
            self._out.flush()
            self._open = True
        elif force or time.monotonic() - self._last.get(key, 0) >= PLAIN_EVERY:
            self._last[key] = time.monotonic()
            print(text, file=self._out, flush=True)

    def finish_line(self):
        if self._open:
            self._out.write("\n")
            self._open = False
