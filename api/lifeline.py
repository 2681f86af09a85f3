"""How children end with their supervisor, however it ends.

The supervisor holds the writing end of a pipe and never writes. When it is gone, killed or not, the kernel
closes that end, and whoever reads the other one knows. This works wherever there are pipes, and for a child
that is busy too: it is given some time to stop by itself.
"""

import os
import signal
import threading
import time

GRACE_S = 30


def end_with(lifeline: int) -> None:
    """Send this process SIGTERM when the pipe closes, and end it for good if it is still there later."""
    threading.Thread(target=_wait, args=(lifeline,), name="lifeline", daemon=True).start()


def _wait(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
