"""What pydicom makes of a frame: one JSON request a line in, one JSON line and raw bytes out.

Request: {"path": ..., "index": ...}. Answer: {"error": ...}, or {"samples": n, "levels": n, "colour": bool} followed by
n stored values as little-endian doubles, then n grey or colour levels 0 to 255 as bytes. Colour images have levels only
when they have 8 bits; their stored values are RGB.
"""

import json
import sys
import warnings

import numpy as np
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

warnings.simplefilter("ignore")
sys.stderr = open("/dev/null", "w")


def stored_values(ds, array):
    """Bits Stored and High Bit cut out, sign extended; what is done already is not changed by it."""
    if "FloatPixelData" in ds or "DoubleFloatPixelData" in ds:
        return array.astype("<f8")
    values = array.astype(np.int64)
    if ds.SamplesPerPixel > 1:
        return values.astype("<f8")
    bits, high = ds.BitsStored, ds.HighBit
    values = (values >> max(high + 1 - bits, 0)) & ((1 << bits) - 1)
    if ds.PixelRepresentation == 1:
        values -= (values >> (bits - 1)) << bits
    return values.astype("<f8")


def output_range(ds):
    """The range of pydicom's apply_windowing, which follows the modality transform."""
    if "ModalityLUTSequence" in ds:
        return 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    if ds.PixelRepresentation == 0:
        low, high = 0, 2**ds.BitsStored - 1
    else:
        low, high = -(2 ** (ds.BitsStored - 1)), 2 ** (ds.BitsStored - 1) - 1
    if "RescaleSlope" in ds and "RescaleIntercept" in ds:
        low, high = (v * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for v in (low, high))
    return low, high


def gray_levels(ds, values):
    integers = values.astype(np.int64)
    modality = apply_modality_lut(integers, ds)
    if "VOILUTSequence" in ds:
        item = ds.VOILUTSequence[0]
        shown = apply_voi_lut(modality.astype(np.int64), ds) / (2 ** item.LUTDescriptor[2] - 1)
    elif "WindowWidth" in ds:
        low, high = output_range(ds)
        shown = (apply_voi_lut(modality, ds) - low) / (high - low)
    else:
        return None
    if ds.PhotometricInterpretation == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE":
        shown = 1 - shown
    levels = np.clip(shown * 255 + 0.5, 0, 255).astype(np.uint8)
    padding = ds.get("PixelPaddingValue")
    if padding is not None:
        limit = ds.get("PixelPaddingRangeLimit", padding)
        levels[(integers >= min(padding, limit)) & (integers <= max(padding, limit))] = 0
    return levels


def answer(request):
    ds = dcmread(request["path"], force=True)
    if "PixelRepresentation" not in ds:
        ds.PixelRepresentation = 0
    if ds.SamplesPerPixel > 1:
        array = pixel_array(ds, index=request["index"])
        levels = array.astype(np.uint8) if ds.BitsAllocated == 8 else None
        return True, stored_values(ds, array), levels
    array = pixel_array(ds, index=request["index"], raw=True)
    values = stored_values(ds, array)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(array, ds)
        if colours.dtype == np.uint16 and colours.max() > 255:
            colours >>= 8
        return True, values, colours.astype(np.uint8)
    if ds.BitsAllocated > 16 or ds.BitsAllocated == 1:
        return False, values, None
    return False, values, gray_levels(ds, values)


for line in sys.stdin:
    try:
        colour, values, levels = answer(json.loads(line))
        values = np.ascontiguousarray(values).tobytes()
        levels = b"" if levels is None else np.ascontiguousarray(levels).tobytes()
        header = {"samples": len(values) // 8, "levels": len(levels), "colour": colour}
    except Exception as error:  # noqa: BLE001: whatever it is, it is the answer
        header, values, levels = {"error": f"{type(error).__name__}: {error}"}, b"", b""
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + values + levels)
    sys.stdout.buffer.flush()
