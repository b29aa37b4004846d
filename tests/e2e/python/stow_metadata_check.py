"""Stores files as metadata and bulk data (PS3.18 8.6.1.2.2), as JSON and as XML, and reads them back with pydicom.

Arguments: URL of the DICOMweb door, bearer token of an account that may store, files. Prints `equal FILES`.
"""
import io
import json
import sys
from xml.sax.saxutils import escape, quoteattr

import pydicom
import requests
from pydicom.datadict import keyword_for_tag
from pydicom.encaps import generate_frames

# What the bulk data of a transfer syntax travel as (PS3.18 table 8.7.3-5).
MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
# What a codestream tells exactly; BitsStored and the sign may be narrower in the data set.
IMAGE_PIXEL_DESCRIPTION = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")


def take_apart(data_set):
    """The data set as JSON, and its bulk data: location, media type, content."""
    bulk = []

    def handle(element):
        location = f"urn:bulk:{len(bulk)}"
        bulk.append((location, "application/octet-stream", bytes(element.value)))
        return location

    pixels = data_set.get("PixelData")
    copy = pydicom.Dataset({tag: element for tag, element in data_set.items() if tag != 0x7FE00010})
    copy.set_original_encoding(*data_set.original_encoding, data_set.original_character_set)
    metadata = copy.to_json_dict(bulk_data_threshold=512, bulk_data_element_handler=handle)
    if pixels is not None:
        syntax = data_set.file_meta.TransferSyntaxUID
        metadata["7FE00010"] = {"vr": "OW", "BulkDataURI": "urn:pixels"}
        if syntax.is_encapsulated:
            count = int(data_set.get("NumberOfFrames") or 1)
            for frame in generate_frames(pixels, number_of_frames=count):
                bulk.append(("urn:pixels", f"{MEDIA_TYPES[syntax]}; transfer-syntax={syntax}", frame))
        else:
            bulk.append(("urn:pixels", "application/octet-stream", pixels))
    return metadata, bulk


def native_xml(metadata):
    """PS3.19 A.1, written here a second time on purpose."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
        + attributes(metadata)
        + "</NativeDicomModel>"
    )


def attributes(metadata):
    text = ""
    for tag, attribute in metadata.items():
        keyword = keyword_for_tag(int(tag, 16))
        keyword = f" keyword={quoteattr(keyword)}" if keyword else ""
        text += f'<DicomAttribute tag="{tag}" vr="{attribute["vr"]}"{keyword}>'
        if "BulkDataURI" in attribute:
            text += f"<BulkData uri={quoteattr(attribute['BulkDataURI'])}/>"
        if "InlineBinary" in attribute:
            text += f"<InlineBinary>\n  {attribute['InlineBinary']}\n</InlineBinary>"
        for number, value in enumerate(attribute.get("Value", []), 1):
            text += one_value(attribute["vr"], number, value)
        text += "</DicomAttribute>\n"
    return text


def one_value(vr, number, value):
    if vr == "SQ":
        return f'<Item number="{number}">{attributes(value)}</Item>'
    if value is None:
        return ""
    if vr == "PN":
        names = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
        groups = ""
        for group, name in value.items():
            parts = "".join(f"<{key}>{escape(part)}</{key}>" for key, part in zip(names, name.split("^")) if part)
            groups += f"<{group}>{parts}</{group}>"
        return f'<PersonName number="{number}">{groups}</PersonName>'
    carriage = {"\r": "&#13;", "\n": "&#10;"}
    return f'<Value number="{number}">{escape(str(value), carriage)}</Value>'


def store(url, token, media_type, metadata, bulk):
    boundary = "pythonBoundary"
    body = io.BytesIO()
    for location, content_type, content in [("", media_type, metadata), *bulk]:
        body.write(f"--{boundary}\r\nContent-Type: {content_type}\r\n".encode())
        if location:
            body.write(f"Content-Location: {location}\r\n".encode())
        body.write(b"\r\n" + content + b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": f'multipart/related; type="{media_type}"; boundary={boundary}',
        "Accept": "application/dicom+json",
    }
    return requests.post(f"{url}/studies", data=body.getvalue(), headers=headers, timeout=60)


def retrieve(url, token, data_set):
    path = f"studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}/instances/{data_set.SOPInstanceUID}"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/dicom; transfer-syntax=*"}
    answer = requests.get(f"{url}/{path}", headers=headers, timeout=60)
    answer.raise_for_status()
    return pydicom.dcmread(io.BytesIO(answer.content))


def plain(value):
    """Values as they compare: padding and the spelling of numbers do not count."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0")
    if value is None or value == "":
        return ""
    if isinstance(value, pydicom.multival.MultiValue):
        return [plain(one) for one in value]
    if isinstance(value, (int, float)):
        return float(value)
    return str(value).rstrip(" ")


def compare(sent, got, path=""):
    for element in sent:
        if element.tag.element == 0 or element.tag in (0x00080005, 0x7FE00010, 0xFFFCFFFC):
            continue
        where = f"{path}{element.tag}"
        assert element.tag in got, f"{where} is gone"
        other = got[element.tag]
        if element.VR == "SQ":
            assert len(element.value) == len(other.value), where
            for index, (one, two) in enumerate(zip(element.value, other.value)):
                compare(one, two, f"{where}[{index}]")
        else:
            assert plain(element.value) == plain(other.value), f"{where}: {element.value!r} {other.value!r}"


def compare_pixels(sent, got):
    if "PixelData" not in sent:
        return
    if not sent.file_meta.TransferSyntaxUID.is_encapsulated:
        assert sent.PixelData.rstrip(b"\0") == got.PixelData.rstrip(b"\0")
        return
    count = int(sent.get("NumberOfFrames") or 1)
    expected = generate_frames(sent.PixelData, number_of_frames=count)
    for one, two in zip(expected, generate_frames(got.PixelData, number_of_frames=count), strict=True):
        assert one.rstrip(b"\0") == two.rstrip(b"\0")


def check(url, token, path, form, number):
    sent = pydicom.dcmread(path)
    # Some files share their UIDs, and each comes in two forms: here every one is an instance of its own.
    sent.SOPInstanceUID = f"{sent.SOPInstanceUID[:56].rstrip('.')}.{number}"
    metadata, bulk = take_apart(sent)
    if bulk and bulk[-1][1].split(";")[0] in ("image/jpeg", "image/jls", "image/jp2"):
        for keyword in IMAGE_PIXEL_DESCRIPTION:
            metadata.pop(f"{pydicom.datadict.tag_for_keyword(keyword):08X}", None)
    if form == "json":
        answer = store(url, token, "application/dicom+json", json.dumps([metadata]).encode(), bulk)
    else:
        answer = store(url, token, "application/dicom+xml", native_xml(metadata).encode(), bulk)
    assert answer.status_code == 200, f"{path} {form}: {answer.status_code} {answer.text}"
    got = retrieve(url, token, sent)
    encapsulated = "PixelData" in sent and sent.file_meta.TransferSyntaxUID.is_encapsulated
    expected = sent.file_meta.TransferSyntaxUID if encapsulated else pydicom.uid.ExplicitVRLittleEndian
    assert got.file_meta.TransferSyntaxUID == expected, got.file_meta.TransferSyntaxUID
    assert got.SpecificCharacterSet == "ISO_IR 192"
    compare(sent, got)
    compare_pixels(sent, got)


def main():
    url, token, *paths = sys.argv[1:]
    for index, path in enumerate(paths):
        for number, form in enumerate(("json", "xml"), 100 + 2 * index):
            check(url, token, path, form, number)
    print("equal", len(paths))


if __name__ == "__main__":
    main()
