"""Numbers of an answer come from the prompt, behind the same words."""

from __future__ import annotations

import re

import numpy as np

from ecg_llm.lm_numbers import Numbers

WORDS = [
    *(str(d) for d in range(10)),
    *(f" {d}" for d in range(10)),
    " −",
    ".",
    ",",
    " PR",
    " QRS",
    " axis",
    " ms",
    "°",
    " mV",
    " yes",
    " (reference",
    " J+",
]
IDS = {word: k for k, word in enumerate(WORDS)}


def ids(text):
    out = []
    while text:
        word = max((w for w in WORDS if text.startswith(w)), key=len)
        out.append(IDS[word])
        text = text[len(word) :]
    return out


def written(prompt, wished, length=30):
    """Decode with logits that like ``wished``, whatever was said before."""
    numbers, said = Numbers(IDS).reader(ids(prompt)), []
    wish = ids(wished)
    for _ in range(length):
        if len(said) >= len(wish):
            break
        logits = np.zeros(len(WORDS))
        logits[wish[len(said)]] = 5.0
        said.append(numbers.choose(int(logits.argmax()), said, lambda row=logits: row))
    return "".join(WORDS[k] for k in said)


PROMPT = " PR 165 ms, QRS 93 ms, QRS axis −44°"


def test_a_wrong_digit_becomes_the_prompts():
    assert written(PROMPT, " PR 168 ms") == " PR 165 ms"
    assert written(PROMPT, " QRS 95 ms") == " QRS 93 ms"
    assert written(PROMPT, " QRS axis −41°") == " QRS axis −44°"
    assert written(PROMPT, " QRS axis 440") == " QRS axis −44"


def test_right_numbers_and_words_stay():
    assert written(PROMPT, " PR 165 ms, yes") == " PR 165 ms, yes"


def test_a_number_may_not_go_on_beyond_the_prompts():
    assert not re.search(r"165\d", written(PROMPT, " PR 1651"))
    assert "93." not in written(PROMPT, " QRS 93.5")


def test_a_number_whose_words_the_prompt_lacks_is_free():
    assert written(PROMPT, " (reference 120") == " (reference 120"


def test_the_longest_same_words_decide():
    prompt = " QRS axis −44°, QRS 93 ms, axis 17°"
    assert written(prompt, " QRS axis 99°")[:13] == " QRS axis −44"
    assert written(", axis 17°, QRS axis −44°", ", axis 11°") == ", axis 17°"


def test_decimals_and_full_stops():
    prompt = " J+ 0.12 mV. PR 165 ms"
    assert written(prompt, " J+ 0.19 mV") == " J+ 0.12 mV"
    assert (
        written(prompt, " PR 165.")
        == " PR 165."[: len(" PR 165")] + written(prompt, " PR 165.")[7:]
    )
