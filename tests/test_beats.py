import numpy as np

from ecg_llm.beats import group_shapes


def test_beats_without_a_qrs_do_not_keep_the_grouping_for_ever():
    assert sorted(group_shapes(np.zeros((3, 3)))) == [0, 1, 2]
