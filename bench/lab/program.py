"""How every Python program of the project ends: by its status, and quietly when its reader has gone."""

import os
import select
import signal
import sys


def run(main, *arguments):
    """Exits with main(*arguments). When standard output is a pipe that nobody reads any more, as behind
    `| head`, the status is that of a program that SIGPIPE ended, and no word of it is said."""
    try:
        try:
            status = main(*arguments)
        except SystemExit as end:  # as argparse ends after --help
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_has_gone():
            raise  # another pipe: that is a failure
        status = 128 + signal.SIGPIPE
    sys.exit(status)


def _reader_has_gone():
    """Then what is still in the buffer goes nowhere, also when the interpreter ends."""
    output = sys.stdout.fileno()
    poller = select.poll()
    poller.register(output, 0)  # errors are always reported, and a pipe without a reader is one
    if not any(events & select.POLLERR for _, events in poller.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)
    return True
