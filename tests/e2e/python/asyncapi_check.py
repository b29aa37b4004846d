"""Checks docs/asyncapi.yaml and payloads against it. Arguments: the document, a file with one JSON payload a line.

Prints the names of the document's events, then how many payloads fit. Leaves with an error when a payload does not.
"""

import json
import re
import sys

import fastjsonschema
import yaml

document = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))


def resolve(value):
    """The value with every reference replaced by what it points to."""
    if isinstance(value, dict):
        if "$ref" in value:
            target = document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return resolve(target)
        return {key: resolve(inner) for key, inner in value.items()}
    return [resolve(inner) for inner in value] if isinstance(value, list) else value


assert re.fullmatch(r"3\.\d+\.\d+", document["asyncapi"]), document["asyncapi"]
for operation in document["operations"].values():
    assert operation["action"] == "send" and resolve(operation["channel"])["messages"], operation
by_name = {}
for key, message in resolve(document["components"]["messages"]).items():
    payload = message["payload"]
    assert payload["properties"]["type"]["const"] == message["name"], key
    assert payload["additionalProperties"] is False, key
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **payload}
    by_name[message["name"]] = fastjsonschema.compile(schema)
channels = resolve(document["channels"])
webhook = [message["name"] for message in channels["webhook"]["messages"].values()]
streamed = [message["name"] for message in channels["serverSentEvents"]["messages"].values()]
published = [message["name"] for message in channels["broker"]["messages"].values()]
assert webhook == list(by_name) and streamed == [name for name in webhook if name != "webhook.tested"]
assert published == streamed, published
print(" ".join(webhook))

count = 0
for line in open(sys.argv[2], encoding="utf-8"):
    payload = json.loads(line)
    check = by_name[payload["type"]]
    check(payload)
    # The check can fail: a field too many, one too few.
    fields = [{**payload, "patient_name": "x"}] + [
        {key: value for key, value in payload.items() if key != left_out} for left_out in ("event_id", "at")
    ]
    for wrong in fields:
        try:
            check(wrong)
        except fastjsonschema.JsonSchemaException:
            continue
        raise SystemExit(f"not refused: {wrong}")
    count += 1
print(count)
