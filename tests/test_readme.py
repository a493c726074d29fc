"""The README's Python snippets run as pasted, and its relative links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippet_runs_as_pasted(snippet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(snippet, "README.md", "exec"), {})


def test_comments_of_the_first_snippet_give_the_true_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for expression, shape in re.findall(r"^(.*?\.shape)\s+# (\([\d, ]+\))", SNIPPETS[0], flags=re.MULTILINE):
        names: dict = {}
        exec(compile(SNIPPETS[0], "README.md", "exec"), names)
        assert tuple(eval(expression, names)) == eval(shape), expression


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", TEXT):
        path = next(filter(None, target))
        assert path.startswith("http") or (ROOT / path).exists(), path
