"""The HTML report is whole, safe and alone."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from ecg_llm.assistant import interpret
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.render.html import to_html
from ecg_llm.render.tracing import number_evidence

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Tree(HTMLParser):
    """Check that elements nest, and collect what there is."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.words.append(data)


def parsed(text):
    tree = Tree()
    tree.feed(text)
    tree.close()
    assert tree.open == []
    return tree


def test_everything_of_the_report_is_there(report, record):
    tree = parsed(to_html(report, record))
    words = " ".join(" ".join(tree.words).split())
    for claim in report.claims:
        assert claim.text in words
    for alert in report.alerts:
        assert all(item.source in words for item in alert.evidence)
    for item in report.abstentions:
        assert item.reason in words
    assert report.provenance.disclaimer in words
    assert "Suspected V1-V2 swapped: R falls." in words
    assert "Pacing spikes at 1.25 s." in words
    order = [words.index(title) for title in ("Alerts", "Impression", "Tracing", "Measurements")]
    assert order == sorted(order)


def test_it_refers_to_nothing_outside(report, record):
    text = to_html(report, record)
    tree = parsed(text)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(tree.tags)
    for _, name, value in tree.attributes:
        assert name not in {"src", "href", "srcset", "action", "style"}
        assert not name.startswith("on")
        if name != "xmlns":
            assert "//" not in (value or "")
    assert not re.search(r"@import|url\((?!#)", text)


def test_the_policy_allows_its_own_code_only(report, record):
    text = to_html(report, record)
    policy = next(
        value for tag, _, value in parsed(text).attributes if "default-src" in (value or "")
    )
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (code,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_text_stays_text(hostile):
    record, report = hostile
    text = to_html(report, record)
    assert text.count("<script") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "alert(&#x27;x&#x27;)" in text
    parsed(text)


def test_every_button_leads_to_marks_that_exist(report, record):
    text = to_html(report, record)
    wanted = {k for value in re.findall(r'data-marks="([\d ]+)"', text) for k in value.split()}
    there = set(re.findall(r'data-mark="(\d+)"', text))
    assert wanted
    assert wanted <= there


def test_marks_of_what_is_absent_wait_until_they_are_chosen(report, record):
    index = number_evidence(report)
    quiet = [(mark.lead, mark.from_s) for mark in index.quiet]
    assert ("V1", 5.3) in quiet
    assert {mark.role for mark in index.shown} == {"critical", "abnormal"}
    assert index.shown[0].lead == "V2"
    text = to_html(report, record)
    number = index.numbers[("V1", 5.3, 5.4)]
    assert re.search(rf'class="mark shade quiet" data-mark="{number}" display="none"', text)


def test_evidence_outside_of_the_page_is_named(report, record):
    index = number_evidence(report)
    label = index.numbers[("aVL", 9.0, 9.1)]  # the page shows aVL from 2.5 to 5 s
    assert f"Evidence {label} lies outside" in to_html(report, record)


def test_the_page_of_a_long_record_shows_the_evidence(long_case):
    record, report = long_case
    text = to_html(report, record)
    assert "40 to 50.0 s of 60.0 s" in text
    assert "lies outside" not in text


def test_tables_headings_and_drawings_are_labelled(report, record):
    tree = parsed(to_html(report, record))
    assert tree.tags.count("h1") == 1
    cells = [a for a in tree.attributes if a[0] == "th"]
    assert len(cells) == tree.tags.count("th")
    assert tree.tags.count("svg") == 2
    assert [a for a in tree.attributes if a[0] == "svg" and a[1] == "aria-labelledby"]
    assert ("html", "lang", "en") in tree.attributes


def test_a_refused_record_says_why(refused, record):
    words = " ".join(parsed(to_html(refused, record)).words)
    assert "all leads are flat" in words
    assert "Nothing was measured." in words


def test_the_same_report_gives_the_same_bytes(report, record):
    assert to_html(report, record) == to_html(report, record)


def test_what_is_folded_away_is_printed(report, record):
    text = to_html(report, record)
    printed = text[text.index("@media print") :]
    assert "details::details-content{content-visibility:visible" in printed


def test_a_second_r_wave_has_a_column_where_there_is_one():
    def headings(conditions):
        made = synthetic_ecg(seed=3, conditions=conditions).record
        text = to_html(interpret(made, model="none"), made)
        table = text[text.index("Waves of each lead") :]
        return re.findall(r'<th scope="col">([^<]*)</th>', table[: table.index("</thead>")])

    assert headings(())[1:5] == ["P", "Q", "Q width", "R"]
    assert "R′" not in headings(())
    assert "R′" in headings(("CRBBB",))
