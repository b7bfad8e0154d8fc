import numpy as np
import pytest

from ecg_llm.signal import fill_gaps, nanmedian, resample


@pytest.mark.parametrize("fs", [100.0, 128.0, 250.0, 257.3, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("fs_out", [100.0, 250.0, 500.0])
def test_a_slow_wave_keeps_its_place_in_time(fs: float, fs_out: float) -> None:
    def wave(t: np.ndarray) -> np.ndarray:
        return np.sin(2 * np.pi * 3 * t) + 0.5 * np.cos(2 * np.pi * 7 * t)

    given = wave(np.arange(int(10 * fs)) / fs)[None].astype(np.float32)
    out = resample(given, fs, fs_out)
    truth = wave(np.arange(out.shape[1]) / fs_out)
    inner = slice(int(0.5 * fs_out), int(9.4 * fs_out))
    assert abs(out.shape[1] - 10 * fs_out) <= 1
    assert np.abs(out[0, inner] - truth[inner]).max() < 0.02


def test_the_highpass_removes_wander_and_keeps_the_waves() -> None:
    t = np.arange(5000) / 500
    wander, beat = 2 + np.sin(2 * np.pi * 0.15 * t), np.exp(-(((t % 1) - 0.5) ** 2) / 2e-4)
    out = resample((wander + beat)[None].astype(np.float32), 500.0, 500.0, highpass_hz=0.5)[0]
    assert np.abs(out[1000:4000] - (beat - beat.mean())[1000:4000]).max() < 0.12


def test_what_lies_above_the_new_nyquist_is_cut() -> None:
    t = np.arange(5000) / 500
    out = resample(np.sin(2 * np.pi * 120 * t)[None].astype(np.float32), 500.0, 100.0)
    assert np.abs(out[0, 50:-50]).max() < 0.02


@pytest.mark.parametrize("n", [2, 5, 120])
def test_a_record_shorter_than_the_padding_is_resampled_too(n: int) -> None:
    assert resample(np.ones((1, n), np.float32), 100.0, 500.0).shape == (1, 5 * n)


def test_a_gap_is_bridged_and_a_dead_lead_is_zero() -> None:
    nan = np.nan
    given = np.array([[nan, 1, nan, 3, nan], [nan] * 5], np.float32)
    assert fill_gaps(given).tolist() == [[1, 1, 2, 3, 3], [0] * 5]


@pytest.mark.parametrize("n", [1, 2, 7, 8])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_median_leaves_out_what_is_missing(n: int, axis: int, dtype: type) -> None:
    values = np.random.default_rng(n).normal(size=(n, n, n)).astype(dtype)
    assert np.array_equal(nanmedian(values, axis), np.median(values, axis=axis))
    values[values > 0.8] = np.nan
    values[0, 0, 0] = 0.1
    kept = np.ma.median(np.ma.masked_invalid(values), axis=axis)
    found = nanmedian(values, axis)
    assert found.dtype == dtype
    assert np.array_equal(found, np.ma.filled(kept.astype(dtype), np.nan), equal_nan=True)


@pytest.mark.parametrize("n", [2, 3, 9, 10, 17, 32])
def test_the_median_of_many_short_columns_leaves_out_what_is_missing(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(size=(n, 100 * n)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 7], values[1:, 8] = np.nan, np.nan
    kept = np.ma.median(np.ma.masked_invalid(values), axis=0)
    found = nanmedian(values, axis=0)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.ma.filled(kept.astype(np.float32), np.nan), equal_nan=True)
