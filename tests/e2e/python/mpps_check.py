"""pynetdicom as a modality that says what it does. mpps_check.py PORT TITLE MESSAGES

MESSAGES is a JSON array: {"create": UID or "", "study": .., "step": .., "patient": ..}, with "issuer" and "other_study" where wanted, or
{"set": UID, "status": .., "end": true, "series": UID, "patient": ..}. Prints status, UID and Error ID of each answer as JSON.
"""

import copy
import json
import sys

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

ae = AE(ae_title=sys.argv[2])
ae.add_requested_context(ModalityPerformedProcedureStep)
responses = []
heard = [(evt.EVT_DIMSE_RECV, lambda event: responses.append(event.message.command_set))]
association = ae.associate("127.0.0.1", int(sys.argv[1]), ae_title="MAXRAY", evt_handlers=heard)
assert association.is_established, "no association"


def creation(message):
    scheduled = Dataset()
    scheduled.StudyInstanceUID = message["study"]
    scheduled.ReferencedStudySequence = []
    scheduled.AccessionNumber = "A-1"
    scheduled.RequestedProcedureID = "R1"
    scheduled.RequestedProcedureDescription = "Chest"
    scheduled.ScheduledProcedureStepID = message["step"]
    scheduled.ScheduledProcedureStepDescription = "Chest PA"
    scheduled.ScheduledProtocolCodeSequence = []
    step = Dataset()
    step.ScheduledStepAttributesSequence = [scheduled]
    if "other_study" in message:
        other = copy.deepcopy(scheduled)
        other.StudyInstanceUID = message["other_study"]
        step.ScheduledStepAttributesSequence.append(other)
    if "issuer" in message:
        step.IssuerOfPatientID = message["issuer"]
    step.PatientName, step.PatientID = "Doe^Jane", message["patient"]
    step.PatientBirthDate = step.PatientSex = ""
    step.ReferencedPatientSequence = []
    step.PerformedProcedureStepID = "PPS1"
    step.PerformedStationAETitle = sys.argv[2]
    step.PerformedStationName = step.PerformedLocation = ""
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20260131", "093100"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.PerformedProcedureStepDescription = step.PerformedProcedureTypeDescription = ""
    step.ProcedureCodeSequence = []
    step.PerformedProcedureStepEndDate = step.PerformedProcedureStepEndTime = ""
    step.Modality, step.StudyID = "DX", "1"
    step.PerformedProtocolCodeSequence = []
    step.PerformedSeriesSequence = []
    # What is not known yet may be left out: so that N-SET has to bring it.
    for keyword in ["PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "PerformedSeriesSequence"]:
        delattr(step, keyword)
    return step


def change(message):
    step = Dataset()
    step.PerformedProcedureStepDescription = "Chest PA"
    if "status" in message:
        step.PerformedProcedureStepStatus = message["status"]
    if "patient" in message:
        step.PatientID = message["patient"]
    if message.get("end"):
        step.PerformedProcedureStepEndDate, step.PerformedProcedureStepEndTime = "20260131", "094000"
    if "series" in message:
        series = Dataset()
        series.PerformingPhysicianName = series.OperatorsName = series.SeriesDescription = ""
        series.ProtocolName = "CHEST"
        series.SeriesInstanceUID = message["series"]
        series.RetrieveAETitle = ""
        series.ReferencedImageSequence = []
        series.ReferencedNonImageCompositeSOPInstanceSequence = []
        step.PerformedSeriesSequence = [series]
    return step


for message in json.loads(sys.argv[3]):
    if "create" in message:
        uid = message["create"] or None
        status, _ = association.send_n_create(creation(message), ModalityPerformedProcedureStep, uid)
    else:
        status, _ = association.send_n_set(change(message), ModalityPerformedProcedureStep, message["set"])
    answer = responses[-1]
    said = {"status": status.Status, "uid": answer.get("AffectedSOPInstanceUID", ""), "error": answer.get("ErrorID", 0)}
    print(json.dumps(said), flush=True)
association.release()
