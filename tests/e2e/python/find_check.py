"""pynetdicom as a workstation: asks by C-FIND, with keys in DICOM JSON. find_check.py PORT TITLE QUERIES

QUERIES is a JSON array of {"class": SOP Class UID, "keys": DICOM JSON, "options": bytes of the extended negotiation}.
Prints one JSON object for each: the last status, the statuses of the answers, and the answers in DICOM JSON.
"""

import json
import sys

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

for query in json.loads(sys.argv[3]):
    ae = AE(ae_title=sys.argv[2])
    ae.add_requested_context(query["class"])
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = query["class"]
    extended.service_class_application_information = bytes(query["options"])
    association = ae.associate("127.0.0.1", int(sys.argv[1]), ae_title="MAXRAY", ext_neg=[extended] if query["options"] else None)
    assert association.is_established, "no association"
    statuses, answers, last = [], [], None
    for status, found in association.send_c_find(Dataset.from_json(query["keys"]), query["class"]):
        if found is None:
            last = status.Status
            continue
        statuses.append(status.Status)
        answers.append(found.to_json_dict())
    print(json.dumps({"last": last, "statuses": statuses, "answers": answers}), flush=True)
    association.release()
