"""Words of a sentence that nothing reads: with them ships what nobody has checked."""

from __future__ import annotations

from itertools import pairwise

from ecg_llm.claims.lexicon import scan

_WORDS = """
the a an of in on at to from by with for as and or but not no is are was were be been being has
have had do doe does did this that these those it its which who there here then than so thus also
too very well quite rather somewhat only just both each all any some more most less least few
fewer many several much other another same such own further additional additionally moreover
besides show showing shown see seen find found record recorded recording reveal demonstrate
display exhibit present note noted observe observed detect detected measure measured measurement
suggest indicate indicating meet met fulfil fulfilled satisfy reach reached exceed lie remain
appear seem give given read reading tell told name named call called consist contain include
including come go goe begin end follow followed precede preceded repeat make take keep leave hold
apply derive classify classified order understand explain judged interpreted interpretable
readable ecg ekg tracing electrocardiogram lead wave complex qr qrs beat interval segment axis
rhythm rate value amplitude voltage duration width depth height ratio frequency criterion criteria
limit range reference threshold pattern sign evidence feature finding morphology shape shaped form
formula type kind part wall region area row stretch direction side site level baseline patient man
woman male female sex age romhilt este point score quality technical chamber progression
repetition mild mildly moderate moderately marked markedly slight slightly minor minimal minimally
clear clearly definite definitely distinct prominent broad wide narrow deep deepest tall tallest
small large largest high highest low lowest short long upper lower net maximal maximum minimum
total left right anterior posterior inferior lateral superior septal basic underlying dominant
usual upward downward opposite positive negative initial terminal first second third last early
late previous previously old new now acute already unchanged still again atrial ventricular atria
atrium ventricle heart cardiac sinus node junctional conduction conducted delay delayed block
blocked bundle branch fascicle depolarization repolarization electrical activity digitalis injury
depression elevation inversion deviation deviated shift shifted raised reduced increased decreased
change changed varied vary nonspecific complete incomplete correct corrected reliable reliably
wrongly apart together overall respectively namely about approximately nearly almost within
between over under above below beyond before after behind through throughout across around along
near next down up out off away per because while when whenever where whether although however
therefore hence otherwise whereas one two three four five six seven eight nine ten eleven twelve
nothing none everything something can could may might must will would cannot mean meaning average
median sum count counted number minute millisecond consistent compatible typical typically
characteristic best mostly mainly predominantly particularly especially notably impression
conclusion summary report text file answer question instruction encoder probability uncertain
certain sure alone itself every me we i
"""
NEUTRAL = frozenset(_WORDS.split())
"""What changes nothing about what a sentence states, in the form of `ecg_llm.claims.lexicon`."""


def unread(text: str) -> str | None:
    """Say which word of a sentence is neither read nor neutral.

    Returns
    -------
    str or None
        None if there is none.

    Examples
    --------
    >>> unread("Lone atrial fibrillation."), unread("The tracing shows atrial fibrillation.")
    ("nothing here bears out 'Lone'", None)
    """
    items = scan(text)
    words = [i for i in items if i.kind == "word" and i.raw.isalpha() and len(i.raw) > 2]
    found = next((i.raw for i in words if i.data not in NEUTRAL), None)
    if found is None:  # years of something else than an age
        times = (b.raw for a, b in pairwise(items) if b.kind == "age" and a.kind != "number")
        found = next(times, None)
    return None if found is None else f"nothing here bears out {found!r}"
