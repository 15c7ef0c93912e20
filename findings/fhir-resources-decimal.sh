#!/usr/bin/env bash
# A FHIR value of 1.10 leaves fhir.resources as 1.1.
#
# One would guess: the field is a `Decimal`, and FHIR says that the precision of a decimal
#   has to be kept, so 1.10 stays 1.10.
# What is so: the number has been a float on the way in, and is one again on the way out:
#   1.10 becomes 1.1, 0.80 becomes 0.8, and digits beyond a double are lost. Even a
#   `Decimal("1.10")` set in Python is written as 1.1.
# Seen with: fhir.resources 8.3.0.
# Source: https://hl7.org/fhir/R5/datatypes.html#decimal; this script
# It matters here: an antibody index of 1.10 beside a cut-off of 1.1 says how finely it was
#   measured; a report that was read and written again says less, and its signature or
#   hash no longer fits.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  pydantic==2.14.3 fhir.resources==8.3.0

venv/bin/python -I - <<'END'
import json
from decimal import Decimal

from fhir.resources.observation import Observation

REPORT = (
    '{"resourceType":"Observation","status":"final","code":{"text":"ANA index"},'
    '"valueQuantity":{"value":%s,"unit":"ratio"}}'
)


def written_value(observation):
    """Return the digits of the value as they are written."""
    content = json.loads(observation.model_dump_json(), parse_float=str)
    return content["valueQuantity"]["value"]


for digits, expected in (
    ("1.25", "1.25"),
    ("1.10", "1.1"),
    ("0.80", "0.8"),
    ("12345678901.123456789", "12345678901.123457"),
):
    read = Observation.model_validate_json(REPORT % digits)
    print(f"{digits} is read as {read.valueQuantity.value!r}, written as", end=" ")
    print(written_value(read))
    assert isinstance(read.valueQuantity.value, Decimal)
    assert written_value(read) == expected

made = Observation(
    status="final",
    code={"text": "ANA index"},
    valueQuantity={"value": Decimal("1.10"), "unit": "ratio"},
)
print(f"Decimal('1.10') is written as {written_value(made)}")
assert written_value(made) == "1.1"
END
