"""A second, independent reader (and writer) of MXE1, from docs/object-format.md and with other cryptography.

    mxe1.py read DATA_DIRECTORY     opens every object with root.key; one JSON line each; exit 1 when one does not open
    mxe1.py vectors FILE            opens the test vectors and makes them again
    mxe1.py make FILE               writes the test vectors
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

CHUNK = 1 << 16
KINDS = {1: "instance", 2: "picture", 3: "probe"}


def root_key_id(root):
    digest = bytearray(hmac.new(root, b"MXE1 root key id", hashlib.sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x40
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def chunk_nonce(prefix, index, last):
    return prefix + index.to_bytes(4, "big") + bytes([last])


def chunks_of(length):
    return max(1, -(-length // CHUNK))


def make_key_object(root, key_id, key, nonce):
    head = b"MXK1" + bytes([1, 1, 0, 0]) + key_id + root_key_id(root)
    return head + nonce + AESGCMSIV(root).encrypt(nonce, key, b"MXE1 patient key 1" + head)


def open_key_object(root, data, key_id):
    assert len(data) == 100 and data[:8] == b"MXK1\x01\x01\0\0", "no key object"
    assert data[8:24] == key_id, "the key object of another key"
    assert data[24:40] == root_key_id(root), "wrapped by another root key"
    return AESGCMSIV(root).decrypt(data[40:52], data[52:], b"MXE1 patient key 1" + data[:40])


def make_object(object_id, kind, key_id, patient_key, data_key, prefix, wrap_nonce, plain):
    header = b"MXE1" + bytes([1, 1, 16, kind]) + object_id + prefix + bytes(33)
    digest = hashlib.sha256(header).digest()
    count = chunks_of(len(plain))
    body = b"".join(
        AESGCM(data_key).encrypt(
            chunk_nonce(prefix, index, index + 1 == count), plain[index * CHUNK : (index + 1) * CHUNK], digest
        )
        for index in range(count)
    )
    bound = b"MXS1" + bytes([1, 1, kind, 16]) + key_id + prefix + b"\0" + len(plain).to_bytes(8, "big")
    wrapped = AESGCMSIV(patient_key).encrypt(wrap_nonce, data_key, b"MXE1 data key v1" + digest + bound)
    return header + body + bound + wrap_nonce + wrapped + bytes(28)


def open_object(object_id, data, patient_key_of):
    header, seal = data[:64], data[-128:]
    assert header[:7] == b"MXE1\x01\x01\x10" and header[31:] == bytes(33), "no header"
    assert header[8:24] == object_id, "the header of another object"
    kind, prefix = header[7], header[24:31]
    assert kind in KINDS, "unknown kind"
    assert seal[:8] == b"MXS1" + bytes([1, 1, kind, 16]) and seal[31] == 0 and seal[100:] == bytes(28), "no seal"
    assert seal[24:31] == prefix, "the seal of another object"
    length = int.from_bytes(seal[32:40], "big")
    count = chunks_of(length)
    assert len(data) == 64 + length + 16 * count + 128, "another length"
    digest = hashlib.sha256(header).digest()
    patient_key = patient_key_of(seal[8:24])
    data_key = AESGCMSIV(patient_key).decrypt(seal[40:52], seal[52:100], b"MXE1 data key v1" + digest + seal[:40])
    cipher, body, plain = AESGCM(data_key), data[64:-128], []
    for index in range(count):
        sealed = body[index * (CHUNK + 16) : (index + 1) * (CHUNK + 16)]
        plain.append(cipher.decrypt(chunk_nonce(prefix, index, index + 1 == count), sealed, digest))
    return KINDS[kind], b"".join(plain)


def read(directory):
    root = base64.b64decode((directory / "root.key").read_text())
    keys = {}

    def patient_key_of(key_id):
        if key_id not in keys:
            keys[key_id] = open_key_object(root, (directory / "keys" / str(uuid.UUID(bytes=key_id))).read_bytes(), key_id)
        return keys[key_id]

    failed = 0
    for path in sorted((directory / "objects").glob("*/*")):
        try:
            kind, plain = open_object(uuid.UUID(path.name).bytes, path.read_bytes(), patient_key_of)
        except Exception as error:  # each is an object that does not open
            failed += 1
            print(json.dumps({"object": path.name, "error": repr(error)}))
            continue
        digest = hashlib.sha256(plain).hexdigest()
        print(json.dumps({"object": path.name, "kind": kind, "length": len(plain), "sha256": digest}))
    return 1 if failed else 0


def pattern(length):
    return bytes((index ^ index >> 8 ^ index >> 16) & 0xFF for index in range(length))


def vectors():
    root, patient = bytes(range(32)), bytes(range(32, 64))
    key_id, key_nonce = bytes(range(0xA0, 0xB0)), bytes(range(0xB0, 0xBC))
    objects = []
    for number, length in enumerate([0, 1, 65535, 65536, 65537, 131073]):
        object_id = bytes(range(0x10, 0x1F)) + bytes([number])
        data_key = hashlib.sha256(b"data key %d" % number).digest()
        prefix, nonce = bytes([number]) * 7, bytes([0xF0 + number]) * 12
        data = make_object(object_id, 1, key_id, patient, data_key, prefix, nonce, pattern(length))
        objects.append(
            {
                "object_id": object_id.hex(),
                "data_key": data_key.hex(),
                "nonce_prefix": prefix.hex(),
                "wrap_nonce": nonce.hex(),
                "plain_length": length,
                "header": data[:64].hex(),
                "last_tag": data[-144:-128].hex(),
                "seal": data[-128:].hex(),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    return {
        "plain": "byte i is (i xor i>>8 xor i>>16) and 255",
        "root_key": root.hex(),
        "root_key_id": root_key_id(root).hex(),
        "patient_key": patient.hex(),
        "patient_key_id": key_id.hex(),
        "patient_key_nonce": key_nonce.hex(),
        "key_object": make_key_object(root, key_id, patient, key_nonce).hex(),
        "objects": objects,
    }


def main(command, path):
    path = pathlib.Path(path)
    if command == "read":
        return read(path)
    if command == "make":
        path.write_text(json.dumps(vectors(), indent=1) + "\n")
        return 0
    assert json.loads(path.read_text()) == vectors(), "the vectors are others"
    root, key_id = bytes(range(32)), bytes(range(0xA0, 0xB0))
    key = open_key_object(root, bytes.fromhex(vectors()["key_object"]), key_id)
    for vector in vectors()["objects"]:
        object_id, data_key = bytes.fromhex(vector["object_id"]), bytes.fromhex(vector["data_key"])
        plain = pattern(vector["plain_length"])
        data = make_object(
            object_id, 1, key_id, key, data_key, bytes.fromhex(vector["nonce_prefix"]),
            bytes.fromhex(vector["wrap_nonce"]), plain,
        )
        assert open_object(object_id, data, lambda _: key) == ("instance", plain)
    return 0


sys.exit(main(*sys.argv[1:3]))
