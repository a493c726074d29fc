"""The project from a wheel, in an empty folder: the library, the command line, the README's snippets and the app.

The wheel goes into a virtual environment of its own, which sees the third-party packages of the one that runs the tests.
"""

from __future__ import annotations

import email
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What the library has to do without: packages that only extras bring.
EXTRAS = ("streamlit", "plotly", "matplotlib", "PIL", "pandas", "accelerate")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    # Paths in .pth files of a folder that is itself named in one do not count: the editable installation stays out.
    (packages / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, check=True, capture_output=True)
    return python


def environment(folder: Path) -> dict[str, str]:
    """Variables of a person who has only just come: no settings of Streamlit's, no path into the repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STREAMLIT", "ADASTRIDE"))}
    return {**kept, "HOME": str(folder), "OMP_NUM_THREADS": "1"}


def run(python: Path, folder: Path, *arguments: str) -> str:
    """What a command prints; it must end well."""
    result = subprocess.run([python, *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_has_every_file_of_the_package(wheel: Path):
    """Front end, styles and the manifest too, whatever kind of file is added one day."""
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "adastride"]
    listed = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert len(files) > 50
    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_every_table_of_the_results(wheel: Path):
    """Pages read them where they are, and say nothing where one is missing."""
    ask = ["git", "ls-files", "results/*.csv", "results/papers.toml"]
    listed = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    assert len(listed.stdout.splitlines()) > 5
    assert {f"adastride/bundled/{name}" for name in listed.stdout.splitlines()} <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_is_small(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    kept = ("digits-adastride", "images-adastride")  # one that hears, and one that sees
    assert [name for name in names if name.endswith(".safetensors")] == [f"adastride/bundled/checkpoints/{name}.safetensors" for name in kept]
    assert not [name for name in names if "__pycache__" in name]
    assert wheel.stat().st_size < 5_000_000


def test_the_wheel_says_what_it_needs(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    metadata = email.message_from_bytes(archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))))
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line).group() for line in needed} == {"torch", "torchaudio", "numpy", "soundfile", "av", "safetensors"}
    assert set(metadata.get_all("Provides-Extra")) == {"app", "train", "ray", "dev"}


def test_the_library_is_the_wheels(python: Path, tmp_path: Path):
    where = run(python, tmp_path, "-c", "import adastride; print(adastride.__file__)")
    assert Path(where).is_relative_to(python.parents[1]), "the tests below would test the checkout"


def test_explain_a_sample(python: Path, tmp_path: Path):
    summary = json.loads(run(python, tmp_path, "-m", "adastride", "explain", "seven", "--json"))
    assert summary["top"] == "7"
    assert len(summary["layers"]) == 3
    assert list(tmp_path.iterdir()) == []


def test_the_readmes_snippets_without_any_extra(python: Path, tmp_path: Path):
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) >= 2
    hidden = f"import sys\nsys.modules.update(dict.fromkeys({EXTRAS}))\n"
    for snippet in snippets:
        run(python, tmp_path, "-c", hidden + snippet)
    run(python, tmp_path, "-c", hidden + "from adastride.cli import main\nsys.exit(main(['explain', 'seven']))")


def test_a_checkpoint_that_stayed_in_the_repository_is_one_sentence(python: Path, tmp_path: Path):
    command = [python, "-m", "adastride", "explain", "seven", "--checkpoint", "commands-adastride"]
    result = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "checkpoints/commands-adastride.safetensors" in result.stderr


def test_the_app_answers(python: Path, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [python, "-m", "adastride", "app", "--port", str(port), "--address", "127.0.0.1", "--headless"]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                assert urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read() == b"ok"
                break
            except OSError:
                time.sleep(0.25)
        else:
            pytest.fail((tmp_path / "log").read_text())
        assert b'<div id="root">' in urllib.request.urlopen(address, timeout=10).read()
        files = python.parents[1].glob("lib/*/site-packages/adastride/ui/frontend/*.js")
        modules = {file.name: file.read_bytes() for file in files}
        assert len(modules) >= 5
        for name, content in modules.items():  # Streamlit finds them by the manifest of the installed package
            assert urllib.request.urlopen(f"{address}/_stcore/bidi-components/adastride.explore/{name}", timeout=10).read() == content
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_every_page_opens(python: Path, tmp_path: Path):
    """The server above runs no page before a browser asks; Streamlit's own test runs them without one."""
    run(python, tmp_path, "-c", (
        "from streamlit.testing.v1 import AppTest\nfrom adastride.files import bundled\n"
        "pages = sorted(bundled('pages').glob('*.py'))\nassert len(pages) >= 6\n"
        "for page in pages:\n"
        "    app = AppTest.from_file(str(page), default_timeout=100).run()\n"
        "    assert not app.exception, (page, app.exception)\n"
        "    assert app.title or app.markdown, page\n"
    ))
