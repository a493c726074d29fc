"""What all tests share: one thread for torch, which a busy machine of two cores likes best, and hypothesis settings."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("adastride", deadline=None, max_examples=60)
settings.load_profile("adastride")
torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests got a second try: a pass does not hide it."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"first try of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
        for name, content in report.sections:
            terminalreporter.write_line(f"--- {name}\n{content}")
