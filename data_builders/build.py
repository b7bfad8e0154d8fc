"""The engine of all builds: fixed slices of a list, made into shards on all cores."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import ecg_llm
from ecg_llm.batch import WORKER_DIED, interrupted, progress_bar, run_tasks
from ecg_llm.data_builders.card import write_card
from ecg_llm.data_builders.listing import (
    SPLITS,
    Item,
    ItemError,
    Listed,
    Listing,
    Problem,
    Product,
    Source,
    Split,
)
from ecg_llm.data_builders.record_card import count_rows, record_command, record_readme
from ecg_llm.data_builders.rows import BUILDER, row_of
from ecg_llm.data_builders.schema import record_schema
from ecg_llm.data_builders.shards import (
    MANIFEST,
    Manifest,
    Shard,
    describe_shard,
    load_manifest,
    remove_parts,
    write_table,
    write_whole,
)
from ecg_llm.data_builders.tables import sha256_of
from ecg_llm.errors import ConfigError, ECGError

Engine = Literal["local", "ray"]

SHARD_ROWS = 256
"""Listed records of a shard: about 10 MB, and half a minute's work."""
PROBLEMS = "problems.jsonl"
CODE = ("", "io", "page", "quality", "findings", "claims", "qa", "render", "data_builders")
"""Packages whose code decides what is in a set; a build goes on only with the same."""
Rows = list[dict[str, Any]]
_SHARD_NAME = re.compile(rf"({'|'.join(SPLITS)})-\d{{5,}}-of-\d{{5,}}\.parquet")


def _record_rows(source: Source, item: Item) -> Rows:
    return [row_of(source.read(item), item, source)]


RECORDS = Product(
    kind="records",
    schema=record_schema,
    rows=_record_rows,
    packed=("signal.list.element.list.element",),
    builder=BUILDER,
    command=record_command,
    count=count_rows,
    readme=record_readme,
    labelled=True,
)
"""Measured records, one row each."""


@dataclass(frozen=True)
class ShardTask:
    """One shard to make: its slice of the list, and rows of that which are no items."""

    name: str
    split: Split
    out: Path
    source: Listed
    product: Product
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class ShardResult:
    """A shard that was made, and what was left out of it."""

    shard: Shard
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class BuildSummary:
    """What became of a build.

    Attributes
    ----------
    n_listed : int
        Records of the list; always ``n_items`` + ``n_problems``.
    n_items : int
        Records that were made into rows, those of earlier runs too.
    n_written : int
        Rows in the shards: as many, or several of each record.
    problems : dict of str to int
        Records left out, by kind.
    example : Problem or None
        The first of them.
    n_kept : int
        Shards that were done before this run.
    n_shards : int
        All shards.
    n_new : int
        Listed records that this run worked on.
    seconds : float, s
        Wall time of this run.
    """

    n_listed: int
    n_items: int
    n_written: int
    problems: dict[str, int]
    example: Problem | None = None
    n_kept: int
    n_shards: int
    n_new: int
    seconds: float

    @property
    def n_problems(self) -> int:
        """Records left out."""
        return sum(self.problems.values())

    def __str__(self) -> str:
        """Give the summary in one line."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.problems.items()))
        text = f"{self.n_listed} listed = {self.n_items} written + {self.n_problems} left out"
        if self.example is not None:
            text += f" ({kinds}; see {PROBLEMS}), such as {self.example.record}: "
            text += self.example.reason.rstrip(".")
        text += f", {self.n_written} rows" if self.n_written != self.n_items else ""
        text += f", {self.n_shards} shards"
        text += f" ({self.n_kept} kept from an earlier run)" if self.n_kept else ""
        if self.n_new and self.seconds > 0:
            text += f", {self.n_new / self.seconds:.1f} records/s"
        return text


def build(
    source: Listed,
    out: Path,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    shard_rows: int = SHARD_ROWS,
    product: Product = RECORDS,
) -> BuildSummary:
    """Build a set of records, or go on with one that was stopped.

    Parameters
    ----------
    source : Source
        Where the records come from.
    out : Path
        Folder of the set.
    engine : {"local", "ray"}
        Processes of this machine, or a Ray cluster whose machines all see the source and ``out``.
    workers : int, optional
        Processes; by default one a core.
    limit : int, optional
        Only the first so many records of the list.
    overwrite : bool
        Remove a set that is there and build anew.
    progress : bool
        Show a progress bar on stderr if that is a terminal.
    shard_rows : int
        Listed records of a shard.
    product : Product
        What the records are made into.

    Returns
    -------
    BuildSummary

    Raises
    ------
    ConfigError
        If the source is not there, or ``out`` holds something else or a different build.
    OSError
        If ``out`` cannot be written.

    Notes
    -----
    A shard holds a fixed slice of the list, so neither the engine nor the number of workers, nor a
    stop in between, changes a byte of the set.
    """
    started = time.monotonic()
    listing = source.listing()
    slices = _slices(listing, limit, shard_rows)
    about = {
        "kind": product.kind,
        **source.identity(),
        "limit": limit,
        "shard_rows": shard_rows,
        "builder": BUILDER,
        "program": fingerprint(),
    }
    manifest, problems = _open(out, about, len(slices), overwrite)
    _write_problems(out, (), problems)
    n_kept = len(manifest.shards)
    n_listed = sum(map(len, slices.values())) + len(listing.problems)
    n_new = sum(len(rows) for name, rows in slices.items() if name not in manifest.shards)
    tasks = (
        _task(name, rows, listing, source, product, out)
        for name, rows in slices.items()
        if name not in manifest.shards
    )
    run: Callable[..., Iterator[ShardResult]] = _run_local
    if engine == "ray":
        from ecg_llm.data_builders.ray_engine import run_ray

        run = run_ray
    done = n_listed - n_new
    if n_new:
        with (
            (out / PROBLEMS).open("a", encoding="utf-8") as log,
            progress_bar(n_listed, done, wanted=progress) as step,
        ):
            for result in run(tasks, workers=workers):
                shard = result.shard
                problems[shard.name] = result.problems
                log.writelines(_problem_line(item, shard.name) for item in result.problems)
                log.flush()
                manifest.shards[shard.name] = shard
                manifest.save(out)
                step(shard.n_items + shard.n_problems)
    _write_problems(out, listing.problems, problems)
    everything = [*listing.problems, *(item for group in problems.values() for item in group)]
    kinds = Counter(problem.kind for problem in everything)
    write_card(
        out,
        source,
        product,
        n_listed=n_listed,
        problems=dict(sorted(kinds.items())),
        remarks=listing.remarks if limit is None else {},
    )
    return BuildSummary(
        n_listed=n_listed,
        n_items=sum(shard.n_items for shard in manifest.shards.values()),
        n_written=sum(shard.n_rows for shard in manifest.shards.values()),
        problems=dict(kinds),
        example=everything[0] if everything else None,
        n_kept=n_kept,
        n_shards=manifest.n_shards,
        n_new=n_new,
        seconds=time.monotonic() - started,
    )


def build_shard(task: ShardTask, *, isolated: bool = False) -> ShardResult:
    """Make one shard, as both engines do; isolated: each row in a process that may die."""
    problems = list(task.problems)
    n_items = 0
    make = functools.partial(_make_rows, task.product, task.source)
    made: Iterator[Rows | Problem] = map(make, task.items)
    if isolated:
        made = run_tasks(make, task.items, on_death=_crashed, workers=1)

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal n_items
        for result in made:
            if interrupted():
                raise KeyboardInterrupt
            if isinstance(result, Problem):
                problems.append(result)
            else:
                n_items += 1
                yield from result

    path = task.out / task.name
    n_rows = write_table(path, rows(), task.product.schema(), packed=task.product.packed)
    return ShardResult(
        describe_shard(path, task.split, n_rows, len(problems), n_items),
        tuple(sorted(problems, key=lambda problem: problem.record)),
    )


def _make_rows(product: Product, source: Listed, item: Item) -> Rows | Problem:
    """Make the rows of one record, or say why they cannot be made."""
    try:
        return product.rows(source, item)
    except ItemError as error:
        return Problem(item.name, error.kind, error.reason)
    except ECGError as error:
        return Problem(item.name, "file", str(error))
    except OSError as error:
        return Problem(item.name, "file", error.strerror or type(error).__name__)
    except Exception as error:  # a fault of ours must not cost the other records
        reason = f"{type(error).__name__}: {error}. This is a fault of ecg_llm: please report it."
        return Problem(item.name, "internal", reason)


@functools.cache
def fingerprint() -> dict[str, str]:
    """Give digests of what turns a record into a row.

    Each file of weights by its name; ``code``: all modules below the assistant together.
    """
    package = Path(ecg_llm.__file__).parent
    digest = hashlib.sha256()
    for folder in CODE:
        for path in sorted((package / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes())
    weights = sorted(path for path in (package / "weights").glob("*") if path.is_file())
    return {"code": digest.hexdigest()} | {path.name: sha256_of(path) for path in weights}


def _run_local(tasks: Iterable[ShardTask], *, workers: int | None) -> Iterator[ShardResult]:
    one_by_one = functools.partial(build_shard, isolated=True)
    return run_tasks(build_shard, tasks, on_death=one_by_one, workers=workers)


def _crashed(item: Item) -> Rows | Problem:
    return Problem(item.name, "crash", WORKER_DIED)


def _slices(listing: Listing, limit: int | None, shard_rows: int) -> dict[str, list[int]]:
    """Cut the list into shards; each holds records of one split."""
    kept = sorted(row for rows in listing.order.values() for row in rows)[:limit]
    last = kept[-1] if kept else -1
    slices: dict[str, list[int]] = {}
    for split in SPLITS:
        rows = [row for row in listing.order[split] if row <= last]
        count = -(-len(rows) // shard_rows)
        for k in range(count):
            name = f"{split}-{k:05d}-of-{count:05d}.parquet"
            slices[name] = rows[k * shard_rows : (k + 1) * shard_rows]
    if not slices:
        raise ConfigError("The list holds no record that can be built; look at the tables given.")
    return slices


def _task(
    name: str, rows: list[int], listing: Listing, source: Listed, product: Product, out: Path
) -> ShardTask:
    """Look up the rows of a slice."""
    items, problems = [], []
    for row in rows:
        try:
            items.append(listing.item(row))
        except ECGError as error:
            problems.append(Problem(f"record {row + 1} of the list", "row", str(error)))
    split = next(split for split in SPLITS if name.startswith(f"{split}-"))
    return ShardTask(name, split, out, source, product, tuple(items), tuple(problems))


def _open(
    out: Path, about: dict[str, Any], n_shards: int, overwrite: bool
) -> tuple[Manifest, dict[str, tuple[Problem, ...]]]:
    """Make the folder ready: new, resumed, or emptied of an earlier build.

    Gives what is whole, and what earlier runs left out of it.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(build=json.loads(json.dumps(about)), n_shards=n_shards)
    there = (out / MANIFEST).is_file()
    if not there and any(path for path in out.iterdir() if not path.name.startswith(".")):
        raise ConfigError(f"{out}: it holds other files; give a new or empty folder as --out.")
    remove_parts(out)
    left_out: dict[str, tuple[Problem, ...]] = {}
    if there and not overwrite:
        before = load_manifest(out)
        if before.build != manifest.build:
            raise ConfigError(
                f"{out}: it holds a different build ({_difference(before.build, manifest.build)}); "
                "choose another --out, or --overwrite to build anew."
            )
        told = _told_problems(out)
        for name, shard in before.shards.items():
            path, problems = out / name, told.get(name, ())
            # A power cut may have kept the shard and lost the lines on what it lacks.
            if (
                len(problems) == shard.n_problems
                and path.is_file()
                and sha256_of(path) == shard.sha256
            ):
                manifest.shards[name], left_out[name] = shard, tuple(problems)
    for path in out.iterdir():
        if _SHARD_NAME.fullmatch(path.name) and path.name not in manifest.shards:
            path.unlink()
    for name in () if manifest.complete else ("card.json", "README.md"):
        (out / name).unlink(missing_ok=True)
    manifest.save(out)
    return manifest, left_out


def _difference(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> str:
    """Name what differs, part by part; of another kind or source there is no more to say."""
    keys = sorted(before.keys() | now.keys())
    keys = [key for key in ("kind", "source") if before.get(key) != now.get(key)][:1] or keys
    told = []
    for key in keys:
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict) and one != other:
            told.append(_difference(one, other, f"{prefix}{key} "))
        elif one != other:
            told.append(f"{prefix}{key} was {_short(one)}, now {_short(other)}")
    return "; ".join(told)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return f"{text[:12]}…" if digest else text


def _told_problems(out: Path) -> dict[str, list[Problem]]:
    """Give what earlier runs left out, by shard."""
    told: dict[str, list[Problem]] = defaultdict(list)
    path = out / PROBLEMS
    # Only "\n" ends a line: the name of a record may hold what else Unicode calls a line's end.
    for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else ():
        try:
            shard, *problem = map(json.loads(line).get, ("shard", "record", "kind", "reason"))
        except (ValueError, AttributeError):
            continue  # a line that was being written when the run was stopped
        told[shard].append(Problem(*problem))
    return told


def _write_problems(
    out: Path, of_list: Iterable[Problem], of_shards: dict[str, tuple[Problem, ...]]
) -> None:
    lines = [_problem_line(problem, None) for problem in of_list]
    for name in sorted(of_shards):
        lines += [_problem_line(problem, name) for problem in of_shards[name]]
    write_whole(out / PROBLEMS, "".join(lines).encode())


def _problem_line(problem: Problem, shard: str | None) -> str:
    return json.dumps({**asdict(problem), "shard": shard}, ensure_ascii=False) + "\n"
