"""The app in a real browser: what a person sees and can do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecg_llm.assistant import interpret
from ecg_llm.io import read_record
from ecg_llm.render.page import save_page

sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW_MS = 180_000


@contextmanager
def started(state: Path, engine: str) -> Iterator[str]:
    """The app with a server of its own, as `ecgllm app` starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen(
        [sys.executable, "-m", "ecg_llm.cli", "app", "--port", str(port), "--engine", engine],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    assert app.stdout is not None
    line = app.stdout.readline()
    assert str(port) in line, "the app did not start"
    yield f"http://127.0.0.1:{port}"
    children = Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split()
    assert children, "the app has no server of its own"
    app.send_signal(signal.SIGTERM)
    app.wait(60)
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    app.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app without a language model."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with started(tmp_path_factory.mktemp("state"), "none") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[sync.Browser]:
    """Headless Chromium."""
    with sync.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(address: str, browser: sync.Browser) -> Iterator[sync.Page]:
    """The app's page, freshly opened; it may ask nothing of any other machine."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(SLOW_MS)
    opened = context.new_page()
    elsewhere: list[str] = []
    faults: list[str] = []
    opened.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((address, "data:", "blob:"))
            else elsewhere.append(asked.url)
        ),
    )
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.goto(address)
    opened.wait_for_selector("#read")
    yield opened
    context.close()
    assert elsewhere == []
    assert faults == []


def _upload(page: sync.Page, *paths: Path) -> None:
    page.set_input_files("#files input[type=file]", [str(path) for path in paths])


def _example(page: sync.Page, name: str = "00177_hr") -> None:
    _upload(page, EXAMPLES / f"{name}.hea", EXAMPLES / f"{name}.dat")
    page.wait_for_selector(".reading button.claim")


def _ask(page: sync.Page, question: str) -> None:
    """Ask, and wait until the answer is complete."""
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    answered = page.locator(".talk .log[aria-busy=false] > div", has_text=question)
    answered.locator(".answer", has_text=".").last.wait_for()


def _documents(page: sync.Page) -> None:
    """Wait until the documents can be downloaded."""
    page.wait_for_function(
        "() => document.querySelector('#status').innerText.trim().endsWith('rests on.')",
        timeout=SLOW_MS,
    )


def _pixels(page: sync.Page) -> bytes:
    return page.locator(".sheet canvas").screenshot()


def test_reading_an_ecg_with_its_evidence_a_question_and_the_documents(page: sync.Page) -> None:
    _example(page)
    measured = interpret(read_record(EXAMPLES / "00177_hr.hea"), model="none").measurements
    values = page.locator(".values").inner_text()
    assert f"{measured['heart_rate_bpm'].value:.0f} bpm" in values
    assert "QTc (Fridericia)" in values

    before = _pixels(page)
    claim = page.locator(".reading button.claim", has_text="fascicular block").first
    claim.click()
    assert claim.get_attribute("aria-pressed") == "true"
    assert f"{measured['qrs_axis_deg'].value:.1f}°".replace("-", "−") in (
        page.locator(".evidence").inner_text()
    )
    assert "Criterion" in page.locator(".evidence").inner_text()
    assert _pixels(page) != before, "the evidence is not marked on the tracing"

    _ask(page, "What is the PR interval?")
    assert f"{measured['pr_ms'].value:.0f} ms" in page.locator("#chat").inner_text()

    shown = page.locator(".talk .told", has_text="PR interval")
    shown.press("Enter")
    assert "PR interval" in page.locator(".evidence").inner_text()
    page.get_by_role("button", name="Back to the answer").click()
    assert shown.evaluate("node => node === document.activeElement")

    _documents(page)
    for label, check in (
        ("PDF", lambda data: data.startswith(b"%PDF")),
        ("HTML", lambda data: data.startswith(b"<!DOCTYPE html>")),
        ("JSON", lambda data: json.loads(data)["record"]["fs_hz"] == 500),
        ("FHIR", lambda data: json.loads(data)["resourceType"] == "Bundle"),
    ):
        with page.expect_download() as loading:
            page.get_by_text(f"Report as {label}").click()
        assert check(Path(loading.value.path()).read_bytes()), label


def test_the_keyboard_alone_zooms_and_chooses(page: sync.Page) -> None:
    _example(page, "00338_hr")
    width = page.locator(".sheet canvas").bounding_box()
    page.locator(".sheet").focus()
    page.keyboard.press("+")
    wider = page.locator(".sheet canvas").bounding_box()
    assert width is not None
    assert wider is not None
    assert wider["width"] > 1.2 * width["width"]
    page.set_viewport_size({"width": 1400, "height": 900})  # as when a phone's bars come
    page.wait_for_timeout(200)
    assert page.locator(".sheet canvas").bounding_box()["width"] == wider["width"]
    claim = page.locator(".reading button.claim").first
    claim.focus()
    page.keyboard.press("Enter")
    assert claim.get_attribute("aria-pressed") == "true"
    assert page.locator(".evidence h3").inner_text() == "Evidence"


def test_of_a_long_recording_it_is_told_what_is_drawn(page: sync.Page, tmp_path: Path) -> None:
    """Of 38 s the app drew 30 without a word, and evidence behind them was shown nowhere."""
    record = read_record(EXAMPLES / "00001_hr.hea")
    for seconds in (40, 70):
        rows = np.tile(record.signal, (1, seconds // 10))
        head = f"# fs: 500\n# unit: mV\n{','.join(record.leads)}"
        table = tmp_path / f"long{seconds}.csv"
        np.savetxt(table, rows.T, fmt="%.3f", delimiter=",", header=head, comments="")
        _upload(page, table)
        page.wait_for_function(
            "(name) => document.querySelector('.who h2')?.innerText === name",
            arg=table.stem,
            timeout=SLOW_MS,
        )
        shown = page.locator(".readout").inner_text()
        assert ("0–60 of 70 s" in shown) == (seconds == 70), shown


def test_calipers_measure_time_and_voltage(page: sync.Page) -> None:
    _example(page)
    page.get_by_role("button", name="Calipers").click()
    page.locator(".sheet canvas").scroll_into_view_if_needed()
    box = page.locator(".sheet canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90, steps=4)
    page.mouse.up()
    seconds = 100 / box["width"] * 10
    shown = page.locator(".readout").inner_text()
    assert f"Δt {1000 * seconds:.0f} ms" in shown
    assert "mV" in shown
    page.get_by_role("button", name="Calipers").click()
    page.get_by_role("button", name="Calipers").click()  # off and on: nothing is held
    page.locator(".sheet").focus()
    for key in ["ArrowRight"] * 10 + ["ArrowDown"] * 4 + ["Shift+ArrowRight", "+", "ArrowRight"]:
        page.keyboard.press(key)
    assert page.locator(".readout").inner_text() == "Δt 110 ms · ΔV 0.20 mV"


def test_no_word_is_shown_by_the_key_of_a_missing_translation(page: sync.Page) -> None:
    _example(page)
    _documents(page)
    words = page.evaluate(
        "[...document.body.querySelectorAll('*')].flatMap((e) => [e.ariaLabel, e.title,"
        " e.placeholder, e.children.length || e.tagName === 'SCRIPT' ? '' : e.textContent])"
    )
    assert [word for word in words if word and word.startswith("common.")] == []


def test_a_phone_shows_it_without_scrolling_sideways(page: sync.Page) -> None:
    page.set_viewport_size({"width": 375, "height": 812})
    _example(page)
    _documents(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    claim = page.locator(".reading button.claim", has_text="No AV block")
    claim.click()
    assert "PR interval" in page.locator(".findings li .evidence").inner_text()
    assert page.locator(".sheet").bounding_box()["y"] >= 0, "the tracing is out of sight"


def test_dark_mode_draws_on_dark_paper(page: sync.Page, address: str) -> None:
    page.goto(f"{address}/?__theme=dark")
    page.wait_for_selector("#read")
    _example(page)
    page.wait_for_selector(".reading.dark")
    corner = page.evaluate(
        "() => { const c = document.querySelector('.sheet canvas');"
        " return [...c.getContext('2d').getImageData(c.width - 2, 1, 1, 1).data].slice(0, 3); }"
    )
    assert max(corner) < 130


def test_an_earlier_ecg_is_compared_and_what_was_left_empty_is_not_told(page: sync.Page) -> None:
    page.get_by_text("Compare with an earlier ECG").click()
    page.locator("#earlier").wait_for()
    earlier = [str(EXAMPLES / f"00001_hr.{end}") for end in ("hea", "dat")]
    page.set_input_files("#earlier input[type=file]", earlier)
    page.wait_for_function(
        "() => document.querySelector('#earlier').innerText.includes('.dat')", timeout=SLOW_MS
    )
    _example(page)
    said = page.locator(".findings").inner_text()
    assert "Compared with 00001_hr" in said
    assert "compared with 00001_hr" in page.locator(".who").inner_text()
    assert said.index("Compared with") < said.index("Technical quality")
    page.get_by_label("Age in years").fill("seventy")  # while the documents are being made
    page.locator("#read").click()
    page.wait_for_selector("#status [role=alert]")
    assert "age has to be" in page.locator("#status").inner_text()


def test_a_page_is_shown_with_findings_and_without_values(page: sync.Page, tmp_path: Path) -> None:
    """A scan: the page itself, what was read from it, and why nothing was measured."""
    scan = tmp_path / "scan.pdf"
    save_page(read_record(EXAMPLES / "00177_hr.hea"), scan)
    _upload(page, scan)
    page.wait_for_selector(".reading button.claim")
    image = page.locator(".original img")
    assert image.is_visible()
    assert image.evaluate("image => image.complete && image.naturalWidth") > 1000
    assert "layout 3x4" in page.locator(".original").inner_text()
    values = page.locator(".values").inner_text()
    assert "Heart rate" in values
    assert "read from a page image: not measured" in values
    assert "bpm" not in values
    assert "%" in values  # probabilities
    _ask(page, "What is the PR interval?")
    assert "not measured" in page.locator("#chat").inner_text()
    _example(page)
    page.wait_for_function(
        "() => document.querySelector('.values').innerText.includes('94 bpm')", timeout=SLOW_MS
    )
    assert not image.is_visible()


def test_the_good_leads_of_a_refused_tracing_are_read_by_choice(
    page: sync.Page, tmp_path: Path
) -> None:
    record = read_record(EXAMPLES / "00177_hr.hea")
    rows = record.signal.copy()
    rows[record.leads.index("V4")] = 0
    head = f"# fs: 500\n# unit: mV\n{','.join(record.leads)}"
    flat = tmp_path / "flat.csv"
    np.savetxt(flat, rows.T, fmt="%.4f", delimiter=",", header=head, comments="")
    _upload(page, flat)
    page.wait_for_selector(".reading .refused")
    page.locator("#partial input").click()
    page.get_by_role("option", name="read the others").click()
    page.locator("#read").click()
    page.wait_for_selector(".reading button.claim")
    assert "left out: V4 flat" in page.locator(".who").inner_text()


def test_an_example_is_read_again_for_the_patient_and_the_next_ecg_is_not(page: sync.Page) -> None:
    """What is told of one patient decides on limits: it must not stay for another."""
    page.get_by_label("Or try an example").click()
    page.get_by_role("option", name="00177_hr").click()
    page.wait_for_selector(".reading button.claim")
    assert "Without age and sex" in page.locator(".who").inner_text()
    page.get_by_label("Age in years").fill("73")
    page.get_by_role("button", name="Read the ECG").click()
    page.wait_for_function(
        "() => document.querySelector('.who').innerText.includes('73 years')", timeout=SLOW_MS
    )
    assert "00177_hr" in page.locator(".who h2").inner_text()
    page.wait_for_selector(".reading button.claim")
    _example(page, "00338_hr")
    page.wait_for_function(
        "() => document.querySelector('.who h2').innerText === '00338_hr'"
        " && document.querySelector('#status').innerText.includes('cleared: age')",
        timeout=SLOW_MS,
    )
    assert "years" not in page.locator(".who").inner_text()
    sync.expect(page.get_by_label("Age in years")).to_have_value("")  # drawn a moment later


def test_a_table_without_a_rate_asks_for_it_where_it_can_be_given(
    page: sync.Page, tmp_path: Path
) -> None:
    record = read_record(EXAMPLES / "00338_hr.hea")
    table = tmp_path / "plain.csv"
    rows = [",".join(record.leads), *(",".join(f"{v:.3f}" for v in row) for row in record.signal.T)]
    table.write_text("\n".join(rows))
    _upload(page, table)
    page.wait_for_selector("#status [role=alert]")
    assert "give it (fs, in Hz)" in page.locator("#status").inner_text()
    page.get_by_label("Sampling rate in Hz (fs)").fill("500")
    page.get_by_label("Unit").click()
    page.get_by_role("option", name="mV", exact=True).click()
    page.get_by_role("button", name="Read the ECG").click()
    page.wait_for_selector(".reading button.claim")
    assert "left bundle branch block" in page.locator(".findings").inner_text()


@pytest.mark.parametrize("kind", ["broken", "huge", "cat"])
def test_a_file_that_is_no_ecg_gives_a_sentence_that_helps(
    kind: str, page: sync.Page, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    if kind == "broken":
        path = tmp_path / "broken.hea"
        path.write_text("broken 12 500 5000\nno such line\n")
    elif kind == "huge":
        path = tmp_path / "huge.dat"
        path.write_bytes(b"\0" * (40 << 20))
    else:
        path = tmp_path / "cat.png"
        soft = rng.normal(size=(30, 40, 3)).cumsum(0).cumsum(1)
        soft = 255 * (soft - soft.min()) / np.ptp(soft)
        Image.fromarray(soft.astype(np.uint8)).resize((800, 600)).save(path)
    _upload(page, path)
    page.wait_for_selector(
        "#status [role=alert], .reading .refused"
        if kind != "huge"
        else "#status [role=alert], [data-testid=toast-body]"
    )
    assert page.locator(".reading button.claim[aria-pressed]").count() == 0 or (
        page.locator(".reading .refused").count() == 1
    )
    said = page.locator("body").inner_text()
    assert "Traceback" not in said
