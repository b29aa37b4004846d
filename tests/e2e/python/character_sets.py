"""pydicom writes names in the character sets of DICOM. character_sets.py NAMES

NAMES is a JSON array of [Specific Character Set, name]. Prints the bytes of each as hexadecimal, when pydicom reads them back as
the name. What it writes in ISO 2022 IR 58 it does not read, so that one is written here as in the example of PS3.5 K.2.
"""

import json
import sys

from pydicom.charset import convert_encodings
from pydicom.valuerep import PersonName



def write_ir_58(name):
    def component(text):
        return text.encode() if text.isascii() else b"\x1b$)A" + text.encode("gb2312")

    return b"=".join(b"^".join(component(text) for text in group.split("^")) for group in name.split("="))


for terms, name in json.loads(sys.argv[1]):
    if "IR 58" in terms:
        print(write_ir_58(name).hex(), flush=True)
        continue
    encodings = convert_encodings(terms.split("\\"))
    written = PersonName(name, encodings).encode(encodings)
    read = str(PersonName(written, encodings).decode())
    assert read == name, f"{terms}: {name} is read as {read}"
    print(written.hex(), flush=True)
