"""The pickers of networks of pictures: one of those that come with the project or a person's own file, and several of them."""

from __future__ import annotations

import streamlit as st

from adastride import checkpoints
from adastride.downsampling import METHODS
from adastride.ui import resources
from adastride.ui.checkpoint_picker import ChosenCheckpoint
from adastride.ui.images.link import MOST_NETWORKS
from adastride.ui.resources import OwnCheckpoint
from adastride.ui.text import plain
from adastride.ui.uploads import load_checkpoints

WIDGETS = ("images_checkpoint", "images_own", "images_networks")  # keys of the pickers'
NONE_HERE = (
    "No network of pictures is installed here: train one with `python -m adastride train --task images --method adastride "
    "--data` and a folder of CIFAR-10 or of one folder for each class, and load its .safetensors file in the sidebar."
)
_USUAL = "images-adastride"


def choose_checkpoint(name: str | None) -> None:
    """Has the picker, which is not drawn yet, start with a shipped network. None leaves it at the usual one."""
    if name is not None:
        _kept()["checkpoint"] = name


def choose_networks(names: tuple[str, ...]) -> None:
    """Has the picker of several networks, which is not drawn yet, start with these shipped ones; with the usual ones for ()."""
    if names:
        _kept()["networks"] = list(names)


def pick_network() -> ChosenCheckpoint | None:
    """Draws the picker and the uploader, and returns the network to use; None where none is installed and none was loaded."""
    place, key, remembered = st.container(), WIDGETS[0], _kept()
    fresh, titles = _own(), _titles()
    if not titles:
        return None
    if fresh is not None:  # what has just been loaded is what somebody wants to see
        st.session_state[key] = fresh
    elif st.session_state.get(key) not in titles:
        last = remembered.get("checkpoint", _USUAL)
        st.session_state[key] = last if last in titles else next(iter(titles))
    with place:
        name = st.selectbox("Network", list(titles), format_func=titles.__getitem__, key=key)
        st.caption(_described(name))
    remembered["checkpoint"] = name
    return _chosen(name)


def pick_networks() -> list[ChosenCheckpoint]:
    """Draws the picker of several networks and returns those that are chosen."""
    remembered, key, titles = _kept(), WIDGETS[2], _titles()
    options = list(titles)
    if not options:
        return []
    chosen = st.session_state.get(key, remembered.get("networks"))
    if chosen is None:
        usual = [name for name in ("images-strided-conv", _USUAL, "images-diffstride") if name in options]
        chosen = usual[:3] if len(usual) > 1 else options[:2]
    st.session_state[key] = [name for name in chosen if name in options][:MOST_NETWORKS]
    picked = st.multiselect(f"2 to {MOST_NETWORKS} networks", options, format_func=titles.__getitem__, key=key, max_selections=MOST_NETWORKS)
    remembered["networks"] = picked
    return [_chosen(name) for name in picked]


def _kept() -> dict:
    """What the session remembers of the pickers while another page is shown."""
    return st.session_state.setdefault("images_networks_kept", {})


def _loaded() -> dict[str, OwnCheckpoint]:
    """The files that this session has loaded, by id."""
    return _kept().setdefault("own", {})


def _titles() -> dict[str, str]:
    """What can be chosen, by name."""
    shipped = {name: f"{METHODS[entry.method].label} · {entry.headline}" for name, entry in checkpoints.picture_catalogue().items()}
    return shipped | {name: own.title for name, own in _loaded().items()}


def _described(name: str) -> str:
    known = checkpoints.picture_catalogue()
    if name in known:
        entry = known[name]
        return f"{entry.description} {entry.headline} of {entry.clips:,} test pictures are right."
    config = resources.picture_model(_loaded()[name]).config
    return (
        f"{plain(_loaded()[name].title)}: {METHODS[config.method].label}, {len(config.labels)} classes, pictures of {config.size} × {config.size} pixels. "
        "It stays in this session: a link names the file and does not carry it."
    )


def _chosen(name: str) -> ChosenCheckpoint:
    known = checkpoints.picture_catalogue()
    if name in known:
        return ChosenCheckpoint(name, name, known[name].title, name)
    own = _loaded()[name]
    return ChosenCheckpoint(own, own.id, own.title, f"upload:{own.title}")


def _own() -> str | None:
    """Draws the uploader, keeps the files that are networks of pictures, and returns the id of the last that is new in this run."""
    loaded = load_checkpoints(WIDGETS[1], _kept().setdefault("files", {}), resources.picture_model, "python -m adastride train --task images")
    _loaded().update({own.id: own for own in loaded})
    return loaded[-1].id if loaded else None
