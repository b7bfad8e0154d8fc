"""Numbers of an answer are read from the prompt: a constraint on decoding, no rewriting after it.

A small model knows that a PR interval comes next, but may get a digit wrong. Where the words before
a number stand before a number in the prompt too, only that number can be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LONGEST_CONTEXT = 24
"""Tokens before a number that are compared."""

Logits = npt.NDArray[np.floating]


class Numbers:
    """What a vocabulary writes numbers with.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Tokens as they read, with a space where a word begins, and their ids.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.digits = frozenset(k for word, k in vocabulary.items() if _is_digit(word))
        self.signs = frozenset(k for word, k in vocabulary.items() if word.strip() == "−")
        self.points = frozenset(k for word, k in vocabulary.items() if word == ".")
        self.inner = self.digits | self.points
        """What a number goes on with."""
        self.first = self.digits | self.signs
        """What a number begins with."""

    def reader(self, prompt: Sequence[int]) -> NumberReader:
        """Make what keeps the numbers of one answer to those of its prompt.

        Parameters
        ----------
        prompt : sequence of int
            Ids of the prompt.

        Returns
        -------
        NumberReader
        """
        return NumberReader(self, prompt)

    def spans(self, ids: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
        """List the numbers of a text.

        Parameters
        ----------
        ids : sequence of int
            Of the text.

        Returns
        -------
        list of tuple of (int, tuple of int)
            Where each begins, and its tokens.
        """
        out = []
        k = 0
        while k < len(ids):
            first = k
            if ids[k] in self.signs:
                k += 1
            if k < len(ids) and ids[k] in self.digits:
                while k < len(ids) and (
                    ids[k] in self.digits
                    or (ids[k] in self.points and k + 1 < len(ids) and ids[k + 1] in self.digits)
                ):
                    k += 1
                out.append((first, tuple(ids[first:k])))
            else:
                k = first + 1
        return out

    def begin(self, said: Sequence[int]) -> int:
        """Tell where the number begins that an answer ends in.

        Parameters
        ----------
        said : sequence of int
            Ids of the answer so far.

        Returns
        -------
        int
            Its length if it ends in none.
        """
        first = len(said)
        while first and said[first - 1] in self.inner:
            first -= 1
        while first < len(said) and said[first] in self.points:  # a full stop begins none
            first += 1
        return first - 1 if first and said[first - 1] in self.signs else first


class NumberReader:
    """Keeps the numbers of one answer to those of its prompt.

    The prompt is searched once. At a token that is no part of a number nothing is done but to see
    that; while a number is written, what stands before it is compared once.

    Parameters
    ----------
    numbers : Numbers
        Of the vocabulary.
    prompt : sequence of int
        Ids of the prompt.
    """

    def __init__(self, numbers: Numbers, prompt: Sequence[int]) -> None:
        self._numbers = numbers
        self._prompt = prompt
        self._behind: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        """Numbers of the prompt, by the token that each stands behind."""
        for first, number in numbers.spans(prompt):
            if first:
                self._behind.setdefault(prompt[first - 1], []).append((first, number))
        self._place = -1
        self._known: list[tuple[int, tuple[int, ...]]] = []

    def choose(self, best: int, said: Sequence[int], logits: Callable[[], Logits]) -> int:
        """Choose the likeliest token that keeps numbers to those of the prompt.

        Parameters
        ----------
        best : int
            The likeliest token.
        said : sequence of int
            Ids of the answer so far.
        logits : callable
            Gives the logits of the next token, shape (vocabulary,); asked where ``best`` may not
            stand.

        Returns
        -------
        int
        """
        begin = self._numbers.begin(said)
        n_begun = len(said) - begin
        if not n_begun and best not in self._numbers.first:
            return best
        known = self._candidates(said, begin)
        if not known:
            return best
        following = {number[n_begun] for number in known if len(number) > n_begun}
        if any(len(number) == n_begun for number in known):  # it may end here
            if best in following or best not in self._numbers.inner:
                return best
            free = logits().copy()
            free[list(self._numbers.inner - following)] = -np.inf
            return int(free.argmax())
        if len(following) == 1:
            return following.pop()
        wanted = sorted(following)
        return wanted[int(logits()[wanted].argmax())]

    def _candidates(self, said: Sequence[int], begin: int) -> list[tuple[int, ...]]:
        """Find the prompt's numbers that go on like this one, behind the longest same words."""
        if begin != self._place:
            self._place, self._known = begin, self._compared(said, begin)
        begun = tuple(said[begin:])
        fitting = [one for one in self._known if one[1][: len(begun)] == begun]
        most = max((same for same, _ in fitting), default=0)
        return [number for same, number in fitting if same == most]

    def _compared(self, said: Sequence[int], begin: int) -> list[tuple[int, tuple[int, ...]]]:
        """Count for each number of the prompt the tokens before it that stand here too."""
        before = list(said[max(0, begin - LONGEST_CONTEXT) : begin])
        if (lacking := LONGEST_CONTEXT - len(before)) > 0:
            before = [*self._prompt[-lacking:], *before]
        before.reverse()
        found = []
        for first, number in self._behind.get(before[0], ()) if before else ():
            most = min(LONGEST_CONTEXT, first)
            same = 1
            while same < most and before[same] == self._prompt[first - 1 - same]:
                same += 1
            found.append((same, number))
        return found


def _is_digit(word: str) -> bool:
    return word.strip().isdigit() and len(word.strip()) == 1


def numbers_of(tokenizer: Any) -> Numbers:
    """Find the tokens that a tokenizer writes numbers with.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Byte-level or other.

    Returns
    -------
    Numbers
    """
    return Numbers({tokenizer.decode([k]): k for k in range(tokenizer.get_vocab_size())})
