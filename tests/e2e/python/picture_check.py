"""Compares an instance that was made of a picture with the picture. Arguments: picture, DICOM file, what dcm2pnm made of it.

Prints the largest mean difference in grey levels of 255, by pydicom and by DCMTK.
"""

import sys

import numpy
import pydicom
from PIL import Image, ImageOps
from pydicom.pixels import pixel_array

picture, instance, converted = sys.argv[1:4]
raw = open(instance, "rb").read()
for word in (b"Exif", b"PHONEMAKER"):
    assert word not in raw, word
upright = ImageOps.exif_transpose(Image.open(picture))
deep = upright.mode.startswith("I")
expected = numpy.asarray(upright if deep or upright.mode == "L" else upright.convert("RGB")).astype(float)
data_set = pydicom.dcmread(instance)
read = pixel_array(data_set).astype(float)
assert read.shape == expected.shape, (read.shape, expected.shape)
scale = 65535 / 255 if deep else 1
by_pydicom = abs(read - expected).mean() / scale
shown = numpy.asarray(Image.open(converted)).astype(float)
assert shown.shape == expected.shape, (shown.shape, expected.shape)
levels = (expected - expected.min()) * 255 / (expected.max() - expected.min()) if deep else expected
by_dcmtk = abs(shown - levels).mean()
print(f"{by_pydicom:.3f} {by_dcmtk:.3f}")
