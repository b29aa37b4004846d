"""pynetdicom as a workstation that says for whom it asks (PS3.7 D.3.3.7).

user_identity_check.py PORT TITLE ATTEMPTS
ATTEMPTS is a JSON list of {"type": 2, "primary": .., "secondary": .., "positive": true, "get": [STUDY ..]}; without "type"
there is no user identity. Prints one JSON object a line for each: what became of the association, what it finds, what it gets.
"""

import json
import sys

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

port, title, attempts = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])


def identity(attempt):
    item = UserIdentityNegotiation()
    item.user_identity_type = attempt["type"]
    item.positive_response_requested = attempt.get("positive", True)
    item.primary_field = attempt["primary"].encode()
    if attempt["type"] == 2:
        item.secondary_field = attempt["secondary"].encode()
    return item


def query(association, model, data_set, keyword):
    found, status = [], None
    for answer, row in association.send_c_find(data_set, model):
        status = answer.Status
        if row is not None:
            found.append(getattr(row, keyword))
    return {"found": sorted(found), "status": status}


def study(uid=""):
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    keys.StudyInstanceUID = uid
    return keys


def scheduled():
    keys = Dataset()
    keys.PatientID = ""
    keys.ScheduledProcedureStepSequence = [Dataset()]
    return keys


def get(association, received, uid):
    received.clear()
    status = None
    for answer, _ in association.send_c_get(study(uid), StudyRootQueryRetrieveInformationModelGet):
        status = answer.Status
    return {"received": sorted(received), "status": status}


for attempt in attempts:
    received = []

    def keep(event):
        received.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    ae = AE(ae_title=title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(ModalityWorklistInformationFind)
    ae.add_requested_context(ComputedRadiographyImageStorage)
    items = [build_role(ComputedRadiographyImageStorage, scp_role=True)]
    if "type" in attempt:
        items.append(identity(attempt))
    association = ae.associate(
        "127.0.0.1", port, ae_title="MAXRAY", ext_neg=items, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    answer = association.acceptor.primitive
    said = {"established": association.is_established}
    if association.is_established:
        said["confirmed"] = any(isinstance(item, UserIdentityNegotiation) for item in answer.user_information)
        said["studies"] = query(association, StudyRootQueryRetrieveInformationModelFind, study(), "StudyInstanceUID")
        said["worklist"] = query(association, ModalityWorklistInformationFind, scheduled(), "PatientID")
        said["got"] = [get(association, received, uid) for uid in attempt.get("get", [])]
        association.release()
    elif association.is_rejected:
        said["rejected"] = [answer.result, answer.result_source, answer.diagnostic]
    print(json.dumps(said), flush=True)
