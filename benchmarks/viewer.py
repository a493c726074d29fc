"""What a person waits for: drags, first paint and a 10-minute upload, in real Chromium with the real server."""

from __future__ import annotations

import io
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile
from playwright.sync_api import Browser, Page, sync_playwright

from adastride import audio
from adastride.samples import samples
from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium, start_server, stop_server

DRAG_SECONDS = 4.0
LESSONS = ((2, "frequency", "the tone"), (4, "sigma", "σ"), (5, "contrast", "the score’s weight"))  # steps, sliders, what they are called
ANSWERED = """() => {
  const numbers = (kind) => window.adastrideLog.filter((entry) => entry[0] === kind).map((entry) => entry[2]);
  const answered = numbers("followed");
  return numbers("sent").every((number) => answered.includes(number));
}"""


def open_page(browser: Browser, address: str, shown: str = ".panel.layer .numbers") -> tuple[Page, float]:
    """A fresh session, and the seconds until at least three of what `shown` selects were on screen."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    began = time.perf_counter()
    page.goto(address)
    page.locator(shown).nth(2).wait_for(timeout=60_000)
    return page, time.perf_counter() - began


def move(page: Page, slider: str) -> float:
    """Drags a slider for four seconds, with a new log; returns the browser's time of letting go, in milliseconds."""
    box = page.locator(f".slider[data-name={slider}] input").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], y)
    page.mouse.down()
    page.evaluate("() => { window.adastrideLog = [] }")
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < DRAG_SECONDS:
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.4 * passed / DRAG_SECONDS), y)  # the browser takes its time: about a frame
    page.mouse.up()
    return page.evaluate("() => performance.now()")


def drag(page: Page, slider: str) -> dict[str, float]:
    """Drags a slider for four seconds and reads what was painted when from the viewer's own log.

    local: milliseconds from a move to the dragged layer's paint. followed: from sending a request to the paint of its
    answer, the layers above and the probabilities. landed: seconds from letting go to the last answer.
    """
    released = move(page, slider)
    page.wait_for_timeout(300)
    page.wait_for_function(ANSWERED, timeout=30_000)
    log = page.evaluate("() => window.adastrideLog")
    sent = {number: at for kind, at, number in log if kind == "sent"}
    answers = [(at, at - sent[number]) for kind, at, number in log if kind == "followed" and number in sent]
    followed, local = sorted(took for _, took in answers), sorted(took for kind, _, took in log if kind == "local")
    return {
        "local median": statistics.median(local or [0]), "local 95 %": local[int(0.95 * (len(local) - 1))] if local else 0.0,
        "followed median": statistics.median(followed), "followed 95 %": followed[int(0.95 * (len(followed) - 1))],
        "paints a second": sum(at <= released for at, _ in answers) / DRAG_SECONDS, "moves a second": len(local) / DRAG_SECONDS,
        "landed": max(0.0, (max(at for at, _ in answers) - released) / 1e3),
    }


def lesson(browser: Browser, address: str, step: int, slider: str) -> float:
    """Drags a slider of a step of the Learn page; median milliseconds from a move to the paint of its picture."""
    page, _ = open_page(browser, f"{address}/learn?step={step}", ".learn .controls input, .learn .actions button")
    for _ in range(2):  # the first one warms up
        page.wait_for_timeout(1000)
        move(page, slider)
    painted = page.evaluate("() => window.adastrideLog.filter(([kind]) => kind === 'painted').map((entry) => entry[2])")
    page.close()
    return statistics.median(painted)


def upload(page: Page, path: Path) -> float:
    """Gives the page a file; returns the time at which it did, in seconds."""
    page.get_by_text("Upload", exact=True).first.click()
    chooser = page.locator("[data-testid=stFileUploaderDropzoneInput]")
    chooser.wait_for(state="attached")
    began = time.perf_counter()
    chooser.set_input_files(path)
    return began


def reading(browser: Browser, address: str, folder: Path) -> list[str]:
    """Drags the stride of a recogniser on a clip of about 5 s, and opens a minute: Markdown lines."""
    link = f"{address}/?clip=number&checkpoint=digits-string-adastride"
    page, _ = open_page(browser, link, ".panel.layer .numbers, .facts dt")
    drag(page, "stride")  # warm-up
    page.locator(".reset").click()
    page.wait_for_timeout(500)
    timings = drag(page, "stride")
    clip = audio.read(samples()["number"].path)
    minute = folder / "minute.wav"
    soundfile.write(minute, np.resize(clip.samples, 60 * clip.sample_rate), clip.sample_rate)
    began = upload(page, minute)
    page.locator(".panel.wave header", has_text="minute.wav").wait_for(timeout=60_000)
    page.locator(".explorer[data-state=settled] .panel.layer .numbers", has_text="6001").first.wait_for(timeout=60_000)
    opened = time.perf_counter() - began
    page.close()
    return [
        f"| recogniser, {clip.seconds:.1f} s clip, drag stride: letters painted, median / 95 % | ≤ 100 ms "
        f"| {timings['followed median']:.0f} / {timings['followed 95 %']:.0f} ms |",
        f"| recogniser, upload of 60 s opens | ≤ 3 s | {opened:.1f} s |",
    ]


def ten_minutes() -> bytes:
    """Ten minutes of 44.1 kHz stereo: a bundled clip of spoken digits again and again, with pauses of random length."""
    clip = audio.read(samples()["counting"].path, 44_100).samples
    generator = np.random.default_rng(0)
    parts, total = [], 0
    while total < 600 * 44_100:
        pause = generator.standard_normal(int(44_100 * generator.uniform(0.5, 3)), dtype=np.float32) * 1e-3
        parts += [clip, pause]
        total += clip.size + pause.size
    mono = np.concatenate(parts)[: 600 * 44_100]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([mono, mono], axis=1), 44_100, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class PeakMemory:
    """Watches a process's resident memory, in megabytes."""

    def __init__(self, pid: int):
        self.process, self.peak, self.running = psutil.Process(pid), 0.0, True
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.running:
            self.peak = max(self.peak, self.process.memory_info().rss / 1e6)
            time.sleep(0.05)


def report() -> list[str]:
    """Markdown lines: asked and measured, side by side."""
    lines = ["| what | asked | measured |", "|---|---|---|"]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        began = time.perf_counter()
        process, address = start_server()
        try:
            page, _ = open_page(browser, address)
            cold = time.perf_counter() - began
            page.wait_for_timeout(1000)
            warm = [open_page(browser, address)[1] for _ in range(3)]
            lines.append(f"| server start to first paint, cold | ≤ 8 s | {cold:.1f} s |")
            lines.append(f"| first paint from a warm server | ≤ 2 s | {statistics.median(warm):.2f} s |")
            for slider in ("sigma", "stride"):
                drag(page, slider)  # warm-up
                page.locator(".reset").click()
                page.wait_for_timeout(500)
                timings = drag(page, slider)
                status = page.locator(".status").inner_text()  # of the drag's last answer
                page.locator(".reset").click()
                page.wait_for_timeout(500)
                lines.append(f"| drag {slider}, 5 s clip: dragged layer painted, 95 % | ≤ 33 ms "
                             f"| {timings['local 95 %']:.0f} ms (median {timings['local median']:.0f}) |")
                lines.append(f"| drag {slider}: layers above and probabilities painted, median / 95 % | ≤ 33 / ≤ 130 ms "
                             f"| {timings['followed median']:.0f} / {timings['followed 95 %']:.0f} ms, "
                             f"{status[:-1].lower()} |")
                lines.append(
                    f"| drag {slider}: distinct paints a second | ≥ 30 | {timings['paints a second']:.1f} of {timings['moves a second']:.1f} moves |"
                )
            compare, _ = open_page(browser, f"{address}/compare", ".cell.result canvas.base, .cell canvas.base")
            compare.wait_for_timeout(4000)
            drag(compare, "stride")  # warm-up
            timings = drag(compare, "stride")
            compare.close()
            lines.append(f"| Compare, four columns, 5 s clip, drag stride: painted, median | ≤ 200 ms "
                         f"| {timings['followed median']:.0f} ms |")
            lines += reading(browser, address, Path(folder))
            for step, slider, name in LESSONS:
                lines.append(f"| Learn, step {step}, drag {name}: painted, median | ≤ 100 ms | {lesson(browser, address, step, slider):.0f} ms |")
            wav = Path(folder) / "ten-minutes.wav"
            wav.write_bytes(ten_minutes())
            memory = PeakMemory(process.pid)
            page, _ = open_page(browser, address)
            began = upload(page, wav)
            page.locator(".panel.layer .numbers", has_text="37501").wait_for(timeout=60_000)
            lines.append(f"| 10-minute upload ({wav.stat().st_size / 1e6:.0f} MB WAV) opens | ≤ 10 s | {time.perf_counter() - began:.1f} s |")
            page.wait_for_timeout(2000)
            timings = drag(page, "sigma")
            lines.append(f"| 10 minutes, drag σ: dragged layer painted, 95 % | ≤ 50 ms | {timings['local 95 %']:.0f} ms |")
            lines.append(f"| 10 minutes: layers above land after letting go | ≤ 3 s | {timings['landed']:.1f} s |")
            memory.running = False
            lines.append(f"| 10 minutes: peak server memory | < 1.5 GB | {memory.peak / 1e3:.2f} GB |")
        finally:
            stop_server(process)
            browser.close()
    return lines
