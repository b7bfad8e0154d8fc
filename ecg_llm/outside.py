"""What no ECG tells: to be declined when asked for, and withheld when said."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """Something that no ECG tells.

    Attributes
    ----------
    name : str
        In plain words.
    words : str
        Pattern of the words that name it.
    why : str
        Why an ECG does not tell it, and what does.
    """

    name: str
    words: str
    why: str


_DRUGS = (
    r"amiodarone|metoprolol|bisoprolol|atenolol|propranolol|beta.?blockers?|digoxin(?! (effect|"
    r"toxicity|changes?|pattern|shape))|apixaban|warfarin|heparin|aspirin|clopidogrel|furosemide|"
    r"statins?|adenosine|verapamil|diltiazem|lidocaine|flecainide|insulin|metformin|"
    r"anticoagula\w+|thromboly\w+|ramipril|lisinopril|sotalol|dofetilide|ondansetron|haloperidol|"
    r"methadone|citalopram|antibiotics?|blood thinners?|doacs?|noacs?|lysis|lyse"
)
TOPICS = (
    Topic(
        "a drug or its dose",
        rf"\b(dos(e|es|age|ing)|\d+ ?mg\b|mg of|prescri\w+|medications?|drugs?|{_DRUGS})\b",
        "treatment depends on the patient, other drugs and laboratory values, none of which is in "
        "an ECG",
    ),
    Topic(
        "what is to be done",
        r"\b(should (i|we|he|she|they|(the|this) patient) (be|go|get|have|take|start|stop|receive|"
        r"give|treat|shock)|needs? (a |an |to have a )?(pac(er|ing|emaker)|icd|defibrillator|"
        r"ablation|cardioversion|catheter\w*)|(pacemaker|icd|ablation) (be )?(needed|required|"
        r"necessary)|cath( ?lab)?|pci|discharged?(?! (letter|summary|note|report))|what (should|"
        r"would|do|can|shall) (i|we|you|u) (do|give|start|recommend|suggest)|next steps?|"
        r"management|manage|treat(ment|ed)?|therapy|(is|are) (an? )?[\w ]{1,30} indicated|"
        r"indications? for|cardiovert\w*|shock|admit(ted)?|admission|refer(red|ral)?|call (the |"
        r"a )?(cardiolog\w+|doctor|ambulance)|crt|icd|ablat\w+|cha2?ds2?(-?vasc?)?|(can|may|"
        r"could) (i|he|she|they|my \w+) (still )?(drink|eat|travel|fly|drive|exercise|run|swim|"
        r"work|lift|smoke|go|have sex)|(make|makes) sense|lytics|wake (\w+ )?\w+|escalate|"
        r"consultant|call for \w+|(do|play|compete\w*)( \w+)? (sports?|football|soccer|rugby)|"
        r"(tell|say to|inform|reassure) (the |my |this )?(patient|family)|(safe|fit|fine|"
        r"ok(ay)?) (to|for) (discharge|operat\w+|surgery|anaesthe\w+|anesthe\w+|fly|drive|"
        r"exercise|go home|sports?)|(go|send|sent) (\w+ )?home|fit(ness)?[- ]to[- ]\w+|(medical|"
        r"fitness) certificate|driving licen[cs]e)\b",
        "that depends on symptoms, examination and history, none of which is in an ECG",
    ),
    Topic(
        "a blood value",
        r"\b(troponin|haemoglobin|hemoglobin|creatinine|blood (sugar|glucose|count|test)|glucose|"
        r"cholesterol|potassium( level| value)?|(k|na)\+|sodium|calcium|magnesium|mmol|"
        r"hba1c|bnp|d-dimer)\b",
        "blood values are measured in blood, and no tracing gives them as numbers",
    ),
    Topic(
        "pump function, pressure or valves",
        r"\b(ejection fraction|lvef|\bef\b|cardiac output|blood pressure|bp|hypertension|"
        r"wall motion|(heart|cardiac) size|heart (enlarged|dilated|big)|(enlarged|dilated|"
        r"big) heart|cardiomegaly|valve|valvular|(aortic|mitral) (stenosis|regurgitation)|"
        r"stenosis|how well .* pumps?|oxygen saturation|spo2)\b",
        "an ECG shows electrical activity, not how well the heart pumps; echocardiography does",
    ),
    Topic(
        "the coronary artery",
        r"\b(coronary arter\w+|which (\w+ )?(artery|vessel)|culprit\w*|left main|"
        r"(?<!the )(lad|rca|lcx) (occlu\w+|lesion|stenosis|disease\w*|block\w+)|circumflex|"
        r"the (proximal |mid |distal )?(lad|rca|lcx)|lmca)\b",
        "an ECG shows walls of the heart, and arteries supply them differently from one person to "
        "another",
    ),
    Topic(
        "the cause of a symptom",
        r"\b(could|can|does|is|are|explain\w*|cause[sd]?|due to|because of)\b[^.?]*\b"
        r"(pain|syncope|palpitations?|dizz\w+|breathless\w*|faint\w*|collapsed?|symptom\w*|anxi\w+|"
        r"stress(ed)?)\b",
        "what somebody feels has many causes, and an ECG without a finding excludes none of them",
    ),
    Topic(
        "how well a pacemaker works",
        r"\b((failure|fails?|loss) (to|of) (capture|sense|capturing|sensing)|(over|under)sens\w+|"
        r"(good|full|proper|any|no|does \w+|is \w+) captur(e|ing)|"
        r"(?=(pacemaker|pacer|device) (is )?(work\w*|function\w*|malfunction\w*|fail\w*|ok))|"
        r"(what|which) mode|vvi|ddd|aai|(is )?(set|programmed) (to|at|as))\b",
        "only spikes and the beats right after them are looked for; a device is judged with its "
        "programming at hand",
    ),
    Topic(
        "another disease",
        r"\b(diabet\w+|asthma|copd|cancer|tumou?rs?|depress(ion|ed) (disorder|mood)|anaemia|anemia|"
        r"pneumonia|kidney (failure|disease)|renal failure|thyroid|stroke|infection|sepsis|"
        r"covid\S*|pregnan\w+|dementia|epilepsy|alzheimer\S*|liver|"
        r"pulmonary embol(ism|us)|pe|cor pulmonale)\b",
        "this is not diagnosed by an ECG; other tests are made for it",
    ),
    Topic(
        "the cause of a finding",
        r"\b(what (\w+ )?(causes?|caused|(could|can|may|might) (be )?(the )?(cause|explain)\w*|"
        r"brings? it about)|cause of|caused by|"
        r"(differential|aetiology|etiology)( diagnos[ie]s)?)\b",
        "an ECG shows what is there, and each finding has several causes",
    ),
    Topic(
        "the course",
        r"\b(prognos\w+|how long will|life expectancy|will (i|we|he|she|they|the patient|"
        r"this patient|my \w+) (die|collapse|survive|have|get)|going to (die|arrest|collapse|"
        r"crash)|survival|mortality)\b",
        "no outcome of one person can be read off one ECG",
    ),
    Topic(
        "the patient's history or person",
        r"\b(stent|bypass( surgery)?|chemotherapy|operations?|surger(y|ies)|smok\w+|alcohol|"
        r"name of (this|the) patient|who is (this|the) patient|patient's name|"
        r"how tall is (he|she|(the|this) (patient|man|woman|person))|"
        r"(body|patient's) (height|weight)|address|phone number|birthday|ethnicity|occupation|"
        r"medical history|past history|family history)\b",
        "the ECG shows the heart's electrical activity at the time of recording, not the patient's "
        "past or person",
    ),
)
"""The words decide: `ecg_llm.answer` declines such a question before any model is asked."""

NOT_SOUGHT = re.compile(
    r"\b(wellens('|s|'s)?( (sign|syndrome|pattern))?|"
    r"epsilon( waves?)?|osborne?( waves?)?|j waves?|u waves?|(electrical )?alternans|s1 ?q3 ?t3|"
    r"tako ?tsubo|arv[cd]|(hypertrophic |dilated )?cardiomyopathy|ho?cm|amyloid\w*|torsades?|"
    r"multifocal atrial tachycardia|wandering (atrial )?pacemaker|ectopic atrial \w+|"
    r"sick sinus( syndrome)?|(sino-?atrial|sa) (block|exit block)|fragmented qrs|"
    r"(cardiac )?tamponade|pericardial effusion|hypothermia|hypercalc\w+|hypocalc\w+|(rv|"
    r"right ventricular) (infarct\w*|mi|involvement)|athlete'?s'? heart|avn?rt|qrs[- ]t angle|"
    r"coupling intervals?|compensatory pauses?|(uni|multi)focal\w*|(mono|poly)morphi\w+|(pp|"
    r"p-p) intervals?|(r[- ]wave )?transition( zone)?|(counter[- ]?)?clockwise|av[- ]?nodal|"
    r"re-?entr\w+|outflow tract|accessory pathway|(right (heart|ventricular)|rv) strain|"
    r"p[rq][- ](seg(ment)?( depression)?|depression)|dig(oxin|italis)? toxi\w+|r on t|aslanger|"
    r"av delay|strauss( criteria)?|fusion( beats?)?|captur(e|es|ing)( beats?)?|conduction ratio|"
    r"(what|which) ratio|coarse|fine f|(up|down)[- ]?slop\w+|horizontal|conca\w+|convex\w*|(by |"
    r"with )?(framingham|hodges|rautaharju)('s)?|(from )?which ventricle|(which|what) (focus|"
    r"origin)|[rl]vot|south african flag|pardee|aberran\w+|(rate|tachycardia)[- ](related|"
    r"dependent))\b",
    re.IGNORECASE,
)
"""Signs that clinicians ask for and no criterion here looks for."""

_ECG = r"(ECG|EKG|tracing|electrocardiogram|recording|signal|file)"
DECLINES = re.compile(
    rf"\b(an?|no|one|any) (\w+ )?{_ECG} (alone )?"
    r"(does not|doesn't|cannot|can't|can not|will not|tells|shows|says|records)\b|"
    rf"\b(the|this) {_ECG} (does not|cannot|can't) (tell|answer|hold|foretell|say|give|know)\b|"
    rf"\b(from|by|on) (an|this|the) {_ECG}\b.*: |"
    rf"\b(cannot|can't|can not|could not|not) be (\w+ ){{1,3}}(an?|the|this|one) (\w+ )?{_ECG}\b|"
    rf"\bnot (in|part of) (an?|the|this) {_ECG}\b|\bto an? {_ECG}\b|"
    r"\b(I|we) (cannot|can't|can not|do not|don't|will not|won't|would rather not|decline|ignore|"
    r"keep to|stay with|report what was measured)\b|"
    r"\b(that|this|it|the question) (cannot|can't) be (answered|told|said)\b|"
    r"\b(beyond|elsewhere|other tests|look it up|blood sample|are measured in blood|sorry|"
    r"echocardiography does|measurement stands|tracing says otherwise|has to follow|"
    r"depends on|is decided)\b",
    re.IGNORECASE,
)
"""How an answer says that it cannot be given: of the ECG or of itself, never of the patient."""
# Statements of ECG-QA and SCP-ECG that use such words of the ECG itself.
_ELECTRICAL = re.compile(
    r"digitalis|ST[- ](depression|segment)|systolic overload|hyperkal|hypokal|electrolyte", re.I
)


def topic_of(question: str) -> Topic | None:
    """Tell whether a question asks for something that no ECG tells.

    Returns
    -------
    Topic or None
        None if nothing in it is known to be out of an ECG's reach.

    Examples
    --------
    >>> topic_of("Does this patient have diabetes?").name
    'another disease'
    >>> topic_of("Is there ST depression?") is None
    True
    """
    if _ELECTRICAL.search(question):
        return None
    for topic in TOPICS:
        if re.search(topic.words, question, re.IGNORECASE):
            return topic
    return None


def goes_beyond(text: str) -> str | None:
    """Find out whether a sentence affirms what no ECG tells, or a sign that nobody looked for.

    Returns
    -------
    str or None
        Why it may not be said; None if it says no such thing, or denies that an ECG tells it.

    Examples
    --------
    >>> goes_beyond("The patient has diabetes.")
    'another disease: this is not diagnosed by an ECG; other tests are made for it'
    >>> goes_beyond("Diabetes cannot be seen on an ECG.") is None
    True
    >>> goes_beyond("There are prominent U waves.")
    'no criterion looks for U waves'
    """
    topic = topic_of(text)
    if topic and (not DECLINES.search(text) or re.search(r"\d ?(mg|mmol|%)", text)):
        return f"{topic.name}: {topic.why}"
    found = NOT_SOUGHT.search(text)
    return None if found is None else f"no criterion looks for {found[0]}"
