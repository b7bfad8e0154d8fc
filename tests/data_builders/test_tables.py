"""Tables are read whole, and what is wrong in them is told."""

from __future__ import annotations

import pytest

from ecg_llm.data_builders.tables import read_table
from ecg_llm.errors import ConfigError, RecordError


def test_cells_are_text_whatever_they_look_like(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text\n01,"two\nlines, one cell"\n2,\n'.encode())
    table = read_table(path, ("id", "text"))
    assert table.row(0) == {"id": "01", "text": "two\nlines, one cell"}
    assert table.row(1) == {"id": "2", "text": ""}
    assert table.column("id") == ["01", "2"]


def test_a_row_of_the_wrong_length_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,a\n2\n3,b,c\n4,d\n")
    table = read_table(path, ("id",))
    assert table.column("id") == ["1", "4"]
    assert len(table.bad_rows) == 2
    assert "1 cells where the header has 2" in table.bad_rows[0]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,\xff\xfe\n2,fine\n")
    table = read_table(path, ("id",))
    with pytest.raises(RecordError, match="column text is not UTF-8"):
        table.row(0)
    assert table.row(1)["text"] == "fine"


@pytest.mark.parametrize("text", ["", "other\n1\n", "id,id\n1,2\n"])
def test_a_table_without_its_columns(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match="needs each of the columns id once"):
        read_table(path, ("id",))


def test_no_table_at_all(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_table(tmp_path / "a.csv", ())
