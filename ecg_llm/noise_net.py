"""A small convolutional net over the noise of each lead, drawn over time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ecg_llm.leads import STANDARD_12
from ecg_llm.noise_features import Parted, between
from ecg_llm.quality.bands import FloatArray

FRAME = 20
"""Samples at 100 Hz that one column of a map covers."""
MAP_HZ = ((0.7, 1.5), (1.5, 3.0), (3.0, 6.0), (6.0, 12.0), (12.0, 20.0), (20.0, 28.0), (28.0, 40.0))
"""Bands of what is left without beats."""
N_CHANNELS = len(MAP_HZ) + 6
CLIP = 4.0
"""Standard deviations beyond which a value of a map counts no further."""


def noise_map(parted: Parted) -> FloatArray:
    """Draw the noise of every lead over time.

    Parameters
    ----------
    parted : Parted
        The stretch.

    Returns
    -------
    np.ndarray, shape (n_leads, n_channels, n_frames)
        Logarithms of sizes in mV: the bands of `MAP_HZ` without beats, the steepest step, 40 to
        50 Hz, the baseline's distance from its middle and its change, all of the ECG, and the usual
        height of the lead.
    """
    ecg, rest = parted.ecg, parted.rest
    own = np.quantile(np.abs(ecg), 0.98, axis=1) + 1e-3
    steps = np.abs(np.diff(rest, axis=1, prepend=rest[:, :1]))
    baseline = _frames(parted.bands.baseline).mean(axis=2)
    away = np.abs(baseline - np.median(baseline, axis=1, keepdims=True))
    change = np.abs(np.diff(baseline, axis=1, prepend=baseline[:, :1]))
    channels = [
        *(np.log(_size(between(rest, low, high)) + 2e-4) for low, high in MAP_HZ),
        np.log(_frames(steps).max(axis=2) + 1e-3),
        np.log(_size(between(parted.raw, 40.0, 50.0)) + 2e-4),
        np.log(away + 5e-3),
        np.log(change + 3e-3),
        np.log(_size(ecg) + 1e-3),
        np.repeat(np.log(own)[:, None], baseline.shape[1], axis=1),
    ]
    return np.stack(channels, axis=1).astype(np.float32)


def _frames(rows: FloatArray) -> FloatArray:
    """Cut rows into frames; a row shorter than one is one frame."""
    frame = min(FRAME, rows.shape[1])
    whole = rows.shape[1] // frame * frame
    return rows[:, :whole].reshape(len(rows), -1, frame)


def _size(rows: FloatArray) -> FloatArray:
    """Root mean square of each frame."""
    return np.asarray(np.sqrt(np.square(_frames(rows)).mean(axis=2)))


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseNet:
    """Weights of the net; as in torch, outputs first.

    Attributes
    ----------
    mean, spread : np.ndarray, shape (n_channels, 1)
        Of the maps.
    first, second, third : np.ndarray, shape (n_out, n_in, n_taps)
        Convolutions over time, the second in steps of two; the third's input is added to its
        output.
    first_bias, second_bias, third_bias : np.ndarray, shape (n_out,)
        Their offsets.
    lead, among, record, at_lead, at_record : np.ndarray, shape (n_out, n_in)
        Of a lead from the mean and the largest over time; of a lead from itself, its neighbours and
        all leads; of the record from all leads; then the kinds of each.
    lead_bias, among_bias, record_bias, at_lead_bias, at_record_bias : np.ndarray, shape (n_out,)
        Their offsets.
    """

    mean: FloatArray
    spread: FloatArray
    first: FloatArray
    first_bias: FloatArray
    second: FloatArray
    second_bias: FloatArray
    third: FloatArray
    third_bias: FloatArray
    lead: FloatArray
    lead_bias: FloatArray
    among: FloatArray
    among_bias: FloatArray
    record: FloatArray
    record_bias: FloatArray
    at_lead: FloatArray
    at_lead_bias: FloatArray
    at_record: FloatArray
    at_record_bias: FloatArray

    def logits(self, drawn: FloatArray) -> FloatArray:
        """Judge the leads and the record.

        Parameters
        ----------
        drawn : np.ndarray, shape (12, n_channels, n_frames)
            From `noise_map`, leads in the order of `STANDARD_12`.

        Returns
        -------
        np.ndarray, shape (13, n_kinds)
            Of the leads, then of the record.
        """
        x = beside_others(scaled_map(drawn, self.mean, self.spread)[None])[0]
        x = _convolved(x, self.first, self.first_bias)
        x = _convolved(x, self.second, self.second_bias, step=2)
        x = _convolved(x, self.third, self.third_bias) + x
        pooled = [x.mean(axis=2), x.max(axis=2), np.eye(len(STANDARD_12), dtype=np.float32)]
        h = _dense(np.concatenate(pooled, axis=1), self.lead, self.lead_bias)
        none = np.zeros_like(h[:1])
        overall = np.concatenate([h.mean(axis=0), h.max(axis=0)])
        among = [h, np.concatenate([none, h[:-1]]), np.concatenate([h[1:], none])]
        among.append(np.broadcast_to(overall, (len(h), len(overall))))
        leads = _dense(np.concatenate(among, axis=1), self.among, self.among_bias)
        record = _dense(overall, self.record, self.record_bias)
        return np.concatenate(
            [
                leads @ self.at_lead.T + self.at_lead_bias,
                (record @ self.at_record.T + self.at_record_bias)[None],
            ]
        )


NET_FIELDS = tuple(field.name for field in fields(NoiseNet))


def scaled_map(drawn: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Bring the channels of maps to one scale.

    Parameters
    ----------
    drawn : np.ndarray, shape (..., n_channels, n_frames)
        From `noise_map`.
    mean, spread : np.ndarray, shape (n_channels, 1)
        Of the channels.

    Returns
    -------
    np.ndarray, the same shape
        Between −`CLIP` and `CLIP`.
    """
    return np.asarray(np.clip((drawn - mean) / spread, -CLIP, CLIP), dtype=np.float32)


def beside_others(maps: FloatArray) -> FloatArray:
    """Put beside each lead how it differs from the others at the same time.

    Parameters
    ----------
    maps : np.ndarray, shape (n_records, 12, n_channels, n_frames)
        Scaled.

    Returns
    -------
    np.ndarray, shape (n_records, 12, 3 n_channels, n_frames)
        The maps, then less the middle lead, then less the largest.
    """
    middle = np.median(maps, axis=1, keepdims=True)
    largest = maps.max(axis=1, keepdims=True)
    return np.concatenate([maps, maps - middle, maps - largest], axis=2, dtype=np.float32)


def _convolved(x: FloatArray, weight: FloatArray, bias: FloatArray, step: int = 1) -> FloatArray:
    """Convolve over time, zeros beyond the ends, and keep what is above zero."""
    taps = weight.shape[2]
    wide = np.pad(x, ((0, 0), (0, 0), (taps // 2, taps // 2)))
    seen = np.lib.stride_tricks.sliding_window_view(wide, taps, axis=2)[:, :, ::step]
    flat = seen.transpose(0, 2, 1, 3).reshape(len(x), -1, weight[0].size)
    out = flat @ weight.reshape(len(weight), -1).T + bias
    return np.asarray(np.maximum(out, 0).transpose(0, 2, 1))


def _dense(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """Multiply, and keep what is above zero."""
    return np.asarray(np.maximum(x @ weight.T + bias, 0))
