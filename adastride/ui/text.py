"""Makes texts of other people safe to show on a page."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text with a backslash before whatever Markdown would act on, so that it is shown as it is."""
    return re.sub(r"([\\`*_\[\]$~|<>^]|:(?=[\w/])|(?<=www)\.)", r"\\\1", text)
