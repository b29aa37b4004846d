"""pynetdicom as a modality: asks for storage commitment, and hears what came of it on an association of its own.

commitment_check.py [--tls KEY CERTIFICATE AUTHORITY] TITLE LISTEN_PORT SECONDS [SERVER_PORT TRANSACTION_UID CLASS=INSTANCE ...]
Without a server it only listens; with --tls to nobody without a certificate of that authority. Prints one JSON object a line: the status of the request, then each report.
"""

import json
import ssl
import sys
import threading

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

INSTANCE = "1.2.840.10008.1.20.1.1"
tls = None
if sys.argv[1] == "--tls":
    key, certificate, authority = sys.argv[2:5]
    del sys.argv[1:5]
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(certificate, key)
title, listen_port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
heard = threading.Event()


def say(**what):
    print(json.dumps(what), flush=True)


def on_report(event):
    info, request = event.event_information, event.request
    requestor = event.assoc.requestor
    say(
        calling=requestor.ae_title,
        provider=[context.as_scu for context in event.assoc.accepted_contexts if context.abstract_syntax == StorageCommitmentPushModel],
        sop_class=request.AffectedSOPClassUID,
        sop_instance=request.AffectedSOPInstanceUID,
        event_type=event.event_type,
        transaction_uid=info.TransactionUID,
        retrieve=info.RetrieveAETitle,
        committed=[item.ReferencedSOPInstanceUID for item in info.get("ReferencedSOPSequence", [])],
        failed={item.ReferencedSOPInstanceUID: item.FailureReason for item in info.get("FailedSOPSequence", [])},
    )
    heard.set()
    return 0x0000, None


listener = AE(ae_title=title)
listener.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
server = listener.start_server(("127.0.0.1", listen_port), block=False, ssl_context=tls, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])

if len(sys.argv) > 4:
    requestor = AE(ae_title=title)
    requestor.add_requested_context(StorageCommitmentPushModel)
    association = requestor.associate("127.0.0.1", int(sys.argv[4]), ae_title="CALLED_SO")
    assert association.is_established, "no association"
    request = Dataset()
    request.TransactionUID = sys.argv[5]
    request.ReferencedSOPSequence = []
    for reference in sys.argv[6:]:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.split("=")
        request.ReferencedSOPSequence.append(item)
    status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, INSTANCE)
    say(status=status.Status)
    association.release()

assert heard.wait(seconds), "nothing was reported"
server.shutdown()
