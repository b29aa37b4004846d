"""Checks audit messages, one a line, against the schema of PS3.15 A.5.1 (RELAX NG): elements, their order and number,
attributes, enumerations. Prints how many there were."""

import base64
import sys
from datetime import datetime
from xml.etree import ElementTree

CODED = {"csd-code": str, "codeSystemName": str, "originalText": str, "displayName?": str}


def one_of(*values):
    def check(text):
        assert text in values, text

    return check


def boolean(text):
    assert text in ("true", "false"), text


def base64_text(text):
    base64.b64decode(text, validate=True)


# Name: attributes (`?` for optional), children in order with how often they may come.
SCHEMA = {
    "AuditMessage": (
        {},
        [
            ("EventIdentification", 1, 1),
            ("ActiveParticipant", 1, None),
            ("AuditSourceIdentification", 1, 1),
            ("ParticipantObjectIdentification", 0, None),
        ],
    ),
    "EventIdentification": (
        {
            "EventActionCode?": one_of("C", "R", "U", "D", "E"),
            "EventDateTime": datetime.fromisoformat,
            "EventOutcomeIndicator": one_of("0", "4", "8", "12"),
        },
        [("EventID", 1, 1), ("EventTypeCode", 0, None), ("EventOutcomeDescription", 0, 1)],
    ),
    "EventID": (CODED, []),
    "EventTypeCode": (CODED, []),
    "EventOutcomeDescription": ({}, []),
    "ActiveParticipant": (
        {
            "UserID": str,
            "AlternativeUserID?": str,
            "UserName?": str,
            "UserIsRequestor": boolean,
            "NetworkAccessPointID?": str,
            "NetworkAccessPointTypeCode?": one_of("1", "2", "3", "4", "5"),
        },
        [("RoleIDCode", 0, None), ("MediaIdentifier", 0, 1)],
    ),
    "RoleIDCode": (CODED, []),
    "AuditSourceIdentification": (
        {"AuditEnterpriseSiteID?": str, "AuditSourceID": str},
        [("AuditSourceTypeCode", 0, None)],
    ),
    "ParticipantObjectIdentification": (
        {
            "ParticipantObjectID": str,
            "ParticipantObjectTypeCode?": one_of("1", "2", "3", "4"),
            "ParticipantObjectTypeCodeRole?": one_of(*map(str, range(1, 27))),
        },
        [
            ("ParticipantObjectIDTypeCode", 1, 1),
            ("ParticipantObjectName", 1, 1),
            ("ParticipantObjectDetail", 0, None),
        ],
    ),
    "ParticipantObjectIDTypeCode": (CODED, []),
    "ParticipantObjectName": ({}, []),
    "ParticipantObjectDetail": ({"type": str, "value": base64_text}, []),
}


def check(element):
    attributes, children = SCHEMA[element.tag]
    for name, kind in attributes.items():
        value = element.get(name.rstrip("?"))
        assert value is not None or name.endswith("?"), f"{element.tag} lacks {name}"
        if value is not None:
            assert value, f"{element.tag} {name} is empty"
            kind(value)
    known = {name.rstrip("?") for name in attributes}
    assert set(element.attrib) <= known, f"{element.tag}: {element.attrib}"
    rest = list(element)
    for name, least, most in children:
        count = 0
        while rest and rest[0].tag == name:
            check(rest.pop(0))
            count += 1
        assert count >= least and (most is None or count <= most), f"{count} {name} in {element.tag}"
    assert not rest, f"{rest[0].tag} is out of place in {element.tag}"


messages = 0
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        root = ElementTree.fromstring(line.encode())
        assert root.tag == "AuditMessage", root.tag
        check(root)
        messages += 1
print(messages)
