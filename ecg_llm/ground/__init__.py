"""Make what a language model wrote hold: correct, withhold or add, sentence by sentence.

`ecg_llm.claims` gives verdicts; these modules act on them. No model is needed here: what is
corrected is written anew from what was measured.
"""
