"""`explain` on the command line for audio transformers, with and without a layer in front of the patches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_up_transformers import audio_transformer

from adastride import checkpoints, cli


@pytest.mark.parametrize(("kind", "tokens"), [("elastic", 256), ("ast", 105), ("front", 128)])
def test_explain_says_what_it_costs(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, tokens: int):
    path = tmp_path / f"{kind}.safetensors"
    checkpoints.save_checkpoint(audio_transformer(kind), path, {})
    command = ["explain", "seven", "--checkpoint", str(path)]
    files = [word for kind in ("npz", "png", "csv") for word in (f"--{kind}", str(tmp_path / f"out.{kind}"))]
    assert cli.main([*command, *files]) == 0
    said = capsys.readouterr().out
    assert f"tokens: {tokens} = 8 × " in said
    assert ("no downsampling layer" in said) == (kind != "front")
    assert (tmp_path / "out.png").stat().st_size > 10_000
    with np.load(tmp_path / "out.npz") as arrays:
        assert int(arrays["patch_tokens"]) == tokens
    assert cli.main([*command, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["tokens"] == tokens
    assert summary["multiply_adds"] > 1e6
    assert len(summary["layers"]) == (kind == "front")
