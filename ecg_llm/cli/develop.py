"""The commands that check and rebuild the program itself: eval, bench, train."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecg_llm.cli.figures import (
    Folds,
    Json,
    Ludb,
    Markdown,
    PtbXl,
    Seed,
    Steps,
    folder,
    progress,
    read_folds,
    show,
)
from ecg_llm.cli.options import Model
from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    pass

eval_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure accuracy against cardiologists' marks and statements.",
)
bench_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure speed beside other software."
)
train_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train the small models that the program ships, from open data.",
)


class By(StrEnum):
    """Who finds."""

    CRITERIA = "criteria"
    ENCODER = "encoder"
    BOTH = "both"


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

    show(evaluate(folder(data, "PTB-XL"), progress=progress("record")), json_)


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
    folds: Annotated[
        str, typer.Option(help="Folds, joined by commas; limits were chosen on 1 to 8.")
    ] = "9",
    fs: Annotated[int, typer.Option(help="100 or 500: which version of the records.")] = 100,
    by: Annotated[
        By, typer.Option(help="Who finds: criteria, the encoder's head alone, or both together.")
    ] = By.BOTH,
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
        folds=read_folds(folds),
        fs=fs,
        by=by.value,
        progress=progress("record"),
    )
    if markdown:
        typer.echo(result.markdown())
    else:
        show(result, json_)


@eval_app.command("encoder", short_help="Head, words and linear readers on PTB-XL's six tasks.")
def eval_encoder(
    data: PtbXl,
    folds: Annotated[
        str, typer.Option(help="Folds that judge, joined by commas; 1 to 8 trained the encoder.")
    ] = "9",
    leads: Annotated[
        str | None,
        typer.Option(help="Of 12; 6 limb; I; II, V1, V5 those to judge, joined by semicolons."),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Of the bootstrap.", min=10)] = 200,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for reliability, refusal, UMAP and SHAP pictures.")
    ] = None,
    markdown: Markdown = False,
    json_: Json = False,
) -> None:
    """Judge the bundled encoder: macro AUC and AUPRC with limits, fewer leads, calibration.

    \b
    ecgllm eval encoder --data ptbxl/
    ecgllm eval encoder --data ptbxl/ --leads "12; I" --json
    ecgllm eval encoder --data ptbxl/ --pictures docs/images   (needs the extra analysis) \f
    """
    from ecg_llm.eval.encoder import LEAD_SETS, evaluate

    chosen = [name.strip() for name in leads.split(";")] if leads else list(LEAD_SETS)
    unknown = [name for name in chosen if name not in LEAD_SETS]
    if unknown or "12" not in chosen:
        raise ConfigError(f"--leads {leads!r}: give 12 and any of {'; '.join(LEAD_SETS)}.")
    result = evaluate(
        folder(data, "PTB-XL"),
        folds=read_folds(folds),
        lead_sets=chosen,
        rounds=rounds,
        progress=progress("step"),
    )
    if markdown:
        typer.echo(result.markdown())
    else:
        show(result, json_)
    if pictures is not None:
        from ecg_llm.eval.pictures import draw_trust
        from ecg_llm.eval.representation import draw

        pictures.mkdir(parents=True, exist_ok=True)
        for path in [*draw_trust(result, pictures), *draw(data, pictures)]:
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

    out.mkdir(parents=True, exist_ok=True)
    result = evaluate(
        folder(data, "the open data sets"),
        out,
        packed=packed,
        start=start,
        steps=steps,
        progress=progress("run"),
    )
    show(result, json_)


class Controlled(StrEnum):
    """Whose dependence on the ECG is controlled."""

    ENCODER = "encoder"
    DRAFT = "draft"


@eval_app.command("controls", short_help="What is left without the ECG: classifier, drafts.")
def eval_controls(
    data: PtbXl,
    what: Annotated[
        Controlled, typer.Option(help="encoder: the classifier; draft: the language model.")
    ] = Controlled.ENCODER,
    folds: Folds = "9",
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
    if what is Controlled.DRAFT:
        from ecg_llm.assistant import writer
        from ecg_llm.eval.reports import VARIANTS
        from ecg_llm.eval.reports import evaluate as of_drafts

        teller = writer(model)
        if teller is None:
            raise ConfigError("--what draft needs a language model; none is bundled, give --model.")
        drafts = of_drafts(
            folder(data, "PTB-XL"),
            teller,
            folds=read_folds(folds),
            limit=limit,
            variants=VARIANTS,
            progress=progress("record"),
        )
        show(drafts, json_)
        return
    from ecg_llm.eval.disturbances import evaluate

    result = evaluate(
        folder(data, "PTB-XL"),
        folds=read_folds(folds),
        limit=limit,
        progress=progress("disturbance"),
    )
    show(result, json_)


@bench_app.command("measure", short_help="The measuring lane beside neurokit2.")
def bench_measure(
    record: Annotated[
        Path | None, typer.Option(help="An ECG; by default a simulated one of 10 s at 500 Hz.")
    ] = None,
    json_: Json = False,
) -> None:
    """Time quality, delineation and measurements beside neurokit2, in one run.

    \b
    ecgllm bench measure
    ecgllm bench measure --record rec.hea --json \f
    """
    from ecg_llm.eval.bench import bench_measure as bench

    if record is None:
        from ecg_llm.data_builders.synthetic import synthetic_ecg

        chosen = synthetic_ecg(seed=1).record
    else:
        from ecg_llm.io import read_record

        chosen = read_record(record)
    show(bench(chosen), json_)


@bench_app.command("page", short_help="Page drawing beside matplotlib.")
def bench_page(
    dpi: Annotated[float, typer.Option(help="Resolution.", min=36, max=600)] = 200,
    json_: Json = False,
) -> None:
    """Time the page image beside a matplotlib page of the same content, in one run.

    \b
    ecgllm bench page
    ecgllm bench page --dpi 300 \f
    """
    from ecg_llm.eval.bench_page import bench_page as bench

    show(bench(dpi=dpi), json_)


@bench_app.command("encoder", short_help="Records to tokens beside PyTorch.")
def bench_encoder(
    batch: Annotated[int, typer.Option(help="Records of the large batch.", min=16)] = 256,
    json_: Json = False,
) -> None:
    """Time the signal encoder beside PyTorch running the same net, in one run.

    \b
    ecgllm bench encoder
    ecgllm bench encoder --batch 1024 --json \f
    """
    from ecg_llm.eval.bench_encoder import bench_encoder as bench

    show(bench(batch=batch), json_)


@bench_app.command("instruct", short_help="Writing conversations.")
def bench_instruct(
    shards: Annotated[
        Path, typer.Argument(metavar="SHARDS", help="A built set of records.", show_default=False)
    ],
    limit: Annotated[int, typer.Option(help="How many records.", min=1)] = 100,
    json_: Json = False,
) -> None:
    """Time the writing and checking of conversations on one core.

    \b
    ecgllm bench instruct sets/ptbxl
    ecgllm bench instruct sets/ptbxl --limit 1000 --json \f
    """
    from ecg_llm.eval.bench_instruct import bench_instruct as bench

    show(bench(folder(shards, "a built set"), limit=limit), json_)


@bench_app.command("build", short_help="Building data sets.")
def bench_build(
    data: Annotated[
        Path | None, typer.Option(help="PTB-XL folder; simulated records if left out.")
    ] = None,
    n: Annotated[int, typer.Option(help="How many records.", min=1)] = 64,
    json_: Json = False,
) -> None:
    """Time the building of records, and extrapolate to 800,000 of them on 16 cores.

    \b
    ecgllm bench build
    ecgllm bench build --data ptb-xl/ --n 200 \f
    """
    from ecg_llm.eval.bench_build import bench_build as bench

    show(bench(None if data is None else folder(data, "PTB-XL"), n=n), json_)


@bench_app.command("images", short_help="Page images a second, beside matplotlib.")
def bench_images(
    pages: Annotated[int, typer.Option(help="Pages of each kind and size.", min=1)] = 40,
    json_: Json = False,
) -> None:
    """Time printed and photographed pages, encoding counted, beside a matplotlib page, in one run.

    \b
    ecgllm bench images
    ecgllm bench images --pages 200 --json \f
    """
    from ecg_llm.eval.bench_images import bench_images as bench

    show(bench(pages=pages), json_)


@train_app.command("delineator", short_help="Train the delineator on LUDB.")
def train_delineator(
    data: Ludb,
    out: Annotated[Path, typer.Option(help="Folder for weights, cards and checkpoints.")],
    folds: Annotated[
        int, typer.Option(help="0 for one net on all records, k for cross-validation.", min=0)
    ] = 0,
    steps: Steps = None,
) -> None:
    """Train the delineator from cardiologists' marks and simulated beats; resumes if stopped.

    \b
    ecgllm train delineator --data ludb/ --out runs/delineator
    ecgllm train delineator --data ludb/ --out runs/delineator --folds 3 \f
    """
    from ecg_llm.training.delineator import DelineatorRecipe, train

    recipe = DelineatorRecipe()
    if steps is not None:
        recipe = dataclasses.replace(recipe, steps=steps)
    out.mkdir(parents=True, exist_ok=True)

    def on_step(name: str, step: int, total: int, loss: float) -> None:
        if (step + 1) % 50 == 0 or step + 1 == total:
            typer.echo(f"{name} step {step + 1}/{total} loss {loss:.4f}", err=True)

    for path in train(
        folder(data, "LUDB"),
        out,
        recipe=recipe,
        folds=folds,
        on_step=on_step,
    ):
        typer.echo(str(path))


@train_app.command("quality", short_help="Fit the quality gate on CinC 2011 and PTB-XL.")
def train_quality(
    data: Annotated[Path, typer.Option(help="Folder with challenge2011_set_a/ and ptbxl/.")],
    out: Annotated[Path, typer.Option(help="File to write, such as quality.npz.")],
    seed: Seed = 0,
) -> None:
    """Fit the quality gate to experts' marks, and the detectors of exchanged electrodes.

    \b
    ecgllm train quality --data data/ --out quality.npz \f
    """
    from ecg_llm.training.quality_gate import train

    train(folder(data, "the open data sets"), out, seed=seed, progress=progress("record"))
    typer.echo(str(out))


@train_app.command("noise", short_help="Fit the kinds of noise on PTB-XL and ECG-QA.")
def train_noise(
    data: PtbXl,
    items: Annotated[Path, typer.Option(help="ECG-QA's single-verify questions, JSON.")],
    out: Annotated[Path, typer.Option(help="File to write, such as signal_noise.npz.")],
    zscored: Annotated[
        Path | None,
        typer.Option(
            help="Further PTB-XL records, each lead of unit variance: ptbxl_database.csv and "
            "signals_*.npy, int16, thousandths, 100 Hz."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Fit the kinds of noise that annotators remark, on folds 1 to 8, and print the agreement.

    \b
    ecgllm train noise --data ptbxl/ --items ptbxl_single_verify.json --out signal_noise.npz \f
    """
    from ecg_llm.training.noise import train

    card = train(
        folder(data, "PTB-XL"),
        items,
        out,
        zscored=zscored,
        seed=seed,
        progress=progress("record"),
        tell=lambda line: typer.echo(line, err=True),
    )
    typer.echo(json.dumps(card, indent=2))


@train_app.command("rhythm", short_help="Fit the probability of atrial fibrillation on PTB-XL.")
def train_rhythm(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for rhythm.json.")],
    seed: Annotated[int, typer.Option(help="Of the solver.")] = 0,
) -> None:
    """Fit the probability of atrial fibrillation to the statements of folds 1 to 8.

    \b
    ecgllm train rhythm --data ptbxl/ --out runs/rhythm \f
    """
    from ecg_llm.training.rhythm import train

    train(folder(data, "PTB-XL"), out, seed=seed, progress=progress("record"))
    typer.echo(str(out / "rhythm.json"))


@train_app.command("text", short_help="Align the text tower with the signal encoder on PTB-XL.")
def train_text(
    data: PtbXl,
    out: Annotated[Path, typer.Option(help="Folder for text.npz, its card and cases.npz.")],
    steps: Steps = None,
    withhold: Annotated[
        str | None,
        typer.Option(
            help="Statements that no text of the training may name, joined by commas: what is "
            "found of them on fold 9 is truly zero-shot. Writes nothing."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train the text tower: statements in many wordings beside the encoder's record vectors.

    \b
    ecgllm train text --data ptbxl/ --out runs/text
    ecgllm train text --data ptbxl/ --out runs/text --withhold CLBBB,AFIB,LVH,IMI \f
    """
    from ecg_llm.training.text import TextRecipe
    from ecg_llm.training.text import train_text as train

    recipe = TextRecipe(seed=seed) if steps is None else TextRecipe(seed=seed, steps=steps)

    def on_step(step: int, total: int, loss: float) -> None:
        if step % 100 == 0 or step == total:
            typer.echo(f"step {step}/{total} loss {loss:.4f}", err=True)

    figures = train(
        folder(data, "PTB-XL"),
        out,
        recipe=recipe,
        withheld=tuple(withhold.split(",")) if withhold else (),
        progress=progress("record"),
        on_step=on_step,
    )
    for name, value in figures.items():
        typer.echo(f"{name}: AUC {value:.3f}")


@train_app.command("probabilities", short_help="Fit the probabilities of findings on PTB-XL.")
def train_probabilities(
    data: PtbXl,
    blind: Annotated[
        Path,
        typer.Option(
            help="Folder of an encoder trained like the bundled one, but without --folds."
        ),
    ],
    head: Annotated[
        Path, typer.Option(help="Folder that train head --blind wrote with that encoder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for probabilities.json.")],
    folds: Annotated[str, typer.Option(help="Folds that the fit uses, joined by commas.")] = "7,8",
) -> None:
    """Fit what joins the trained head with the criteria, and the thresholds of every finding.

    \b
    ecgllm train probabilities --data ptbxl/ --blind runs/blind --head runs/head --out runs/p \f
    """
    from ecg_llm.training.probabilities import train_probabilities as train

    figures = train(
        folder(data, "PTB-XL"),
        out,
        blind=folder(blind, "an encoder that has not seen the folds"),
        head=folder(head, "its head"),
        folds=read_folds(folds),
        progress=progress("record"),
    )
    for name, value in figures.items():
        typer.echo(f"{name}: {value:.3f}")


@bench_app.command("serve", short_help="A server under load.")
def bench_serve(
    clients: Annotated[int, typer.Option(min=1, max=256, help="Requests at one time.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long.")] = 300,
    chat_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions; the others ask for reports.")
    ] = 0.25,
    model: Annotated[str | None, typer.Option(help="As for serve.")] = None,
    engine: Annotated[str, typer.Option(help="As for serve.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="As for serve.")] = None,
    queue: Annotated[int, typer.Option(min=1, help="As for serve.")] = 64,
    json_: Json = False,
) -> None:
    """Start a server on this machine's loopback and ask it from many clients at once.

    Every request brings an ECG of its own. Exit code 1 if any answer was neither good nor a full
    queue's (429).

    \b
    ecgllm bench serve
    ecgllm bench serve --clients 8 --seconds 30 --engine none \f
    """
    from ecg_llm.serving.bench import bench_serve as bench

    result = bench(
        clients=clients,
        seconds=seconds,
        chat_share=chat_share,
        model=model,
        engine=engine,
        workers=workers,
        queue=queue,
    )
    show(result, json_)
    if result.errors:
        raise typer.Exit(1)


@bench_app.command("engines", short_help="Engines on the same model.")
def bench_engines(
    model: Annotated[
        str | None, typer.Option(help="Checkpoint; by default the bundled one.")
    ] = None,
    engines: Annotated[
        str,
        typer.Option(
            help="Of plain (transformers, one answer after the other), transformers, vllm, onnx, "
            "joined by commas; the others stand beside the first."
        ),
    ] = "plain,transformers,vllm",
    concurrent: Annotated[
        str, typer.Option(help="Requests at one time, joined by commas.")
    ] = "1,8,32",
    max_new_tokens: Annotated[int, typer.Option(min=1, max=1024, help="Longest answer.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Answers of each asker.")] = 8,
    ecgs: Annotated[
        int,
        typer.Option(
            min=1, max=2560, help="Different ECGs; vLLM reads a prompt that comes again only once."
        ),
    ] = 8,
    json_: Json = False,
) -> None:
    """Time engines on the same model and prompts, in one run, one after the other.

    \b
    ecgllm bench engines
    ecgllm bench engines --model runs/base --concurrent 1,32 \f
    """
    from ecg_llm.serving.bench_engines import bench_engines as bench

    names = [name.strip() for name in engines.split(",")]
    if unknown := set(names) - {"plain", "transformers", "vllm", "onnx"}:
        raise ConfigError(f"--engines: there is no engine {', '.join(sorted(unknown))}.")
    try:
        numbers = [int(number) for number in concurrent.split(",")]
    except ValueError:
        raise ConfigError(f"--concurrent {concurrent!r}: write it as 1,8,32.") from None
    result = bench(
        model=model,
        engines=names,
        concurrent=numbers,
        max_new_tokens=max_new_tokens,
        rounds=rounds,
        ecgs=ecgs,
    )
    show(result, json_)
