"""A specimen's report as an HL7 FHIR R4 DiagnosticReport, for a laboratory's system.

The report names the specimen and no patient. It is preliminary: research use only, to
be confirmed. Its Observations are contained in it: the result, the titre where the
table of the series states one, and the pattern with the probability or share of each;
then the same of each person who decided on the specimen, who is its performer.

The LOINC codes are those of a laboratory that reports the same test: Mayo Clinic,
*Antinuclear Antibodies, HEp-2 Substrate, IgG, Serum*,
https://nvh.testcatalog.org/show/NAIFA (result, titre, pattern).

References
----------
https://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

from typing import Any

from training.icap import title_of
from training.patterns import Vocabulary

_LOINC = "http://loinc.org"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_RESULT = ("59069-5", "Antinuclear antibodies, HEp-2 substrate, serum")
_TITRE = ("33253-6", "Antinuclear antibodies, titre")
_PATTERN = ("49311-4", "Antinuclear antibodies, pattern by immunofluorescence")
_INTERPRETATIONS = {"negative": "NEG", "positive": "POS", "borderline": "IND"}


def fhir_report(content: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the DiagnosticReport of a specimen as JSON content.

    Parameters
    ----------
    content
        As it is written to ``verdict.json``.
    vocabulary
        Of the model.
    """
    observations = [
        _result(content["intensity"]),
        *_titre(content["intensity"]["titre"]),
        *_pattern(content, vocabulary),
        *_answers(content["specimen_decisions"]),
    ]
    return {
        "resourceType": "DiagnosticReport",
        "contained": observations,
        "status": "preliminary",
        "category": [_code(f"{_TERMS}/v2-0074", "LAB", "Laboratory")],
        "code": _code(_LOINC, *_RESULT),
        "issued": content["made"],
        "specimen": [{"display": content["specimen"]}],
        "result": [{"reference": f"#{one['id']}"} for one in observations],
        "conclusion": f"{content['intensity']['reason']} {content['confirm']}",
    }


def _result(intensity: dict[str, Any]) -> dict[str, Any]:
    found = {
        **_observation("result", _RESULT),
        "note": [{"text": line} for line in (intensity["reason"], *intensity["notes"])],
    }
    interpretation = _INTERPRETATIONS.get(intensity["result"])
    if interpretation is None:
        return {**found, "dataAbsentReason": _absent(intensity["reason"])}
    system = f"{_TERMS}/v3-ObservationInterpretation"
    index = intensity["index"]
    return {
        **found,
        "valueCodeableConcept": {"text": _words(intensity)},
        "interpretation": [_code(system, interpretation, intensity["result"])],
        "component": [
            _quantity(f"index, {end}", index[end]) for end in ("median", "low", "high")
        ],
    }


def _words(intensity: dict[str, Any]) -> str:
    is_graded = intensity["result"] == "positive"
    return f"positive {intensity['grade']}" if is_graded else str(intensity["result"])


def _titre(titre: str) -> list[dict[str, Any]]:
    return [{**_observation("titre", _TITRE), "valueString": titre}] if titre else []


def _pattern(content: dict[str, Any], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Return the pattern's Observation; a negative specimen has none."""
    if content["withheld"] == "negative":
        return []
    found = _observation("pattern", _PATTERN)
    kind, values = "probability", content["probabilities"]
    if values is None:
        kind, values = "share of cells", content["shares"]
    found["component"] = [
        _quantity(f"{kind}, {one.title}", values[one.name]) for one in vocabulary
    ]
    if content["pattern"] is None:
        return [{**found, "dataAbsentReason": _absent(content["reason"])}]
    names = [content["pattern"]]
    names += [content["second_pattern"]] * content["mixed"]
    patterns = [vocabulary[vocabulary.index(name)] for name in names]
    text = "; ".join(f"{one.title} ({one.icap})" for one in patterns)
    notes = [{"text": line} for line in (content["reason"], *content["notes"])]
    return [{**found, "valueCodeableConcept": {"text": text}, "note": notes}]


def _answers(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the Observations of persons, as `told_sayings` tells their decisions."""
    found = []
    for number, one in enumerate(told, start=1):
        titre, patterns = one["titre"], "; ".join(map(title_of, one["patterns"]))
        made = [_told_result(one)] if one["reported"] else []
        made += _titre(titre)
        if patterns:
            value = {"valueCodeableConcept": {"text": patterns}}
            made.append({**_observation("pattern", _PATTERN), **value})
        by = {"performer": [{"display": one["reviewer"]}], "issued": one["time"]}
        found += [{**each, "id": f"{each['id']}-{number}", **by} for each in made]
    return found


def _told_result(one: dict[str, Any]) -> dict[str, Any]:
    reported = one["reported"]
    words = f"{reported} {one['grade']}" if reported == "positive" else reported
    system = f"{_TERMS}/v3-ObservationInterpretation"
    return {
        **_observation("result", _RESULT),
        "valueCodeableConcept": {"text": words.strip()},
        "interpretation": [_code(system, _INTERPRETATIONS[reported], reported)],
        "note": [{"text": one["text"]}],
    }


def _observation(name: str, code: tuple[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "preliminary",
        "code": _code(_LOINC, *code),
    }


def _quantity(name: str, value: float) -> dict[str, Any]:
    return {
        "code": {"text": name},
        "valueQuantity": {
            "value": value,
            "unit": "1",
            "system": "http://unitsofmeasure.org",
            "code": "1",
        },
    }


def _code(system: str, code: str, display: str) -> dict[str, Any]:
    return {
        "coding": [{"system": system, "code": code, "display": display}],
        "text": display,
    }


def _absent(reason: str) -> dict[str, Any]:
    return {
        **_code(f"{_TERMS}/data-absent-reason", "not-performed", "Not performed"),
        "text": reason,
    }
