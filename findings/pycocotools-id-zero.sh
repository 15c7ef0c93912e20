#!/usr/bin/env bash
# An annotation whose id is 0 counts as never found.
#
# One would guess: the id of an annotation is a name, and 0 is as good as any; detections
#   equal to the annotations score an average precision of 1.
# What is so: the evaluation keeps the id of the annotation that a detection matched, and
#   reads 0 as "matched nothing". The annotation with id 0 is a miss and its detection a
#   false alarm: one nucleus, found exactly, scores 0; ten score 0.81. Nothing warns.
# Seen with: pycocotools 2.0.11.
# Source: https://github.com/cocodataset/cocoapi/issues/664
# It matters here: nuclei numbered by `enumerate` begin at 0, and the loss is largest in
#   frames with few cells, where nobody expects a perfect score.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: numpy==2.4.6 pycocotools==2.0.11

venv/bin/python -I - <<'END'
import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(nuclei, first_id):
    """Score detections that equal the annotations, at an overlap of 0.5."""
    boxes = [[20.0 * i, 10.0, 12.0, 12.0] for i in range(nuclei)]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 1, "width": 20 * nuclei, "height": 40}],
        "categories": [{"id": 1, "name": "nucleus"}],
        "annotations": [
            {
                "id": first_id + i,
                "image_id": 1,
                "category_id": 1,
                "bbox": box,
                "area": 144.0,
                "iscrowd": 0,
            }
            for i, box in enumerate(boxes)
        ],
    }
    found = [
        {"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in boxes
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        scores = COCOeval(truth, truth.loadRes(found), "bbox")
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
    return round(float(scores.stats[1]), 2)


for nuclei, expected in ((1, 0.0), (10, 0.81)):
    from_one = average_precision(nuclei, first_id=1)
    from_zero = average_precision(nuclei, first_id=0)
    print(f"{nuclei} nuclei, all found: ids from 1: {from_one}, from 0: {from_zero}")
    assert (from_one, from_zero) == (1.0, expected)
END
