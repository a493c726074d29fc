"""The pickers of trained networks: a shipped one by its task, method and sigma, or a person's own file; and several of either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from adastride.checkpoints import MAX_OWN_BYTES, CatalogueEntry, CheckpointError, catalogue
from adastride.downsampling import METHODS
from adastride.models.classifier import network_label
from adastride.subjects import SUBJECTS
from adastride.tasks import KINDS, task_of
from adastride.ui import resources
from adastride.ui.resources import OwnCheckpoint
from adastride.ui.text import plain
from adastride.ui.uploads import load_checkpoints

DEFAULT = "digits-adastride"
_OWN = "own"


@dataclass(frozen=True)
class ChosenCheckpoint:
    """A trained network that somebody chose.

    network: what the functions of `resources` take. id: unique by content. title: its name for people. link: its name in links.
    """

    network: str | OwnCheckpoint
    id: str
    title: str
    link: str


def layers_of(name: str | None) -> int:
    """The number of layers of a shipped checkpoint. None stands for the checkpoint that pages open with."""
    return len(resources.model(name or _first()).downsamplers)


def _first() -> str:
    """The checkpoint that pages open with."""
    return DEFAULT if DEFAULT in catalogue() else next(iter(catalogue()))


def picker_widgets(key: str) -> tuple[str, ...]:
    """The keys of the widgets that the picker `key` draws."""
    return f"{key}_task", f"{key}_checkpoint", f"{key}_own"


def choose_checkpoint(key: str, name: str | None) -> None:
    """Has the picker `key`, which is not drawn yet, start with a shipped checkpoint. None leaves it at the usual one."""
    if name is not None:
        st.session_state[f"{key}_kept"] = {"checkpoint": name}


def pick_checkpoint(key: str, help: str | None = None) -> ChosenCheckpoint:
    """Draws the picker and returns the network to use.

    key: tells the pickers of different pages apart; `{key}_checkpoint` is the widget with the names. help: a tooltip. A person's own
    file belongs to the session, and all pages offer it. For a file that is no checkpoint the page says why, and the last network stays.
    """
    known = catalogue()
    remembered = st.session_state.setdefault(f"{key}_kept", {})  # a page forgets the widgets of another, a visitor should not notice
    last = remembered.get("checkpoint", _first())
    task_key, name_key, own_key = picker_widgets(key)
    if task_key not in st.session_state:
        st.session_state[task_key] = remembered.get("task", known[last].task)
    tasks = [*dict.fromkeys(entry.task for entry in known.values()), _OWN]
    task = st.selectbox(
        "Network trained on", tasks, format_func=_subject, key=task_key, help=help,
    )
    remembered["task"] = task
    if task == _OWN:
        return _own(own_key) or _shipped(last)
    names = [name for name, entry in known.items() if entry.task == task]
    if st.session_state.get(name_key) not in names:
        st.session_state[name_key] = _most_alike(known[last], names)
    entries = [known[name] for name in names]
    widths = len({entry.width for entry in entries}) > 1
    sigmas = len({(entry.method, entry.sigma_inv2) for entry in entries}) > len({entry.method for entry in entries})
    name = st.selectbox("Method", names, format_func=lambda name: _option(known[name], sigmas, widths), key=name_key)
    remembered["checkpoint"] = name
    entry = known[name]
    metric = KINDS[entry.kind].task.headline
    st.caption(f"{entry.description} {metric.describe(entry.metrics[metric.name], entry.clips)}")
    return _shipped(name)


def _subject(name: str) -> str:
    """What people call the subject that a network was trained on."""
    if name == _OWN:
        return "Your own file"
    return SUBJECTS[name].title if name in SUBJECTS else name.capitalize()


def _shipped(name: str) -> ChosenCheckpoint:
    return ChosenCheckpoint(name, name, catalogue()[name].title, name)


def _most_alike(last: CatalogueEntry, names: list[str]) -> str:
    """The network among `names` that is most like the last one: itself, or one with its method and sigma, or one with its method."""
    known = catalogue()
    return max(names, key=lambda name: (
        name == last.name, known[name].method == last.method, known[name].sigma_inv2 == last.sigma_inv2, -names.index(name),
    ))


def _option(entry: CatalogueEntry, sigma: bool, width: bool) -> str:
    """A network in the list of methods. sigma, width: whether those of the list differ in it."""
    parts = [network_label(entry.method)]
    if sigma and entry.sigma_inv2 is not None:
        parts.append(f"σ⁻² = {entry.sigma_inv2:g}")
    if width:
        parts.append(f"width {entry.width}")
    return " · ".join([*parts, entry.headline])


def _own(key: str) -> ChosenCheckpoint | None:
    """Draws the uploader and returns what this session has loaded with it; None before the first good file."""
    file = st.file_uploader(
        "Checkpoint file", type="safetensors", key=key, max_upload_size=MAX_OWN_BYTES // 1_000_000,
        help=f"A .safetensors file of `python -m adastride train`, up to {MAX_OWN_BYTES / 1e6:.0f} MB.",
    )
    # file: the last one that was looked at; good: the last good checkpoint; problem: what was wrong with the file.
    remembered = st.session_state.setdefault("own_checkpoint", {})
    if file is not None and remembered.get("file") != file.file_id:
        remembered["file"], remembered["problem"] = file.file_id, None
        try:
            with st.spinner("Loading the network …"):
                own = OwnCheckpoint.of(file.getvalue(), file.name)
                resources.model(own)
            remembered["good"] = own
        except CheckpointError as error:
            remembered["problem"] = str(error)
    if file is not None and remembered["problem"]:
        st.error(plain(remembered["problem"]), icon=":material/error:")
    own = remembered.get("good")
    if own is None:
        st.caption("Until a file is loaded, the last network stays.")
        return None
    config = resources.model(own).config
    methods = " + ".join(dict.fromkeys(METHODS[method].label for method in config.methods)) or "no downsampling layer"
    st.caption(
        f"{plain(own.title)}: {methods}, {task_of(config).describe(config)}. It stays in this session: a link names the file and does not carry it."
    )
    return ChosenCheckpoint(own, own.id, own.title, f"upload:{own.title}")


def networks_widgets(key: str) -> tuple[str, ...]:
    """The keys of the widgets that the picker of several networks `key` draws."""
    return f"{key}_task", f"{key}_files", f"{key}_chosen"


def choose_networks(key: str, names: Sequence[str]) -> None:
    """Has the picker of several networks `key`, which is not drawn yet, start with these shipped ones; with the usual ones for ()."""
    if names:
        st.session_state[f"{key}_kept"] = {"task": catalogue()[names[0]].task, "chosen": list(names)}


def pick_networks(key: str, most: int) -> list[ChosenCheckpoint]:
    """Draws the picker of several networks and returns those that are chosen, at most `most`.

    key: tells the pickers of different pages apart. The list has what was trained on one subject, what is chosen already, and a person's
    own files, which belong to the session. For a file that is no checkpoint the page says why.
    """
    known, remembered = catalogue(), st.session_state.setdefault(f"{key}_kept", {})  # a page forgets the widgets of another
    task_key, files_key, chosen_key = networks_widgets(key)
    tasks = list(dict.fromkeys(entry.task for entry in known.values()))
    st.session_state.setdefault(task_key, remembered.get("task", known[_first()].task))
    with st.sidebar:
        task = st.selectbox("Networks trained on", tasks, format_func=_subject, key=task_key)
        fresh = _own_files(files_key, remembered)
    own: dict[str, OwnCheckpoint] = remembered.setdefault("own", {})
    names = [name for name, entry in known.items() if entry.task == task]
    chosen = st.session_state.get(chosen_key, remembered.get("chosen", []))
    if remembered.get("task", task) != task:  # another subject: what was chosen of the last one goes, a person's own files stay
        chosen = [name for name in chosen if name in own]
    chosen = [name for name in chosen if name in known or name in own]
    kinds = {_kind_of(name, own) for name in fresh}
    chosen = [*(name for name in chosen if not fresh or _kind_of(name, own) in kinds), *fresh]  # a file is compared with others of its kind
    if not any(name in known for name in chosen) and len(chosen) < 2 and not own:
        chosen = _two_of(names)
    st.session_state[chosen_key] = chosen[-most:]
    titles = {name: entry.title for name, entry in known.items()} | {name: each.title for name, each in own.items()}
    options = list(dict.fromkeys([*names, *own, *st.session_state[chosen_key]]))
    picked = st.multiselect(
        f"2 to {most} networks", options, format_func=titles.__getitem__, key=chosen_key, max_selections=most,
    )
    remembered.update(task=task, chosen=picked)
    return [ChosenCheckpoint(own[name], name, own[name].title, f"upload:{own[name].title}") if name in own else _shipped(name) for name in picked]


def _kind_of(name: str, own: Mapping[str, OwnCheckpoint]) -> str:
    """The kind of a network, a key of `tasks.KINDS`."""
    return resources.model(own[name]).config.kind if name in own else catalogue()[name].kind


def _two_of(names: Sequence[str]) -> list[str]:
    """The networks that a comparison starts with: one with a fixed and one with an adaptive stride where there are both, else the first two."""
    methods = {name: catalogue()[name].method for name in names}
    usual = [name for method in ("strided-conv", "adastride") for name in names if methods[name] == method][:2]
    return usual if len({methods[name] for name in usual}) == 2 else list(names[:2])


def _own_files(key: str, remembered: dict[str, Any]) -> list[str]:
    """Draws the uploader of several files, keeps the good ones in `remembered`, and returns the ids of those that are new in this run."""
    own, fresh = remembered.setdefault("own", {}), list[str]()
    for checkpoint in load_checkpoints(key, remembered.setdefault("files", {}), resources.model, "python -m adastride train"):
        if checkpoint.id not in own:
            own[checkpoint.id] = checkpoint
            fresh.append(checkpoint.id)
    return fresh
