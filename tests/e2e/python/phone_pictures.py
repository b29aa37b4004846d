"""Makes pictures as phones and scanners make them. Argument: a folder. Prints their names."""

import sys
from pathlib import Path

import numpy
from PIL import Image

folder = Path(sys.argv[1])
rows, columns = 120, 160
down, across = numpy.mgrid[0:rows, 0:columns]
grey = (40 + across + 20 * numpy.sin(down / 9)).clip(0, 255).astype(numpy.uint8)
# Dark top left corner: a picture that is turned or mirrored is another one.
grey[:30, :40] = 5
colour = numpy.stack([grey, numpy.flipud(grey), 255 - grey], axis=-1)
deep = (grey.astype(numpy.uint16) << 6) + down.astype(numpy.uint16)


def exif(orientation):
    kept = Image.Exif()
    kept[0x0112] = orientation
    kept[0x010F] = "PHONEMAKER"
    kept.get_ifd(0x8825).update({1: "N", 2: (5.0, 36.0, 13.0), 3: "W", 4: (0.0, 11.0, 12.0)})
    return kept


for orientation in range(1, 9):
    name = f"turned_{orientation}.jpg"
    Image.fromarray(colour).save(folder / name, quality=92, exif=exif(orientation))
Image.fromarray(grey).save(folder / "grey.jpg", quality=92)
Image.fromarray(colour).save(folder / "progressive.jpg", quality=92, progressive=True)
Image.fromarray(colour).save(folder / "whole.jpg", quality=95, subsampling=0)
Image.fromarray(deep).save(folder / "film.png")
Image.fromarray(colour).convert("RGBA").save(folder / "screenshot.png")
Image.fromarray(colour).quantize(64).save(folder / "palette.png")
Image.fromarray(grey).save(folder / "scan.tif", compression="tiff_lzw")
Image.fromarray(deep).save(folder / "scan_deep.tif", compression="tiff_adobe_deflate")
print(*sorted(path.name for path in folder.iterdir()), sep="\n")
