from PIL import Image

from ecg_llm.data_builders.synthetic_sheet import sheet


def test_the_sheet_shows_a_row_for_each_name(tmp_path):
    one, three = tmp_path / "one.png", tmp_path / "three.png"
    sheet(one, names=["CRBBB"])
    sheet(three, names=["sinus", "af", "IMI"])
    with Image.open(one) as small, Image.open(three) as tall:
        assert tall.width == small.width
        assert tall.height > 2 * small.height
        assert small.convert("L").getextrema()[0] < 60  # there is ink on it
