"""The descriptions themselves: signs on the tracing, by statement."""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "super:MI": ("myocardial infarction", "MI", "infarct", "heart attack", "infarction of any wall",
                 "myocardial injury or infarction"),
    "super:STTC": ("ST-T change", "ST/T changes", "ST and T wave abnormality",
                   "repolarization abnormality", "repolarization disturbance",
                   "ischaemic or nonspecific ST-T changes"),
    "super:CD": ("conduction disturbance", "conduction disorder", "conduction abnormality",
                 "bundle branch, fascicular or AV block", "impaired conduction"),
    "super:HYP": ("hypertrophy", "chamber hypertrophy or enlargement", "cardiac hypertrophy",
                  "ventricular hypertrophy or atrial enlargement", "enlarged heart chambers"),
    "sub:STTC": ("other ST-T changes", "nondiagnostic ST-T changes", "drug or electrolyte effect"),
    "sub:IMI": ("inferior myocardial infarction", "inferior wall infarct", "inferior MI",
                "old inferior infarction"),
    "sub:AMI": ("anterior myocardial infarction", "anterior wall infarct", "anterior MI",
                "anteroseptal myocardial infarction", "old anterior infarction"),
    "sub:LAFB/LPFB": ("left anterior or left posterior fascicular block", "fascicular block",
                      "hemiblock", "left anterior/left posterior fascicular block"),
    "sub:_AVB": ("AV block", "atrioventricular block", "heart block", "delayed AV conduction"),
    "sub:ISCA": ("ischaemia in anterior leads", "anterior ischaemia",
                 "anterior or lateral ischaemic ST-T changes"),
    "sub:ISCI": ("ischaemia in inferior leads", "inferior ischaemia",
                 "inferior or inferolateral ischaemic ST-T changes"),
    "INVT": ("inverted T waves", "negative T waves", "T wave inversion"),
    "LOWT": ("low T waves", "flat T waves", "T wave flattening"),
    "TAB_": ("T wave abnormality", "abnormal T waves"),
    "NT_": ("nonspecific T wave changes", "unspecific T wave abnormality"),
    "NDT": ("nondiagnostic T wave abnormality", "non-diagnostic T abnormalities"),
    "left_axis": ("left axis deviation", "leftward axis"),
    "right_axis": ("right axis deviation", "rightward axis"),
    "NORM": ("normal ECG", "normal", "no abnormality", "healthy heart", "normal findings"),
    "ISC_": ("nonspecific ischaemic changes", "ischaemic ST-T changes", "ischaemia"),
    "ABQRS": ("abnormal QRS", "abnormal QRS complex", "abnormal QRS morphology",
              "deformed ventricular complex"),
    "PRC(S)": ("premature complexes", "premature beats", "extrasystoles", "ectopic beats",
               "early beats of unknown origin"),
    "HVOLT": ("high QRS voltage", "high voltage", "large QRS amplitude", "tall QRS complexes"),
    "LVOLT": ("low QRS voltage", "low voltage", "small QRS amplitude"),
    "SVARR": ("supraventricular arrhythmia", "atrial arrhythmia", "irregular atrial rhythm"),
    "PSVT": ("paroxysmal supraventricular tachycardia", "PSVT"),
    "SVTAC": ("supraventricular tachycardia", "SVT", "narrow complex tachycardia"),
    "SEHYP": ("septal hypertrophy", "hypertrophy of the interventricular septum",
              "thickened septum"),
    "EL": ("electrolyte disturbance or drug effect", "electrolyte disturbance", "hypokalaemia",
           "electrolyte imbalance"),
    "DIG": ("digitalis effect", "digoxin effect", "digitalis", "scooped ST segments"),
    "ANEUR": ("ventricular aneurysm", "ST-T changes of a ventricular aneurysm"),
    "CLBBB": ("left bundle branch block", "LBBB", "complete left bundle branch block",
              "left-sided bundle block"),
    "CRBBB": ("right bundle branch block", "RBBB", "complete right bundle branch block",
              "right-sided bundle block"),
    "IVCD": ("intraventricular conduction disturbance", "nonspecific intraventricular block",
             "intraventricular conduction delay"),
    "AFIB": ("atrial fibrillation", "AF", "a fib", "irregularly irregular rhythm"),
    "AFLT": ("atrial flutter", "sawtooth flutter waves"),
    "PACE": ("pacemaker rhythm", "artificial pacemaker", "paced rhythm", "electronic pacing"),
    "SR": ("sinus rhythm", "normal sinus rhythm", "regular sinus rhythm"),
    "STACH": ("sinus tachycardia", "fast sinus rhythm", "rapid heart rate"),
    "SBRAD": ("sinus bradycardia", "slow sinus rhythm", "slow heart rate"),
    "SARRH": ("sinus arrhythmia", "irregular sinus rhythm", "respiratory sinus arrhythmia"),
    "BIGU": ("bigeminy", "bigeminal pattern", "every second beat premature",
             "ventricular bigeminy"),
    "TRIGU": ("trigeminy", "trigeminal pattern", "every third beat premature"),
    "PVC": ("ventricular premature complex", "premature ventricular contraction", "PVC",
            "ventricular extrasystole", "ventricular ectopy"),
    "PAC": ("atrial premature complex", "premature atrial contraction", "PAC",
            "supraventricular extrasystole", "atrial ectopy"),
    "LAO/LAE": ("left atrial enlargement", "left atrial overload", "dilated left atrium"),
    "RAO/RAE": ("right atrial enlargement", "right atrial overload", "dilated right atrium"),
    "LVH": ("left ventricular hypertrophy", "LVH", "thickened left ventricle"),
    "RVH": ("right ventricular hypertrophy", "RVH", "thickened right ventricle"),
    "aberrant_rhythm": ("atrial fibrillation or flutter", "atrial flutter or fibrillation"),
    "atrial_tachycardia": ("atrial tachycardia", "ectopic atrial tachycardia"),
    "ventricular_escape_beat": ("ventricular escape beat", "ventricular escape"),
    "junctional_escape_beat": ("junctional escape beat", "nodal escape beat"),
    "counterclockwise_rotation": ("counterclockwise rotation", "early precordial transition"),
    "clockwise_rotation": ("clockwise rotation", "late precordial transition"),
    "p_wave_change": ("P wave change", "abnormal P wave"),
    "st_t_changes": ("ST-T change", "ST-T abnormality"),
    "st_tilt_up": ("upsloping ST segment", "ST tilt up", "ascending ST segment"),
    "u_wave": ("U wave", "prominent U wave"),
}  # fmt: skip
"""Names beyond those of `ecg_llm.vocabulary`, and of what has none there; the plainest first."""

_Q = "pathological Q waves or QS complexes in"
_ISCH = "ST depression or inverted T waves in"
_INJ = "horizontal or falling ST depression of subendocardial injury in"

SIGNS: dict[str, str] = {
    # classes
    "NORM": "regular sinus rhythm of 60 to 100 beats per minute; normal P waves; normal PR "
    "interval; narrow QRS complexes; normal axis; ST segments on the baseline; upright T waves; "
    "no hypertrophy, no block, no infarction",
    "super:MI": "pathological Q waves of 40 ms or a quarter of the R wave; loss of R waves; QS "
    "complexes in leads of one wall; ST elevation or depression of injury; inverted T waves; "
    "anterior, inferior, lateral or posterior wall",
    "super:STTC": "ST depression or elevation; flat or inverted T waves; prolonged QT interval; "
    "ischaemia, digitalis, electrolytes or nonspecific repolarization change",
    "super:CD": "wide QRS complex; bundle branch block; left axis deviation with fascicular block; "
    "PR interval above 200 ms; dropped beats; delta wave",
    "super:HYP": "tall R waves in V5 and V6 and deep S waves in V1; high QRS voltage; broad or "
    "tall P waves; strain of ST and T; enlarged atrium",
    "sub:STTC": "nondiagnostic T wave abnormality; scooped ST segments of digitalis; prolonged QT "
    "interval; ST elevation of an aneurysm; electrolyte disturbance",
    "sub:IMI": f"{_Q} II, III and aVF; inferior wall; also inferolateral and inferoposterior",
    "sub:AMI": f"{_Q} V1 to V4; loss of R waves in the anterior leads; poor R wave progression; "
    "anteroseptal or anterolateral wall",
    "sub:LAFB/LPFB": "left axis deviation beyond minus 45 degrees or right axis deviation; QRS "
    "narrower than 120 ms; qR in I and aVL or in III and aVF",
    "sub:_AVB": "PR interval above 200 ms; dropped QRS complexes after P waves; dissociation of P "
    "waves and QRS complexes",
    "sub:ISCA": f"{_ISCH} V1 to V6, I or aVL; anterior, anteroseptal, anterolateral or lateral "
    "wall",
    "sub:ISCI": f"{_ISCH} II, III and aVF; inferior wall, also V5 and V6",
    # infarction and injury
    "IMI": f"{_Q} II, III and aVF; inferior wall scar; inferior T inversion",
    "ILMI": f"{_Q} II, III, aVF, V5 and V6; inferior and lateral wall",
    "IPMI": f"{_Q} II, III and aVF; tall R waves in V1 and V2; inferior and posterior wall",
    "IPLMI": f"{_Q} II, III, aVF, V5 and V6; tall R waves in V1 and V2; inferior, posterior and "
    "lateral wall",
    "PMI": "tall and broad R waves in V1 and V2; R larger than S in V1; upright T waves in V1 to "
    "V3; posterior wall",
    "LMI": f"{_Q} I, aVL, V5 and V6; lateral wall",
    "ASMI": f"{_Q} V1 to V3; loss of R waves in V1 to V3; poor R wave progression; septum and "
    "anterior wall",
    "AMI": f"{_Q} V2 to V4; loss of R waves in the anterior leads; poor R wave progression; "
    "anterior wall",
    "ALMI": f"{_Q} V3 to V6, I and aVL; loss of R waves; anterior and lateral wall",
    "INJAS": f"{_INJ} V1 to V4; septum and anterior wall",
    "INJAL": f"{_INJ} V3 to V6, I and aVL; anterior and lateral wall",
    "INJLA": f"{_INJ} I, aVL, V5 and V6; lateral wall",
    "INJIN": f"{_INJ} II, III and aVF; inferior wall",
    "INJIL": f"{_INJ} II, III, aVF, V5 and V6; inferior and lateral wall",
    # ST and T
    "ISC_": "ST depression; inverted T waves; ischaemia without a certain wall",
    "ISCAS": f"{_ISCH} V1 to V4; septum and anterior wall",
    "ISCAN": f"{_ISCH} V2 to V4; anterior wall",
    "ISCAL": f"{_ISCH} V3 to V6, I and aVL; anterior and lateral wall",
    "ISCLA": f"{_ISCH} I, aVL, V5 and V6; lateral wall",
    "ISCIN": f"{_ISCH} II, III and aVF; inferior wall",
    "ISCIL": f"{_ISCH} II, III, aVF, V5 and V6; inferior and lateral wall",
    "NDT": "flat, low or slightly inverted T waves; T wave abnormality without a certain cause",
    "NT_": "unspecific change of the T waves; flat or low T waves",
    "NST_": "small ST depression or elevation without a certain cause; unspecific ST segment",
    "DIG": "scooped, sagging ST depression in leads with tall R waves; short QT interval; flat T "
    "waves; long PR interval; effect of digitalis",
    "LNGQT": "QT interval long for the heart rate; corrected QT above 450 to 470 ms; late end of "
    "the T wave",
    "ANEUR": "persistent ST elevation; deep Q waves or QS complexes in the same leads; inverted T "
    "waves",
    "EL": "flat T waves with prominent U waves; long QT interval; tall tented T waves; change by "
    "potassium, calcium or a drug",
    "STD_": "ST segment below the baseline; horizontal or falling ST depression of 0.05 mV or more",
    "STE_": "ST segment above the baseline; ST elevation of 0.1 mV or more in neighbouring leads",
    "INVT": "inverted T waves; negative T where it should be upright, in I, II or V3 to V6",
    "LOWT": "low T waves; T amplitude below a tenth of the R wave; flat T waves",
    "TAB_": "abnormal T waves; flat, biphasic or inverted T waves",
    # conduction
    "1AVB": "PR interval above 200 ms; every P wave followed by a QRS complex; delayed AV "
    "conduction",
    "2AVB": "some P waves without a QRS complex; dropped beats; PR interval growing before the "
    "pause, or constant",
    "3AVB": "P waves and QRS complexes independent of each other; slow escape rhythm; no AV "
    "conduction",
    "LPR": "PR interval above 200 ms; late QRS after the P wave",
    "CLBBB": "QRS duration of 120 ms or more; broad notched R waves in I, aVL, V5 and V6 without "
    "Q; deep S waves or QS complexes in V1 to V3; ST and T opposite to the QRS",
    "CRBBB": "QRS duration of 120 ms or more; rsR' or broad R wave in V1; broad S waves in I and "
    "V6; inverted T waves in V1 to V3",
    "ILBBB": "QRS duration of 110 to 119 ms; left bundle branch block shape; slurred R waves in V5 "
    "and V6 without Q",
    "IRBBB": "QRS duration below 120 ms; rsR' in V1 or V2; small terminal S waves in I and V6",
    "IVCD": "QRS duration of 110 ms or more; neither left nor right bundle branch block shape",
    "LAFB": "left axis deviation beyond minus 45 degrees; qR in I and aVL; rS in II, III and aVF; "
    "QRS narrower than 120 ms",
    "LPFB": "right axis deviation; rS in I and aVL; qR in III and aVF; QRS narrower than 120 ms",
    "WPW": "short PR interval below 120 ms; delta wave at the start of the QRS; broad QRS; "
    "ventricular pre-excitation",
    "ABQRS": "abnormal shape of the QRS complex; notches or slurs; unusual R and S waves; wide or "
    "split QRS",
    # chambers and voltage
    "LVH": "deep S waves in V1 with tall R waves in V5 or V6, together above 3.5 mV; tall R wave "
    "in aVL; ST depression and inverted T waves in I, aVL, V5 and V6; left axis deviation",
    "VCLVH": "deep S waves in V1 with tall R waves in V5 or V6, together above 3.5 mV; high "
    "voltage without strain",
    "RVH": "right axis deviation; tall R wave in V1; deep S waves in V5 and V6; inverted T waves "
    "in V1 to V3",
    "SEHYP": "deep narrow Q waves in the lateral and inferior leads; tall R waves in V1 and V2; "
    "thick septum",
    "LAO/LAE": "P wave of 120 ms or more; notched P wave in II; deep terminal negative P in V1",
    "RAO/RAE": "tall peaked P wave above 0.25 mV in II, III and aVF; tall P wave in V1",
    "LVOLT": "QRS amplitude below 0.5 mV in every limb lead or below 1 mV in every chest lead; "
    "small complexes",
    "HVOLT": "tall QRS complexes; large R and S amplitudes in the chest leads",
    "QWAVE": "pathological Q waves; Q of 30 to 40 ms or a quarter of the R wave; QS complexes",
    # ectopy and rhythm
    "PVC": "early broad QRS complex without a preceding P wave; compensatory pause; odd shape of "
    "single beats",
    "PAC": "early narrow QRS complex after an early P wave of another shape; short pause",
    "PRC(S)": "single early beats; irregular rhythm by premature complexes",
    "SR": "upright P wave in II before every QRS complex; regular rhythm of 60 to 100 beats per "
    "minute; constant PR interval",
    "STACH": "heart rate above 100 beats per minute; P wave before every QRS complex",
    "SBRAD": "heart rate below 60 beats per minute; P wave before every QRS complex",
    "SARRH": "RR intervals varying by more than 120 ms; P wave before every QRS complex; rate "
    "changing with breathing",
    "AFIB": "no P waves; irregular RR intervals without a pattern; fine fibrillatory baseline",
    "AFLT": "flutter waves like saw teeth of 240 to 340 per minute in II, III and aVF; no P waves; "
    "regular or grouped RR intervals; 2:1 or 4:1 conduction",
    "SVTAC": "heart rate above 120 beats per minute; narrow QRS complexes; regular rhythm; P waves "
    "hidden or after the QRS",
    "PSVT": "attack of regular narrow tachycardia above 150 beats per minute; P waves hidden; "
    "sudden onset and end",
    "SVARR": "irregular rhythm of the atria; changing P waves; narrow QRS complexes",
    "PACE": "narrow pacing spikes before P waves or QRS complexes; broad QRS complexes after the "
    "spikes",
    "BIGU": "every second beat premature; pairs of beats; alternating RR intervals",
    "TRIGU": "every third beat premature; groups of three beats",
    # of other data sets
    "aberrant_rhythm": "no P waves; irregular RR intervals, or saw teeth of flutter waves",
    "atrial_tachycardia": "heart rate above 100 beats per minute; P waves of another shape before "
    "narrow QRS complexes; regular rhythm",
    "ventricular_escape_beat": "late broad QRS complex after a pause; no P wave before it",
    "junctional_escape_beat": "late narrow QRS complex after a pause; no P wave before it",
    "mobitz_1": "PR interval growing from beat to beat; then a P wave without a QRS complex; "
    "grouped beats",
    "left_axis": "QRS axis left of minus 30 degrees; upright QRS in I; negative QRS in II, III and "
    "aVF",
    "right_axis": "QRS axis right of plus 90 degrees; negative QRS in I; upright QRS in III and "
    "aVF",
    "counterclockwise_rotation": "R larger than S already in V1 or V2; early transition",
    "clockwise_rotation": "S larger than R as far as V5; late transition; poor R wave progression",
    "p_wave_change": "notched, broad, tall or inverted P waves",
    "st_t_changes": "ST depression or elevation; flat or inverted T waves",
    "st_tilt_up": "ST segment rising towards the T wave; upsloping ST",
    "early_repolarization": "notch or slur at the end of the QRS; ST elevation rising into tall T "
    "waves; young heart",
    "u_wave": "small wave after the T wave; prominent in V2 and V3; slow heart rate",
}  # fmt: skip
"""What shows on the tracing, sign by sign."""
