"""Searches in every form, read by parsers that are not ours: XML and CSV say what JSON says.

Arguments: URL of the DICOMweb door, bearer token. Prints `equal ROWS VALUES`.
"""
import csv
import io
import re
import sys
import xml.etree.ElementTree as ElementTree

import requests
from pydicom.datadict import keyword_for_tag

NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
NAME = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def get(url, token, path, accept):
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    answer = requests.get(f"{url}/{path}", headers=headers, timeout=60)
    answer.raise_for_status()
    return answer


def from_json(data_set):
    """Every value by its path."""
    found = {}
    for tag, attribute in data_set.items():
        for index, value in enumerate(attribute.get("Value", []), 1):
            if attribute["vr"] == "SQ":
                found |= {f"{tag}/{index}/{path}": text for path, text in from_json(value).items()}
            elif attribute["vr"] == "PN" and value is not None:
                found |= {f"{tag}/{index}/{group}": name.rstrip("^") for group, name in value.items()}
            elif value is not None:
                found[f"{tag}/{index}"] = str(value)
        if "InlineBinary" in attribute:
            found[tag] = attribute["InlineBinary"]
    return found


def from_xml(element):
    found = {}
    for attribute in element.findall(f"{NATIVE}DicomAttribute"):
        tag = attribute.get("tag")
        for child in attribute:
            index = child.get("number")
            if child.tag == f"{NATIVE}Item":
                found |= {f"{tag}/{index}/{path}": text for path, text in from_xml(child).items()}
            elif child.tag == f"{NATIVE}PersonName":
                for group in child:
                    parts = [group.findtext(f"{NATIVE}{name}") or "" for name in NAME]
                    found[f"{tag}/{index}/{group.tag.removeprefix(NATIVE)}"] = "^".join(parts).rstrip("^")
            elif child.tag == f"{NATIVE}InlineBinary":
                found[tag] = child.text
            else:
                found[f"{tag}/{index}"] = child.text or ""
    return found


def parts(answer):
    boundary = re.search(r"boundary=([^;]+)", answer.headers["Content-Type"]).group(1)
    pieces = answer.content.split(b"--" + boundary.encode())
    assert pieces[-1].startswith(b"--"), pieces[-1]
    return [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces[1:-1]]


def same(one, two):
    """Numbers may be spelt in two ways."""
    try:
        return one == two or float(one) == float(two)
    except ValueError:
        return False


def check(url, token, path):
    rows = get(url, token, path, "application/dicom+json").json()
    documents = parts(get(url, token, path, 'multipart/related; type="application/dicom+xml"'))
    table = list(csv.DictReader(io.StringIO(get(url, token, path, "text/csv").content.decode())))
    assert len(rows) == len(documents) == len(table), (len(rows), len(documents), len(table))
    values = 0
    for row, document, line in zip(rows, documents, table):
        expected, found = from_json(row), from_xml(ElementTree.fromstring(document))
        assert expected.keys() == found.keys(), expected.keys() ^ found.keys()
        assert all(same(expected[key], found[key]) for key in expected), (expected, found)
        values += len(expected)
        for tag, attribute in row.items():
            if attribute["vr"] in ("SQ", "PN") or "Value" not in attribute:
                continue
            text = "\\".join("" if value is None else str(value) for value in attribute["Value"])
            cell = line[keyword_for_tag(int(tag, 16)) or tag]
            assert same(cell.removeprefix("'"), text), (tag, cell, text)
    return len(rows), values


def main():
    url, token = sys.argv[1:]
    counts = [check(url, token, path) for path in ("studies", "series", "instances?includefield=all")]
    print("equal", sum(rows for rows, _ in counts), sum(values for _, values in counts))


if __name__ == "__main__":
    main()
