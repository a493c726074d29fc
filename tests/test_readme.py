"""The README's Python snippets run as pasted, its commands exist, and its relative links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import adastride
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


def test_every_file_says_the_same_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [adastride.__version__]
    assert re.findall(r"^## (\d\S*)", changes, flags=re.MULTILINE)[0] == adastride.__version__


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {path for path in re.findall(r"`([\w./-]+)`", text) if "/" in path and not path.startswith(("build/", ".venv/"))}
    assert len(named) >= 10
    for path in named:
        assert (ROOT / path).exists(), path
    targets = set(re.findall(r"^make (\w+)", text, flags=re.MULTILINE)) | set(re.findall(r"`make (\w+)`", text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
