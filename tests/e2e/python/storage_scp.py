"""pynetdicom as a destination: keeps nothing, and says who sent each instance and for whom. storage_scp.py PORT TITLE COUNT SECONDS

Prints one JSON object for each C-STORE-RQ, and ends when COUNT of them have come.
"""

import json
import sys
import threading

from pynetdicom import AE, AllStoragePresentationContexts, evt

port, title, count, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
came, enough = [], threading.Event()


def on_store(event):
    request = event.request
    said = {
        "calling": event.assoc.requestor.ae_title,
        "instance": request.AffectedSOPInstanceUID,
        "originator": request.MoveOriginatorApplicationEntityTitle,
        "message": request.MoveOriginatorMessageID,
    }
    print(json.dumps(said), flush=True)
    came.append(said)
    if len(came) == count:
        enough.set()
    return 0x0000


ae = AE(ae_title=title)
ae.supported_contexts = AllStoragePresentationContexts
server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
assert enough.wait(seconds), f"{len(came)} of {count} came"
server.shutdown()
