"""PTB-XL's tasks have the numbers of classes that the benchmark has."""

from __future__ import annotations

from ecg_llm.scp import COLUMNS, TASKS, task_columns


def test_the_tasks_of_the_benchmark() -> None:
    sizes = {task: len(classes) for task, classes in TASKS.items()}
    expected = {"all": 71, "diagnostic": 44, "sub": 23, "super": 5, "form": 19, "rhythm": 12}
    assert sizes == expected
    assert len(set(COLUMNS)) == 99
    for task in TASKS:
        assert set(task_columns(task)) <= set(COLUMNS)
