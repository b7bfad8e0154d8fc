"""The commands that measure accuracy: eval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg_llm.cli.figures import (
    Folds,
    Json,
    Limit,
    Ludb,
    Markdown,
    PtbXl,
    folder,
    judging_folds,
    made,
    progress,
    show,
)
from ecg_llm.cli.options import Jobs, Model
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.eval.reports import Case
    from ecg_llm.report import Report

eval_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure accuracy against cardiologists' marks and statements.",
)


@eval_app.command("delineation", short_help="Intervals and boundaries against LUDB's marks.")
def eval_delineation(
    data: Ludb,
    folds: Annotated[
        Path | None,
        typer.Option(
            help="Folder of fold0.onnx … from train delineator --folds: each record is then read "
            "by the net that did not see it.",
        ),
    ] = None,
    neurokit: Annotated[
        bool, typer.Option("--neurokit/--no-neurokit", help="Measure neurokit2 beside it.")
    ] = True,
    json_: Json = False,
) -> None:
    """Compare the delineator with cardiologists' marks: intervals, boundaries, heart rate.

    \b
    ecgllm eval delineation --data ludb/
    ecgllm eval delineation --data ludb/ --folds runs/delineator --no-neurokit \f
    """
    from ecg_llm.eval.delineation import evaluate

    result = evaluate(
        folder(data, "LUDB"), folds=folds, with_neurokit=neurokit, progress=progress("record")
    )
    show(result, json_)


@eval_app.command("rhythms", short_help="Waves of simulated rhythms, blocks, rates and leads.")
def eval_rhythms(
    per_kind: Annotated[int, typer.Option(help="Records of each kind.", min=1)] = 8,
    json_: Json = False,
) -> None:
    """Compare the delineator with the truth of simulated records, kind by kind.

    \b
    ecgllm eval rhythms
    ecgllm eval rhythms --per-kind 40 --json \f
    """
    from ecg_llm.eval.rhythms import evaluate

    show(evaluate(per_kind, progress=progress("kind")), json_)


@eval_app.command("stability", short_help="The same heart at other rates, cut, noisy, shifted.")
def eval_stability(
    data: Annotated[Path, typer.Option(help="PTB-XL folder with records at 500 Hz.")],
    folds: Folds = None,
    limit: Annotated[
        int | None, typer.Option(help="So many records, evenly over all.", min=1)
    ] = None,
    json_: Json = False,
) -> None:
    """Record, cut and store ECGs otherwise, and print by how much the report changes.

    Values: median, 95th percentile and largest difference. Counts: for 100 records; of reports,
    those in which any finding has another status. --json lists every change of every record.

    \b
    ecgllm eval stability --data ptbxl/
    ecgllm eval stability --data ptbxl/ --limit 20 --json \f
    """
    from ecg_llm.eval.stability import evaluate

    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        limit=limit,
        progress=progress("record"),
    )
    show(result, json_)


@eval_app.command("quality", short_help="The quality gate against CinC 2011's marks.")
def eval_quality(
    data: Annotated[Path, typer.Option(help="CinC 2011 set a folder, with quality.csv.")],
    seed: Annotated[int, typer.Option(help="Of the dealing into folds.")] = 0,
    json_: Json = False,
) -> None:
    """Compare the quality gate with experts' marks, each record judged by trees that never saw it.

    \b
    ecgllm eval quality --data challenge2011_set_a/ \f
    """
    from ecg_llm.eval.quality import evaluate

    data = folder(data, "the CinC 2011 challenge, set a")
    show(evaluate(data, seed=seed, progress=progress("step")), json_)


@eval_app.command("electrodes", short_help="Suspected reversals on exchanged PTB-XL records.")
def eval_electrodes(
    data: PtbXl,
    json_: Json = False,
) -> None:
    """Exchange electrodes of records no fitting saw, and count which exchanges are suspected.

    \b
    ecgllm eval electrodes --data ptbxl/ \f
    """
    from ecg_llm.eval.electrodes import evaluate

    folds = judging_folds(None, folder(data, "PTB-XL"))
    show(evaluate(data, folds=folds, progress=progress("record")), json_)


@eval_app.command("simulation", short_help="The simulator against real ECGs.")
def eval_simulation(
    data: Annotated[Path, typer.Option(help="PTB-XL folder with records at 500 Hz.")],
    n: Annotated[int, typer.Option(help="Simulated records.", min=1)] = 200,
    json_: Json = False,
) -> None:
    """Compare the voltages of simulated healthy ECGs with those of PTB-XL's normal ones.

    \b
    ecgllm eval simulation --data ptbxl/ \f
    """
    from ecg_llm.eval.simulation import compare

    show(compare(folder(data, "PTB-XL"), n=n), json_)


@eval_app.command("findings", short_help="Statements against PTB-XL's.")
def eval_findings(
    data: PtbXl,
    folds: Folds = None,
    fs: Annotated[int, typer.Option(help="100 or 500: which version of the records.")] = 100,
    by: Annotated[
        Literal["criteria", "encoder", "both"],
        typer.Option(help="Who finds: criteria, the encoder's head alone, or both together."),
    ] = "both",
    markdown: Markdown = False,
    json_: Json = False,
) -> None:
    """Compare the findings with PTB-XL's statements: sensitivity, specificity, PPV.

    \b
    ecgllm eval findings --data ptbxl/
    ecgllm eval findings --data ptbxl/ --by criteria
    ecgllm eval findings --data ptbxl/ --folds 9,10 --fs 500 --json
    ecgllm eval findings --data ptbxl/ --markdown \f
    """
    from ecg_llm.eval.findings import evaluate

    if fs not in (100, 500):
        raise ConfigError(f"--fs {fs}: PTB-XL has its records at 100 and at 500 Hz.")
    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        fs=fs,
        by=by,
        progress=progress("record"),
    )
    if markdown:
        typer.echo(result.markdown())
    else:
        show(result, json_)


@eval_app.command("encoder", short_help="Head, words and linear readers on PTB-XL's six tasks.")
def eval_encoder(
    data: PtbXl,
    folds: Folds = None,
    leads: Annotated[
        str | None,
        typer.Option(help="Of 12; 6 limb; I; II, V1, V5 those to judge, joined by semicolons."),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Of the bootstrap.", min=10)] = 200,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for reliability, refusal, UMAP and SHAP pictures.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Folder that train encoder wrote, and train head if the head is to be judged; "
            "by default what ships."
        ),
    ] = None,
    markdown: Markdown = False,
    json_: Json = False,
) -> None:
    """Judge an encoder: macro AUC and AUPRC with limits, fewer leads, calibration.

    \b
    ecgllm eval encoder --data ptbxl/
    ecgllm eval encoder --data ptbxl/ --leads "12; I" --json
    ecgllm eval encoder --data ptbxl/ --encoder runs/encoder
    ecgllm eval encoder --data ptbxl/ --pictures docs/images   (needs the extra analysis) \f
    """
    from ecg_llm.eval.encoder import LEAD_SETS, evaluate

    chosen = [name.strip() for name in leads.split(";")] if leads else list(LEAD_SETS)
    unknown = [name for name in chosen if name not in LEAD_SETS]
    if unknown or "12" not in chosen:
        raise ConfigError(f"--leads {leads!r}: give 12 and any of {'; '.join(LEAD_SETS)}.")
    if encoder is not None and pictures is not None:
        raise ConfigError("--pictures are of what ships: leave --encoder out.")
    if pictures is not None:
        made(pictures)
    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        lead_sets=chosen,
        rounds=rounds,
        trained=encoder,
        progress=progress("step"),
    )
    if markdown:
        typer.echo(result.markdown())
    else:
        show(result, json_)
    if pictures is not None:
        from ecg_llm.eval.pictures import draw

        for path in draw(result, data, pictures):
            typer.echo(str(path), err=True)


@eval_app.command("external", short_help="Words on records of the CinC challenges.")
def eval_external(
    data: Annotated[Path, typer.Option(help="Folder of challenge records, with '#Dx:' codes.")],
    json_: Json = False,
) -> None:
    """Classify records of other sources by words, and hold that against their SNOMED CT codes.

    \b
    ecgllm eval external --data cinc2021/ \f
    """
    from ecg_llm.eval.external import evaluate

    show(evaluate(folder(data, "the CinC challenges")), json_)


@eval_app.command("finetune", short_help="An encoder fine-tuned with few labels.")
def eval_finetune(
    data: Annotated[Path, typer.Option(help="Folder of the data sets, as train encoder takes it.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")],
    packed: Annotated[
        Path | None, typer.Option(help="Folder of packed data; below --out if left out.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="bundled, or the folder of an encoder that train encoder wrote.")
    ] = "bundled",
    steps: Annotated[int, typer.Option(help="Of each run.", min=1)] = 200,
    json_: Json = False,
) -> None:
    """Fine-tune an encoder with 1, 10 and 100 % of the labels of PTB-XL's folds 1 to 8.

    The bundled encoder has learnt these labels; --start an encoder that has not (recipe latent or
    masked) to see what its pretraining is worth.

    \b
    ecgllm eval finetune --data data/ --out runs/finetune --start runs/latent \f
    """
    from ecg_llm.eval.finetune import evaluate
    from ecg_llm.training.pack import packed_at

    out.mkdir(parents=True, exist_ok=True)
    records = packed_at(folder(data, "the open data sets"), packed or out / "packed")
    show(evaluate(records, out, start=start, steps=steps, progress=progress("run")), json_)


@eval_app.command("controls", short_help="What is left without the ECG: classifier, drafts.")
def eval_controls(
    data: PtbXl,
    what: Annotated[
        Literal["encoder", "draft"],
        typer.Option(help="encoder: the classifier; draft: the language model."),
    ] = "encoder",
    folds: Folds = None,
    limit: Annotated[int | None, typer.Option(help="Fewer records.", min=1)] = None,
    model: Model = None,
    json_: Json = False,
) -> None:
    """Spoil the ECG on purpose and look at what is left.

    The classifier gets records zeroed, shuffled in time, with leads permuted, gain halved, and with
    hum; the language model the words alone, the tracing alone, another patient's, or none.

    \b
    ecgllm eval controls --data ptbxl/
    ecgllm eval controls --data ptbxl/ --what draft --limit 50 \f
    """
    if what == "draft":
        from ecg_llm.assistant import writer
        from ecg_llm.eval.reports import VARIANTS
        from ecg_llm.eval.reports import evaluate as of_drafts

        teller = writer(model)
        if teller is None:
            raise ConfigError("--what draft needs a language model; none is bundled, give --model.")
        drafts = of_drafts(
            folder(data, "PTB-XL"),
            teller,
            folds=judging_folds(folds, data),
            limit=limit,
            variants=VARIANTS,
            progress=progress("record"),
        )
        show(drafts, json_)
        return
    from ecg_llm.eval.disturbances import evaluate

    result = evaluate(
        folder(data, "PTB-XL"),
        folds=judging_folds(folds, data),
        limit=limit,
        progress=progress("disturbance"),
    )
    show(result, json_)


@eval_app.command("report", short_help="Reports claim by claim, drafts and what ships.")
def eval_report(
    data: PtbXl,
    folds: Folds = None,
    limit: Limit = None,
    model: Model = None,
    variants: Annotated[
        str, typer.Option(help="What the model is shown, joined by commas: all, text only.")
    ] = "all,text only",
    reports: Annotated[
        Path | None, typer.Option(help="Write the first --count reports here, in full.")
    ] = None,
    count: Annotated[int, typer.Option(help="Reports to write in full.", min=1)] = 10,
    json_: Json = False,
) -> None:
    """Judge reports claim by claim: the model's drafts, what ships, the measured report.

    \b
    ecgllm eval report --data ptbxl/
    ecgllm eval report --data ptbxl/ --model none
    ecgllm eval report --data ptbxl/ --reports ten.md --limit 100 \f
    """
    from ecg_llm.assistant import writer
    from ecg_llm.cli.records import check_place
    from ecg_llm.eval.reports import VARIANTS, evaluate, in_full

    check_place(reports)
    asked = [name.strip() for name in variants.split(",")]
    if unknown := [name for name in asked if name not in VARIANTS]:
        raise ConfigError(f"--variants {', '.join(unknown)}: there are {', '.join(VARIANTS)}.")
    kept: list[str] = []

    def keep(case: Case, report: Report) -> None:
        kept.append(in_full(case, report))

    result = evaluate(
        data,
        writer(model),
        folds=judging_folds(folds, data),
        limit=limit,
        variants=asked,
        progress=progress("record"),
        on_report=keep if reports is not None else None,
        full=count,
    )
    if reports is not None:
        reports.write_text("\n".join(kept), encoding="utf-8")
    show(result, json_)


@eval_app.command("qa", short_help="Answers against ECG-QA's.")
def eval_qa(
    data: PtbXl,
    items: Annotated[Path, typer.Option(help="ECG-QA's questions with answers, JSON.")],
    folds: Annotated[
        str | None,
        typer.Option(
            help="Questions on records of these folds only, or all; by default 9, or 10 where "
            "none of 9 is there.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    json_: Json = False,
) -> None:
    """Answer ECG-QA's questions and compare, beside the commonest answer.

    \b
    ecgllm eval qa --data ptbxl/ --items ecg_qa/ptbxl_single_verify.json
    ecgllm eval qa --data ptbxl/ --items ecg_qa/ptbxl_comparison.json --folds all \f
    """
    from ecg_llm.eval.qa import evaluate

    chosen = None if folds == "all" else judging_folds(folds, data)
    show(evaluate(data, items, folds=chosen, workers=jobs, progress=progress("ECG")), json_)


@eval_app.command("grounding", short_help="What the check lets pass of altered sentences.")
def eval_grounding(
    data: PtbXl,
    folds: Folds = None,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(help="Of the alterations.")] = 0,
    json_: Json = False,
) -> None:
    """Alter true sentences, one thing at a time, and count what still ships.

    \b
    ecgllm eval grounding --data ptbxl/ --limit 100 \f
    """
    from ecg_llm.eval.tampering import evaluate

    result = evaluate(
        data, folds=judging_folds(folds, data), limit=limit, seed=seed, progress=progress("record")
    )
    show(result, json_)
