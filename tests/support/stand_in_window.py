"""A window that a test speaks for: `python stand_in_window.py FROM_TEST TO_TEST` copies the messages of two FIFOs.

It ends when the host or the test does.
"""

import os
import sys
import threading


def copy(source: int, sink: int) -> None:
    """Copy bytes until the source ends, then end the process."""
    try:
        while data := os.read(source, 1 << 16):
            os.write(sink, data)
    finally:
        os._exit(0)


from_test = os.open(sys.argv[1], os.O_RDONLY)
to_test = os.open(sys.argv[2], os.O_WRONLY)
threading.Thread(target=copy, args=(from_test, 1), daemon=True).start()
copy(0, to_test)
