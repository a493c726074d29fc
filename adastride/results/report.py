"""What the results say and don't say, in sentences and tables for people.

Everything is worked out from the runs and the papers' tables: no conclusion is written down here. Runs are of one kind of network;
accuracies are in percent, differences in points (hundredths of accuracy), other metrics in their own unit.
Sentences are Markdown. A table is a list of {column: text}.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from adastride.intervals import FEWEST_CLUSTERS
from adastride.models.audio_transformer import AudioTransformerConfig
from adastride.results.core import (
    BASELINE,
    PAPER_SEEDS,
    PAPER_SEEDS_BY_KIND,
    PAPER_WIDTHS,
    PLANNED_METHODS,
    PLANNED_TASKS,
    SIGMAS_INV2,
    Difference,
    codebook,
    compared,
    costs,
    differences,
    headline_of,
    in_words,
    kind,
    label,
    layer_values,
    layers_of,
    methods_of,
    order_of,
    papers_of,
    pooled,
    question_of,
    sampled,
    shifted,
    spread,
    summary,
    tasks_of,
    with_sigma,
)
from adastride.results.paper_tables import SPEECH_SPLITS, PaperTable
from adastride.results.reading import COST_NAMES, USUAL_KIND, Run
from adastride.results.speakers import CONDITIONS, basis_of, counts_of, interval, rate, speakers_text, within
from adastride.results.speakers import difference as difference_by_speaker
from adastride.run_columns import POOLED
from adastride.speaker_counts import BASELINES, SpeakerCount, baseline_run
from adastride.subjects import SUBJECTS, title_of
from adastride.tables import csv_text
from adastride.tasks import Metric

_SHARES = {"": "all of it", "-third": "a third of it", "-tenth": "a tenth of it"}
_INTERVALS = (
    "is a bootstrap’s over speakers, because what one speaker says is wrong together: how far other speakers of the same kind could move "
    f"the rate. Fewer than {FEWEST_CLUSTERS} speakers allow none, nor do speakers who all have the same rate."
)
_LEVEL = 0.05  # a difference with a larger p-value may be chance
_SAME_LOSS = 0.1  # training losses of two seeds of one network mostly differ by less than this share


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"


def verdict(difference: Difference) -> str:
    """What the test says, in a few words; the p-value is the adjusted one."""
    if difference.adjusted is not None:
        return _p(difference.adjusted) + (" after Holm" if difference.adjusted != difference.p else "")
    return "one run: difference untested" if min(difference.runs) == 1 else "no spread: difference untested"


def points(value: float, digits: int = 1) -> str:
    """A signed difference in points, "+1.2" or "−0.3"; nothing has no sign, "0.0"."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if float(text[1:]) else text[1:]


def _range(values: Sequence[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def basis(runs: Sequence[Run]) -> str:
    """On how many runs, which devices, width and seeds something stands, and how that is less than the paper's; one sentence."""
    if not runs:
        return "No runs."
    paper_width, paper_seeds = PAPER_WIDTHS.get(runs[0].kind), PAPER_SEEDS_BY_KIND.get(runs[0].kind, 0)
    devices = sorted({f"{run.device}, {run.threads} {'thread' if run.threads == 1 else 'threads'}" for run in runs})
    widths = sorted({run.width for run in runs})
    seeds = [len({run.seed for run in group}) for group in _cells(runs)]
    texts = [
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} on {' and '.join(devices)}",
        f"width {' and '.join(map(str, widths))}" + (f" (the paper’s networks: {paper_width})" if paper_width and widths != [paper_width] else ""),
        f"{_range(seeds)} {'seed' if max(seeds) == 1 else 'seeds'} each" + (f" (the paper: {paper_seeds})" if min(seeds) < paper_seeds else ""),
    ]
    texts += ["no GPU"] * all(run.device.startswith("CPU") for run in runs)
    texts += ["trained from scratch, where the papers begin with pretrained weights"] * (runs[0].kind == AudioTransformerConfig.kind)
    return f"{'; '.join(texts)}."


def _cells(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that differ in nothing but seed and held-out group."""
    def setting(run: Run) -> tuple:
        return run.task, run.method, run.width, run.sigma_inv2 or 0.0

    return [list(group) for _, group in itertools.groupby(sorted(runs, key=setting), setting)]


def data_of(runs: Sequence[Run]) -> str:
    """What the runs were tested on: each task's data and number of test clips."""
    texts = []
    for task in tasks_of(runs):
        own = [run for run in runs if run.task == task]
        clips = sum({run.fold: run.clips_test for run in own}.values())
        texts.append(f"{task}: {SUBJECTS[task].data if task in SUBJECTS else 'data of your own'} ({clips} test clips)")
    return "; ".join(texts) + "."


def story(runs: Sequence[Run]) -> list[str]:
    """For each task one or two sentences, AdaStride against what is in `question_of` and what is highest; and where it is below, what may be
    the reason."""
    adaptive, baseline = question_of(runs)
    texts = []
    for task in tasks_of(runs):
        why = ""
        lacking = [label(method) for method in (adaptive, baseline) if not compared(runs, task, method)]
        if lacking:
            text = f"On **{task}**, {' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no finished run yet."
        else:
            difference = next((tested for tested in differences(runs, task) if tested.method == adaptive), None)
            apart = f"{label(adaptive)} and {in_words(baseline)} share no held-out group."
            said = _against(difference, runs, task) if difference else apart
            text, why = f"On **{task}**, {said}", _reason(difference, runs, task) if difference else ""
        best = _best(runs, task)
        texts.append(text + best)
        if why:
            texts.append(why)
    return texts


def _reason(difference: Difference, runs: Sequence[Run], task: str) -> str:
    """Where AdaStride is below what it is compared with: how many clips that is, and what else its runs say; "" where it is not.

    Nothing here is a proof: what was measured is put side by side.
    """
    ours, base = (compared(runs, task, method) for method in question_of(runs))
    if round(difference.points, headline_of(ours).digits) >= 0:
        return ""

    def means(name: str) -> tuple[float, float] | None:
        values = [[getattr(run, name) for run in own] for own in (ours, base)]
        return None if any(None in of_method for of_method in values) else (statistics.fmean(values[0]), statistics.fmean(values[1]))

    metric, texts = headline_of(ours), []
    if metric.proportion:
        clips = -difference.points / metric.scale * summary(ours).clips
        texts.append(f"{-difference.points:.1f} {metric.difference_unit} are {clips:.0f} of {summary(ours).clips} test clips")
    fit, quiet = means("train_loss"), means("value_in_silence")
    if fit:
        worse, losses = fit[0] > fit[1], f"{fit[0]:.2f} against {fit[1]:.2f}"
        meaning = "so it has learned the training clips less well" if worse else "so it has learned the training clips better, by heart"
        apart = abs(fit[0] - fit[1]) >= _SAME_LOSS * fit[1]
        texts.append(
            f"its training loss is {'higher' if worse else 'lower'}, {losses}, {meaning}" if apart
            else f"its training loss says nothing of it, {losses}: another seed may differ by as much"
        )
    if quiet and points(gain := metric.scale * metric.gain(*quiet), metric.digits)[0] in "+−":
        there = f"{_apart(metric, gain)} ({metric.text(quiet[0])} against {metric.text(quiet[1])})"
        texts.append(f"with silence around the same clips, which its strides can skip, it is {there}")
    return f"Why on **{task}**? {'; '.join(texts)}." if texts else ""


def _apart(metric: Metric, gain: float) -> str:
    """By how much something is better or worse: "2.0 points above"; where less is better, "0.3 dB better"."""
    words = ("above", "below") if metric.higher_is_better else ("better", "worse")
    return f"{abs(gain):.{metric.digits}f} {metric.difference_unit} {words[gain < 0]}"


def _against(difference: Difference, runs: Sequence[Run], task: str) -> str:
    adaptive, baseline = question_of(runs)
    ours, base = (summary(compared(runs, task, method)) for method in (adaptive, baseline))
    metric = ours.metric
    where = "level with" if round(difference.points, metric.digits) == 0 else _apart(metric, difference.points)
    where += " than" if where.endswith(("better", "worse")) else ""
    counts = _counted(*difference.runs)
    doubt = "" if difference.adjusted is None or difference.adjusted < _LEVEL or where == "level with" else ", so it may be chance"
    values = f"{ours} {metric.unit} against {base} {metric.unit}"
    return f"{label(adaptive)} is {where} {in_words(baseline)} ({values}; {counts}, {verdict(difference)}{doubt})."


def _counted(ours: int, base: int) -> str:
    """How many runs of two methods there are."""
    return f"n = {ours}" if ours == base else f"n = {ours} and {base}"


def _best(runs: Sequence[Run], task: str) -> str:
    """The best mean of a task's methods and who has it, "Highest mean: 85.0 %, AdaStride."; "" for fewer than three methods."""
    means = {method: summary(compared(runs, task, method)).mean for method in methods_of(r for r in runs if r.task == task and r.usual_sigma)}
    if len(means) < 3:
        return ""
    metric = headline_of(runs)
    top = max(means.values(), key=metric.gain)
    names = [label(method) for method, mean in means.items() if abs(top - mean) < 0.5 * 10**-metric.digits / metric.scale]
    word = "Highest" if metric.higher_is_better else "Lowest"
    return f" {word} mean: {metric.text(top)}, {'; '.join(names)}."  # a label may have a comma


def ranking(runs: Sequence[Run], table: PaperTable) -> str:
    """Whether the methods stand in the paper's order on the task with data of the same kind; "" where none can be compared.

    Pairs that the paper or our means put level have no order and are left out.
    """
    metric = headline_of(runs)
    means = {method: metric.scale * summary(own).mean for method in table.values if (own := compared(runs, table.task or "", method))}
    turned, pairs = [], 0
    for one, other in itertools.combinations(means, 2):
        theirs, ours = metric.gain(table.values[one][0], table.values[other][0]), metric.gain(means[one], means[other])
        if abs(theirs) < 0.05 or abs(ours) < 0.05:
            continue
        pairs += 1
        if theirs * ours < 0:
            turned.append((ours, theirs, one, other) if ours > 0 else (-ours, -theirs, other, one))
    if not pairs:
        return ""
    where = f"{table.paper} paper ({table.table.split(',')[0]}, {table.data})"
    if not turned:
        many = "The one pair of methods that differs stands" if pairs == 1 else f"All {pairs} pairs of methods that differ stand"
        return f"**{table.task}**: {many} in the order of the {where}."
    named = sorted(turned, key=lambda pair: (BASELINE not in pair[2:], pair[1] - pair[0]))[:3]
    ahead = "above" if metric.higher_is_better else "better than"
    texts = [
        f"{label(one)} {ahead} {label(other)} ({points(ours)} points, in the paper {points(theirs)})" for ours, theirs, one, other in named
    ]
    rest = f", and {len(turned) - len(named)} more" if len(turned) > len(named) else ""
    verb = "stands" if len(turned) == 1 else "stand"
    said = f"{len(turned)} of {pairs} pairs of methods {verb} the other way round than in the {where}: {'; '.join(texts)}{rest}."
    return f"**{table.task}**: {said} {_noise(runs, table.task)}"


def _noise(runs: Sequence[Run], task: str) -> str:
    """How far chance alone moves the headline metric of a task."""
    metric = headline_of(runs)
    name = f"{'an' if metric.label[0] in 'AEIOU' else 'a'} {metric.label.lower()}"
    summaries = [summary(compared(runs, task, method)) for method in methods_of(run for run in runs if run.task == task and run.usual_sigma)]
    spreads = [one.std for one in summaries if one.std is not None]
    if spreads:
        return f"From run to run {name} varies by ± {metric.scale * statistics.median(spreads):.1f} points (standard deviation)."
    halves = [(one.interval[1] - one.interval[0]) / 2 for one in summaries if one.interval]
    if not halves:
        return f"That is one run each; how far the choice of test {sampled(metric)} alone moves {name}, the file does not say."
    half = metric.scale * statistics.median(halves)
    return f"That is one run each, and the choice of test {sampled(metric)} alone moves {name} by ± {half:.1f} points."


def sigma_ranking(runs: Sequence[Run], table: PaperTable) -> str:
    """Which σ⁻² is best here and in the paper, where at least two of them have runs; else ""."""
    means = {f"{value:g}": 100 * summary(own).mean for value in SIGMAS_INV2 if (own := with_sigma(runs, table.task or "", value))}
    if len(means) < 2:
        return ""
    ours = max(means, key=means.get)
    top = max(table.values[key][0] for key in means)
    theirs = [key for key in means if table.values[key][0] == top]
    same = "as in" if ours in theirs else "unlike"
    where = f"the {table.paper} paper ({table.table}, {table.data}: {' and '.join(theirs)})"
    return f"**{table.task}**: of σ⁻² = {', '.join(means)} the highest mean is at {ours}, {same} {where}."


def sigma_learned(runs: Sequence[Run]) -> str:
    """What networks that learn σ end with, layer by layer; "" where there is none."""
    own = [run for run in runs if run.learn_sigma and all(run.sigmas)]
    if not own:
        return ""
    layers = []
    for n in range(layers_of(own)):
        values = [run.sigmas[n] ** -2 for run in own if n < len(run.sigmas)]
        low, high = f"{min(values):.1f}", f"{max(values):.1f}"
        layers.append(f"{low if low == high else f'{low} to {high}'} in layer {n + 1}")
    widest = sum(max(run.sigmas) == run.sigmas[-1] for run in own)
    count = f"{len(own)} run{'s' * (len(own) > 1)}"
    return (
        f"Networks that learn σ end with σ⁻² = {', '.join(layers[:-1])}{' and ' * (len(layers) > 1)}{layers[-1]} ({count} on {', '.join(tasks_of(own))}); "
        f"the uppermost layer has the widest σ in {widest} of {len(own)}."
    )


def coverage(runs: Sequence[Run]) -> list[str]:
    """What of the planned comparison is there and what is missing, in sentences."""
    if any(run.kind != USUAL_KIND for run in runs):
        tasks, methods = tasks_of(runs), methods_of(runs)
        finished = f"{len(runs)} {'run of this kind of network is' if len(runs) == 1 else 'runs of this kind of network are'} finished"
        return [f"{finished}: {len(methods)} {'method' if len(methods) == 1 else 'methods'} on {' and '.join(tasks)}."]
    counts = {cell: len(compared(runs, *cell)) for cell in itertools.product(PLANNED_TASKS, PLANNED_METHODS)}
    planned = len(counts) * PAPER_SEEDS
    done = sum(min(count, PAPER_SEEDS) for count in counts.values())
    texts = [f"{done} of {planned} planned runs are finished: {len(PLANNED_METHODS)} methods on {len(PLANNED_TASKS)} tasks with {PAPER_SEEDS} seeds."]
    for task in PLANNED_TASKS:
        missing = [label(method) for method in PLANNED_METHODS if not counts[task, method]]
        if len(missing) == len(PLANNED_METHODS):
            texts.append(f"Nothing yet on {task}.")
        elif missing:
            texts.append(f"Missing on {task}: {'; '.join(missing)}.")  # a label may have a comma
    return texts


def to_csv(rows: Sequence[dict[str, str]]) -> str:
    """A table as a CSV file; columns as in its rows."""
    columns = list(dict.fromkeys(itertools.chain(*rows)))
    return csv_text([columns, *([row.get(column, "") for column in columns] for row in rows)])


def coverage_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Number of runs for each method and task, with the usual sigma."""
    planned_tasks, planned_methods = ((), ()) if any(run.kind != USUAL_KIND for run in runs) else (PLANNED_TASKS, PLANNED_METHODS)
    tasks = [*planned_tasks, *(task for task in tasks_of(runs) if task not in planned_tasks)]
    methods = sorted({*planned_methods, *methods_of(runs)}, key=order_of)
    return [{"Method": label(method), **{task: str(len(compared(runs, task, method)) or "–") for task in tasks}} for method in methods]


def overview_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """The headline metric by method and task, ours and each paper's."""
    tables, rows = papers_of(runs).accuracy, []
    comparable = [run for run in runs if run.usual_sigma]
    for method in sorted({*methods_of(comparable), *itertools.chain(*(table.values for table in tables))}, key=order_of):
        row = {"Method": label(method)}
        for task in tasks_of(comparable):
            own = compared(runs, task, method)
            row[f"{task}, ours ({headline_of(runs).unit})"] = f"{summary(own)} (n = {len(own)})" if own else "–"
        for table in tables:
            row[f"{table.data}, {table.paper} {table.table.split(',')[0]} (%)"] = table.text(method) if method in table.values else "–"
        rows.append(row)
    return rows


def _with_interval(text: str, counts: Sequence[SpeakerCount], metric: Metric) -> str:
    """A rate with its interval, "5.0 (3.1–7.4)", or with what it stands on where that is too little for one, "5.0 (one speaker)"."""
    ends = interval(counts)
    return f"{text} ({'–'.join(map(metric.number, ends)) if ends else speakers_text(counts)})" if counts else text


def recognition_table(runs: Sequence[Run], speakers: Mapping[str, Sequence[SpeakerCount]] = MappingProxyType({})) -> list[dict[str, str]]:
    """Error rates of recognisers by method: ours, then the paper's on all splits of LibriSpeech, for each amount of training data.

    speakers: errors by speaker of what needs no network, by the names of `speaker_counts.baseline_run`.
    """
    rows: list[dict[str, str]] = []
    metric, conditions = headline_of(runs), [name for name in CONDITIONS if any(within(run.counts, name) for run in runs)]
    for task in tasks_of(runs):
        name, folds = title_of(task), {run.fold for run in runs if run.task == task}
        for method in methods_of(run for run in runs if run.usual_sigma):
            if own := compared(runs, task, method):
                row = {"Whose": f"ours, {name}", "Trained on": f"{own[0].clips_train:,} clips", "Method": label(method)}
                row["Ours (%)"] = _with_interval(str(summary(own)), counts_of(own), metric)
                for condition in conditions:
                    of_condition = counts_of(own, condition)
                    text = _with_interval(str(summary(own, condition)), of_condition, metric) if of_condition else "–"
                    row[f"Ours, {condition} (%)"] = text
                rows.append(row)
        for baseline, title in BASELINES.items():
            if own_counts := [count for fold in folds for count in speakers.get(baseline_run(task, fold, baseline), ())]:
                row = {"Whose": f"no network, {name}", "Method": title.replace("unit", own_counts[0].unit.removesuffix("s"))}
                for condition in ("", *conditions):
                    of_condition = within(own_counts, condition)
                    text = _with_interval(metric.number(rate(of_condition)), of_condition, metric) if of_condition else "–"
                    row[f"Ours, {condition} (%)" if condition else "Ours (%)"] = text
                rows.append(row)
    tables = papers_of(runs).recognition
    for trained in dict.fromkeys(table.trained for table in tables):
        own_tables = [table for table in tables if table.trained == trained]
        for method in own_tables[0].values:
            whose = f"{own_tables[0].paper} paper, {own_tables[0].table}"
            row = {"Whose": whose, "Trained on": f"{trained} of LibriSpeech", "Method": label(method)}
            for split in sorted(SPEECH_SPLITS, key=lambda split: not split.startswith("test")):
                for table in sorted(own_tables, key=lambda table: table.metric):
                    row[f"{table.metric} {split} (%)"] = table.on(split).text(method)
            rows.append(row)
    columns = list(dict.fromkeys(itertools.chain(*rows)))
    return [{column: row.get(column, "–") for column in columns} for row in rows]


def comparison_table(runs: Sequence[Run], task: str) -> list[dict[str, str]]:
    """Each method on one task: the headline metric, its intervals, and the difference to that of `question_of` with its test."""
    baseline = question_of(runs)[1]
    tested = {difference.method: difference for difference in differences(runs, task)}
    tables = [table for table in papers_of(runs).accuracy if table.task == task]
    metric, rows = headline_of(runs), []
    for method in methods_of(run for run in runs if run.task == task and run.usual_sigma):
        own, difference = summary(compared(runs, task, method)), tested.get(method)
        row = {
            "Method": label(method), "Runs": str(own.runs), "Test clips": str(own.clips), f"{metric.label} ({metric.unit})": str(own),
            f"95 % interval, test {sampled(metric)} ({metric.unit})": " – ".join(map(metric.number, own.interval)) if own.interval else "–",
            f"{'Difference' if metric.higher_is_better else 'Better by'} ({metric.difference_unit})":
                "–" if difference is None else points(difference.points, metric.digits),
            **_over_speakers(compared(runs, task, method), compared(runs, task, baseline), method == baseline),
            "p": "–" if difference is None or difference.p is None else _p(difference.p)[2:].removeprefix("= "),
            "Test": "compared with" if method == baseline else f"no {in_words(baseline)} yet" if difference is None else verdict(difference),
        }
        for table in tables:
            value, base = table.values.get(method), table.values[BASELINE]
            column = f"{'Difference' if metric.higher_is_better else 'Better by'} in the paper, {table.data} (points)"
            row[column] = "–" if value is None or method == BASELINE else points(metric.gain(value[0], base[0]))
        rows.append(row)
    columns = max(rows, key=len, default={})  # not every run may have counts
    return [{column: row.get(column, "–") for column in columns} for row in rows]


def _over_speakers(ours: Sequence[Run], base: Sequence[Run], same: bool) -> dict[str, str]:
    """The cell with the interval of a difference over speakers; no cell where nobody has counted their errors."""
    metric, counts = ours[0].headline, (counts_of(ours), counts_of(base))
    if not counts[0]:
        return {}
    ends = difference_by_speaker(*counts)[1] if counts[1] and not same else None
    cell = " to ".join(points(metric.scale * end, metric.digits) for end in ends) if ends else "–"
    return {f"95 % interval of that, test speakers ({metric.difference_unit})": cell}


def recognition_sentence(runs: Sequence[Run]) -> str:
    """On how many words and speakers each task's error rates stand, and what stands in brackets; "" where nobody has counted."""
    titles: dict[str, list[str]] = {}
    for task in tasks_of(runs):
        if text := basis_of([run for run in runs if run.task == task and run.counts]):
            titles.setdefault(text, []).append(title_of(task))
    if not titles:
        return ""
    texts = [f"{text} ({'; '.join(names)})" for text, names in titles.items()]
    return f"Tested on {', and on '.join(texts)}. The 95 % interval, in brackets, {_INTERVALS}"


def little_data(runs: Sequence[Run]) -> list[str]:
    """AdaStride against strided convolution on tasks NAME, NAME-third and NAME-tenth, a sentence for each.

    There are none where a task has neither of the latter.
    """
    texts = []
    for name in tasks_of(runs):
        shares = {}
        for ending, share in _SHARES.items():
            ours, base = (compared(runs, name + ending, method) for method in ("adastride", BASELINE))
            if ours and base:
                shares[ending] = f"**{name}**, {share} ({ours[0].clips_train:,} training clips): {_gain(ours, base)}"
        if shares.keys() - {""}:
            texts += shares.values()
    return texts


def _gain(ours: Sequence[Run], base: Sequence[Run]) -> str:
    """What AdaStride gains, and whether other speakers could undo it."""
    metric, means = ours[0].headline, [summary(runs) for runs in (ours, base)]
    gain = metric.scale * metric.gain(means[0].mean, means[1].mean)
    where = "level with" if round(gain, metric.digits) == 0 else _apart(metric, gain) + " than"
    rates = " against ".join(f"{mean} {metric.unit}" for mean in means)
    said = f"AdaStride is {where} strided convolution ({rates}; {_counted(len(ours), len(base))}"
    counts = counts_of(ours), counts_of(base)
    if not all(counts):
        return f"{said}); how far other speakers could move that, the file does not say."
    _, ends = difference_by_speaker(*counts)
    speakers = speakers_text(counts[0])
    if ends is None:
        return f"{said}; {speakers}): too little to say how far other speakers could move that."
    low, high = (points(metric.scale * end, metric.digits) for end in ends)
    doubt = "no difference that these speakers could show" if ends[0] <= 0 <= ends[1] else "more than the choice of the speakers explains"
    return f"{said}; 95 % interval of the difference over {speakers}: {low} to {high} points): {doubt}."


def comparison_sentence(runs: Sequence[Run], task: str) -> str:
    """Which test the p-values of a task come from, and what they mean."""
    count = sum(difference.p is not None for difference in differences(runs, task))
    metric = headline_of(runs)
    clips = f"The 95 % interval is Wilson’s, of the mean {metric.label.lower()}: how far other test clips of the same kind could move it."
    if metric.per is not None:
        has_counts = any(run.counts for run in runs if run.task == task and run.usual_sigma)
        over = (
            f"The 95 % interval {_INTERVALS} That of a difference is of the same speakers for both; it speaks of these runs, not of "
            "other seeds."
        ) if has_counts else (
            "How it varies over speakers is not in the file, so one run has no interval: the command line’s sweep works one out."
        )
        clips = f"The {metric.label.lower()} is the sum of errors over the sum of {metric.per} of all test clips. {over}"
    elif not metric.proportion:
        clips = ""
    baseline = in_words(question_of(runs)[1])
    if not count:
        return f"No difference is tested: that needs at least two runs of a method and of {baseline}. {clips}"
    held_out = any(run.fold for run in runs if run.task == task)
    test = "The paired t-test over held-out groups" if held_out else f"Welch’s t-test between the runs of a method and those of {baseline}"
    again = "other groups" if held_out else "other seeds"
    adjusted = f", adjusted after Holm because {count} methods are compared" if count > 1 else ""
    return (
        f"{test}, two-sided; p is how often a difference this large would come up by chance with {again} if both methods were equally good on average"
        f"{adjusted}. It speaks of these test clips. {clips}"
    )


def sigma_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """AdaStride's headline metric by σ⁻² and task, with what a network that learns σ reaches, ours and the paper's."""
    tasks = [task for task in tasks_of(runs) if any(run.method in ("adastride", "adastride-sigma") for run in runs if run.task == task)]
    rows = []
    for value in (*SIGMAS_INV2, None):
        row = {"σ⁻²": "learned, a σ for each layer" if value is None else f"{value:g}"}
        for task in tasks:
            own = compared(runs, task, "adastride-sigma") if value is None else with_sigma(runs, task, value)
            row[f"{task}, ours ({headline_of(runs).unit})"] = f"{summary(own)} (n = {len(own)})" if own else "–"
        for table in papers_of(runs).sigma:
            printed = table.values.get(f"{value:g}") if value is not None else None
            row[f"{table.data}, {table.paper} {table.table} (%)"] = f"{printed[0]:.1f} ± {printed[1]:.1f}" if printed else "–"
        rows.append(row)
    return rows if len(rows[0]) > 1 else []  # without a task or a paper there is nothing beside σ⁻²


def pooled_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Figure 10 in numbers: entropy, and the share in % of output frames that got n input frames."""
    rows = []
    for task in tasks_of(runs):
        for method in methods_of(run for run in runs if run.task == task):
            if frames := pooled(runs, task, method):
                entropy = f"{frames.entropy:.2f}" + ("" if frames.entropy_std is None else f" ± {frames.entropy_std:.2f}")
                shares = {f"{n} frames (%)" if n < POOLED - 1 else f"{n} or more (%)": f"{100 * share:.1f}" for n, share in enumerate(frames.shares)}
                rows.append({"Task": task, "Method": label(method), "Runs": str(frames.runs), "Entropy (nats)": entropy, **shares})
    return rows


def shift_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Figure 11 in numbers, the steadiest method of each task first."""
    rows, unit, digits = [], headline_of(runs).difference_unit, headline_of(runs).digits + 1
    for task in tasks_of(runs):
        steadiness = [(method, shifted(runs, task, method)) for method in methods_of(run for run in runs if run.task == task)]
        for method, shift in sorted(((m, s) for m, s in steadiness if s), key=lambda pair: pair[1].std):
            changes = {f"{n} frames ({unit})": points(change, digits) for n, change in enumerate(shift.changes)}
            rows.append({"Task": task, "Method": label(method), "Runs": str(shift.runs), f"Standard deviation ({unit})": f"{shift.std:.{digits}f}", **changes})
    return rows


def shift_rank(runs: Sequence[Run], task: str) -> str:
    """Where AdaStride stands among the methods of a task by the std of figure 11; "" where it can't be compared."""
    stds = {method: shift.std for method in methods_of(r for r in runs if r.task == task) if (shift := shifted(runs, task, method))}
    if "adastride" not in stds or len(stds) < 2:
        return ""
    place = 1 + sum(std < stds["adastride"] for std in stds.values())
    metric, steady = headline_of(runs), stds["adastride"]
    return (
        f"**{task}**: AdaStride is number {place} of {len(stds)} methods, counted from the steadiest "
        f"({steady:.{metric.digits + 1}f} {metric.difference_unit})."
    )


def cost_table(runs: Sequence[Run], machine: str) -> list[dict[str, str]]:
    """Times and memory relative to strided convolution: the papers' and ours."""
    def shown(ratios: dict[str, float]) -> dict[str, str]:
        named = {**COST_NAMES, "inference_memory": "Inference memory"}
        return {f"{name} (×)": f"{ratios[key]:.2f}" if key in ratios else "–" for key, name in named.items()}

    rows = [
        {"Method": label(cost.method), "Where": f"ours, {cost.task}", "Runs": f"{cost.runs[0]} against {cost.runs[1]}", **shown(cost.ratios)}
        for cost in sorted(costs(runs, machine), key=lambda cost: order_of(cost.method))
    ]
    for table in papers_of(runs).cost:
        for method in sorted(table.values["training_time"], key=order_of):
            ratios = {name: values[method] for name, values in table.values.items()}
            rows.append({"Method": label(method), "Where": f"{table.paper} paper, {table.table}: {table.data}", "Runs": "–", **shown(ratios)})
    return rows


def stride_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Learned strides and σ⁻² of each layer, and where adaptive methods put their strides: the papers' and ours."""
    def shown(values: tuple[float, float | None] | None) -> str:
        return "–" if values is None else f"{values[0]:.2f}" + ("" if values[1] is None else f" ± {values[1]:.2f}")

    rows = []
    for method in methods_of(runs):
        if kind(method) == "fixed":
            continue
        for task in tasks_of(run for run in runs if run.method == method and run.usual_sigma):
            own = compared(runs, task, method)
            row = {"Method": label(method), "Where": f"ours, {task}", "Runs": str(len(own))}
            learned = kind(method) == "learned"
            row |= {f"Stride, layer {n + 1} (frames)": shown(layer_values(own, n, "strides")) if learned else "–" for n in range(layers_of(runs))}
            row |= {f"Learned σ⁻², layer {n + 1}": shown(layer_values(own, n, "sigmas")) if own[0].learn_sigma else "–" for n in range(layers_of(runs))}
            for name, column in (("Uppermost adaptive layer, mean stride", "adaptive_stride_mean"), ("Its spread", "adaptive_stride_std"),
                                 ("Layer 1 in silence", "silence_stride"), ("Layer 1 in sound", "sound_stride")):
                values = [] if learned else [value for run in own if (value := getattr(run, column)) is not None]
                row[f"{name} (frames)"] = f"{statistics.fmean(values):.2f}" if values else "–"
            rows.append(row)
    empty = dict.fromkeys(rows[0], "–") if rows else {}
    for table in papers_of(runs).strides:
        where = f"{table.paper} paper, {table.table}: {table.data}"
        stride = shown(table.values["diffstride"])
        rows.append(empty | {"Method": "DiffStride", "Where": where, "Runs": str(table.runs), "Stride, layer 1 (frames)": stride})
    return rows


# ------------------------------------------------------------------ codes


# What a table says of codecs: column, metric, digits.
_OF_CODES = (
    ("Entropy (bits a code)", "entropy_bits", 2), ("Codes a second", "codes_per_second", 1), ("Mel error (nats)", "mel_error", 3),
    ("Mel error (dB)", "mel_error_db", 2), ("Mel averaged over 8 frames (nats)", "step_error", 3),
    ("Duration in loud frames (mel frames)", "duration_loud", 1), ("Duration in quiet frames (mel frames)", "duration_quiet", 1),
)


def codes_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """What codecs of each method make of their codes, tasks and so the sizes of codebooks apart, and the paper's distinct codes (table 5)."""
    rows = []
    for task in tasks_of(runs):
        size = codebook(runs, task)
        for method in methods_of(run for run in runs if run.task == task and run.usual_sigma):
            own = compared(runs, task, method)
            row = {"Whose": f"ours, {title_of(task)}", "Method": label(method), "Runs": str(len(own))}
            for column, name, digits in (("Distinct codes", "distinct_codes", 0), *_OF_CODES):
                found = spread(own, name)
                row[column] = found.text(digits) if found else "–"
            if size:
                row["Distinct codes"] += f" of {size}"
            rows.append(row)
    for table in papers_of(runs).codes:
        for method, distinct in table.values.items():
            whose = f"{table.paper} paper, {table.table}: {table.data}"
            rows.append({"Whose": whose, "Method": label(method), "Distinct codes": f"{distinct} of {table.codes}"})
    columns = list(dict.fromkeys(itertools.chain(*rows)))
    return [{column: row.get(column, "–") for column in columns} for row in rows]


def phonemes_table(runs: Sequence[Run]) -> list[dict[str, str]]:
    """The paper's phoneme error rates of codecs (table 4); ours are in `understood_table`."""
    return [
        {
            "Whose": f"{table.paper} paper, {table.table}: {table.data}", "Method": label(method), "PER-R (%)": f"{table.per_r[method]:.2f}",
            "PER-C (%)": f"{table.per_c[method]:.2f}",
            "PER-C without alignments (%)": f"{table.per_c_without_alignments[method]:.2f}" if method in table.per_c_without_alignments else "–",
        }
        for table in papers_of(runs).phonemes for method in table.per_r
    ]


def codes_sentences(runs: Sequence[Run]) -> list[str]:
    """For each task which methods use the fewest codes, which reconstructs best and whether that is better than no codec at all."""
    texts = []
    for task in tasks_of(runs):
        own = {method: compared(runs, task, method) for method in methods_of(runs)}
        distinct, errors, steps = (
            {method: number.mean for method, group in own.items() if (number := spread(group, name))}
            for name in ("distinct_codes", "mel_error", "step_error")
        )
        if len(distinct) < 2 or len(errors) < 2:
            continue
        order, best = sorted(distinct, key=distinct.__getitem__), min(errors, key=errors.__getitem__)
        counted = ", ".join(f"{label(method)} {distinct[method]:.0f}" for method in order)
        text = f"On **{title_of(task)}**, distinct codes from the fewest: {counted}."
        for table in papers_of(runs).codes:
            printed = [method for method in sorted(table.values, key=table.values.__getitem__) if method in distinct]
            ours, theirs = [method for method in order if method in printed], " before ".join(map(label, printed))
            if len(printed) < 2 or codebook(runs, task) != table.codes:
                continue
            if len({round(distinct[method]) for method in printed}) < len(printed):
                text += f" Some are equal; the paper’s order is {theirs}."
            else:
                text += " The order is the paper’s." if ours == printed else f" The order is not the paper’s, {theirs}."
        text += f" The smallest mel error has {label(best)}, {errors[best]:.3f} nats"
        if best in steps:
            text += f"; the mel averaged over 8 frames has {steps[best]:.3f}, so it is {'better' if errors[best] < steps[best] else 'no better'} than that"
        texts.append(f"{text}.")
    return [*texts, *_smaller_codebook(runs)]


def _smaller_codebook(runs: Sequence[Run]) -> list[str]:
    """By how much the mel error rises with fewer codes, which the paper supposes to be less for AdaStride; empty where nobody knows."""
    tasks = sorted(tasks_of(runs), key=lambda task: codebook(runs, task) or 0)
    if not tasks or codebook(runs, tasks[0]) == codebook(runs, tasks[-1]):
        return []
    few = tasks[0]
    many = next(task for task in tasks_of(runs) if codebook(runs, task) == codebook(runs, tasks[-1]))
    rises = {}
    for method in methods_of(runs):
        before, after = (spread(compared(runs, task, method), "mel_error") for task in (many, few))
        if before and after:
            rises[method] = after.mean - before.mean
    if "adastride" not in rises or len(rises) < 2:
        return []
    numbers = {method: f"{rises[method]:+.3f}".replace("-", "−") for method in sorted(rises, key=rises.__getitem__)}
    said = ", ".join(f"{label(method)} {number}" for method, number in numbers.items())
    outcome = "as the paper supposes" if min(rises, key=rises.__getitem__) == "adastride" else "against what the paper supposes"
    counts = f"{codebook(runs, few)} codes instead of {codebook(runs, many)}"
    return [f"With {counts} the mel error changes, in nats: {said}; {outcome}: that adaptive codes suffer least."]
