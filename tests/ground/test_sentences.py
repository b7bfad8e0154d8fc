"""True and false sentences on real ECGs, as a sceptical reader writes them."""

from __future__ import annotations

import pytest

from ecg_llm.analysis import analyse
from ecg_llm.ground.check import check_sentence
from ecg_llm.ground.known import known_of
from ecg_llm.io import read_record

FALSE = {
    "00177_hr": """
        The T waves are inverted in V4.
        Anteroseptal infarction of stage II.
        Anteroseptal infarction in evolution.
        Extensive anteroseptal infarction.
        Q waves in V2–V4 are a normal variant.
        Pathological Q waves confined to V2.
        ST is elevated by 3.5 mV in V2.
        Left anterior fascicular block, idiopathic.
        Anteroseptal infarction three years ago.
        QRS duration is 108 ms.
        QTc (Bazett) is 381 ms.
        QTc (Fridericia) 411 ms.
        The QT interval is 381 ms.
        The corrected QT is 328 ms.
        PR interval 0.26 s.
        PR interval 160 s.
        Heart rate 94 ms.
        The heart rate is one hundred and twenty per minute.
        The PR interval is two hundred ten milliseconds.
        The heart rate is between 60 and 80.
        QRS axis of 45 degrees.
        QRS axis +45°.
        Normal axis.
        The axis is no longer deviated to the left.
        Q waves in V5 and V6.
        Q waves are confined to the inferior leads.
        There are no pathological Q waves in V2.
        There are no Q waves.
        T wave inversion in V2-V4.
        T waves are inverted in the inferior leads.
        ST depression in V2 of 0.17 mV.
        ST elevation of 5 mm in V2.
        ST is isoelectric in V2.
        ST segments are elevated in II, III and aVF.
        This is a normal tracing.
        Nothing pathological is seen.
        No evidence of prior infarction.
        An inferior infarct is present.
        Signs of an old posterior wall infarction.
        There is left posterior fascicular block.
        The rhythm is irregular.
        P waves are missing.
        Every third beat is premature.
        Frequent ventricular extrasystoles.
        A few PVCs are seen.
        Bigeminy.
        Sinus tachycardia.
        The rate is above 100.
        Rate under 90 bpm.
        The patient is in atrial flutter with 2:1 conduction.
        Intraventricular conduction is delayed.
        The QRS complexes are broad.
        Incomplete right bundle branch block.
        PR is prolonged.
        QTc is borderline prolonged.
        The QT interval is markedly prolonged, exceeding 500 ms.
        Low voltage in the limb leads.
        Sokolow-Lyon index 3.6 mV.
        R in V5 is 2.4 mV.
        S in V1 measures 0.2 mV.
        The tallest R wave is in V6.
        The rate has doubled since the last recording.
        Compared with the previous tracing the QRS is unchanged.
        Sixteen beats, all of them paced.
        20 beats were recorded.
        2 of 16 beats are ventricular.
        The infarction is acute.
        Acute anterior STEMI.
        LAFB has resolved.
        An incidental RBBB cannot be overlooked.
        It would be wrong to deny atrial fibrillation here.
        Atrial fibrillation, as suspected, is confirmed.
        The absence of P waves speaks for atrial fibrillation.
        T waves are tall and peaked.
        PR 106 ms.
        The PR interval is shortened.
        Delta waves are visible.
        QRS > 120 ms.
        QRS width exceeds 110 ms.
        The QRS is twice as wide as normal.
        HR 94/min, PR 160 ms, QRS 96 ms, QT 411 ms.
        PR/QRS/QT 160/328/96 ms.
        Rate 94, PR 96, QRS 160.
        The mean RR interval is 94 ms.
        The RR interval is 0.94 s.
        P axis -45°.
        T axis is 160°.
        QRS duration 96 mV.
        ST at J in V3 is 1.6 mV.
        ST in V3 0.16 mm.
        Sinus rhythm at one hundred and twenty beats per minute.
        Sinus rhythm with a PR of two hundred and ten milliseconds.
        Sinus rhythm, every third beat is premature.
        Sinus rhythm with occasional dropped beats.
        Sinus rhythm with wandering pacemaker.
        Sinus rhythm, otherwise unremarkable.
        Sinus rhythm; apart from that the tracing is normal.
        Q waves in V1 to V4, the latter being 0.9 mV deep.
        Q waves spare the anterior leads.
        Q waves sparing V2.
        Q waves in V2 but not in V3.
        Q waves in V2-V4, absent in V3.
        Pathological Q waves, most prominent in II, III and aVF.
        Pathological Q waves are most prominent in aVF.
        Pathological Q waves, i.e. in V5.
        Left anterior fascicular block with left axis deviation of -60°.
        Left anterior fascicular block, axis minus sixty degrees.
        Anteroseptal infarction with persistent ST depression.
        Anteroseptal infarction extending to the lateral wall.
        Anteroseptal and inferior infarction.
        Anteroseptal infarction, acute.
        Recent anteroseptal infarction.
        Evolving anteroseptal infarction.
        Anteroseptal infarction with aneurysm.
        Sinus rhythm with AV block.
        Sinus rhythm, PR at the upper limit of normal.
        QRS 96 ms, i.e. widened.
        QRS 96 ms (prolonged).
        QTc 381 ms, which is prolonged.
        QTc 381 ms (Bazett), QT 328 ms.
        QTcB 381 ms.
        QTc was 381 ms by Bazett's formula.
        Using Bazett the QTc is 381 ms.
        QT/QTc 381/328 ms.
        QT (QTc) 381 (328) ms.
        PR 96 ms, QRS 160 ms.
        PR and QRS are 96 and 160 ms.
        P, PR and QRS: 160, 93 and 96 ms.
        Heart rate 94 bpm, atrial rate 300 bpm.
        Ventricular rate 94 bpm, atrial rate 188.
        Heart rate rose to 94 bpm.
        Heart rate 94 bpm, up from 60.
        Heart rate 49 bpm.
        HR 49.
        Heart rate 94 bpm ± 20.
        Heart rate 94 bpm (bradycardia).
        Heart rate 94 bpm, tachycardic.
        Heart rate at least 100 bpm.
        Heart rate at most 90 bpm.
        Rate 100+.
        The rate hardly reaches 80 bpm.
        Rate in the fifties.
        R in V6 exceeds 2 mV.
        R in V6 0.9 mV and in V5 2.0 mV.
        R waves of 15 mm in V5.
        S in V1 plus R in V5 3.6 mV.
        SV1 + RV5 = 36 mm.
        ST elevation of 1 mm in V1-V6.
        ST elevation in every lead.
        ST elevation in all precordial leads.
        ST elevation is limited to II, III, aVF.
        ST elevation reaching 4 mm.
        ST elevation up to 4 mm in V2.
        ST segment 0.24 mV in V5.
        ST depression in no lead but V5.
        No ST depression except in V5 and V6.
        No T wave inversion other than in III.
        T inversion nowhere but in V6.
        No AF, but atrial flutter.
        No LBBB but RBBB.
        No block apart from RBBB.
        Not LAFB but LPFB.
        LPFB rather than LAFB.
        LAFB cannot be confirmed.
        LAFB is doubtful.
        LAFB is ruled out by an axis of −45°.
        Sinus rhythm is questionable.
        Could be sinus rhythm, but more likely atrial flutter.
        Both bundle branches are blocked.
        Bifascicular block.
        Trifascicular block.
        Left anterior fascicular block plus RBBB.
        Hypertrophy of the left ventricle.
        The left ventricle is hypertrophied.
        The left atrium is enlarged.
        Signs of left heart strain.
        High voltages.
        The patient has no heart disease.
        Hyperkalaemia is likely.
        Probable RBBB.
        Possible LVH.
        RBBB cannot be excluded.
        There may be atrial fibrillation.
        RBBB might be present.
        Suspicion of acute ischaemia.
        Consider pericarditis.
        WPW pattern cannot be ruled out.
        Sinus rhythm with QRS prolongation to 140 ms.
        The QRS, 140 ms, is wide.
        QRS duration of 0.96 s.
        QRS duration: 9.6 ms.
        PR 1.6 s.
        Heart rate: 49/min.
        Heart rate 0.94 bpm.
        A rate of 940 bpm.
        Ventricular rate 94, atrial rate 150.
        QTc 478 ms.
        QTc: 387 ms.
        QTc between 420 and 450 ms.
        QTc over 400 ms (Fridericia).
        QTc (Bazett) below 400 ms.
        QTc of less than 350 ms.
        PR at least 200 ms.
        PR as long as 200 ms.
        PR up to 220 ms.
        PR no shorter than 180 ms.
        PR not less than 180 ms.
        PR reaches 210 ms.
        PR of nearly 200 ms.
        The PR interval, normally 160 ms, is 200 ms here.
        QRS axis −54°.
        QRS axis between 0° and 60°.
        The axis lies in the normal quadrant.
        The axis is vertical.
        The frontal axis is horizontal at 10°.
        Left axis deviation with an axis of −35°.
        Axis −45° with left posterior hemiblock.
        Q wave in aVF 0.3 mV.
        Q waves 1.3 mV deep in V5.
        Q in V3 lasts 40 ms.
        Deep Q waves in I and aVL.
        QS complexes in II, III and aVF.
        R/S ratio in V1 above 1.
        Tall R in V1.
        Dominant R wave in V1.
        R wave of 2.0 mV in lead I.
        The R waves in V5 and V6 are tall, 2 mV each.
        S wave in V1 of 2.4 mV.
        ST elevation in V3 (0.34 mV).
        ST elevation V5–V6.
        ST depression of 2 mm in III.
        ST depression in V4-V6.
        Downsloping ST depression in I and aVL.
        T waves are flat in V2.
        T wave in V3 is negative (−0.3 mV).
        Symmetrical T inversions in V1–V3.
        Biphasic P waves in V1.
        P duration 130 ms.
        P waves are broad.
        P wave axis is abnormal.
        RR interval varies by 15 %.
        Sinus arrhythmia.
        Respiratory sinus arrhythmia with a rate of 94 bpm.
        Ectopic atrial rhythm.
        Accelerated junctional rhythm at 94 bpm.
        Supraventricular tachycardia at 94 bpm.
        Rhythm: atrial flutter, 2:1.
        AF excluded? No, AF is present.
        Contrary to the machine reading there is atrial fibrillation.
        Left anterior fascicular block can be excluded.
        There is nothing to suggest left anterior fascicular block.
        LAFB: no.
        LAFB - absent.
        RBBB: yes.
        RBBB +.
        AV block: first degree.
        AV block, type Mobitz II.
        Infarction: inferior.
        Infarct localisation: lateral.
        MI: none.
        Myocardial infarction involving the inferior wall.
        Hypertrophy: left ventricular.
        Ischaemia is present in the lateral leads.
        Lateral ischaemia cannot be overlooked.
        Anterior ischaemia.
        Signs of acute right heart strain.
        Possible old inferior infarct.
        Probably atrial fibrillation.
        Likely LVH with strain.
        It looks like a right bundle branch block.
        This could well be Brugada.
        Suggestive of hyperkalaemia.
        Compatible with pericarditis.
        A pacemaker is in place.
        Pauses up to 2.5 s.
        Couplets and bigeminy.
        Isolated PAC.
        3 PVCs in 10 s.
        One of 16 beats is a PVC.
        Beat 4 is a ventricular extrasystole.
        Every beat is preceded by two P waves.
        Only 10 of 15 beats have a P wave.
        Of 15 beats, 12 are conducted.
        The recording is of poor quality.
        V3 cannot be read.
        Leads I and II are swapped.
        Arm electrodes reversed.
        Lead V2 is missing.
        Sinus rhythm, rate sixty.
        The PR measures a fifth of a second plus 40 ms.
        PR 160 ms (0.26 s).
        QRS 96 ms, thus prolonged.
        QRS 96 ms - broad complex rhythm.
        LAFB without left axis deviation.
        LAFB with normal axis.
        LAFB in the absence of Q waves.
        Anteroseptal infarct, QRS 130 ms.
        Anteroseptal infarct with Q waves in V5 and V6.
        Anteroseptal infarct with R waves of 1.2 mV in V2.
        Q waves in V2–V6.
        Q waves in V1, V2 and aVF.
        No Q waves except in III.
        Q waves in all leads.
        ST elevation nowhere.
        ST segments normal throughout.
        T waves normal in all leads except V5, where they are inverted.
        T waves are low in V2.
        ST-T changes of ischaemia in V5–V6.
        STEMI.
        Anterior STEMI (V2–V4).
        Acute occlusion is excluded.
        There is no STEMI.
        No acute infarction.
        The rhythm is sinus arrest.
        SA block.
        Sinus rhythm with first-degree AV block.
        Rate-dependent LBBB.
        Nonspecific intraventricular conduction delay.
        QTc is 378 ms (abnormally short).
        Short QT syndrome.
        QT interval exceeds 400 ms.
        PR below 120 ms; delta wave.
        HR 94 → sinus bradycardia.
        Pulse 72/min.
        The ventricles contract 72 times a minute.
        P waves: none.
        P waves absent, junctional rhythm.
        Inverted P waves in II.
        LVH: yes.
        RVH present.
        Bi-ventricular hypertrophy.
        Left atrial enlargement (P duration 140 ms).
        Low QRS voltage in all leads.
        Electrical axis: normal (16°).
        Electrical axis -90°.
        Extreme axis deviation.
        Northwest axis.
        Compared with the earlier ECG, LAFB is new.
        LAFB, previously not present.
        No interval change.
    """,
    "00001_hr": """
        R exceeds S from V5 on.
        R exceeds S from V3 on.
        R exceeds S in V2.
        R does not exceed S from V1 to V6.
        Normal ECG, which rules out an infarction.
        The ECG excludes ischaemia.
        Hyperkalaemia is excluded.
        Pericarditis has been ruled out.
        The basic rhythm could not be determined.
        The atrial rate does not equal the ventricular rate.
        A normal tracing for a marathon runner.
        Sinus rhythm at 64 bpm, reassuring.
        Sinus rhythm, which has been present for years.
        Normal ECG in a patient with hyperthyroidism.
        The P wave precedes every second QRS.
        Sinus rhythm in an athlete.
        Normal ECG at rest.
        T is inverted in V1 and V2.
        The T wave in V3 is flat.
        Minor ST-T changes.
        Abnormal ECG.
        The ECG is not normal.
        Heart rate is 54 bpm, sinus bradycardia.
        Bradycardia.
        QTc of 460 ms (Bazett).
        ST depression up to 2 mm in V5.
        Left axis.
        Right axis deviation.
        Poor R wave progression.
        Pacing spikes are seen.
        One premature ventricular complex is seen.
        P mitrale.
        Biatrial enlargement.
        LVH by voltage.
        Rate 64 bpm with a first degree block.
        The PR interval is at its upper limit.
        No sinus rhythm.
        Sinus rhythm is absent.
        Not in sinus rhythm.
        The rhythm is anything but regular.
        P waves do not precede each QRS.
        P waves are dissociated from the QRS complexes.
        QRS complexes are wide.
        Slurred upstroke of the QRS.
        Heart rate 46 bpm.
        Heart rate 64 bpm, tachycardia.
        ST elevation of 1 mm in II.
        T inversion in III.
        QRS 110 ms.
        PR 193 ms.
        Axis −16°.
        Axis 61°.
        Short PR.
        The ECG is abnormal because of LVH.
        There are abnormal Q waves in III.
        Not a normal ECG.
        Anything but a normal ECG.
        The QT interval is 409 ms.
        QTc 397 ms (Bazett).
        The rate is 46 to 52 per minute.
        Normal sinus rhythm is not present.
        The P wave is absent.
        Sinus rhythm with a 2:1 block.
        A U wave is present.
    """,
    "00330_hr": """
        The basic rhythm is sinus.
        The underlying rhythm could not be determined.
        The atrial rate equals the ventricular rate.
        Lone atrial fibrillation.
        Atrial fibrillation of recent onset.
        Valvular atrial fibrillation.
        Atrial fibrillation, paroxysmal.
        Long-standing atrial fibrillation.
        Atrial fibrillation due to excitement.
        Atrial fibrillation terminated yesterday.
        Sinus rhythm.
        Regular rhythm.
        P waves precede every QRS complex.
        The PR interval is 160 ms.
        No atrial fibrillation.
        Atrial fibrillation with a rapid ventricular response.
        Atrial fibrillation is no longer present.
        AF with ventricular rate 120.
        The rhythm has converted to sinus rhythm.
        Atrial fibrillation has converted to sinus rhythm.
        Rather than atrial fibrillation this is sinus arrhythmia.
        Atrial fibrillation is unlikely.
        Atrial fibrillation was considered but not confirmed.
        Multifocal atrial tachycardia.
        Longest RR 2.4 s.
        A pause of 3 seconds is seen.
        Atrial fibrillation at a rate of 63 bpm with a PR of 150 ms.
        Atrial fibrillation with P waves in II.
        Atrial fibrillation, regular.
        Atrial fibrillation alternating with sinus rhythm.
        Paroxysmal atrial fibrillation, now in sinus rhythm.
        Atrial fibrillation; first-degree AV block.
        Fine fibrillatory waves at 400/min.
        Atrial fibrillation with aberrancy.
        Atrial fibrillation and complete AV block.
        AF with a longest RR of 2.2 s.
        Slow atrial fibrillation.
        The ventricular rate is regular at 63 bpm.
        Atrial fibrillation, rate 36 bpm.
        Left atrial enlargement.
        P duration 110 ms.
        QTc 435 ms in AF.
        Junctional rhythm.
        T waves inverted in V4-V6.
        LVH.
        R-R intervals are constant.
        RR varies by 3 %.
        Complete heart block with AF.
    """,
    "00338_hr": """
        Type A left bundle branch block.
        QRS 118 ms wide.
        Painful left bundle branch block.
        Left bundle branch block, functional.
        LBBB of no clinical significance.
        Left bundle branch block after TAVI.
        The left bundle branch block is intermittent.
        Left bundle branch block of the anterior fascicle.
        Left bundle branch block during exercise only.
        LBBB, which is chronic.
        Narrow-complex rhythm at 75 bpm.
        Right bundle branch block.
        Bundle branch block is not seen.
        QRS is narrow.
        QRS of 118 ms.
        No conduction disturbance.
        Intraventricular conduction is normal.
        The QTc is 541 ms.
        Positive Sgarbossa criteria.
        LBBB, new since the last ECG.
        The right bundle is blocked.
        First-degree AV block.
        LBBB with QRS 135 ms.
        LBBB and right axis deviation.
        LBBB, QRS below 120 ms.
        LBBB with concordant ST elevation.
        LBBB with ST elevation of 4 mm in V5.
        LBBB, normal QRS.
        Incomplete LBBB.
        The left bundle branch block is incomplete.
        LBBB which is rate related.
        RBBB-like pattern.
        Not LBBB.
        LBBB morphology without widening of the QRS.
        QRS 144 ms without bundle branch block.
        LBBB with QRS 184 ms.
        Left bundle branch block; PR 220 ms.
        T waves upright in I and aVL.
        R wave in V1 is dominant.
        S in V1 3.3 mV.
        Time to R peak in V6 is 45 ms.
        Intrinsicoid deflection in V5 30 ms.
        Normal conduction.
        Hemiblock.
    """,
    "00385_hr": """
        The pacemaker is set to 70 bpm.
        The pacemaker does not capture.
        Atrial pacing.
        No pacing.
        Only 3 of 12 beats are paced.
        The patient's own rhythm prevails.
        Left bundle branch block is present.
        Paced at 90 bpm.
        Dual chamber pacing.
        Paced rhythm, 60/min.
        AAI pacing.
        QRS 164 ms.
        QRS is narrow, 96 ms.
        10 of 12 beats are paced.
        No pacing spikes are visible.
        Axis +51°.
        Right axis deviation.
        Sinus rhythm with pacing on demand.
        PR 180 ms.
    """,
}
"""A sentence a line: numbers, leads and units off, doubts, denials, changes, half-truths."""
TRUE = {
    "00177_hr": """
        R does not exceed S from V1 to V6.
        The R wave does not exceed the S wave in any precordial lead.
        QTc by Bazett 411 ms, by Fridericia 381 ms.
        PR is 160 ms; it is below 200 ms.
        QRS duration is 96 ms.
        QRS of 102 ms over all leads.
        QTc (Bazett) is 411 ms.
        Fridericia's QTc comes to 381 ms.
        QT interval 328 ms.
        PR interval 0.16 s.
        PR is 160 milliseconds.
        Heart rate is 94 per minute.
        The rate is between 90 and 100 bpm.
        The rate lies below 100/min.
        The QRS axis is −45°.
        Left axis deviation.
        The axis is shifted to the left.
        There is left anterior hemiblock.
        Left anterior fascicular block, axis -45 degrees.
        Pathological Q waves in V2 to V4.
        Q waves are present in the anteroseptal leads.
        Old anteroseptal infarct.
        Anteroseptal myocardial infarction of undetermined age.
        Findings are those of an anteroseptal MI.
        There is a QS complex in V1.
        Sinus rhythm.
        Regular sinus rhythm at 94 bpm.
        The rhythm is regular.
        P waves precede each QRS.
        No atrial fibrillation or flutter.
        No extrasystoles.
        No bundle branch block.
        Neither LBBB nor RBBB.
        The QRS is narrow.
        QRS complexes are not widened.
        PR and QTc are normal.
        The QT interval is not prolonged.
        No T wave inversion.
        T waves are upright in V2-V6.
        ST depression is absent.
        No evidence of left ventricular hypertrophy.
        No signs of atrial enlargement.
        Abnormal ECG.
        This is not a normal ECG.
        No delta wave.
        No AV block.
        P duration 93 ms.
        P axis 42°, T axis 55°.
        Mean RR 636 ms.
        ST at J is 0.17 mV in V2.
        ST at J+60 in V2 0.24 mV.
        S in III is 0.75 mV.
        The S wave in lead III measures 7.5 mm.
        R in aVL 0.60 mV.
        No pacemaker spikes.
        No pauses.
        Intervals: PR 160, QRS 96, QT 328, QTc 381 ms.
        PR/QRS/QT 160/96/328 ms.
        Whether there is ST elevation cannot be judged without sex and age.
        An acute occlusion cannot be judged.
        The heart rate is not above 100.
        Sinus rhythm at ninety-four beats per minute.
        PR one hundred and sixty ms.
        Pathological Q waves in V2, V3 and V4 and a QS complex in V1.
        The Q waves are most prominent in V2 and V3.
        Left axis deviation (-45°), consistent with left anterior fascicular block.
        Anteroseptal infarction, age undetermined.
        Anteroseptal infarct of uncertain age.
        Old anteroseptal infarction.
        No second- or third-degree AV block.
        No AV block of any degree.
        No left or right bundle branch block.
        Neither atrial nor ventricular ectopy.
        No paced beats.
        QTc: 381 ms (F), 411 ms (B).
        QTcF 381 ms, QTcB 411 ms.
        By Bazett the QTc is 411 ms.
        QT 328 ms, QTc 381 ms.
        PR 0.16 s, QRS 0.10 s, QT 0.33 s.
        Rate: 94/min.
        94 bpm, sinus.
        Axis: −45 degrees (left).
        QRS < 120 ms.
        QRS below 110 ms.
        PR is not longer than 200 ms.
        PR does not exceed 200 ms.
        R in I 0.45 mV, in aVL 0.60 mV.
        No pathological Q wave in II, III or aVF.
        The inferior leads show no Q waves.
        No Q waves in the lateral leads.
        There is no ST depression in any lead.
        ST elevation in V2.
        Rhythm: sinus. Rate: 94/min. Axis: −45°. PR: 160 ms. QRS: 96 ms. QTc: 381 ms.
        LAFB: yes.
        RBBB: no.
        LBBB: absent.
        AF: absent.
        LAFB is present.
        There are pathological Q waves from V2 to V4.
        No ST depression, no T inversion.
        No ectopic beats.
        Ectopy is absent.
        There is no evidence of atrial fibrillation, atrial flutter or AV block.
        The QRS complex is narrow (96 ms) and the axis is deviated to the left (-45°).
        The PR interval of 160 ms is normal.
        A normal PR interval of 160 ms.
        QTc is well below 450 ms.
        The heart rate is below 100 but above 90 bpm.
        The rate is 94.
        The P wave lasts 93 ms.
        RR 0.64 s.
        No signs of right or left ventricular hypertrophy.
        Neither right nor left atrial enlargement.
        No high-degree AV block.
        Lead III: S wave 0.75 mV.
        R wave in aVL 6.0 mm.
        Deep Q waves in V2 and V3 (1.29 mV each).
        Sinus rhythm at ninety four per minute.
        LAFB with left axis deviation.
        Anteroseptal infarct with Q waves in V2–V4.
        No Q waves in the inferior leads.
        P waves are present.
        LVH: no.
        QRS axis minus forty-five degrees.
    """,
    "00001_hr": """
        R exceeds S from V4 on.
        The R wave overtakes the S wave in V4.
        R is larger than S in V5 and V6.
        The atrial rate equals the ventricular rate.
        The atrial rate is the same as the ventricular rate.
        The underlying rhythm is sinus.
        Basic rhythm: sinus rhythm.
        Normal ECG.
        Normal sinus rhythm at 64 bpm.
        Normal axis.
        No abnormality.
        PR, QRS and QT intervals are within normal limits.
        No ST elevation or depression.
        ST segments are isoelectric.
        The ST segments are normal.
        R wave progression is normal.
        No Q waves.
        T waves are normal.
        No ischaemia.
        Normal ECG; heart rate 64 bpm, PR 137 ms, QRS 90 ms, QTc 405 ms.
        No conduction disturbance.
        Normal R-wave progression.
        No voltage criteria for LVH.
        Sinus rhythm with normal intervals.
        Unremarkable tracing.
        Heart rate is normal.
        No sign of hypertrophy, infarction or ischaemia.
    """,
    "00330_hr": """
        R is 1.9 mV in V4.
        The T wave in V3 is 0.75 mV tall.
        The underlying rhythm is atrial fibrillation.
        Narrow-complex rhythm at 63 bpm.
        Atrial fibrillation with a ventricular rate of 63 bpm.
        Irregularly irregular rhythm without P waves.
        No P waves are seen.
        The PR interval cannot be measured.
        AF with controlled ventricular response.
        Not sinus rhythm.
        Irregular rhythm.
        AF at 63/min.
        QRS 85 ms, axis 57°.
        No flutter waves.
        Neither bradycardia nor tachycardia.
        The PR interval is not measurable because of atrial fibrillation.
    """,
    "00338_hr": """
        QRS 158 ms wide.
        LBBB with a QRS of 158 ms.
        Broad QRS complexes, left bundle branch block.
        T wave inversion in I and aVL.
        QRS 0.14 s.
        Complete LBBB; PR is normal at 185 ms.
        Left bundle branch block, complete.
        The left bundle branch block is complete.
        QRS is wide (158 ms).
        QRS broader than 120 ms.
        QRS over 150 ms.
        LBBB.
        QRS 144 ms, prolonged.
        QTc (Bazett) 455 ms.
        Sinus rhythm with left bundle branch block.
        No right bundle branch block.
    """,
    "00385_hr": """
        Ventricular paced rhythm at 70 bpm.
        All 12 beats are paced.
        The QRS is wide at 144 ms.
        ST elevation cannot be judged because of pacing.
        Paced rhythm.
        Every beat is paced.
        Left axis deviation of −51°.
        AF cannot be judged.
        No P waves are seen.
        Pacing spikes are visible.
        Paced at 70 bpm.
        Axis −51° (left).
        Bundle branch block cannot be judged.
    """,
}


def lines(text: str) -> list[str]:
    """Give the sentences of a table."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", FALSE)
def test_no_false_sentence_ships_in_a_report_or_an_answer(name: str) -> None:
    known = known_of(analyse(read_record(f"examples/{name}.hea")))
    shipped = [
        text
        for text in lines(FALSE[name])
        for strict in (True, False)
        for one in check_sentence(text, known, strict=strict, deny=not strict)
        if one.text == text
    ]
    assert shipped == []


@pytest.mark.parametrize("name", TRUE)
def test_every_true_sentence_is_borne_out(name: str) -> None:
    known = known_of(analyse(read_record(f"examples/{name}.hea")))
    doubted = {
        text: [(one.claim.text, one.status, one.reason) for one in checked]
        for text in lines(TRUE[name])
        for checked in (known.check(text),)
        if not checked or any(one.status != "supported" for one in checked)
    }
    assert doubted == {}
