import json
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.leads import STANDARD_12, derive_limb_leads
from ecg_llm.measure import measure
from ecg_llm.quality import assess, readable_part
from ecg_llm.quality.electrodes import swap_electrodes
from ecg_llm.record import ECGRecord


def sinus(fs=500.0, seconds=10.0, seed=3, rhythm="sinus", **more):
    return synthetic_ecg(rhythm=rhythm, fs=fs, seconds=seconds, seed=seed, **more).record


def with_signal(record, signal, **more):
    fields = {"fs": record.fs, "leads": record.leads, "name": "made"}
    return ECGRecord(signal=signal, **(fields | more))


@pytest.mark.parametrize("fs", [100, 250, 500, 1000])
@pytest.mark.parametrize("rhythm", ["sinus", "af"])
def test_a_clean_record_is_accepted_at_every_rate(fs, rhythm):
    quality = assess(sinus(fs=float(fs), rhythm=rhythm))
    assert quality.verdict == "accept", quality.reasons
    assert quality.usable_leads == STANDARD_12
    assert quality.score > 0.5


def noise(shape, size=0.5, seed=0):
    return np.random.default_rng(seed).normal(0, size, shape).astype(np.float32)


def mains(shape, fs=500):
    return np.tile(np.sin(2 * np.pi * 50 * np.arange(shape[1]) / fs), (shape[0], 1))


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros((12, 5000)),
        np.full((12, 5000), 3.2),
        noise((12, 5000)),
        noise((12, 5000), size=1e-3),
        mains((12, 5000)),
        np.full((12, 5000), np.nan),
        np.cumsum(noise((12, 5000)), axis=1),
    ],
    ids=["zero", "constant", "noise", "small noise", "mains", "nan", "random walk"],
)
def test_what_is_no_ecg_is_refused_with_a_reason(signal):
    quality = assess(ECGRecord(signal=signal, fs=500, leads=STANDARD_12))
    assert quality.verdict == "refuse"
    assert not quality.acceptable
    assert quality.reasons
    assert any(lead in quality.reasons[0] for lead in STANDARD_12)


def spoil_flat(row, rng):
    row[:] = row[0]


def spoil_wander(row, rng):
    row += 8 * np.sin(2 * np.pi * 0.3 * np.arange(len(row)) / 500)


def spoil_muscle(row, rng):
    row += rng.normal(0, 1.5, len(row))


def spoil_mains(row, rng):
    row += 2 * np.sin(2 * np.pi * 50 * np.arange(len(row)) / 500)


def spoil_clipped(row, rng):
    np.clip(row, np.quantile(row, 0.3), np.quantile(row, 0.9), out=row)


def spoil_contact(row, rng):
    row[:] = 0.3 * rng.normal(size=len(row)).cumsum() / 20


def spoil_gaps(row, rng):
    row[1000:3000] = np.nan


@pytest.mark.parametrize(
    ("spoil", "reasons"),
    [
        (spoil_flat, {"flat"}),
        (spoil_wander, {"wander"}),
        (spoil_muscle, {"muscle noise"}),
        (spoil_mains, {"mains"}),
        (spoil_clipped, {"saturated"}),
        (spoil_contact, {"disconnected", "wander"}),
        (spoil_gaps, {"gaps"}),
    ],
)
def test_one_spoilt_lead_is_named_with_its_reason(spoil, reasons):
    record = sinus()
    signal = record.signal.copy()
    spoil(signal[8], np.random.default_rng(1))
    quality = assess(with_signal(record, signal))
    assert not quality.leads["V3"].usable
    assert quality.leads["V3"].reasons[0] in reasons
    assert "V3" in " ".join(quality.reasons)
    assert set(STANDARD_12) - set(quality.usable_leads) == {"V3"}


def test_gain_and_unit_do_not_matter():
    record = sinus()
    plain = assess(record)
    for gain in (0.1, 7.0, 400.0):
        scaled = assess(with_signal(record, record.signal * gain, calibrated=False))
        assert scaled.verdict == plain.verdict
        assert scaled.score == pytest.approx(plain.score, abs=0.02)


@pytest.mark.parametrize("leads", [("II",), ("I", "II", "V5"), STANDARD_12[:6]])
def test_few_leads_are_judged_as_well(leads):
    record = sinus()
    assert assess(record.select(leads)).acceptable
    lost = with_signal(record, noise((len(leads), 5000)), leads=leads)
    assert not assess(lost).acceptable


def test_three_extra_leads_are_kept():
    record = sinus()
    signal = np.concatenate([record.signal, record.signal[9:12] * 0.7])
    quality = assess(with_signal(record, signal, leads=(*STANDARD_12, "V7", "V8", "V9")))
    assert quality.acceptable
    assert list(quality.leads)[-3:] == ["V7", "V8", "V9"]


def test_too_short_a_record_is_refused():
    quality = assess(sinus(seconds=10.0).segment(0, 3))
    assert quality.verdict == "refuse"
    assert "3.0 s" in quality.reasons[0]


def test_samples_of_a_wrong_unit_or_rate_are_refused():
    """Microvolts given as millivolts raised an alert of an occlusion."""
    record = synthetic_ecg(bpm=70, seed=1).record
    microvolt = replace(record, signal=1000 * record.signal)
    assert assess(microvolt).verdict == "refuse" and "unit" in assess(microvolt).reasons[0]
    assert assess(replace(microvolt, calibrated=False)).verdict == "accept"
    coarse = replace(record, signal=record.signal[:, ::10], fs=50.0)
    assert assess(coarse).verdict == "refuse" and "50 Hz" in assess(coarse).reasons[0]


def test_the_longest_acceptable_stretch_of_a_long_record_is_taken():
    record = sinus(fs=250.0, seconds=60.0)
    signal = record.signal.copy()
    signal[:, 20 * 250 : 30 * 250] = noise((12, 2500), size=3)
    quality = assess(with_signal(record, signal))
    assert quality.acceptable
    assert (quality.from_s, quality.to_s) == (30.0, 60.0)
    assert "only 30 to 60 s of 60 s" in quality.reasons[0]


def test_more_than_five_minutes_are_cut_and_it_is_said():
    record = sinus(fs=100.0, seconds=30.0)
    quality = assess(with_signal(record, np.tile(record.signal, (1, 11))))
    assert quality.to_s == 300.0
    assert any("first 300 s of 330 s" in reason for reason in quality.reasons)


def test_low_voltage_is_not_poor_quality():
    record = sinus()
    assert assess(with_signal(record, record.signal * 0.15)).verdict == "accept"


def test_ventricular_fibrillation_is_not_poor_quality():
    assert assess(sinus(rhythm="vf")).acceptable


def test_json_has_what_the_command_promises():
    told = json.loads(json.dumps(assess(sinus()).to_dict()))
    assert {"record", "acceptable", "leads", "suspicions", "pacing_spikes_s"} <= set(told)
    assert set(told["leads"]["V1"]) == {"usable", "reasons", "metrics"}


def with_gap(record, from_s, to_s):
    signal = record.signal.copy()
    signal[:, round(from_s * record.fs) : round(to_s * record.fs)] = np.nan
    return with_signal(record, signal)


def test_no_rr_is_read_across_a_moment_that_no_lead_recorded():
    quality = assess(with_gap(sinus(), 1.5, 3.0))
    assert (quality.verdict, quality.from_s, quality.to_s) == ("limit", 3.0, 10.0)
    assert "gaps in common; only 3.0 to 10.0 s of 10.0 s" in quality.reasons[0]
    refused = assess(with_gap(sinus(), 4.5, 5.5))
    assert refused.verdict == "refuse"
    assert "4.5 s" in refused.reasons[0]
    assert "5 s that are needed" in refused.reasons[0]


@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 1.0), (9.0, 10.0), (4.0, 4.1)])
def test_gaps_that_hide_no_rr_leave_the_record_whole(from_s, to_s):
    quality = assess(with_gap(sinus(), from_s, to_s))
    assert (quality.verdict, quality.from_s, quality.to_s) == ("accept", 0.0, 10.0)


def test_a_long_record_with_a_gap_is_judged_in_windows_after_it():
    record = with_gap(sinus(fs=250.0, seconds=60.0), 12.0, 14.0)
    record.signal[:, 40 * 250 :] = noise((12, 20 * 250), size=3)
    quality = assess(record)
    assert quality.verdict == "limit"
    assert (quality.from_s, quality.to_s) == (14.0, 34.0)


@pytest.mark.parametrize("bpm", [22, 30, 40])
def test_a_clean_line_between_slow_beats_is_no_flat_lead(bpm):
    record = synthetic_ecg(bpm=bpm, seed=2).record
    quality = assess(record)
    assert quality.verdict == "accept", quality.reasons
    assert quality.usable_leads == STANDARD_12


def test_leads_that_are_flat_for_seconds_together_are_flat():
    record = synthetic_ecg(bpm=60, seed=2).record
    signal = record.signal.copy()
    signal[:, 1900:] = signal[:, 1900:1901]
    assert assess(with_signal(record, signal)).verdict == "refuse"


@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 5.0), (5.0, 10.0)])
def test_the_time_in_which_no_lead_stands_still_can_be_read_by_itself(from_s, to_s):
    """A recording whose second half was padded with zeros could not be read at all."""
    record = sinus()
    signal = record.signal + noise(record.signal.shape, size=0.005)
    signal[:, round(500 * from_s) : round(500 * to_s)] = 0
    record = replace(record, signal=signal)
    assert not assess(record).acceptable
    rest = readable_part(record)
    assert f"stand still from {from_s:.1f} to {to_s:.1f} s" in rest.notes[-1]
    quality = assess(rest)
    assert quality.acceptable
    assert (quality.from_s, quality.to_s) == ((to_s, 10.0) if from_s == 0 else (0.0, from_s))


@pytest.mark.parametrize("seconds", [0.3, 1.0])
@pytest.mark.parametrize(("from_s", "to_s"), [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_what_fills_up_a_block_is_left_off(seconds, from_s, to_s, mode):
    """The step from zeros into the signal was a beat, in a quarter of PTB-XL's records."""
    record = replace(sinus(), signal=sinus().signal + noise((12, 5000), size=0.005) + 0.2)
    ends = (round(500 * seconds * from_s), round(500 * seconds * to_s))
    padded = replace(record, signal=np.pad(record.signal, ((0, 0), ends), mode=mode))
    quality, before = assess(padded), measure(record)
    assert quality.verdict == "limit"
    assert quality.from_s == pytest.approx(ends[0] / 500, abs=0.003)
    assert quality.to_s == pytest.approx(10 + ends[0] / 500, abs=0.003)
    r_s = [beat.r_s - ends[0] / 500 for beat in measure(padded).beats]
    np.testing.assert_allclose(r_s, [beat.r_s for beat in before.beats], atol=0.002)


@pytest.mark.parametrize(("from_s", "to_s"), [(0.0, 4.0), (5.5, 10.0)])
def test_a_long_gap_at_an_end_is_left_off(from_s, to_s):
    """What was not recorded at an end made every lead unreadable."""
    quality = assess(with_gap(sinus(), from_s, to_s))
    assert quality.verdict == "limit", quality.reasons
    assert (quality.from_s, quality.to_s) == ((to_s, 10.0) if from_s == 0 else (0.0, from_s))


@pytest.mark.parametrize(
    ("lead", "gain"),
    [("V1", 10), ("V3", 10), ("V6", 10), ("V3", 0.1), ("V4", 0.1), ("V5", 0.1), ("V6", 0.1)],
)
def test_a_chest_lead_of_another_gain_is_left_out(lead, gain):
    """At ten times the gain of the others it went unnoticed, and at a tenth of it."""
    record = sinus()
    signal = record.signal.copy()
    signal[record.leads.index(lead)] *= gain
    quality = assess(with_signal(record, signal))
    assert quality.leads[lead].reasons == ("other gain",)
    assert set(STANDARD_12) - set(quality.usable_leads) == {lead}
    assert quality.reasons == (f"leads left out: {lead} other gain",)


def spoiled(record, *leads):
    signal = record.signal.copy()
    signal[[record.leads.index(lead) for lead in leads]] = 0
    return replace(record, signal=signal)


@pytest.mark.parametrize("seconds", [10.0, 30.0])
def test_leads_beside_a_flat_one_can_be_read_by_themselves(seconds):
    record = spoiled(sinus(seconds=seconds), "V3")
    assert not assess(record).acceptable
    rest = readable_part(record)
    assert rest.leads == tuple(lead for lead in STANDARD_12 if lead != "V3")
    assert "V3 flat" in rest.notes[-1]
    assert assess(rest).acceptable


def test_what_is_good_or_all_bad_or_has_exchanged_electrodes_is_not_taken_apart():
    record = sinus()
    rows = swap_electrodes(dict(zip(record.leads, record.signal, strict=True)), "RA-RL")
    exchanged = replace(record, signal=np.stack(list(rows.values())))
    most = spoiled(record, *STANDARD_12[:8])
    for one in (record, most, exchanged):
        assert readable_part(one) is one
    assert not assess(exchanged).acceptable


def test_what_was_computed_from_a_flat_lead_is_not_read():
    """With lead I flat, the QRS axis was 90° by an aVF that was computed from it."""
    recorded = ("I", "II", *STANDARD_12[6:])
    record = spoiled(sinus().select(recorded), "I")
    derived = derive_limb_leads({"I": record.row("I"), "II": record.row("II")})
    signal = np.concatenate([record.signal, np.stack(list(derived.values()))])
    leads = (*recorded, *derived)
    whole = replace(record, signal=signal, leads=leads, derived=tuple(derived))
    quality = assess(whole)
    assert quality.leads["aVF"].reasons == ("computed from I",)
    assert set(quality.usable_leads) == set(recorded) - {"I"}
    assert measure(whole, quality).values["qrs_axis_deg"].value is None
    assert readable_part(whole).leads == recorded[1:]


@pytest.mark.parametrize("rhythm", ["vt", "vf"])
@pytest.mark.parametrize("flat", [None, "V6"])
def test_a_ventricular_arrhythmia_is_read_whatever_experts_would_say(rhythm, flat):
    """Of 20 simulated tachycardias 7 were refused: for wander that was theirs, or a flat lead."""
    for seed in range(3):
        record = sinus(rhythm=rhythm, seed=seed)
        signal = record.signal + noise(record.signal.shape, size=0.01)
        if flat:
            signal[record.leads.index(flat)] = 0
        quality = assess(with_signal(record, signal))
        assert quality.acceptable, quality.reasons
        assert (flat is None) or flat not in quality.usable_leads


def test_a_low_lead_bears_the_wander_that_the_others_bear():
    """Of PTB-XL's low leads nine were left out for 0.2 to 0.5 mV that ST and T hardly show."""
    record = sinus()
    signal = record.signal.copy()
    low = record.leads.index("III")
    signal[low] *= 0.15 * np.ptp(signal[0]) / np.ptp(signal[low])
    wander = 0.3 * np.sin(2 * np.pi * 0.2 * np.arange(signal.shape[1]) / record.fs)
    signal[low] += wander.astype(np.float32)
    quality = assess(with_signal(record, signal)).leads["III"]
    assert quality.usable, quality.reasons
