"""Test pictures of the server's on the Images page: which are offered, what is said of an answer, and what links can't reach."""

from __future__ import annotations

from pathlib import Path

import made_up_pictures as made_up
import made_up_test_sets as test_sets
import numpy as np
import pytest
from app_pages import opened, said, set_
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.images import decode
from adastride.ui.images.held_out import HeldOut, find
from adastride.ui.images.source import ChosenPicture

PAGE = "pages/images.py"
KEYS = SET, CLASS, NUMBER = ("images_test_set", "images_test_class", "images_test_number")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write(tmp_path_factory.mktemp("networks"), ("adastride", "diffstride"))


@pytest.fixture
def root(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's folder of data, empty yet; the page's networks are made-up ones."""
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: made_up.catalogue(folder))
    monkeypatch.setenv("ADASTRIDE_DATA", str(tmp_path))
    return tmp_path


def shown(app: AppTest) -> np.ndarray:
    return app.session_state["images_viewer_state"]["trace"].pixels


def has(app: AppTest, key: str) -> bool:
    return any(each.key == key for each in (*app.selectbox, *app.number_input))


def is_drawing(app: AppTest) -> bool:
    return has(app, "images_drawing") and not has(app, CLASS)


def test_without_data_the_page_is_as_it_was(root: Path, monkeypatch: pytest.MonkeyPatch):
    (root / "sounds").mkdir()
    (root / "sounds" / "manifest.csv").write_text("path,label\n", encoding="utf-8")
    (root / "notes.txt").touch()
    for folder in (root, root / "nowhere", root / "notes.txt"):
        monkeypatch.setenv("ADASTRIDE_DATA", str(folder))
        app = opened(PAGE)
        assert app.segmented_control(key="images_kind").options == ["Drawn", "Upload", "Camera"]
        assert is_drawing(app)


def test_a_test_picture_is_chosen_by_class_and_number_and_its_class_is_said(root: Path):
    test_sets.write_npz(root / "ten")
    app = opened(PAGE)
    assert is_drawing(app)
    app = set_(app.segmented_control(key="images_kind"), "test")
    assert not has(app, SET), "there is one"
    assert app.selectbox(key=CLASS).options == list(test_sets.CLASSES)
    assert tuple(shown(app)[0, 0]) == test_sets.colour(0)
    app = set_(app.selectbox(key=CLASS), "cat")
    assert (app.number_input(key=NUMBER).min, app.number_input(key=NUMBER).max) == (1, 4)
    app = set_(app.number_input(key=NUMBER), 3)
    assert tuple(shown(app)[0, 0]) == test_sets.colour(23)
    assert "One of 4 pictures of this class in the test split of ten" in said(app)
    app = set_(app.segmented_control(key="images_view"), "compare")
    verdicts = [each.value for each in app.markdown if " says " in each.value]
    assert len(verdicts) == 2
    assert all(each.endswith(", right") if "says **cat**" in each else each.endswith(", wrong: it is a cat") for each in verdicts)
    app = set_(app.segmented_control(key="images_kind"), "drawing")
    assert not any(word in each.value for each in app.markdown for word in ("right", "wrong"))


def test_another_class_has_fewer_and_what_is_chosen_stays_within(root: Path):
    test_sets.write_npz(root / "ten", count=35)
    app = opened(PAGE, picture="test,ten,deer,4")
    assert app.number_input(key=NUMBER).value == 4
    app = set_(app.selectbox(key=CLASS), "dog")
    assert app.number_input(key=NUMBER).value == 3
    app = set_(app.number_input(key=NUMBER), 2_000_000)  # what no browser of ours sends
    assert app.number_input(key=NUMBER).value == 1
    assert tuple(shown(app)[0, 0]) == test_sets.colour(5)


def test_links_open_the_same_picture(root: Path):
    test_sets.write_npz(root / "ten")
    test_sets.write_folders(root / "a, b", ("cat", "x,1"))
    app = opened(PAGE, picture="test,ten,ship,2", checkpoint="made-up-diffstride")
    assert not app.toast
    assert tuple(shown(app)[0, 0]) == test_sets.colour(18)
    assert app.selectbox(key=SET).options == ["a, b", "ten"]
    app = set_(app.selectbox(key=SET), "a, b")
    assert (app.selectbox(key=CLASS).value, app.number_input(key=NUMBER).value) == ("cat", 2)
    app = set_(app.selectbox(key=CLASS), "x,1")
    assert find("test,a, b,x,1,2") == HeldOut("a, b", "x,1", 2)
    assert HeldOut("a, b", "x,1", 2).link == "test,a, b,x,1,2"
    assert tuple(shown(opened(PAGE, picture="test,a, b,x,1,2"))[0, 0]) == test_sets.colour(101)


@pytest.mark.parametrize("link", [
    "test,ten,cat,5", "test,ten,cat,0", "test,ten,cat,-1", "test,ten,cat,²", "test,ten,cat,", "test,ten,unicorn,1", "test,none,cat,1", "test,ten", "test,,,",
    "test", "test,../ten,cat,1", "test,ten/../ten,cat,1", "test,ten,../train/cat,1", "test,/etc,passwd,1", "test,ten,cat,1" + 99 * "0", "test,\0,cat,1",
    "test,.hidden,cat,1", "test,sounds,cat,1", "../../etc/passwd", "test,ten,cat,1\n",
])
def test_links_that_name_no_test_picture_get_one_sentence_and_the_usual_picture(root: Path, link: str):
    test_sets.write_npz(root / "ten")
    test_sets.write_folders(root / ".hidden")
    test_sets.write_folders(root / "sounds")
    (root / "sounds" / "manifest.csv").touch()
    app = opened(PAGE, picture=link)
    assert [str(root) in each.value for each in app.toast] == [False]
    assert app.toast[0].value.startswith("This link has picture = ")
    assert app.toast[0].value.endswith("not a picture here: the first one is shown.")
    assert is_drawing(app)
    assert not app.error


def test_what_can_t_be_read_is_said_without_the_server_s_paths(root: Path):
    test_sets.write_folders(root / "animals")
    app = opened(PAGE, picture="test,animals,zebra,1")
    before = shown(app)
    (root / "animals" / "test" / "zebra" / "1.png").write_bytes(b"no picture")
    app = set_(app.number_input(key=NUMBER), 2)
    assert [each.value for each in app.error] == ["zebra 2 of animals’s test split can't be read: choose another number."]
    assert np.array_equal(shown(app), before)

    (root / "empty.npz").mkdir()
    (root / "junk").mkdir()
    (root / "junk" / "small.npz").write_bytes(b"PK no zip")
    app = opened(PAGE, picture="test,junk,cat,1")
    assert len(app.toast) == 1
    app = set_(app.segmented_control(key="images_kind"), "test")
    app = set_(app.selectbox(key=SET), "junk")
    assert [each.value for each in app.error] == ["junk has no test pictures that can be read here: choose another picture."]
    assert str(root) not in said(app)


def test_data_that_goes_away_leaves_the_drawings(root: Path, monkeypatch: pytest.MonkeyPatch):
    test_sets.write_npz(root / "ten")
    app = opened(PAGE, picture="test,ten,cat,1")
    monkeypatch.setenv("ADASTRIDE_DATA", str(root / "nowhere"))
    app = app.run()
    assert not app.exception
    assert is_drawing(app)


@pytest.mark.parametrize(("answer", "labels", "said"), [
    ("cat", ("cat", "dog"), "right"), ("dog", ("cat", "dog"), "wrong: it is a cat"),
    ("dog", ("dog", "emu"), "it is a cat, a class that this network does not have"),
])
def test_an_answer_is_right_or_wrong_where_a_data_set_says_what_it_is(answer: str, labels: tuple[str, ...], said: str):
    picture = decode(test_sets.png(1))
    chosen = ChosenPicture("id", "title", picture, "test,ten,cat,1", "cat", test=True)
    assert chosen.verdict(answer, labels) == said
    assert chosen.stem == "adastride-images-test-ten-cat-1"
    assert ChosenPicture("id", "title", picture, "cat", "cat").verdict(answer, labels) == ""
    assert ChosenPicture("id", "title", picture, "upload:../x").stem == "adastride-images-picture"
