"""The commands on records, from a file on disk to what a person or a program reads."""

from __future__ import annotations

import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ecg_llm.cli.app import app
from ecg_llm.cli.tables import show_table
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.quality import assess
from ecg_llm.report import Report
from tests.report_numbers import check_claims

ROOT = Path(__file__).parents[2]
run = CliRunner().invoke


def write_csv(path: Path, *, fs: float = 500.0, **how: object) -> Path:
    """Write a simulated ECG as a table that states rate, unit and leads."""
    record = synthetic_ecg(fs=fs, **how).record
    head = "time_s," + ",".join(f"{lead} (mV)" for lead in record.leads)
    rows = np.column_stack([np.arange(record.n_samples) / fs, record.signal.T])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, delimiter=",", header=head, comments="", fmt="%.5f")
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("one") / "rec.csv", bpm=75, seed=6, pr_ms=160)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    path = tmp_path_factory.mktemp("flat") / "flat.csv"
    record = synthetic_ecg(seed=1).record
    rows = np.column_stack([np.arange(5000) / 500, np.zeros((5000, 12))])
    head = "time_s," + ",".join(f"{lead} (mV)" for lead in record.leads)
    np.savetxt(path, rows, delimiter=",", header=head, comments="", fmt="%.4f")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    write_csv(root / "b.csv", seed=2)
    write_csv(root / "ward" / "a.csv", seed=1)
    (root / "c.csv").write_text("I,II\nyes,no\n")
    return root


def test_a_report_as_text_names_rate_and_intervals(file):
    result = run(app, ["report", str(file)])
    assert result.exit_code == 0, result.output
    for words in ("PR interval", "QTc (Fridericia)", "QTc (Bazett)", "IMPRESSION", "bpm"):
        assert words in result.stdout


def test_a_report_as_json_is_grounded(file):
    result = run(app, ["report", str(file), "--format", "json", "--age", "70", "--sex", "male"])
    report = Report.from_json(result.stdout)
    assert report.record.name == "rec"
    assert (report.record.age_years, report.record.sex) == (70, "male")
    assert report.measurements["heart_rate_bpm"].value == pytest.approx(75, rel=0.03)
    assert check_claims(report) == ()
    assert report.provenance.weights


@pytest.mark.parametrize(
    ("name", "start"), [("r.html", b"<!"), ("r.pdf", b"%PDF"), ("r.json", b"{"), ("r.txt", b"")]
)
def test_the_extension_chooses_the_format(file, tmp_path, name, start):
    out = tmp_path / name
    result = run(app, ["report", str(file), "--output", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(start)
    assert out.stat().st_size > 500
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_refused_tracing_is_a_report_too(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.5, (12, 5000)).astype(np.float32)
    np.save(tmp_path / "noise.npy", noise)
    leads = "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"
    given = ["--fs", "500", "--unit", "mV", "--leads", leads, "--format", "json"]
    result = run(app, ["report", str(tmp_path / "noise.npy"), *given])
    assert result.exit_code == 0, result.output
    report = Report.from_json(result.stdout)
    assert not report.quality.acceptable
    assert report.findings == ()
    assert report.measurements == {}
    assert report.abstentions


@pytest.fixture(scope="module")
def one_flat(tmp_path_factory):
    """Write a record of which V3 is flat."""
    path = write_csv(tmp_path_factory.mktemp("one_flat") / "rec.csv", bpm=75, seed=6)
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    table[:, 9] = 0
    head = path.read_text().partition("\n")[0]
    np.savetxt(path, table, delimiter=",", header=head, comments="", fmt="%.5f")
    return path


def test_a_tracing_refused_for_one_lead_can_be_read_in_the_others(one_flat, monkeypatch):
    judged = []
    monkeypatch.setattr("ecg_llm.quality.assess", lambda one: judged.append(one) or assess(one))
    refused = run(app, ["report", str(one_flat), "--model", "none", "--format", "json"])
    assert not Report.from_json(refused.stdout).quality.acceptable
    assert "--partial" in refused.stderr
    assert len(judged) == 2  # the whole of it once, and the other leads
    told = run(app, ["report", str(one_flat), "--partial", "--model", "none", "--format", "json"])
    report = Report.from_json(told.stdout)
    assert report.measurements["heart_rate_bpm"].value == pytest.approx(75, rel=0.03)
    assert "V3" not in report.lead_table
    assert any("left out: V3 flat" in note for note in report.record.notes)
    statuses = {finding.code: finding.status for finding in report.findings}
    assert (statuses["SR"], statuses["NORM"]) == ("present", "unknown")
    assert check_claims(report) == ()


def test_what_is_told_of_the_patient_hides_no_mix_up_with_an_earlier_ecg(file, tmp_path):
    """The age and the sex that were given stood for those that the earlier file names."""
    then = tmp_path / "then.csv"
    then.write_text(f"# sex: male\n# age: 70\n{file.read_text()}")
    words = ["report", str(file), "--model", "none", "--earlier", str(then)]
    told = run(app, [*words, "--age", "40", "--sex", "female"]).stdout
    assert "different sexes" in told and "the earlier ECG is older" in told
    told = run(app, [*words, "--age", "71", "--sex", "male"]).stdout
    assert "different sexes" not in told and "is older" not in told


def test_values_of_a_refused_tracing_are_told_as_such(one_flat):
    assert "Refused for its quality" in run(app, ["measure", str(one_flat)]).stdout


def test_measure_gives_the_promised_keys(file):
    document = json.loads(run(app, ["measure", str(file), "--json"]).stdout)
    for name in (
        *("heart_rate_bpm", "rr_ms", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms"),
        *("qtc_bazett_ms", "p_axis_deg", "qrs_axis_deg", "t_axis_deg"),
    ):
        assert set(document[name]) >= {"value", "unit", "reason", "method", "spread"}, name
    assert document["record"] == "rec"
    assert {"r_s", "class"} <= set(document["beats"][0])
    for name in ("p_on", "p_off", "qrs_on", "qrs_off", "t_on", "t_off"):
        assert len(document["leads"]["V2"][name]) == len(document["beats"])
    assert document["quality"]["acceptable"] is True


def test_measure_for_people(file):
    result = run(app, ["measure", str(file)])
    assert result.exit_code == 0, result.output
    assert "heart rate" in result.stdout
    main, further = result.stdout.split("Further measurements")
    assert "QTc (Fridericia)" in main
    assert "shortest RR" in further
    assert "rr_min_ms" not in result.stdout
    assert "aVR" in result.stdout


def test_quality_for_people_and_programs(file, flat):
    assert "acceptable" in run(app, ["quality", str(file)]).stdout
    document = json.loads(run(app, ["quality", str(flat), "--json"]).stdout)
    assert document["record"] == "flat"
    assert document["acceptable"] is False
    assert "flat" in document["leads"]["V1"]["reasons"]
    assert document["leads"]["V1"]["usable"] is False


def test_a_table_that_states_nothing_needs_the_options(tmp_path, file):
    bare = tmp_path / "bare.csv"
    samples = 1000 * synthetic_ecg(seed=3).record.signal[:2].T
    np.savetxt(bare, samples, delimiter=",", fmt="%.2f")
    result = run(app, ["quality", str(bare)])
    assert result.exit_code == 2
    options = ["--fs", "500", "--unit", "uV", "--leads", "I,II"]
    result = run(app, ["quality", str(bare), "--json", *options])
    assert result.exit_code == 0, result.output
    assert {"I", "II"} <= set(json.loads(result.stdout)["leads"])


def test_a_folder_gives_a_line_a_record_and_resumes(folder, tmp_path):
    out = tmp_path / "quality.jsonl"
    result = run(app, ["quality", str(folder), "--output", str(out), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    assert "2 ok, 1 failed" in result.stderr
    whole = out.read_text()
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [line["record"] for line in lines] == ["b", "c", "ward/a"]
    assert lines[1]["error"]["kind"] == "RecordError"
    out.write_text(whole[: whole.index("\n") + 20])  # stopped while it wrote the second line
    again = run(app, ["quality", str(folder), "--output", str(out), "--jobs", "1"])
    assert "1 kept" in again.stderr
    assert out.read_text() == whole


def test_a_name_that_is_no_text_costs_no_run(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9")
    try:
        write_csv(folder / f"{name}.csv", seed=2)
    except (OSError, UnicodeError):
        pytest.skip("the file system keeps names as text only")
    (folder / f"{name}.hea").write_text("no header\n")
    out = tmp_path / "out.jsonl"
    for command in ("measure", "report"):
        result = run(app, [command, str(folder), "-o", str(out), "--jobs", "1", "--overwrite"])
        assert result.exit_code == 0, result.output
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert ["error" in line for line in lines] == [False, True]
    result = run(app, ["measure", str(folder / f"{name}.csv"), "--json"])
    assert json.loads(result.stdout)["record"] == "caf\\udce9"


@pytest.mark.parametrize("command", ["report", "measure", "quality", "show"])
def test_an_output_that_is_a_folder_is_refused_before_any_work(file, tmp_path, command):
    result = run(app, [command, str(file), "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert "it is a folder" in result.stderr


def test_a_report_of_one_file_as_a_json_line(file, tmp_path):
    out = tmp_path / "one.jsonl"
    result = run(app, ["report", str(file), "-o", str(out), "--model", "none"])
    assert result.exit_code == 0, result.output
    (line,) = out.read_text(encoding="utf-8").splitlines()
    assert Report.from_json(line).record.name == "rec"


def test_a_folder_of_reports(folder, tmp_path):
    out = tmp_path / "reports.jsonl"
    result = run(app, ["report", str(folder), "--output", str(out), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    lines = out.read_text().splitlines()
    assert Report.from_json(lines[0]).record.name == "b"
    assert json.loads(lines[1])["error"]["kind"] == "RecordError"
    assert check_claims(Report.from_json(lines[2])) == ()


def test_other_options_do_not_continue_a_run(folder, tmp_path):
    out = tmp_path / "reports.jsonl"
    assert run(app, ["quality", str(folder), "-o", str(out), "--jobs", "1"]).exit_code == 0
    result = run(app, ["measure", str(folder), "-o", str(out), "--jobs", "1"])
    assert result.exit_code == 2
    assert "command was 'quality', now 'measure'" in result.stderr


def test_an_archive_of_several_records_is_a_folder_run(folder, tmp_path):
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(folder.rglob("*.csv")):
            out.write(path, path.relative_to(folder))
    result = run(app, ["quality", str(archive), "--json", "--jobs", "1"])
    names = [json.loads(line)["record"] for line in result.stdout.splitlines()]
    assert names == ["b", "c", "ward/a"]
    result = run(app, ["quality", str(archive)])
    assert result.exit_code == 2
    assert "holds 3 records" in result.stderr


def test_a_piped_talk_goes_on_over_blank_lines_until_it_is_told_to_end(file):
    questions = "What is the PR interval?\n\n  \nWhat is the heart rate?\nexit\nWhat is the QTc?\n"
    result = run(app, ["chat", str(file), "--model", "none"], input=questions)
    assert result.exit_code == 0, result.output
    asked = [line for line in result.stdout.splitlines() if line.startswith("> ")]
    assert asked == ["> What is the PR interval?", "> What is the heart rate?"]


def test_a_set_of_questions_is_refused_before_any_work(tmp_path):
    items = tmp_path / "items.json"
    items.write_text('[{"question": "?", "ecg_id": [1]}]')
    there = ["--items", str(items), "--data", str(tmp_path)]
    result = run(app, ["ask", *there, "--output", str(tmp_path / "no" / "a.jsonl")])
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    result = run(app, ["ask", *there, "--age", "50"])
    assert result.exit_code == 2
    assert "--age" in result.stderr


@pytest.mark.parametrize("name", ["page.png", "page.svg", "page.pdf"])
def test_show_draws_a_page(file, tmp_path, name):
    out = tmp_path / name
    result = run(app, ["show", str(file), "--output", str(out)])
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 5000


def bad_inputs(tmp_path):
    text = tmp_path / "letter.csv"
    text.write_text("Dear colleague,\n")
    (tmp_path / "empty.hea").write_text("")
    (tmp_path / "nothing").mkdir()
    here = str(tmp_path)
    yield ["report", f"{here}/missing.hea"]
    yield ["measure", str(text)]
    yield ["quality", f"{here}/empty.hea"]
    yield ["report", f"{here}/nothing", "-o", f"{here}/out.jsonl"]
    yield ["show", str(text)]
    yield ["report", here]


def test_bad_input_is_one_message_and_exit_code_2(tmp_path):
    for words in bad_inputs(tmp_path):
        result = run(app, words)
        assert result.exit_code == 2, words
        assert result.stderr.startswith("ecgllm: "), words
        assert result.stderr.count("\n") == 1, words
        assert result.stdout == "", words


def test_brackets_in_a_name_are_letters(capsys, monkeypatch):
    """On a terminal such a name was read as markup, and ended the command in a traceback."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table("a[/b].csv", ["a long column"], [["[/y] and [bold]"]])
    told = capsys.readouterr().out
    assert "a[/b].csv" in told and "[/y] and [bold]" in told


def test_the_name_of_a_file_sends_no_codes_to_the_terminal(file, tmp_path):
    """An error repeated what a name in a stranger's archive held."""
    named = tmp_path / "a\x1b]0;obey\x07.csv"
    named.write_text("I,II\nx,y\n")
    refused = run(app, ["report", str(named)])
    assert refused.exit_code == 2 and "a?]0;obey?.csv" in refused.stderr
    shutil.copy(file, named)
    for command in ("report", "measure", "quality"):
        told = run(app, [command, str(named)]).stdout
        assert "obey" in told and not {"\x1b", "\x07"} & set(told)


@pytest.mark.parametrize(
    "target", ["no/such/folder/r.json", ".", "r.docx"], ids=["missing", "folder", "unknown"]
)
def test_a_place_that_cannot_be_written_is_an_error(file, tmp_path, target):
    result = run(app, ["report", str(file), "--output", str(tmp_path / target)])
    assert result.exit_code == 2
    assert result.stderr.startswith("ecgllm: ")
    assert not list(tmp_path.iterdir())


def ecgllm(*words: object, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecg_llm.cli", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **how
    )


def test_an_output_that_is_a_link_is_written_through(file, tmp_path):
    """/dev/stdout, once redirected, was replaced by a file for every program of the machine."""
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("earlier")
    link.symlink_to(real)
    result = run(app, ["report", str(file), "--model", "none", "--output", str(link)])
    assert result.exit_code == 0, result.output
    assert link.is_symlink()
    assert "IMPRESSION" in real.read_text()


@pytest.mark.parametrize("command", ["report", "measure", "quality", "show", "classify", "ask"])
def test_the_file_that_is_read_is_not_written_over(tmp_path, monkeypatch, command):
    page = tmp_path / "page.png"
    page.write_bytes(b"png")
    monkeypatch.chdir(tmp_path)
    more = {"classify": ["--task", "ptbxl-super"], "ask": ["What is the rate?"]}.get(command, [])
    result = run(app, [command, "page.png", *more, "--output", "./page.png"])
    assert result.exit_code == 2, result.output
    assert "would destroy it" in result.output
    assert page.read_bytes() == b"png"


def test_a_drawn_page_replaces_no_file_that_was_not_named(file, tmp_path, monkeypatch):
    """A photograph of the same name beside the record was written over without a word."""
    monkeypatch.chdir(tmp_path)
    Path("rec.png").write_bytes(b"a photograph")
    result = run(app, ["show", str(file)])
    assert result.exit_code == 2
    assert "give --output rec.png to write over it" in result.stderr
    assert Path("rec.png").read_bytes() == b"a photograph"
    assert run(app, ["show", str(file), "-o", "rec.png"]).exit_code == 0
    assert Path("rec.png").stat().st_size > 5000


def test_a_drawn_page_does_not_replace_the_page_it_was_read_from(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(app, ["show", str(file)]).exit_code == 0
    before = Path("rec.png").read_bytes()
    result = run(app, ["show", "rec.png"])
    assert result.exit_code == 2, result.output
    assert Path("rec.png").read_bytes() == before


def test_a_process_of_its_own_reports_a_real_example():
    done = ecgllm("report", "examples/00001_hr.hea")
    assert done.returncode == 0, done.stderr
    assert "QTc (Fridericia)" in done.stdout
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_fault():
    words = [sys.executable, "-m", "ecg_llm.cli", "schema"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 141)


def test_ctrl_c_stops_a_folder_run_and_the_next_one_finishes_it(tmp_path):
    root = tmp_path / "many"
    write_csv(root / "r00.csv", seed=0)
    for k in range(1, 60):
        shutil.copy(root / "r00.csv", root / f"r{k:02d}.csv")
    out = tmp_path / "out.jsonl"
    words = ["quality", root, "-o", out, "--jobs", "1"]
    command = [sys.executable, "-m", "ecg_llm.cli", *map(str, words)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A run in the background of a script inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not (out.exists() and out.read_bytes().count(b"\n") >= 2):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers too
        error = process.stderr.read()
    assert process.returncode == 130, error
    assert "Traceback" not in error
    done = ecgllm(*words)
    assert "kept from an earlier run" in done.stderr
    names = [json.loads(line)["record"] for line in out.read_text().splitlines()]
    assert names == [f"r{k:02d}" for k in range(60)]


@pytest.mark.parametrize("command", ["report", "measure", "quality", "show"])
def test_an_output_without_a_folder_is_refused_before_any_work(file, tmp_path, command):
    target = tmp_path / "no" / "such.png"
    result = run(app, [command, str(file), "--output", str(target)])
    assert result.exit_code == 2
    assert f"there is no folder {target.parent}" in result.stderr
    assert not target.parent.exists()


def test_json_lines_are_not_written_into_a_page(folder, tmp_path):
    result = run(app, ["report", str(folder), "--output", str(tmp_path / "ward.html")])
    assert result.exit_code == 2
    assert "end it in .jsonl" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_reports_of_a_folder_can_be_printed(folder):
    result = run(app, ["report", str(folder), "--format", "json", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 3
    assert sum("error" in line for line in lines) == 1


@pytest.mark.parametrize("command", ["report", "measure"])
def test_a_record_without_signal_is_refused_and_ends_with_an_error(
    command: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "flat.npy", np.zeros((12, 5000), np.float32))
    leads = "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"
    given = ["--fs", "500", "--unit", "mV", "--leads", leads]
    result = run(app, [command, str(tmp_path / "flat.npy"), *given])
    assert result.exit_code == 2
    assert "every lead is constant" in result.stderr
    assert result.stdout


def test_ctrl_c_while_the_commands_load_is_no_traceback():
    code = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'ecg_llm.cli.options': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "import ecg_llm.cli; ecg_llm.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "ecgllm: stopped\n")


def test_a_full_disk_costs_no_line_and_the_run_goes_on_later(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    words = [sys.executable, "-m", "ecg_llm.cli", "measure", folder, "-o", out, "--jobs", "1"]
    full = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    done = subprocess.run(
        list(map(str, words)), cwd=ROOT, capture_output=True, text=True, preexec_fn=full
    )
    assert done.returncode == 2
    assert f"{out}: cannot be written to its end" in done.stderr
    assert "same command again" in done.stderr and "Traceback" not in done.stderr
    result = run(app, list(map(str, words[3:])))
    assert result.exit_code == 0, result.stderr
    names = [json.loads(line)["record"] for line in out.read_text().splitlines()]
    assert names == ["b", "c", "ward/a"]


def test_images_beside_recordings_are_left_out_and_it_is_said(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "mixed")
    (tmp_path / "mixed" / "page.pdf").write_bytes(b"%PDF-1.7")
    result = run(app, ["quality", str(tmp_path / "mixed"), "-o", str(tmp_path / "q.jsonl")])
    assert result.exit_code == 0
    assert "1 images or PDFs beside the recordings are not read" in result.stderr


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = run(app, ["report", str(tmp_path / "pipe")])
    assert result.exit_code == 2
    assert "not a regular file" in result.stderr


def test_a_fhir_bundle_names_patient_and_time_as_told(file, folder):
    words = ["report", str(file), "--model", "none"]
    told = ["--subject", "Patient/1", "--recorded", "2026-03-01"]
    result = run(app, [*words, "--format", "fhir", *told])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)["entry"][0]["resource"]
    assert report["subject"] == {"reference": "Patient/1"}
    assert report["effectiveDateTime"] == "2026-03-01"
    for wrong, said in (
        ([*words, *told], "belong to --format fhir"),
        ([*words, "--format", "fhir", "--recorded", "1.3.2026"], "recorded has to be a day"),
        (["report", str(folder), "--format", "fhir", *told], "JSON lines"),
    ):
        result = run(app, wrong)
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_an_output_of_another_encoding_keeps_signs_and_limits(encoding, tmp_path):
    words = [sys.executable, "-m", "ecg_llm.cli"]
    with_encoding = os.environ | {"PYTHONIOENCODING": encoding}
    for more in (
        ["report", "examples/00177_hr.hea", "--model", "none"],
        ["show", "examples/00177_hr.hea", "-o", os.fsencode(tmp_path / "caf") + b"\xe9.png"],
    ):
        done = subprocess.run([*words, *more], cwd=ROOT, capture_output=True, env=with_encoding)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        text = done.stdout.decode(encoding)
        if more[0] == "show":
            assert text.rstrip().endswith("caf\\udce9.png")
        elif encoding != "utf-8":
            assert "QRS axis -45" in text and "(>= 0.55)" in text
