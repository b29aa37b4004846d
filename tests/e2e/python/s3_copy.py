"""Copies objects for deploy/backup-distributed.sh: by the S3 API of the kit's server, which looks at no signature, and folders.

    s3_copy.py objects FROM TO      everything but keys/
    s3_copy.py keys FROM TO         keys/ alone
    s3_copy.py list PLACE           names of what is there

A place is a folder, or http://HOST/BUCKET and a prefix behind it.
"""
import pathlib
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree


class Bucket:
    def __init__(self, url):
        scheme, host, path, _, _ = urllib.parse.urlsplit(url)
        bucket, _, prefix = path.strip("/").partition("/")
        self.url = f"{scheme}://{host}/{bucket}"
        self.prefix = f"{prefix}/" if prefix else ""

    def ask(self, path, method="GET", content=None):
        request = urllib.request.Request(self.url + path, data=content, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def names(self):
        prefix = urllib.parse.quote(self.prefix, safe="")
        found = xml.etree.ElementTree.fromstring(self.ask(f"?list-type=2&prefix={prefix}"))
        return [key.text[len(self.prefix) :] for key in found.iter("Key")]

    def read(self, name):
        return self.ask(f"/{self.prefix}{name}")

    def write(self, name, content):
        self.ask(f"/{self.prefix}{name}", "PUT", content)


class Folder:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def names(self):
        return [str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file()]

    def read(self, name):
        return (self.path / name).read_bytes()

    def write(self, name, content):
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(content)


def place(text):
    return Bucket(text) if text.startswith("http://") else Folder(text)


def main(command, *places):
    first, *others = [place(text) for text in places]
    if command == "list":
        print("\n".join(first.names()))
        return
    assert command in ("objects", "keys"), command
    (to,) = others
    for name in first.names():
        if name.startswith("keys/") == (command == "keys"):
            to.write(name, first.read(name))


main(*sys.argv[1:])
