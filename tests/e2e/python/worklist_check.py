"""pynetdicom as a modality: asks the worklist. worklist_check.py PORT TITLE QUERIES

QUERIES is a JSON array of objects: keywords of the Scheduled Procedure Step Sequence under "step", the others beside it.
Prints one JSON object for each: the last status, and of each answer its status, step, patient and character set.
"""

import json
import sys

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

ae = AE(ae_title=sys.argv[2])
ae.add_requested_context(ModalityWorklistInformationFind)
association = ae.associate("127.0.0.1", int(sys.argv[1]), ae_title="MAXRAY")
assert association.is_established, "no association"
for query in json.loads(sys.argv[3]):
    step, keys = Dataset(), Dataset()
    for keyword in ["ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality",
                    "ScheduledPerformingPhysicianName", "ScheduledProcedureStepID", "ScheduledProcedureStepStatus"]:
        setattr(step, keyword, query.get("step", {}).get(keyword, ""))
    for keyword in ["PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID", "StudyInstanceUID", "PatientWeight",
                    "RequestedProcedureCodeSequence"]:
        setattr(keys, keyword, None)
    for keyword, value in query.items():
        if keyword != "step":
            setattr(keys, keyword, value)
    keys.ScheduledProcedureStepSequence = [step]
    answers, last = [], None
    for status, found in association.send_c_find(keys, ModalityWorklistInformationFind):
        if found is None:
            last = status.Status
            continue
        item = found.ScheduledProcedureStepSequence[0]
        assert "PatientWeight" in found and "RequestedProcedureCodeSequence" in found, "a type 2 key is missing"
        answers.append({"status": status.Status, "step": item.ScheduledProcedureStepID, "is": item.ScheduledProcedureStepStatus,
                        "patient": str(found.PatientName), "study": found.StudyInstanceUID,
                        "set": found.get("SpecificCharacterSet", "")})
    print(json.dumps({"last": last, "answers": answers}), flush=True)
association.release()
