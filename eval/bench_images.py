"""How many page images are made in a second, beside Matplotlib drawing one page."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ecg_llm.data_builders.image_rows import packed_image
from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.page_settings import SIZE_PX
from ecg_llm.data_builders.photograph import photograph
from ecg_llm.data_builders.synthetic import random_ecg
from ecg_llm.eval.bench_page import bench_page
from ecg_llm.eval.result import Result

MATPLOTLIB_DPI = {SIZE_PX: 120.0, 2339: 200.0}
"""Sizes that are measured, with the resolution at which an A4 page is as large."""


@dataclass(frozen=True, kw_only=True)
class SizeBenchmark:
    """Means over many pages, in CPU seconds of one process with one thread.

    Attributes
    ----------
    size_px : int, px
        Long side, about.
    clean_s, photographed_s : float, s
        A page with drawing, photographing, encoding.
    clean_kb, photographed_kb : float
        Size of a file.
    matplotlib_s : float, s
        Matplotlib, as pages are usually drawn with it, drawing one A4 page of this size and
        packing it as PNG; it photographs nothing.
    """

    size_px: int
    clean_s: float
    photographed_s: float
    clean_kb: float
    photographed_kb: float
    matplotlib_s: float

    @property
    def ratio(self) -> float:
        """How many of our clean pages are made in the time of one of Matplotlib's."""
        return self.matplotlib_s / self.clean_s

    def render(self) -> str:
        """Give the figures as a line of the table."""
        return (
            f"{self.size_px:>6} px{1 / self.clean_s:>11.1f}{1 / self.photographed_s:>14.1f}"
            f"{1 / self.matplotlib_s:>12.2f}{self.ratio:>8.1f}"
            f"{self.clean_kb:>10.0f}{self.photographed_kb:>8.0f}"
        )


@dataclass(frozen=True)
class ImageBenchmark(Result):
    """What ``ecgllm bench images`` prints.

    Attributes
    ----------
    pages : int
        Pages of each kind at each size.
    sizes : tuple of SizeBenchmark
        One for each size.
    """

    pages: int
    sizes: tuple[SizeBenchmark, ...]

    def render(self) -> str:
        """Give the figures as a table."""
        head = (
            f"{self.pages} pages of every layout and paper, encoding counted; pages a second of "
            "one core\n"
            "long side      clean  photographed  matplotlib   times  kB clean   photo\n"
        )
        return head + "\n".join(size.render() for size in self.sizes)


def bench_images(*, pages: int = 40) -> ImageBenchmark:
    """Measure how fast page images are made.

    Parameters
    ----------
    pages : int
        Pages of each kind at each size.
    """
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return ImageBenchmark(pages, tuple(_size(size, pages) for size in MATPLOTLIB_DPI))
    finally:
        cv2.setNumThreads(threads)


def _size(size_px: int, pages: int) -> SizeBenchmark:
    """Measure one size; both kinds show the same records with the same seeds."""
    records = [random_ecg(k).record for k in range(4)]
    render_page_example(records[0], 0, size_px=size_px)  # loads fonts
    clean_s, photo_s, clean_bytes, photo_bytes = 0.0, 0.0, 0, 0
    for seed in range(pages):
        started = time.process_time()
        page, settings = render_page_example(records[seed % 4], seed, size_px=size_px)
        drawn = time.process_time()
        clean_bytes += len(packed_image(page, settings, None))
        packed = time.process_time()
        photo, how = photograph(page, seed)
        photo_bytes += len(packed_image(photo, settings, how))
        done = time.process_time()
        clean_s += packed - started
        photo_s += (drawn - started) + (done - packed)
    peer = bench_page(dpi=MATPLOTLIB_DPI[size_px], repeats=1, peer_repeats=2)
    return SizeBenchmark(
        size_px=size_px,
        clean_s=clean_s / pages,
        photographed_s=photo_s / pages,
        clean_kb=clean_bytes / pages / 1000,
        photographed_kb=photo_bytes / pages / 1000,
        matplotlib_s=peer.matplotlib_draw_s + peer.matplotlib_png_s,
    )
