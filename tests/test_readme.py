"""The README's Python snippets run as pasted, its commands exist, and its relative links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adastride.cli import main

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\S*python -m adastride (\w+)", TEXT, flags=re.MULTILINE)
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippet_runs_as_pasted(snippet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(snippet, "README.md", "exec"), {})


def test_comments_of_the_first_snippet_give_the_true_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shapes = re.findall(r"^(.*?\.shape)\s+# (\([\d, ]+\))", SNIPPETS[0], flags=re.MULTILINE)
    assert len(shapes) == SNIPPETS[0].count(".shape") >= 3
    names: dict = {}
    exec(compile(SNIPPETS[0], "README.md", "exec"), names)
    for expression, shape in shapes:
        assert tuple(eval(expression, names)) == eval(shape), expression


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", TEXT)
    assert len(targets) == TEXT.count("](") + TEXT.count("src=") >= 10
    for target in targets:
        path = next(filter(None, target))
        assert path.startswith("http") or (ROOT / path).exists(), path


def test_no_snippet_is_overlooked() -> None:
    assert len(SNIPPETS) == TEXT.count("```python") >= 2


def test_commands_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) == len(re.findall(r"python -m adastride", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)))) >= 7
    for command in set(COMMANDS):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0, command
        assert f"adastride {command}" in capsys.readouterr().out
