"""How fast a page is drawn, beside Matplotlib drawing the same page."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from ecg_llm.eval.result import Result
from ecg_llm.leads import STANDARD_12
from ecg_llm.record import ECGRecord
from ecg_llm.render.layout import LARGE_MM, STANDARD
from ecg_llm.render.page import draw_page, page_scene
from ecg_llm.render.raster import MM_PER_INCH
from ecg_llm.render.scene import Line, Scene, Text
from ecg_llm.render.style import PINK

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PageBenchmark(Result):
    """Times of one run, each the best of its repeats, in CPU seconds of one process.

    Attributes
    ----------
    dpi : float
        Resolution of the A4 page.
    first_s : float, s
        Our first page, with imports, fonts and grid.
    draw_s : float, s
        A further page.
    png_s : float, s
        Packing it as PNG.
    matplotlib_draw_s, matplotlib_png_s : float, s
        Matplotlib as ECG pages are usually drawn with it: axes in mm, the paper as major and minor
        grid lines of the axes.
    tuned_draw_s, tuned_png_s : float, s
        Matplotlib drawn by someone who knows it well: no axes, the paper as two line collections.
    """

    dpi: float
    first_s: float
    draw_s: float
    png_s: float
    matplotlib_draw_s: float
    matplotlib_png_s: float
    tuned_draw_s: float
    tuned_png_s: float

    @property
    def ratio(self) -> float:
        """How many of our pages are drawn in the time of one of Matplotlib's."""
        return self.matplotlib_draw_s / self.draw_s

    def render(self) -> str:
        """Give the figures as a table."""
        rows = [
            ("", "draw", "PNG", "together"),
            ("ecg_llm", *_ms(self.draw_s, self.png_s)),
            ("matplotlib, usual", *_ms(self.matplotlib_draw_s, self.matplotlib_png_s)),
            ("  times ours", *self._times(self.matplotlib_draw_s, self.matplotlib_png_s)),
            ("matplotlib, tuned", *_ms(self.tuned_draw_s, self.tuned_png_s)),
            ("  times ours", *self._times(self.tuned_draw_s, self.tuned_png_s)),
        ]
        table = "\n".join(f"{a:<18}{b:>10}{c:>10}{d:>10}" for a, b, c, d in rows)
        return (
            f"A4 page, 3x4 + rhythm strip, 12 leads, 10 s at 500 Hz, {self.dpi:g} dpi; "
            f"first page {self.first_s * 1000:.0f} ms\n{table}"
        )

    def _times(self, draw_s: float, png_s: float) -> tuple[str, str, str]:
        """Compare a peer with us."""
        both = (draw_s + png_s) / (self.draw_s + self.png_s)
        return f"{draw_s / self.draw_s:.1f}", f"{png_s / self.png_s:.1f}", f"{both:.1f}"


def bench_page(*, dpi: float = 200, repeats: int = 7, peer_repeats: int = 3) -> PageBenchmark:
    """Measure page drawing.

    Parameters
    ----------
    repeats, peer_repeats : int
        Pages drawn by us and by Matplotlib; the quickest counts on both sides.
    """
    record = _record()
    first, page = _timed(lambda: draw_page(record, dpi=dpi))
    draw = min(_timed(lambda: draw_page(record, dpi=dpi))[0] for _ in range(repeats))
    png = min(_timed(page.to_png)[0] for _ in range(repeats))
    scene, _ = page_scene(record, layout=STANDARD, style=PINK)
    peers = {}
    for tuned in (False, True):
        _draw_with_matplotlib(scene, dpi, tuned)
        runs = [_draw_with_matplotlib(scene, dpi, tuned) for _ in range(peer_repeats)]
        peers[tuned] = min(run[0] for run in runs), min(run[1] for run in runs)
    return PageBenchmark(
        dpi=dpi,
        first_s=first,
        draw_s=draw,
        png_s=png,
        matplotlib_draw_s=peers[False][0],
        matplotlib_png_s=peers[False][1],
        tuned_draw_s=peers[True][0],
        tuned_png_s=peers[True][1],
    )


def _record() -> ECGRecord:
    """Make a tracing with the sample count and the steep strokes of a real one."""
    fs, rng = 500.0, np.random.default_rng(0)
    t = np.arange(5000) / fs
    phase = t % 0.8
    beat = np.zeros_like(t)
    for centre, width, mv in ((0.16, 0.02, 0.12), (0.3, 0.01, 1.1), (0.33, 0.01, -0.3)):
        beat += mv * np.exp(-(((phase - centre) / width) ** 2) / 2)
    beat += 0.3 * np.exp(-(((phase - 0.56) / 0.04) ** 2) / 2)
    gains = np.linspace(-1, 1.2, 12)[:, None]
    signal = gains * beat + rng.normal(0, 0.01, (12, 5000))
    return ECGRecord(signal=signal.astype(np.float32), fs=fs, leads=STANDARD_12, name="bench")


def _draw_with_matplotlib(scene: Scene, dpi: float, tuned: bool) -> tuple[float, float]:
    """Draw the scene with Matplotlib; give drawing and packing time."""
    import matplotlib.image
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    started = time.process_time()
    layout, style, (x0, y0, x1, y1) = scene.plan.layout, scene.style, scene.plan.grid
    size = (layout.width_mm / MM_PER_INCH, layout.height_mm / MM_PER_INCH)
    figure = Figure(figsize=size, dpi=dpi)
    canvas: Any = FigureCanvasAgg(figure)  # Matplotlib leaves its canvas untyped
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, layout.width_mm)
    axes.set_ylim(layout.height_mm, 0)
    points_per_mm = 72 / MM_PER_INCH
    papers: tuple[tuple[Literal["minor", "major"], float, str, float], ...] = (
        ("minor", 1.0, style.small_line, style.small_mm),
        ("major", LARGE_MM, style.large_line, style.large_mm),
    )
    for which, pitch, colour, line_mm in papers:
        xs, ys = np.arange(x0, x1 + pitch / 2, pitch), np.arange(y0, y1 + pitch / 2, pitch)
        width = line_mm * points_per_mm
        if tuned:
            lines = [[(x, y0), (x, y1)] for x in xs] + [[(x0, y), (x1, y)] for y in ys]
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=width))
        else:
            axes.set_xticks(xs, minor=which == "minor")
            axes.set_yticks(ys, minor=which == "minor")
            axes.grid(which=which, color=colour, linewidth=width)
            axes.tick_params(which=which, length=0, labelbottom=False, labelleft=False)
    if tuned:
        axes.set_axis_off()
    for item in scene.items:
        if isinstance(item, Line):
            width = item.width_mm * points_per_mm
            axes.plot(item.points[:, 0], item.points[:, 1], color=item.colour, linewidth=width)
        elif isinstance(item, Text):
            weight = "bold" if item.bold else "normal"
            place = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
            axes.text(
                item.x,
                item.y,
                item.text,
                fontsize=item.size_mm * points_per_mm,
                color=item.colour,
                weight=weight,
                ha=place,
            )
    canvas.draw()
    drawn = time.process_time()
    # `print_png` would draw once more; this is how it packs.
    matplotlib.image.imsave(io.BytesIO(), canvas.buffer_rgba(), format="png", dpi=dpi)
    return drawn - started, time.process_time() - drawn


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    """Run once, in CPU seconds."""
    started = time.process_time()
    value = call()
    return time.process_time() - started, value


def _ms(draw_s: float, png_s: float) -> tuple[str, str, str]:
    """Give two times and their sum in ms."""
    a, b, c = (f"{v * 1000:.1f} ms" for v in (draw_s, png_s, draw_s + png_s))
    return a, b, c
