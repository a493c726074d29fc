"""What a number of people needs, worked out from what one replica was measured to give: `python deploy/sizing.py` prints the table of README.md."""

from __future__ import annotations

import math

# MEASURED. Answers a second of one replica, on so many cores, while 30 sessions drag at once. A new measurement goes here, then the table into README.md.
ANSWERS, CORES = 175, 2
# Measured, in GB: a replica that has shown every page, and what each further session with a clip of 5 s adds.
REPLICA_GB, SESSION_GB = 0.95, 0.0015

# Assumed. A viewer that is dragged feels live from 12 answers a second on; among people who explore on their own about one in seven drags at any
# moment, the others look; and a replica with a third of its time to spare answers without a queue.
LIVE, DRAGGING, BUSY = 12, 0.15, 0.67
PEOPLE = (30, 300, 3000)


def replicas(people: int) -> int:
    """How many replicas it takes for everybody who drags to get `LIVE` answers a second."""
    return math.ceil(people * DRAGGING * LIVE / (ANSWERS * BUSY))


def table() -> str:
    """The table in Markdown, with a line for each number of people."""
    lines = ["| people at once | answers a second | replicas | cores | memory | each, if all drag at once |", "|--:|--:|--:|--:|--:|--:|"]
    for people in PEOPLE:
        number = replicas(people)
        memory = math.ceil(number * REPLICA_GB + people * SESSION_GB)
        each = min(LIVE, number * ANSWERS / people)
        lines.append(f"| {people} | {people * DRAGGING * LIVE:.0f} | {number} | {number * CORES} | {memory} GB | {each:.1f} answers a second |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
