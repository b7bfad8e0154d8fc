"""The PDF page has its true size."""

import re

import numpy as np
import pytest

from ecg_llm.record import ECGRecord
from ecg_llm.render.page import page_scene
from ecg_llm.render.pdf_page import to_pdf_page


def test_one_page_of_true_size_in_vectors():
    row = np.sin(np.arange(5000) / 40).astype(np.float32)
    record = ECGRecord(signal=row[None], fs=500, leads=("II",))
    data = to_pdf_page(page_scene(record)[0])
    box = re.search(rb"/MediaBox \[ ([\d. ]+) \]", data).group(1).split()
    assert [float(v) for v in box] == pytest.approx([0, 0, 841.89, 595.28], abs=0.01)
    assert data.count(b"/Type /Page\n") == 1
    assert b"/Subtype /Image" not in data
