"""Reports whose numbers are known: what `gradcam_tf1.report` writes for a run, made without a net."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.report.page import record_script, write_page

Record = Dict[str, Any]
SIZE = (120, 160)  # height and width of every image
CLASSES = ("ring", "cross", "star", "moon")
RAMP = np.linspace(0.0, 2.0, 12).reshape(3, 4)  # 0 at the top left, 2 at the bottom right
SIGNED = np.array([[-4.0, 0.0, 2.0]])


def grid(values: np.ndarray, size: Tuple[int, int] = SIZE, seen: Optional[Sequence[float]] = None) -> Record:
    """Cells that share the image evenly."""
    rows, cols = values.shape
    low, high = float(values.min()), float(values.max())
    levels = np.rint((values - low) / ((high - low) or 1) * 255).astype(np.uint8)
    row_step, col_step = size[0] / rows, size[1] / cols
    return {
        **{"rows": rows, "cols": cols, "low": low, "high": high, "data": base64.b64encode(levels.tobytes()).decode()},
        **{"top": row_step / 2, "left": col_step / 2, "row_step": row_step, "col_step": col_step},
        "seen": list(seen or (0, 0, *size)),
    }


def map_record(method: str, layer: str, values: np.ndarray, **more: Any) -> Record:
    return {
        **{"method": method, "layer": layer, "status": "ok", "reason": "", "notes": []},
        **{"minimum": float(values.min()), "maximum": float(values.max())},
        **{"peak": [100, 140], "box": None, "focus": 0.25, "signed": bool(values.min() < 0), "grid": grid(values)},
        **{"pixels": None, **more},
    }


def maps(n: int) -> List[Record]:
    """Two layers of Grad-CAM, one map with a sign, one pixel method with a drawn image."""
    return [
        map_record("gradcam", "conv5", RAMP * (n + 1), box=[80, 100, 120, 160], notes=["a note about the map"]),
        map_record("gradcam", "conv4", np.flip(RAMP)),
        map_record("counterfactual", "conv5", SIGNED),
        map_record("guided_gradcam", "", RAMP, pixels="../drawn%20%23%25%3F'.png"),
    ]


def record(n: int, name: str, label: Optional[str] = None, error: Optional[str] = None) -> Record:
    """Image n: its class is n modulo 4, its probability falls with n."""
    image_id = f"{n:06d}"
    if error is not None:
        base = {"id": image_id, "name": name, "size": None, "status": "error", "error": error, "preview": None}
        return {**base, "thumb": None, "truth": None, "top": [], "targets": []}
    class_id, probability = n % len(CLASSES), round(0.99 - 0.9 * n / (n + 20), 4)
    first = {"class_id": class_id, "label": label or CLASSES[class_id], "score": 9.5 - n, "probability": probability}
    second_id = (class_id + 1) % len(CLASSES)
    second = {"class_id": second_id, "label": CLASSES[second_id], "score": -1.25, "probability": 0.005}
    return {
        **{"id": image_id, "name": name, "size": list(SIZE), "status": "ok", "error": None},
        **{"preview": f"images/{image_id}.jpg", "thumb": f"images/{image_id}.thumb.jpg", "truth": CLASSES[0]},
        "top": [first, second],
        "targets": [{**first, "about": "", "maps": maps(n)}, {**second, "about": "", "maps": maps(n)[:1]}],
    }


def index(records: Sequence[Record], **more: Any) -> Record:
    """The index of these records; class 0 is right."""
    best = [item["targets"][0] if item["targets"] else None for item in records]

    def column(name: str) -> List[Any]:
        return [item and item[name] for item in best]

    columns = {
        **{name: [item[name] for item in records] for name in ("id", "name", "status", "truth")},
        **{name: column(name) for name in ("class_id", "label", "probability", "score")},
        "focus": [None if item is None else round(((7 * n) % 10) / 10, 1) for n, item in enumerate(best)],
        "wrong": [item and item["class_id"] != 0 for item in best],
        "doubt": ["the two best classes are close" if n == 1 else None for n in range(len(records))],
        "width": [SIZE[1]] * len(records),
        "height": [SIZE[0]] * len(records),
    }
    return {
        **{"version": 1, "title": "Report of a test", "made": "2026-05-04T03:02:01+00:00", "complete": True},
        **{
            "total": len(records),
            "methods": ["gradcam", "counterfactual", "guided_gradcam"],
            "layers": ["conv5", "conv4"],
        },
        **{
            "colormap": "jet",
            "truth_from": "folder names",
            "images": columns,
            "classes": class_entries(columns),
            "run": run(),
        },
        **more,
    }


def class_entries(columns: Record) -> List[Record]:
    unit = {**grid(RAMP, (100, 100)), "seen": [0, 0, 100, 100]}
    entries = []
    for class_id in sorted({one for one in columns["class_id"] if one is not None}):
        members = [n for n, one in enumerate(columns["class_id"]) if one == class_id]
        entries.append(
            {
                **{"class_id": class_id, "label": columns["label"][members[0]], "count": len(members)},
                **{"wrong": 0 if class_id == 0 else len(members), "probability": 0.5},
                "maps": [{"method": "gradcam", "layer": "conv5", "grid": unit}],
                "examples": [columns["id"][n] for n in members[:6]],
            }
        )
    return entries


def run() -> Record:
    sections = [
        {"title": "Model", "rows": [["file", "model.pb", ""], ["layer", "conv5/Relu:0", "the last feature map"]]},
        {"title": "Time", "rows": [["seconds", 12.5, ""]]},
    ]
    failures = [{"name": "broken.jpg", "error": "it is not an image"}]
    files = [["manifest.jsonl", "../manifest.jsonl"], ["a trap", "javascript:alert(1)"]]
    return {"sections": sections, "failures": failures, "doubts": ["no labels were given"], "files": files}


def encoded(picture: np.ndarray) -> bytes:
    """A JPEG file of uint8 [H, W, 3]."""
    return cv2.imencode(".jpg", picture)[1].tobytes()


def write_report(
    folder: Path, records: Sequence[Record], shade: int = 120, pictures: Sequence[np.ndarray] = (), **more: Any
) -> str:
    """Write a report whose images show `pictures` in turn, or else one gray; return the URL of its page."""
    images = folder / "images"
    images.mkdir(parents=True)
    write_page(str(folder), index(records, **more))
    shown = list(pictures) or [np.full((*SIZE, 3), shade, np.uint8)]
    files = [(encoded(picture), encoded(cv2.resize(picture, (192, 144)))) for picture in shown]
    for n, item in enumerate(records):
        (images / f"{item['id']}.js").write_text(record_script(item["id"], item), encoding="ascii")
        if item["status"] == "ok":
            preview, thumb = files[n % len(files)]
            (images / f"{item['id']}.jpg").write_bytes(preview)
            (images / f"{item['id']}.thumb.jpg").write_bytes(thumb)
    return (folder / "index.html").as_uri()
