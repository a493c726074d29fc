"""Audio transformers are networks like any other to the pages, also those with no downsampling layer at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from app_pages import opened, said, set_
from made_up_transformers import audio_transformer
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.inspection import export, figures
from adastride.ui.explore.link import parse

Written = Callable[[str], tuple[str, bytes, str]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """An audio transformer as an uploaded file."""
    folder = tmp_path_factory.mktemp("own")

    def write(kind: str) -> tuple[str, bytes, str]:
        path = Path(folder) / f"{kind}.safetensors"
        checkpoints.save_checkpoint(audio_transformer(kind), path, {})
        return path.name, path.read_bytes(), "application/octet-stream"

    return write


def with_own(page: str, key: str, file: tuple[str, bytes, str], **query: str) -> AppTest:
    app = opened(f"pages/{page}.py", **query)
    app.selectbox(key=f"{key}_task").select("own").run()
    app.file_uploader(key=f"{key}_own").set_value(file).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("kind", ["elastic", "ast", "front"])
def test_explore_shows_it(written: Written, kind: str):
    app = with_own("explore", "explore", written(kind))
    assert not app.error
    trace = app.session_state["explore_viewer_state"]["trace"]
    assert trace.prediction.patches.tokens == {"elastic": 256, "ast": 105, "front": 128}[kind]
    assert ("no downsampling layer, 4 classes" in said(app)) == (kind != "front")
    for render in ("png", "svg"):
        assert len(figures.render(figures.publication_figure(trace, "a title"), render)) > 10_000
    arrays = np.load(io.BytesIO(export.to_npz(trace)))
    assert arrays["patch_weights"].shape == (8, {"elastic": 32, "ast": 13, "front": 16}[kind])
    assert arrays["attention_patches"][0, 0] == (kind == "ast"), "the class token comes first"
    assert str(arrays["hearing"]) == '{"seconds": null, "resolution": 1.0}'
    assert export.to_csv(trace).count("\n") == 1 + sum(layer.output_frames for layer in trace.layers)


def test_sigma_says_what_to_choose_instead(written: Written):
    app = with_own("sigma", "sigma", written("elastic"))
    (error,) = app.error
    sentence = "has no layer whose σ or stride could be swept: choose one with a layer in front, such as AdaStride + ElasticAST (elastic-adastride)."
    assert error.value.replace("\\", "").endswith(sentence)


def test_sigma_sweeps_the_layer_in_front(written: Written):
    assert not with_own("sigma", "sigma", written("front")).error


def test_compare_says_that_it_has_no_scores_and_goes_on_without_them(written: Written):
    app = with_own("compare", "compare", written("elastic"))
    (error,) = app.error
    assert "no learned scores" in error.value
    assert app.selectbox(key="compare_source").options == ["Log-mel of the clip"]
    assert not set_(app.selectbox(key="compare_scores"), "energy").error


def test_compare_networks_shows_it_beside_one_with_a_stride(written: Written):
    app = opened("pages/compare.py", networks="", upper="3")
    set_(app.file_uploader(key="compare_networks_files"), [written("elastic"), written("front")])
    assert not app.error
    elastic, front = app.session_state["compare_networks_state"]["answers"]
    assert elastic.trace.layers == ()
    assert front.trace.layers[0].settings.stride == 3.0


def test_a_link_says_what_is_heard():
    query = {"length": "2.5", "resolution": "1.4"}
    link = parse(query, (), (), lambda _: 0)
    assert (link.hearing.seconds, link.hearing.resolution, link.problems) == (2.5, 1.4, ())


@pytest.mark.parametrize("wrong", ["length=0", "length=nan", "length=long", "resolution=0.5", "resolution=5"])
def test_a_link_with_a_wrong_part_is_told(wrong: str):
    name, value = wrong.split("=")
    link = parse({name: value}, (), (), lambda _: 0)
    assert (link.hearing.seconds, link.hearing.resolution) == (None, 1.0)
    (problem,) = link.problems
    assert problem.startswith(f"This link has {name} = “{value}”")
