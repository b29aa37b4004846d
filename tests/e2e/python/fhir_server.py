"""A FHIR R4 server over the patients of a JSON file, which is read with every request.

Arguments: the file, the bearer token that has to be shown, the port (0 for a free one); for TLS a certificate and its
key. Prints `ready PORT`. R4B is FHIR 4.3.0, whose Patient is that of R4 (4.0.1).
"""

import json
import os
import socket
import sys

os.environ["FHIR_SEQUENCE"] = "R4B"

import uvicorn
from fastapi import Depends
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.patient import Patient
from fhirstarter import FHIRProvider, FHIRStarter, InteractionContext, Request
from fhirstarter.exceptions import FHIRResourceNotFoundError, FHIRUnauthorizedError

path, token, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
tls = dict(zip(("ssl_certfile", "ssl_keyfile"), sys.argv[4:]))


def signed_in(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {token}":
        raise FHIRUnauthorizedError


def patients() -> list[dict]:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def unescaped(text: str) -> list[str]:
    """The parts of a token between bars, as FHIR R4 3.1.1.4.0.1 escapes them."""
    parts, escaped = [""], False
    for one in text:
        if escaped or one not in "\\|":
            parts[-1], escaped = parts[-1] + one, False
        elif one == "\\":
            escaped = True
        else:
            parts.append("")
    return parts


provider = FHIRProvider(dependencies=[Depends(signed_in)])


@provider.read(Patient)
async def read(context: InteractionContext, id_: str) -> Patient:
    for patient in patients():
        if patient["id"] == id_:
            return Patient(**patient)
    raise FHIRResourceNotFoundError


@provider.search_type(Patient)
async def search(context: InteractionContext, identifier: str | None) -> Bundle:
    system, value = unescaped(identifier)
    wanted = {"system": system, "value": value}
    found = [
        patient
        for patient in patients()
        if any({"system": one["system"], "value": one["value"]} == wanted for one in patient["identifier"])
    ]
    entry = [{"resource": patient, "search": {"mode": "match"}} for patient in found]
    return Bundle(type="searchset", total=len(found), entry=entry or None)


app = FHIRStarter()
app.add_providers(provider)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen()
print("ready", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", **tls)).run(sockets=[listener])
