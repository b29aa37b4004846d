"""pynetdicom as an information system that is told which instances are available (Instance Availability Notification).

availability_check.py TITLE LISTEN_PORT SECONDS COUNT [STATUS]
Listens until it has heard COUNT notifications, answers each with STATUS (default 0), and prints each as one JSON object a line.
"""

import json
import sys
import threading

from pynetdicom import AE, evt
from pynetdicom.sop_class import InstanceAvailabilityNotification

title, listen_port, seconds, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
status = int(sys.argv[5]) if len(sys.argv) > 5 else 0x0000
heard = threading.Semaphore(0)


def on_create(event):
    what, request = event.attribute_list, event.request
    instances = {}
    for series in what.ReferencedSeriesSequence:
        for item in series.ReferencedSOPSequence:
            assert sorted(element.keyword for element in item) == [
                "InstanceAvailability",
                "ReferencedSOPClassUID",
                "ReferencedSOPInstanceUID",
                "RetrieveAETitle",
            ], item
            place = [series.SeriesInstanceUID, item.ReferencedSOPClassUID, item.InstanceAvailability, item.RetrieveAETitle]
            instances[item.ReferencedSOPInstanceUID] = place
    for step in what.ReferencedPerformedProcedureStepSequence:
        assert step.PerformedWorkitemCodeSequence == [], step
    said = {
        "calling": event.assoc.requestor.ae_title,
        "sop_class": request.AffectedSOPClassUID,
        "sop_instance": request.AffectedSOPInstanceUID,
        "attributes": sorted(element.keyword for element in what),
        "study": what.StudyInstanceUID,
        "series": len(what.ReferencedSeriesSequence),
        "instances": instances,
        "steps": [[step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID] for step in what.ReferencedPerformedProcedureStepSequence],
    }
    print(json.dumps(said), flush=True)
    heard.release()
    return status, None


listener = AE(ae_title=title)
listener.add_supported_context(InstanceAvailabilityNotification)
server = listener.start_server(("127.0.0.1", listen_port), block=False, evt_handlers=[(evt.EVT_N_CREATE, on_create)])
for _ in range(count):
    assert heard.acquire(timeout=seconds), "nothing was heard"
server.shutdown()
