"""Bounds of what the server logs.

What visitors send can make it log: a damaged message of a component fails inside of Streamlit, which writes a traceback each time,
and thousands of them fill a disk and hide what matters. So every record is shortened, and one place in the code that logs again and
again is written out a few times a minute; then one line counts the rest.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from dataclasses import dataclass

_log = logging.getLogger(__name__)
MOST_CHARACTERS = 2000  # of a message
MOST_LINES = 40  # of a traceback
MOST_CHARACTERS_OF_A_LINE = 500  # of a traceback: the message of an exception is part of it
IN_FULL = 5  # records of one place in `SECONDS`
SECONDS = 60.0
_MOST_PLACES = 1000  # that are remembered at once


@dataclass
class _Window:
    """What one place has logged since `began` (seconds of the monotonic clock). left_out: how many records were not written."""

    began: float
    written: int = 0
    left_out: int = 0
    last: str = ""


class Bounds(logging.Filter):
    """A filter for loggers, not for handlers, so that each record passes it once, however many handlers write it.

    A place is a logger, the file and line that call it and the type of the exception that comes along.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        super().__init__()
        self._seconds, self._lock = seconds, threading.Lock()
        self._windows: dict[tuple[object, ...], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Shortens a record in place. Returns whether it is to be written."""
        if getattr(record, "counts_others", False):
            return True
        exception = record.exc_info[0] if record.exc_info else None
        place = record.name, record.pathname, record.lineno, exception
        with self._lock:
            window = self._window(place)
            if window.written == IN_FULL:
                window.left_out += 1
                window.last = _message(record, 200)
                if window.left_out == 1:
                    until = window.began + self._seconds - time.monotonic()
                    timer = threading.Timer(max(until, 0.0), self._count_left_out, (window, record.name, record.levelno, exception))
                    timer.daemon = True
                    timer.start()
                return False
            window.written += 1
        shorten(record)
        return True

    def _window(self, place: tuple[object, ...]) -> _Window:
        now = time.monotonic()
        window = self._windows.get(place)
        if window is None or now >= window.began + self._seconds:
            if len(self._windows) >= _MOST_PLACES:
                self._windows = {other: kept for other, kept in self._windows.items() if now < kept.began + self._seconds}
            if len(self._windows) >= _MOST_PLACES:  # all within one minute: the oldest begins anew
                del self._windows[min(self._windows, key=lambda other: self._windows[other].began)]
            window = self._windows[place] = _Window(now)
        return window

    def _count_left_out(self, window: _Window, name: str, level: int, exception: type[BaseException] | None) -> None:
        with self._lock:
            count, last = window.left_out, window.last
        kind = f" with {exception.__name__}" if exception else ""
        logging.getLogger(name).log(
            level, "%d more like those before it%s within %.0f s were left out, the last one was: %s", count, kind, self._seconds, last,
            extra={"counts_others": True},
        )


def shorten(record: logging.LogRecord) -> None:
    """Cuts a record's message down to `MOST_CHARACTERS`, and its traceback and stack to `MOST_LINES` lines, in place."""
    message = _message(record, MOST_CHARACTERS)
    record.msg, record.args = message, None
    if record.exc_info and record.exc_info[0] is not None:
        # What a formatter finds here it does not format again.
        record.exc_text = _cut("".join(traceback.format_exception(*record.exc_info)))
    if record.stack_info:
        record.stack_info = _cut(record.stack_info)


def _message(record: logging.LogRecord, most: int) -> str:
    """A record's message, of at most so many characters."""
    try:
        text = record.getMessage()
    except Exception:  # a mistake in the call, which logging itself would report with a traceback of its own
        text = f"{record.msg!r} with arguments that do not fit"
    if len(text) <= most:
        return text
    note = f" … ({len(text):,} characters)"
    return text[: most - len(note)] + note


def _cut(text: str) -> str:
    """The first and the last lines of a text, with how many were left out between them."""
    most = MOST_CHARACTERS_OF_A_LINE
    lines = [line if len(line) <= most else f"{line[:most]} …" for line in text.rstrip("\n").split("\n")]
    if len(lines) > MOST_LINES:
        first = MOST_LINES // 2
        last = MOST_LINES - first - 1
        lines[first:-last] = [f"  … {len(lines) - first - last:,} lines left out …"]
    return "\n".join(lines)


def _log_thread_error(failed: threading.ExceptHookArgs) -> None:
    """Has an error that ended a thread logged; Python would write it to stderr at any length."""
    if failed.exc_type is SystemExit:
        return
    error = failed.exc_value or failed.exc_type()
    _log.error("the thread %s ended with an error", failed.thread.name if failed.thread else "?", exc_info=error)


def install(bounds: Bounds | None = None) -> None:
    """Bounds what all loggers of the process write, those that come later included. A second call changes nothing.

    Streamlit and uvicorn give their loggers handlers of their own, some of them late, so it is the loggers that are bounded.
    """
    if getattr(logging.getLoggerClass(), "is_bounded", False):
        return
    bounds = bounds or Bounds()

    class BoundedLogger(logging.getLoggerClass()):  # type: ignore[misc]
        is_bounded = True

        def __init__(self, name: str, level: int = logging.NOTSET) -> None:
            super().__init__(name, level)
            self.addFilter(bounds)

    logging.setLoggerClass(BoundedLogger)
    for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.addFilter(bounds)
    threading.excepthook = _log_thread_error
