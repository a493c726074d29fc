"""Runs of a grid in processes of their own, so that their time and memory can be measured, each worked on by one process alone.

A run belongs to whoever holds the lock on its file, so several grids may work on the same list, on one machine or on a shared disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from adastride.audio import AudioError
from adastride.checkpoints import CheckpointError
from adastride.clips import DataError
from adastride.device import device_name
from adastride.files import write_atomically

# What a run's process ends with.
_DONE, _BAD, _STOPPED, _TAKEN, _INTERRUPTED = 0, 2, 3, 4, 130


class Named(Protocol):
    """A run, which has an id and a method."""

    @property
    def id(self) -> str: ...

    @property
    def method(self) -> str: ...


AnyRun = TypeVar("AnyRun", bound=Named)
AnyLine = TypeVar("AnyLine")


@dataclass(frozen=True)
class Workplace:
    """Where and how long a grid works.

    results: the CSV of the results. runs: the folder of unfinished and finished runs. device: what networks run on. deadline: when
    to stop, in seconds since 1970.
    """

    results: Path
    runs: Path
    device: str = "cpu"
    deadline: float = float("inf")


class OutOfTimeError(Exception):
    """The deadline has come, or nobody waits for the run any more."""


def check_time(where: Workplace) -> None:
    """Raises OutOfTimeError where the deadline has come, or the process that began this one has ended."""
    parent = multiprocessing.parent_process()
    if time.time() > where.deadline or (parent is not None and not parent.is_alive()):
        raise OutOfTimeError


def fitting(runs: Sequence[AnyRun], patterns: Sequence[str], task: Callable[[AnyRun], str]) -> list[AnyRun]:
    """The runs that fit one of the patterns TASK or TASK/METHOD, which may hold * and ?; all runs where there is no pattern.

    task: the name of a run's task. Raises DataError for a pattern that no run fits.
    """

    def fits(run: AnyRun, pattern: str) -> bool:
        return fnmatch.fnmatchcase(task(run) if "/" not in pattern else f"{task(run)}/{run.method}", pattern)

    for pattern in patterns:
        if not any(fits(run, pattern) for run in runs):
            raise DataError(f"no run of the grid fits {pattern!r}: give TASK or TASK/METHOD, such as {task(runs[0])}/{runs[0].method}.")
    return [run for run in runs if not patterns or any(fits(run, pattern) for pattern in patterns)]


def run_unfinished(
    work: Callable[[Any, Any], None], runs: Sequence[Named], read: Callable[[Path], list[Any]], where: Workplace, jobs: int, say: Callable[[str], None],
) -> list[str]:
    """`run_processes` for the runs that the results do not have yet, after a line about how many these are.

    read: the lines of the results, which have a field `run`.
    """
    where.runs.mkdir(parents=True, exist_ok=True)
    finished = {line.run for line in lines_of(where.results, read)}
    pending = [run for run in runs if run.id not in finished]
    say(f"{len(runs)} runs, {len(runs) - len(pending)} of them finished before, {jobs} at a time on {device_name(where.device)}")
    return run_processes(work, pending, where, jobs, say)


def run_processes(work: Callable[[Any, Any], None], pending: Sequence[Named], where: Workplace, jobs: int, say: Callable[[str], None]) -> list[str]:
    """Gives each run a process, `jobs` of them at a time, until all are done or the deadline has come.

    work: a function of a module, called with the run and `where`; it goes through `carry_out`. Returns the ids of the runs that failed.
    KeyboardInterrupt stops all of them.
    """
    pending = list(pending)
    spawn, failed = multiprocessing.get_context("spawn"), []
    active: dict[Any, multiprocessing.context.SpawnProcess] = {}
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        while active or (pending and time.time() < where.deadline):
            while pending and len(active) < jobs and time.time() < where.deadline:
                run = pending.pop(0)
                if not _is_taken(run, where):
                    process = spawn.Process(target=work, args=(run, where), name=run.id)
                    # A process that is being started would die of Ctrl-C with a traceback.
                    interrupt_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
                    process.start()
                    signal.signal(signal.SIGINT, interrupt_handler)
                    active[process.sentinel] = process
            for sentinel in multiprocessing.connection.wait(list(active)) if active else ():
                process = active.pop(sentinel)
                process.join()
                if process.exitcode not in (_DONE, _STOPPED, _TAKEN):
                    failed.append(process.name)
                    if process.exitcode != _BAD:
                        say(f"{process.name}  ended with exit code {process.exitcode}")
    finally:
        signal.signal(signal.SIGTERM, previous)
        for _ in range(10):
            for process in active.values():  # again, for one that was not yet ready to listen
                if process.is_alive() and process.pid is not None:
                    os.kill(process.pid, signal.SIGINT)
            for process in active.values():
                process.join(3)
        for process in active.values():  # one that swallowed the word, in a destructor for instance; whole epochs are on the disk
            process.kill()
    unstarted = len(pending)
    if unstarted:
        say(f"stopped in time with {unstarted} runs not begun: run the same command again to go on")
    return failed


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _interrupt_once(*_: object) -> None:
    """Ctrl-C reaches a run's process from the terminal and from its parent: the second would hit it on its way out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def claim(run: Named, where: Workplace) -> contextlib.AbstractContextManager[None]:
    """The right to work on a run, a lock that ends with the process at the latest."""
    path = where.runs / f"{run.id}.lock"
    path.touch()
    return locked(path, wait=False)


def _is_taken(run: Named, where: Workplace) -> bool:
    try:
        with claim(run, where):
            return False
    except BlockingIOError:
        return True


def carry_out(run: AnyRun, where: Workplace, body: Callable[[AnyRun, Callable[[str], None]], None]) -> None:
    """What a run's process does: it claims the run and does `body` with it and a function that says a line. Ends the process where it fails."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, _interrupt_once)  # the parent's word to stop, even where a shell has it ignored

    def say(text: str) -> None:
        print(f"{run.id}  {text}", flush=True)

    try:
        with claim(run, where):
            body(run, say)
            (where.runs / f"{run.id}.lock").unlink(missing_ok=True)
    except BlockingIOError:
        sys.exit(_TAKEN)
    except OutOfTimeError:
        say("stopped in time after a whole epoch")
        sys.exit(_STOPPED)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except (DataError, AudioError, CheckpointError) as error:
        say(f"failed: {error}")
        sys.exit(_BAD)
    except OSError as error:
        say(f"failed: {error.filename or where.results} can't be used: {error.strerror or error}.")
        sys.exit(_BAD)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what Python does while it leaves should not be interrupted


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Holds the lock on a file or folder. Raises BlockingIOError where another process has it and `wait` is False."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def lines_of(path: Path, read: Callable[[Path], list[AnyLine]]) -> list[AnyLine]:
    """The lines of a CSV. read: raises ValueError, one sentence, which becomes a DataError."""
    try:
        return read(path)
    except ValueError as error:
        raise DataError(str(error)) from None


def append_lines(path: Path, read: Callable[[Path], list[Any]], text: Callable[[list[Any]], str], lines: Sequence[Any]) -> None:
    """Adds lines, which have a field `run`, to a CSV in one atomic step; those of a run that stands there already are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        before = lines_of(path, read)
        known = {line.run for line in before}
        write_atomically(path, text(before + [line for line in lines if line.run not in known]).encode())
