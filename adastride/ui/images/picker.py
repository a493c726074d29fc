"""The pickers of networks of pictures: one of those that come with the project or a person's own file, and several of them."""

from __future__ import annotations

import streamlit as st

from adastride import checkpoints
from adastride.checkpoints import CatalogueEntry, CheckpointError
from adastride.downsampling import METHODS
from adastride.subjects import title_of
from adastride.ui import resources
from adastride.ui.checkpoint_picker import ChosenCheckpoint
from adastride.ui.images.link import KIND_OF, MOST_NETWORKS, WHAT
from adastride.ui.resources import OwnCheckpoint
from adastride.ui.text import plain
from adastride.ui.uploads import load_checkpoints

WIDGETS = ("images_checkpoint", "images_own", "images_networks", "images_sound_checkpoint", "images_sound_own", "images_sound_networks")  # keys of the pickers'
_NAMES = {"pictures": "images", "sound": "images_sound"}  # what the keys of the pickers begin with
NONE_HERE = {
    "pictures": "No network of pictures is installed here: train one with `python -m adastride train --task images --method adastride "
    "--data` and a folder of CIFAR-10 or of one folder for each class, and load its .safetensors file in the sidebar.",
    "sound": "No network of spectrograms is installed here: train one with `python -m adastride train --task spectrogram --method diffstride "
    "--data` and a folder of labelled recordings, and load its .safetensors file in the sidebar.",
}
_TASKS = {"pictures": "images", "sound": "spectrogram"}  # of the command that trains such networks
_USUAL = "images-adastride"


def choose_checkpoint(name: str | None, what: str) -> None:
    """Has the picker, which is not drawn yet, start with a shipped network. None leaves it at the usual one. what: a key of WHAT."""
    if name is not None:
        _kept(what)["checkpoint"] = name


def choose_networks(names: tuple[str, ...], what: str) -> None:
    """Has the picker of several networks, which is not drawn yet, start with these shipped ones; with the usual ones for ()."""
    if names:
        _kept(what)["networks"] = list(names)


def pick_network(what: str) -> ChosenCheckpoint | None:
    """Draws the picker and the uploader, and returns the network to use; None where none is installed and none was loaded.

    what: a key of WHAT.
    """
    place, key, remembered = st.container(), f"{_NAMES[what]}_checkpoint", _kept(what)
    fresh, titles = _own(what), _titles(what)
    if not titles:
        return None
    if fresh is not None:  # what has just been loaded is what somebody wants to see
        st.session_state[key] = fresh
    elif st.session_state.get(key) not in titles:
        last = remembered.get("checkpoint", _USUAL)
        st.session_state[key] = last if last in titles else next(iter(titles))
    with place:
        name = st.selectbox("Network", list(titles), format_func=titles.__getitem__, key=key)
        st.caption(_described(name, what))
    remembered["checkpoint"] = name
    return _chosen(name, what)


def pick_networks(what: str) -> list[ChosenCheckpoint]:
    """Draws the picker of several networks and returns those that are chosen."""
    remembered, key, titles = _kept(what), f"{_NAMES[what]}_networks", _titles(what)
    options = list(titles)
    if not options:
        return []
    chosen = st.session_state.get(key, remembered.get("networks"))
    if chosen is None:
        usual = [name for name in ("images-strided-conv", _USUAL, "images-diffstride") if name in options]
        chosen = usual[:3] if len(usual) > 1 else options[:2]
    both = dict.fromkeys([*chosen, *remembered.pop("fresh", [])])  # what has just been loaded is meant to be compared
    st.session_state[key] = [name for name in both if name in options][:MOST_NETWORKS]
    picked = st.multiselect(f"2 to {MOST_NETWORKS} networks", options, format_func=titles.__getitem__, key=key, max_selections=MOST_NETWORKS)
    remembered["networks"] = picked
    return [_chosen(name, what) for name in picked]


def how_to_choose(what: str) -> str:
    """What somebody can do who has not chosen as many networks as can be compared."""
    if len(_titles(what)) < 2:
        return f"Two networks are needed to compare, and one network of {what} is here: load another .safetensors file in the sidebar."
    return f"Choose 2 to {MOST_NETWORKS} networks to compare; files of your own can be loaded in the sidebar."


def _kept(what: str) -> dict:
    """What the session remembers of the pickers while another page, or another kind of network, is shown."""
    return st.session_state.setdefault(f"{_NAMES[what]}_networks_kept", {})


def _loaded(what: str) -> dict[str, OwnCheckpoint]:
    """The files that this session has loaded, by id."""
    return _kept(what).setdefault("own", {})


def networks_of(what: str) -> dict[str, CatalogueEntry]:
    """The installed networks that look at pictures, or at sound, by name."""
    return {name: entry for name, entry in checkpoints.picture_catalogue().items() if entry.kind == KIND_OF[what]}


def _titles(what: str) -> dict[str, str]:
    """What can be chosen, by name."""
    shipped = {name: _option(entry) for name, entry in networks_of(what).items()}
    return shipped | {name: own.title for name, own in _loaded(what).items()}


def _option(entry: CatalogueEntry) -> str:
    """A network in the list; where it learned sound, on what."""
    subject = f"{title_of(entry.task)} · " if entry.kind == KIND_OF["sound"] else ""
    return f"{subject}{METHODS[entry.method].label} · {entry.headline}"


def _described(name: str, what: str) -> str:
    known = networks_of(what)
    if name in known:
        entry = known[name]
        if len(resources.picture_model(name).config.heads) > 1:
            return f"{entry.description} On average over its tasks {entry.headline} are right."
        return f"{entry.description} {entry.headline} of {entry.clips:,} test {'pictures' if what == 'pictures' else 'clips'} are right."
    config = resources.picture_model(_loaded(what)[name]).config
    height, width = config.picture_size
    classes = ", ".join(f"{f'{head.task}: ' if head.task else ''}{len(head.labels)} classes" for head in config.heads)
    seen = f"pictures of {height} × {width} pixels" if what == "pictures" else f"{height} mel bands and {width} frames"
    return (
        f"{plain(_loaded(what)[name].title)}: {METHODS[config.method].label}, {plain(classes)}, {seen}. "
        "It stays in this session: a link names the file and does not carry it."
    )


def _chosen(name: str, what: str) -> ChosenCheckpoint:
    known = networks_of(what)
    if name in known:
        return ChosenCheckpoint(name, name, known[name].title, name)
    own = _loaded(what)[name]
    return ChosenCheckpoint(own, own.id, own.title, f"upload:{own.title}")


def _own(what: str) -> str | None:
    """Draws the uploader, keeps the files that are networks of this kind, and returns the id of the last that is new in this run."""

    def load(own: OwnCheckpoint) -> None:
        if resources.picture_model(own).config.kind != KIND_OF[what]:
            other = next(title for key, title in WHAT.items() if key != what)
            raise CheckpointError(f"{own.title} is a network for the other of the two: choose {other} above, and load it there.")

    command = f"python -m adastride train --task {_TASKS[what]}"
    loaded = load_checkpoints(f"{_NAMES[what]}_own", _kept(what).setdefault("files", {}), load, command)
    _loaded(what).update({own.id: own for own in loaded})
    _kept(what).setdefault("fresh", []).extend(own.id for own in loaded)
    return loaded[-1].id if loaded else None
