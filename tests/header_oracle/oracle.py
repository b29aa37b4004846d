"""Reads every file given on standard input with pydicom and prints one JSON object a line.

Values of bytes are given as their length and Adler-32, frames likewise.
"""

import base64
import json
import math
import sys
import warnings
import zlib

import pydicom
from pydicom import encaps

warnings.filterwarnings("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def digest(data):
    return {"length": len(data), "adler32": zlib.adler32(data)}


def element(elem):
    """pydicom's DICOM JSON of one element, or why it has none."""
    tag = f"{elem.tag.group:04X}{elem.tag.element:04X}"
    if elem.VR == "SQ":
        return tag, {"vr": "SQ", "items": [data_set(item) for item in elem.value or []]}
    try:
        made = elem.to_json_dict(None, 1 << 40)
    except Exception as error:
        return tag, {"vr": elem.VR, "error": str(error)[:200]}
    if "InlineBinary" in made:
        made["bytes"] = digest(base64.b64decode(made.pop("InlineBinary")))
    if elem.VR in ("FL", "FD") and any(isinstance(v, float) and not math.isfinite(v) for v in made.get("Value", [])):
        made["Value"] = [v if math.isfinite(v) else str(v).lower().replace("nan", "NaN") for v in made["Value"]]
    return tag, made


def data_set(ds):
    made = {}
    for tag in sorted(ds.keys()):
        try:
            elem = ds[tag]
        except Exception as error:
            made[f"{tag.group:04X}{tag.element:04X}"] = {"vr": "??", "error": str(error)[:200]}
            continue
        key, value = element(elem)
        made[key] = value
    return made


def is_encapsulated(syntax):
    try:
        return syntax is not None and syntax.is_encapsulated
    except ValueError:
        return True  # Not in pydicom's list; whatever is not in it and new is encapsulated (PS3.5 A.4).


def frames(ds):
    """Digest of every frame, or for native pixel data the number of complete ones."""
    sizes = {"PixelData": ds.get("BitsAllocated"), "FloatPixelData": 32, "DoubleFloatPixelData": 64}
    name = next((name for name in sizes if ds.get(name)), None)
    if name is None:
        return None
    try:
        count = int(ds.get("NumberOfFrames", 1) or 1)
    except ValueError:
        count = 1
    if is_encapsulated(ds.file_meta.get("TransferSyntaxUID")):
        try:
            return [digest(frame) for frame in encaps.generate_frames(ds.PixelData, number_of_frames=count)]
        except Exception as error:
            return str(error)[:200]
    try:
        bits = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * sizes[name]
        if ds.get("PhotometricInterpretation", "").endswith("_422"):
            bits = bits // 3 * 2
        return {"native": min(count, len(ds[name].value) * 8 // bits)}
    except AttributeError:
        return None


def read(path):
    ds = pydicom.dcmread(path, force=True)
    return {"path": path, "json": data_set(ds), "frames": frames(ds)}


for line in sys.stdin:
    path = line.rstrip("\n")
    try:
        answer = read(path)
    except Exception as error:
        answer = {"path": path, "error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer), flush=True)
