"""Compares files with what they were before, with pydicom: the data set and every sample.

One JSON request a line in: {"name", "before", "after", "exact"}; one JSON answer a line out: {"name"} and "equal",
"unknown" (pydicom cannot decode the file as it was) or "different", each with a text.
"""

import json
import sys
import warnings

import numpy as np
from pydicom import config, dcmread
from pydicom.pixels import pixel_array

warnings.simplefilter("ignore")
config.settings.reading_validation_mode = config.IGNORE
sys.stderr = open("/dev/null", "w")

# What depends on the encoding of the pixels, and what a lossy form adds.
ENCODING = {
    0x00280004, 0x00280006, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x7FE00001, 0x7FE00002, 0x7FE00003,
    0x7FE00010, 0x00880200, 0x00282110,
}
LOSSY = {0x00080008, 0x00080018, 0x00082111, 0x00082112, 0x00282112, 0x00282114}
# Their values are in the byte order of the file, or their VR is only known with one.
AMBIGUOUS = {"OW", "UN", "OB", "OB or OW", "US or SS", "US", "SS"}


def elements(ds, skip):
    kept = {}
    for element in ds:
        if element.tag in skip or element.tag.element == 0:
            continue
        kept[int(element.tag)] = element
    return kept


def same(a, b, swapped):
    # Without a VR of their own, private attributes are read by what pydicom knows of them; bytes of VR UN are kept as
    # they are, also where pydicom reads them in the byte order of the file.
    if a.tag.is_private and (swapped or a.VR != b.VR):
        return True
    if a.VR == "SQ" or b.VR == "SQ":
        if a.VR != b.VR:
            return True  # one of them as unknown bytes: compared where both are known
        items = zip(a.value, b.value)
        return len(a.value) == len(b.value) and all(not differences(x, y, set(), swapped) for x, y in items)
    if a.VR in AMBIGUOUS or b.VR in AMBIGUOUS:
        return a.VR != b.VR or swapped or a.value == b.value
    return a.value == b.value


def differences(before, after, skip, swapped):
    one, other = elements(before, skip), elements(after, skip)
    if one.keys() != other.keys():
        return ["%08X is there once" % tag for tag in one.keys() ^ other.keys()]
    different = [tag for tag in one if not same(one[tag], other[tag], swapped)]
    return ["%08X %s %s %.40r %.40r" % (tag, one[tag].VR, other[tag].VR, one[tag].value, other[tag].value) for tag in different]


def samples(ds):
    if "PixelRepresentation" not in ds:
        ds.PixelRepresentation = 0
    array = pixel_array(ds)
    if array.dtype.kind == "f":
        return array
    values = array.astype(np.int64)
    if ds.SamplesPerPixel > 1:
        return values
    bits, high = ds.BitsStored, ds.HighBit
    values = (values >> max(high + 1 - bits, 0)) & ((1 << bits) - 1)
    if ds.PixelRepresentation == 1:
        values -= (values >> (bits - 1)) << bits
    return values


def compare(request):
    before, after = dcmread(request["before"], force=True), dcmread(request["after"])
    syntaxes = [str(ds.file_meta.TransferSyntaxUID) for ds in (before, after)]
    lossy = syntaxes[1].endswith(".4.50") and syntaxes[0] != syntaxes[1]
    swapped = syntaxes[0] == "1.2.840.10008.1.2.2"
    found = differences(before, after, ENCODING | (LOSSY if lossy else set()), swapped)
    if found:
        return "different", "attributes " + ", ".join(found[:5])
    if after.file_meta.MediaStorageSOPInstanceUID != after.SOPInstanceUID:
        return "different", "the file meta group names another instance"
    if lossy:
        ok = after.get("LossyImageCompression") == "01" and after.get("ImageType", [""])[0] == "DERIVED"
        ok = ok and after.SOPInstanceUID != before.SOPInstanceUID
        ok = ok and after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
        ratios = after.LossyImageCompressionRatio
        if not ok or float(ratios if not hasattr(ratios, "__len__") else ratios[-1]) < 1:
            return "different", "the history of a lossy compression"
    if "PixelData" not in before and "FloatPixelData" not in before:
        return "equal", "without pixels"
    try:
        expected = samples(before)
    except Exception as error:  # noqa: BLE001: whatever it is, there is nothing to compare with
        return "unknown", f"{type(error).__name__}: {error}"
    found = samples(after)
    if expected.shape != found.shape:
        return "different", f"shape {expected.shape} and {found.shape}"
    if np.array_equal(expected, found):
        return "equal", ""
    if request["exact"]:
        return "different", f"{np.count_nonzero(expected != found)} of {expected.size} samples"
    span = max(int(expected.max()) - int(expected.min()), 1) if expected.dtype.kind != "f" else 1
    levels = float(np.mean(np.abs(expected - found))) * 255 / max(span, 255)
    return ("equal" if levels <= request["levels"] else "different"), f"{levels:.3f} grey levels"


for line in sys.stdin:
    request = json.loads(line)
    try:
        verdict, text = compare(request)
    except Exception as error:  # noqa: BLE001: a file that cannot be read is a difference
        verdict, text = "different", f"{type(error).__name__}: {error}"
    print(json.dumps({"name": request["name"], "verdict": verdict, "text": text}), flush=True)
