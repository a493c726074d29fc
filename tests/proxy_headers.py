"""The headers that deploy/Caddyfile gives to every answer."""

from __future__ import annotations

import re
from pathlib import Path

CADDYFILE = Path(__file__).resolve().parents[1] / "deploy" / "Caddyfile"


def headers() -> dict[str, str]:
    """Name and value of each header that the `header` block of the site sets."""
    block = re.search(r"^\theader \{\n(.*?)^\t\}", CADDYFILE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)[1]
    lines = (line.strip() for line in block.splitlines())
    return {name: value.strip('"') for name, _, value in (line.partition(" ") for line in lines if line and line[0] not in "#-") if value}
