"""What the rows of a set of images must hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ecg_llm.data_builders.build_images import Images, drawing
from ecg_llm.data_builders.image_card import IMAGES
from ecg_llm.data_builders.image_rows import geometry_of, packed_image, settings_of
from ecg_llm.data_builders.listing import Item
from ecg_llm.data_builders.page_images import render_page
from ecg_llm.data_builders.photograph import decode_image, photograph_as
from ecg_llm.data_builders.shards import Manifest
from ecg_llm.data_builders.verify import Fault, Row, RowCheck
from ecg_llm.errors import ECGError


class ImageCheck(RowCheck):
    """The rows of a set of images; with their source they can be drawn again."""

    product = IMAGES

    def __init__(self, manifest: Manifest, card: dict[str, Any], source: Path | None) -> None:
        super().__init__(manifest, card, source)
        self.again = None if source is None else _Again(source, manifest)

    def name(self, row: Row) -> str:
        """Give record and page."""
        return f"{row['record']}, page {row['page']}"

    def owners(self, row: Row) -> list[str]:
        """Give the patient, or the record of which none is told."""
        patient = row["patient"]
        return [f"patient {patient}" if patient else f"record {row['record']}"]

    def faults(self, row: Row, again: bool) -> Iterator[str]:
        """Check image and places, and if asked for draw it again."""
        yield from _check_image(row)
        if again and self.again is not None and not self.again.difference:
            yield from self.again.compare(row)

    def of_set(self) -> Iterator[Fault]:
        """Say whether the source is the one that it was made from."""
        if self.again is not None and self.again.difference:
            yield Fault(str(self.source), self.again.difference)


def _check_image(row: Row) -> Iterator[str]:
    """Check one row by itself; yield what is wrong."""
    try:
        image = decode_image(row["image"]["bytes"])
        geometry = geometry_of(row)
        settings, photo = settings_of(row)
    except (ECGError, ValueError, KeyError, TypeError) as error:
        yield f"it cannot be read ({error})"
        return
    size = (row["width"], row["height"])
    if image.shape[:2] != size[::-1]:
        yield f"its image is {image.shape[1]} x {image.shape[0]}, not {size[0]} x {size[1]}"
    if row["kind"] != (photo.mode if photo else "clean"):
        yield f"it is called {row['kind']} but its settings say otherwise"
    limit = np.array(size) - 0.5 + 1 / 16
    places = [geometry.grid.reshape(-1, 2), *(trace.points for trace in geometry.traces)]
    for points in places:
        there = points[np.isfinite(points).all(axis=1)]
        if len(there) and not ((there >= -0.5 - 1 / 16) & (there <= limit)).all():
            yield "a place lies outside its image"
            break
    if not all(np.isfinite(trace.polygon).all() for trace in geometry.traces):
        yield "an outline of a lead is not finite"
    shown = {trace.lead for trace in geometry.traces if np.isfinite(trace.points).any()}
    if shown != set(row["leads"]):
        yield "its leads are not those whose samples have a place"
    if any(lead not in (*settings.strips, *sum(settings.rows, ())) for lead in shown):
        yield "it shows a lead that its settings do not"


class _Again:
    """Draws images again from the records they were made from."""

    def __init__(self, source: Path, manifest: Manifest) -> None:
        build = manifest.build
        self.images = Images(source)
        self.difference = ""
        self.same_program = build.get("drawing") == drawing()
        identity = self.images.origin.identity()
        if any(build.get(key) != value for key, value in identity.items()):
            self.difference = "it does not hold the records that the images were made from"
            return
        origin = self.images.origin
        self.items: dict[str, Item] = {
            item.name: item for item in map(origin.item, range(origin.count()))
        }

    def compare(self, row: Row) -> Iterator[str]:
        """Draw one image again and compare it to the byte."""
        item = self.items.get(row["record"])
        if item is None:
            yield "its record is not in the source"
            return
        try:
            record = self.images.read(item).record
            settings, photo = settings_of(row)
            example = render_page(record, settings)
            if photo is not None:
                example = photograph_as(example, photo)
        except ECGError as error:
            yield f"it cannot be drawn again ({error})"
            return
        why = "" if self.same_program else " (the set was drawn by another version)"
        if packed_image(example, settings, photo) != row["image"]["bytes"]:
            yield f"drawn again from its settings, it has other bytes{why}"
        before, now = geometry_of(row), example.geometry
        for one, other in zip(before.traces, now.traces, strict=False):
            same = one.points.shape == other.points.shape and np.allclose(
                one.points, other.points, atol=0.1, equal_nan=True
            )
            if not same:
                yield f"drawn again, lead {one.lead} lies elsewhere{why}"
                break
