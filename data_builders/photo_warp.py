"""The one displacement that takes a page into a photograph, both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.page_geometry import Points
from ecg_llm.data_builders.photo_settings import Fold, PhotoSettings

LATTICE_PX = 4
"""The displacement is computed this far apart and interpolated between."""
ROUNDS = 40
"""At most, of the iteration that inverts it; bends are gentle, so few points need more than 5."""
CLOSE_PX = 0.002
"""Where the iteration ends."""
CREASE = 0.008
"""Width in which the two sides of a crease meet, in widths of the page."""

Map = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Warp:
    """Where points of a page go in a photograph.

    A pixel q of the photograph shows the point ``H(q) + bend(H(q))`` of the page: a homography
    (the camera), then small bends (curl, waves, folds) in the plane of the page. So the image is
    read through one map, and a point of the page is followed by undoing the bend, then H.

    Attributes
    ----------
    page : tuple of int, px
        Width and height of the page image.
    photo : tuple of int, px
        Width and height of the photograph.
    to_page : np.ndarray, shape (3, 3)
        H, from pixels of the photograph to those of the page.
    settings : PhotoSettings
        With the bends.
    """

    page: tuple[int, int]
    photo: tuple[int, int]
    to_page: npt.NDArray[np.float64]
    settings: PhotoSettings

    @property
    def flat(self) -> bool:
        """Whether the homography is all there is."""
        s = self.settings
        return not (s.curl_x or s.curl_y or s.waves or any(fold.shift for fold in s.folds))

    @property
    def to_photo(self) -> npt.NDArray[np.float64]:
        """The inverse of H."""
        return np.asarray(np.linalg.inv(self.to_page), np.float64)

    def forward(self, points: Points) -> Points:
        """Follow points of the page into the photograph.

        Parameters
        ----------
        points : np.ndarray, shape (n, 2), px
            On the page; NaN stays.

        Returns
        -------
        np.ndarray, shape (n, 2), px
            In the photograph.
        """
        good = np.isfinite(points).all(axis=1)
        wanted = points[good]
        flat = wanted.copy()
        left = np.arange(0 if self.flat else len(wanted))
        for _ in range(ROUNDS):
            if not len(left):
                break
            nearer = wanted[left] - self.bend(flat[left])
            far = np.abs(nearer - flat[left]).max(axis=1) > CLOSE_PX
            flat[left] = nearer
            left = left[far]
        out: Points = np.full(points.shape, np.nan)
        out[good] = _project(self.to_photo, flat)
        return out

    def bend(self, points: Points) -> Points:
        """Give the displacement of points in the plane of the page.

        Parameters
        ----------
        points : np.ndarray, shape (n, 2), px
            On the page as if it were flat.

        Returns
        -------
        np.ndarray, shape (n, 2), px
        """
        s, width = self.settings, float(self.page[0])
        x, y = points[:, 0] / width, points[:, 1] / width
        height = self.page[1] / width
        # Far outside, where nothing of the page is seen, bends stay bounded.
        x, y = np.clip(x, -0.5, 1.5), np.clip(y, -0.5, height + 0.5)
        dx, dy = np.zeros_like(x), np.zeros_like(y)
        if s.curl_x:
            dy += s.curl_x * np.cos(np.pi * (x - 0.5))
            dx += 0.3 * s.curl_x * np.sin(2 * np.pi * x)
        if s.curl_y:
            dx += s.curl_y * np.cos(np.pi * (y / height - 0.5))
        if s.waves:
            rng = np.random.default_rng([s.seed, 1])
            for turns in (1.0, 1.7, 2.6):
                fx, fy, px, py = rng.uniform(-1, 1, 4) * (turns, turns, np.pi, np.pi)
                wave = 2 * np.pi * (fx * x + fy * y)
                dx += s.waves / (3 * turns) * np.sin(wave + px)
                dy += s.waves / (3 * turns) * np.sin(wave + py)
        for fold in s.folds:
            across, normal = distance(fold, x, y)
            # A ridge seen from above: both sides lean towards the crease, less with distance.
            slope = np.exp(-np.abs(across) / fold.reach) * np.tanh(across / CREASE)
            along = np.exp(-((across / fold.reach) ** 2)) * fold.shift
            dx += normal[0] * slope * fold.shift + normal[1] * along
            dy += normal[1] * slope * fold.shift - normal[0] * along
        return np.stack([dx, dy], axis=1) * width

    def lattice(self) -> tuple[Points, Points, tuple[int, int]]:
        """Give the page points that a coarse lattice of the photograph shows.

        Returns
        -------
        flat : np.ndarray, shape (n, 2), px
            Without bends.
        bent : np.ndarray, shape (n, 2), px
            With bends.
        shape : tuple of int
            Rows and columns of the lattice, a cell of which is `LATTICE_PX` wide; one more than
            needed on each side.
        """
        columns, rows = (-(-n // LATTICE_PX) + 2 for n in self.photo)
        xs, ys = ((np.arange(n) - 0.5) * LATTICE_PX - 0.5 for n in (columns, rows))
        photo = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        flat = _project(self.to_page, photo)
        bent = flat if self.flat else flat + self.bend(flat)
        return flat, bent, (rows, columns)

    def enlarged(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Interpolate values on the lattice to every pixel of the photograph.

        Parameters
        ----------
        values : np.ndarray, shape (rows, columns, n)
            On the lattice.

        Returns
        -------
        np.ndarray, shape (height, width, n)
        """
        import cv2

        rows, columns = values.shape[:2]
        size = (columns * LATTICE_PX, rows * LATTICE_PX)
        full = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
        cut = full[LATTICE_PX:, LATTICE_PX:][: self.photo[1], : self.photo[0]]
        return np.asarray(cut, np.float32)


def warp_of(settings: PhotoSettings, page: tuple[int, int]) -> Warp:
    """Work out the displacement of a page whose image is so many pixels wide and high."""
    import cv2

    long, aspect = settings.long_px, settings.aspect
    photo = (long, round(long / aspect)) if aspect >= 1 else (round(long * aspect), long)
    w, h = page
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32) - 0.5
    target = (np.array(settings.corners) * photo - 0.5).astype(np.float32)
    to_page = np.asarray(cv2.getPerspectiveTransform(target, source), np.float64)
    return Warp(page, photo, to_page, settings)


def _project(matrix: npt.NDArray[np.float64], points: Points) -> Points:
    """Apply a homography, shape (3, 3), to points, shape (n, 2)."""
    x, y = points[:, 0], points[:, 1]
    # Written out: a matrix product of so narrow matrices takes several times as long.
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix.tolist())
    return np.stack([u / w, v / w], axis=1)


def distance(
    fold: Fold, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    """Give how far points lie across a crease, signed, in widths of the page, and its direction."""
    angle = np.deg2rad(fold.angle_deg)
    normal = (float(-np.sin(angle)), float(np.cos(angle)))
    return (x - fold.x) * normal[0] + (y - fold.y) * normal[1], normal
