"""Stores, finds and retrieves one file with the program of dicomweb-client, as a person at a prompt would.

Arguments: URL of the DICOMweb door, bearer token of an account that may store, a file with native pixels. Prints `equal FRAMES`.

Its `retrieve bulkdata` ends in an error of its own in 0.61 (it asks for an option that it does not have); bulk data are retrieved by
dicomweb_client_check.py.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import pydicom

PROGRAM = pathlib.Path(sys.executable).with_name("dicomweb_client")


def run(url, token, *arguments):
    """What it prints."""
    command = [str(PROGRAM), "--url", url, "--bearer-token", token, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{arguments}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout


def main():
    url, token, path = sys.argv[1:]
    sent = pydicom.dcmread(path)
    study, series, instance = sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID

    def search(*arguments):
        return json.loads(run(url, token, "search", *arguments))

    assert search("studies", "--filter", f"StudyInstanceUID={study}") == []
    run(url, token, "store", "instances", path)
    run(url, token, "store", "instances", "--study", study, path)

    (row,) = search("studies", "--filter", f"StudyInstanceUID={study}", "--field", "StudyDescription", "--limit", "5")
    assert row["0020000D"]["Value"] == [study] and row["00201208"]["Value"] == [1], row
    (row,) = search("studies", "--filter", f"PatientID={sent.PatientID}", "--fuzzy")
    assert row["0020000D"]["Value"] == [study], row
    (row,) = search("series", "--study", study)
    assert row["0020000E"]["Value"] == [series], row
    (row,) = search("instances", "--study", study, "--series", series)
    assert row["00080018"]["Value"] == [instance], row
    assert search("instances", "--study", study, "--offset", "1") == []
    shown = run(url, token, "search", "studies", "--filter", f"StudyInstanceUID={study}", "--dicomize")
    assert study in shown and "Study Instance UID" in shown, shown

    place = ["--study", study, "--series", series, "--instance", instance]
    metadata = json.loads(run(url, token, "retrieve", "instances", *place, "metadata"))
    assert metadata["00080018"]["Value"] == [instance], metadata
    for of in (["studies", "--study", study], ["series", "--study", study, "--series", series]):
        (one,) = json.loads(run(url, token, "retrieve", *of, "metadata"))
        assert one == metadata, (one, metadata)

    with tempfile.TemporaryDirectory() as folder:
        saved = ["--save", "--output-dir", folder]
        run(url, token, "retrieve", "instances", *place, "full", *saved, "--media-type", "application/dicom", "*")
        got = pydicom.dcmread(pathlib.Path(folder) / f"{instance}.dcm")
        assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID, got.file_meta
        assert got == sent, "the instance is another one"
        run(url, token, "retrieve", "studies", "--study", study, "full", *saved)
        assert pydicom.dcmread(pathlib.Path(folder) / f"{instance}.dcm").PixelData == sent.PixelData
        frames = ["frames", "--numbers", "1", *saved, "--media-type", "application/octet-stream", "*"]
        run(url, token, "retrieve", "instances", *place, *frames)
        frame = (pathlib.Path(folder) / f"{instance}_1.dat").read_bytes()
        assert frame == sent.PixelData[: len(frame)] and len(frame) == sent.Rows * sent.Columns * 2, len(frame)
    print("equal 1")


if __name__ == "__main__":
    main()
