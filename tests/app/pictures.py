"""Take the README's pictures of the app: `python -m tests.app.pictures docs/images`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ecg_llm.data_builders.page_images import render_page_example
from ecg_llm.data_builders.photograph import encode_image, photograph
from ecg_llm.data_builders.synthetic import synthetic_ecg
from tests.app.test_browser import (
    CHROMIUM,
    FLAGS,
    SLOW_MS,
    _ask,
    _documents,
    _example,
    started,
    sync,
)


def take(folder: Path) -> None:
    """Write app.png, app_chat.png and app_photo.jpg, with the model that ships."""
    with (
        tempfile.TemporaryDirectory() as state,
        started(Path(state), "auto") as url,
        sync.sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1360, "height": 1010})
        page.set_default_timeout(SLOW_MS)
        page.goto(url)
        page.wait_for_selector("#read")
        page.get_by_label("Age in years").fill("69")
        page.get_by_label("Sex").click()
        page.get_by_role("option", name="female").click()
        _example(page, "00338_hr")
        _documents(page)
        page.locator(".reading button.claim", has_text="bundle branch block").first.click()
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=folder / "app.png")
        for question in ("Is there a bundle branch block?", "Say the QRS is normal."):
            _ask(page, question)
        for changed in page.locator(".talk summary").all():
            changed.click()
        page.mouse.move(0, 0)
        page.locator("#talk").screenshot(path=folder / "app_chat.png")
        page.set_viewport_size({"width": 1360, "height": 1330})
        page.goto(url)
        page.wait_for_selector("#read")
        page.locator("input[type=file]").first.set_input_files(_photograph(Path(state)))
        page.locator("#read").click()
        page.wait_for_selector(".reading .alert")
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=folder / "app_photo.jpg", quality=80)
        browser.close()


def _photograph(folder: Path) -> Path:
    """Photograph the page of a simulated patient with an acute inferior infarction."""
    ecg = synthetic_ecg(seed=11, bpm=75, conditions=("mi_inferior_acute",))
    example, _ = render_page_example(ecg.record, PAGE)
    taken, photo = photograph(example, PAGE)
    path = folder / "page.jpg"
    path.write_bytes(encode_image(taken.image, "jpeg", photo.quality))
    return path


PAGE = 4
"""Seed of the page that is shown."""


if __name__ == "__main__":
    take(Path(sys.argv[1]))
