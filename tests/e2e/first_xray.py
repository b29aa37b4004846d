"""Finds and retrieves one instance with dicomweb-client and compares it with the file that was sent."""
import sys

import pydicom
from dicomweb_client import DICOMwebClient

url, token, path, patient_id = sys.argv[1:]
sent = pydicom.dcmread(path)
client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"})

studies = client.search_for_studies(search_filters={"PatientID": patient_id})
assert len(studies) == 1, studies
study = studies[0]["0020000D"]["Value"][0]
assert study == sent.StudyInstanceUID, study
assert studies[0]["00201208"]["Value"] == [1], studies
series = client.search_for_series(study)
assert [one["0020000E"]["Value"][0] for one in series] == [sent.SeriesInstanceUID], series

arguments = study, sent.SeriesInstanceUID, sent.SOPInstanceUID
metadata = pydicom.Dataset.from_json(client.retrieve_instance_metadata(*arguments))
assert metadata.PatientName == sent.PatientName and metadata.Rows == sent.Rows, metadata
got = client.retrieve_instance(*arguments, media_types=(("application/dicom", "*"),))
assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
assert got.to_json_dict() == sent.to_json_dict()
assert got.PixelData == sent.PixelData
frames = client.retrieve_instance_frames(*arguments, frame_numbers=[1], media_types=(("application/octet-stream", "*"),))
assert frames == [sent.PixelData]
print("equal")
