"""DiagnosticReports against the models of FHIR R4."""

from __future__ import annotations

import json

import pytest

from training.patterns import I3A
from training.reports.specimens.fhir import fhir_report

CONTENT = {
    "specimen": "A07",
    "made": "2026-01-02T03:04:05+00:00",
    "confirm": "Research use only.",
    "pattern": "Speckled",
    "second_pattern": "Nucleolar",
    "mixed": False,
    "withheld": "",
    "reason": "Speckled in 9 of 12 cells.",
    "notes": ["A note."],
    "probabilities": None,
    "shares": dict.fromkeys(I3A.names, 1 / 6),
    "specimen_decisions": [],
    "intensity": {
        "result": "positive",
        "grade": "++",
        "index": {"median": 3.1, "low": 2.9, "high": 3.4},
        "reason": "Positive ++: index 3.10.",
        "notes": [],
        "titre": "1:320",
    },
}
NEGATIVE = CONTENT | {
    "pattern": None,
    "withheld": "negative",
    "intensity": CONTENT["intensity"]
    | {"result": "negative", "grade": "negative", "titre": ""},
}
WITHHELD = CONTENT | {
    "pattern": None,
    "withheld": "no-clear-pattern",
    "probabilities": dict.fromkeys(I3A.names, 0.25),
    "intensity": CONTENT["intensity"] | {"result": "not judged", "index": None},
}
MIXED = CONTENT | {"mixed": True}
_TOLD = {
    "reviewer": "Dr. Anna",
    "result": "positive",
    "reported": "positive",
    "grade": "++",
    "titre": "1:160",
    "patterns": ["AC-3", "AC-21"],
    "text": "positive ++ 1:160: AC-3 Centromere",
    "time": "2026-01-02T03:04:05+00:00",
}
_OLD = _TOLD | {"result": None, "reported": None, "grade": "", "titre": ""}
ANSWERED = CONTENT | {
    "specimen_decisions": [_TOLD, _OLD | {"reviewer": "bert", "patterns": ["AC-22"]}]
}


def observations(content):
    report = fhir_report(content, I3A)
    found = {one["id"]: one for one in report["contained"]}
    references = [one["reference"] for one in report["result"]]
    assert references == [f"#{name}" for name in found]
    return found


@pytest.mark.parametrize("content", [CONTENT, NEGATIVE, WITHHELD, MIXED, ANSWERED])
def test_a_report_is_one_of_fhir_r4(content):
    models = pytest.importorskip("fhirclient.models.diagnosticreport")
    report = fhir_report(content, I3A)
    read = models.DiagnosticReport(json.loads(json.dumps(report)), strict=True)
    assert read.as_json() == report


def test_what_fhir_does_not_know_is_refused():
    models = pytest.importorskip("fhirclient.models.diagnosticreport")
    base = pytest.importorskip("fhirclient.models.fhirabstractbase")
    wrong = fhir_report(CONTENT, I3A)
    wrong["contained"][0]["colour"] = "green"
    with pytest.raises(base.FHIRValidationError):
        models.DiagnosticReport(wrong, strict=True)


def test_result_titre_and_pattern_are_one_observation_each():
    found = observations(CONTENT)
    assert list(found) == ["result", "titre", "pattern"]
    codes = [one["code"]["coding"][0]["code"] for one in found.values()]
    assert codes == ["59069-5", "33253-6", "49311-4"]
    assert found["result"]["valueCodeableConcept"] == {"text": "positive ++"}
    assert found["titre"]["valueString"] == "1:320"
    text = found["pattern"]["valueCodeableConcept"]["text"]
    assert text == "Speckled (AC-2/4/5)"
    assert len(found["pattern"]["component"]) == 6


def test_a_negative_has_no_pattern_and_a_mixture_two():
    found = observations(NEGATIVE)
    assert list(found) == ["result"]
    assert found["result"]["interpretation"][0]["coding"][0]["code"] == "NEG"
    text = observations(MIXED)["pattern"]["valueCodeableConcept"]["text"]
    assert text == "Speckled (AC-2/4/5); Nucleolar (AC-8/9/10)"


def test_what_was_not_judged_says_why_and_keeps_every_probability():
    found = observations(WITHHELD)
    reason = found["result"]["dataAbsentReason"]
    assert reason["text"] == "Positive ++: index 3.10."
    assert "valueCodeableConcept" not in found["pattern"]
    values = [one["valueQuantity"]["value"] for one in found["pattern"]["component"]]
    assert values == [0.25] * 6


def test_no_patient_is_named_and_it_is_preliminary():
    report = fhir_report(CONTENT, I3A)
    assert "subject" not in report
    assert report["status"] == "preliminary"
    assert report["conclusion"].endswith("Research use only.")


def test_each_person_is_the_performer_of_what_they_said():
    found = observations(ANSWERED)
    own = {name: one for name, one in found.items() if "performer" in one}
    assert list(own) == ["result-1", "titre-1", "pattern-1", "pattern-2"]
    assert own["result-1"]["valueCodeableConcept"] == {"text": "positive ++"}
    assert own["titre-1"]["valueString"] == "1:160"
    patterns = "AC-3 Centromere; AC-21 Cytoplasmic reticular"
    assert own["pattern-1"]["valueCodeableConcept"] == {"text": patterns}
    assert own["pattern-2"]["performer"] == [{"display": "bert"}]
    assert {name: found[name] for name in observations(CONTENT)} == observations(
        CONTENT
    )
