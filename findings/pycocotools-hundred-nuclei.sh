#!/usr/bin/env bash
# Average precision counts a hundred detections a frame, and asking for more gives -1.
#
# One would guess: detections equal to the annotations score 1, however many there are;
#   and a larger `maxDets` gives the score of more detections.
# What is so: only the hundred best detections of an image are looked at. A frame with 200
#   nuclei, all found, scores 0.505. With `maxDets = [1, 10, 500]` the matching is right,
#   but `summarize` looks its figure up under "100", does not find it, and says -1.
# Seen with: pycocotools 2.0.11.
# Source: https://github.com/cocodataset/cocoapi/blob/master/PythonAPI/pycocotools/cocoeval.py
# It matters here: a field of HEp-2 cells at 20 x can have more than a hundred nuclei, and
#   a segmentation then seems to get worse with confluence. The right figure lies in
#   `eval["precision"]`.
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


def evaluate(nuclei, most=None):
    """Return what is summarised, and what was found, where every nucleus is found."""
    boxes = [[20.0 * (i % 20), 20.0 * (i // 20), 12.0, 12.0] for i in range(nuclei)]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 1, "width": 400, "height": 400}],
        "categories": [{"id": 1, "name": "nucleus"}],
        "annotations": [
            {
                "id": 1 + i,
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
        if most is not None:
            scores.params.maxDets = [1, 10, most]
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
    precision = scores.eval["precision"][:, :, 0, 0, -1].mean()
    return round(float(scores.stats[0]), 3), round(float(precision), 3)


for nuclei, most, expected in (
    (100, None, (1.0, 1.0)),
    (200, None, (0.505, 0.505)),
    (200, 500, (-1.0, 1.0)),
):
    summarised, found = evaluate(nuclei, most)
    print(f"{nuclei} nuclei, maxDets {most or 100}: {summarised}, in eval: {found}")
    assert (summarised, found) == expected
END
