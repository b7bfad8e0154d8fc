"""Numbers of an answer are read from the prompt: a constraint on decoding, no rewriting after it.

A small model knows that a PR interval comes next, but may get a digit wrong. Where the words before
a number stand before a number in the prompt too, only that number can be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LONGEST_CONTEXT = 24
"""Tokens before a number that are compared."""


class Numbers:
    """What a vocabulary writes numbers with.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Tokens as they read, with a space where a word begins, and their ids.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.digits = {k for word, k in vocabulary.items() if _is_digit(word)}
        self.signs = {k for word, k in vocabulary.items() if word.strip() == "−"}
        self.points = {k for word, k in vocabulary.items() if word == "."}

    def choose(
        self, logits: npt.NDArray[np.floating], prompt: Sequence[int], said: Sequence[int]
    ) -> int:
        """Choose the likeliest token that keeps numbers to those of the prompt.

        Parameters
        ----------
        logits : np.ndarray, shape (vocabulary,)
            Of the next token.
        prompt : sequence of int
            Ids of the prompt.
        said : sequence of int
            Ids of the answer so far.

        Returns
        -------
        int
        """
        best = int(logits.argmax())
        begun = self._begun(said)
        if not begun and best not in self.digits and best not in self.signs:
            return best
        before = [*prompt, *said[: len(said) - len(begun)]]
        known = self._candidates(prompt, before, begun)
        if not known:
            return best
        following = {number[len(begun)] for number in known if len(number) > len(begun)}
        if any(len(number) == len(begun) for number in known):  # it may end here
            if best not in self.digits and best not in self.points:
                return best
            if best in following:
                return best
            free = logits.copy()
            free[list((self.digits | self.points) - following)] = -np.inf
            return int(free.argmax())
        wanted = sorted(following)
        return wanted[int(np.asarray(logits)[wanted].argmax())]

    def _begun(self, said: Sequence[int]) -> list[int]:
        """Give the tokens of a number that an answer ends in."""
        first = len(said)
        while first and said[first - 1] in self.digits | self.points:
            first -= 1
        while first < len(said) and said[first] in self.points:  # a full stop begins none
            first += 1
        if first and said[first - 1] in self.signs:
            first -= 1
        return list(said[first:])

    def _candidates(
        self, prompt: Sequence[int], before: Sequence[int], begun: Sequence[int]
    ) -> list[list[int]]:
        """Find the prompt's numbers that go on like this one, behind the longest same words."""
        best, found = 0, []
        for first, number in self._numbers(prompt):
            if number[: len(begun)] != list(begun):
                continue
            same = 0
            while (
                same < LONGEST_CONTEXT
                and same < first
                and before[len(before) - 1 - same] == prompt[first - 1 - same]
            ):
                same += 1
            if same > best:
                best, found = same, [number]
            elif same == best and same:
                found.append(number)
        return found

    def _numbers(self, ids: Sequence[int]) -> list[tuple[int, list[int]]]:
        """List the numbers of a text: where each begins, and its tokens."""
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
                out.append((first, list(ids[first:k])))
            else:
                k = first + 1
        return out


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
