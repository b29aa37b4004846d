"""Stores, finds and retrieves files with dicomweb-client, and compares everything with what was sent.

Arguments: URL of the DICOMweb door, bearer token of an account that may store, files. Prints `equal FILES FRAMES`.
"""
import array
import io
import sys

import PIL.Image
import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRBigEndian

STORED = (("application/dicom", "*"),)
FRAMES = (("application/octet-stream", "*"),)


def encode(data_set):
    """The Part 10 file that the client sends for this data set."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data_set)
    return buffer.getvalue()


def data_set_of(file):
    """The bytes after the file meta group, whose first element holds its length (PS3.10 7.1)."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


def identity(data_set):
    return data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID


def check_store(client, data_sets):
    """Large enough to travel in chunks, and again: the second time nothing changes."""
    for _ in range(2):
        answer = client.store_instances(data_sets)
        assert "FailedSOPSequence" not in answer, answer
        stored = {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}
        assert stored == {data_set.SOPInstanceUID for data_set in data_sets}, stored


def check_search(client, data_sets):
    studies = {data_set.StudyInstanceUID for data_set in data_sets}
    for study in studies:
        mine = [data_set for data_set in data_sets if data_set.StudyInstanceUID == study]
        (row,) = client.search_for_studies(search_filters={"StudyInstanceUID": study})
        assert row["00201208"]["Value"] == [len(mine)], row
        assert row["00080005"]["Value"] == ["ISO_IR 192"], row
        found = pydicom.Dataset.from_json(row)
        assert found.PatientID == (mine[0].get("PatientID") or ""), found
        series = client.search_for_series(study)
        assert {one["0020000E"]["Value"][0] for one in series} == {one.SeriesInstanceUID for one in mine}
        instances = client.search_for_instances(study, get_remaining=True, limit=1)
        assert {one["00080018"]["Value"][0] for one in instances} == {one.SOPInstanceUID for one in mine}
    assert client.search_for_studies(search_filters={"PatientID": "nobody-has-this-id"}) == []
    assert client.search_for_studies(offset=1_000_000) == []


def check_instance(client, sent, file):
    got = client.retrieve_instance(*identity(sent), media_types=STORED)
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    study, series, instance = identity(sent)
    url = f"studies/{study}/series/{series}/instances/{instance}"
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    raw = client._session.get(f"{client.base_url}/{url}", headers=accept)
    raw.raise_for_status()
    assert data_set_of(raw.content) == data_set_of(file), sent.SOPInstanceUID


def check_metadata(client, sent):
    metadata = client.retrieve_instance_metadata(*identity(sent))
    assert metadata["00083002"]["Value"] == [sent.file_meta.TransferSyntaxUID], metadata["00083002"]
    assert "InlineBinary" not in metadata.get("7FE00010", {})
    assert not [tag for tag in metadata if tag.startswith("0002")]
    got = pydicom.Dataset.from_json(metadata, bulk_data_uri_handler=lambda _uri: None)
    assert got.get("PatientName", "") == sent.get("PatientName", ""), sent.SOPInstanceUID
    assert got.get("Rows") == sent.get("Rows")
    series = client.retrieve_series_metadata(*identity(sent)[:2])
    assert sent.SOPInstanceUID in {one["00080018"]["Value"][0] for one in series}


def check_frames(client, sent):
    if "PixelData" not in sent:
        return 0
    count = int(sent.get("NumberOfFrames") or 1)
    if sent.file_meta.TransferSyntaxUID.is_encapsulated:
        expected = list(generate_frames(sent.PixelData, number_of_frames=count))
    else:
        bits = sent.Rows * sent.Columns * sent.SamplesPerPixel * sent.BitsAllocated
        if bits % 8:
            return 0
        length = bits // 8
        pixels = sent.PixelData
        if sent.file_meta.TransferSyntaxUID == ExplicitVRBigEndian and sent["PixelData"].VR == "OW":
            # Frames travel in little endian; bytes of 8 bits lie in words of 16 (PS3.5 8.1.2).
            pixels = array.array("I" if sent.BitsAllocated == 32 else "H", pixels)
            pixels.byteswap()
            pixels = pixels.tobytes()
        expected = [pixels[index * length : (index + 1) * length] for index in range(count)]
    numbers = list(range(1, min(count, 8) + 1))
    got = client.retrieve_instance_frames(*identity(sent), frame_numbers=numbers, media_types=FRAMES)
    assert got == expected[: len(numbers)], sent.SOPInstanceUID
    backwards = client.iter_instance_frames(*identity(sent), frame_numbers=numbers[::-1], media_types=FRAMES)
    assert list(backwards) == expected[: len(numbers)][::-1]
    if sent.file_meta.TransferSyntaxUID.is_encapsulated:
        return len(numbers)
    metadata = client.retrieve_instance_metadata(*identity(sent))
    uri = metadata["7FE00010"]["BulkDataURI"]
    # It leaves its port out of the field Host, so that the server answers with a path.
    assert uri.startswith("/dicomweb/studies/"), uri
    uri = f"{client.protocol}://{client.host}:{client.port}{uri}"
    (value,) = client.retrieve_bulkdata(uri)
    assert value[: len(sent.PixelData)] == sent.PixelData[: len(value)]
    # By its URL in the other ways: named, streamed, and alone instead of in a part.
    assert client.retrieve_bulkdata(uri, media_types=FRAMES) == [value]
    assert list(client.iter_bulkdata(uri)) == [value]
    alone = client._session.get(uri, headers={"Accept": "application/octet-stream"})
    alone.raise_for_status()
    assert alone.content == value
    return len(numbers)


def check_picture(sent, picture, kind):
    """It is of this kind, and of the instance's size."""
    shown = PIL.Image.open(io.BytesIO(picture))
    assert (shown.format, shown.size) == (kind, (sent.Columns, sent.Rows)), (shown.format, shown.size)
    shown.load()


def check_rendered(client, sent):
    """Rendered by the server: the instance, a frame, and a list of frames, which comes in parts."""
    if "PixelData" not in sent:
        return
    for media_type, kind in [("image/jpeg", "JPEG"), ("image/png", "PNG")]:
        check_picture(sent, client.retrieve_instance_rendered(*identity(sent), media_types=(media_type,)), kind)
        frame = client.retrieve_instance_frames_rendered(*identity(sent), frame_numbers=[1], media_types=(media_type,))
        check_picture(sent, frame, kind)
    params = {"quality": 40, "viewport": "64,64"}
    small = client.retrieve_instance_rendered(*identity(sent), media_types=("image/jpeg",), params=params)
    assert max(PIL.Image.open(io.BytesIO(small)).size) <= 64
    numbers = list(range(1, int(sent.get("NumberOfFrames") or 1) + 1))[:3]
    # Without a media type the client gives the body as it came.
    body = client.retrieve_instance_frames_rendered(*identity(sent), frame_numbers=numbers)
    if len(numbers) == 1:
        check_picture(sent, body, "JPEG")
        return
    delimiter = body.split(b"\r\n", 1)[0]
    parts = [part.split(b"\r\n\r\n", 1)[1][:-2] for part in body.split(delimiter)[1:-1]]
    assert delimiter.startswith(b"--") and len(parts) == len(numbers), body[:200]
    for part in parts:
        check_picture(sent, part, "JPEG")


def main():
    url, token, *paths = sys.argv[1:]
    client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"}, chunk_size=100_000)
    data_sets = [pydicom.dcmread(path) for path in paths]
    # Before anything is looked at: pydicom writes an element that was touched without its padding.
    files = [encode(data_set) for data_set in data_sets]
    check_store(client, data_sets)
    check_search(client, data_sets)
    frames = 0
    for sent, file in zip(data_sets, files):
        check_instance(client, sent, file)
        check_metadata(client, sent)
        frames += check_frames(client, sent)
        check_rendered(client, sent)
    for study in {data_set.StudyInstanceUID for data_set in data_sets}:
        count = sum(1 for data_set in data_sets if data_set.StudyInstanceUID == study)
        assert len(client.retrieve_study(study, media_types=STORED)) == count
        assert len(client.retrieve_study_metadata(study)) == count
    print("equal", len(data_sets), frames)


if __name__ == "__main__":
    main()
