"""Memory of the process."""

from __future__ import annotations

import ctypes


def return_large_blocks() -> None:
    """Makes glibc give memory of 4 MB and more back to the system when it is freed.

    It would keep blocks of up to 32 MB for later: 200 MB of a server's memory after a 10-minute clip, 400 MB of a command's peak on an
    hour. Other C libraries do as they do.
    """
    try:
        ctypes.CDLL("libc.so.6").mallopt(-3, 4 << 20)  # M_MMAP_THRESHOLD
    except (OSError, AttributeError):
        return
