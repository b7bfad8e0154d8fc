"""Take the README's pictures of the app: `python -m tests.app.pictures docs/images`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

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
    """Write app.png and app_chat.png, with the model that ships."""
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
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
