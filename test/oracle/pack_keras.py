"""Packs Keras's own answers into test/oracle/data/keras, one JSON object per line.

Usage: python3 pack_keras.py FOLDER, where FOLDER holds keras_layers.jsonl, models/{k2,k3}/*.json with models/expected.json,
and apps/*.json with apps/expected.json, as data/keras/README.md describes them. Initialisers, regularisers and
constraints are left out of the models: they say nothing about sizes.
"""

import gzip
import json
import pathlib
import sys

SILENT = ("_initializer", "_regularizer", "_constraint")


def slim(value):
    if isinstance(value, dict):
        return {key: slim(item) for key, item in value.items() if not key.endswith(SILENT)}
    return [slim(item) for item in value] if isinstance(value, list) else value


def write(path, records):
    text = "\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def models(folder):
    for style in ("k2", "k3"):
        expected = json.loads((folder / "models/expected.json").read_text())["models"]
        for name, truth in expected.items():
            model = json.loads((folder / "models" / style / f"{name}.json").read_text())
            yield {"id": f"{style}/{name}", "model": slim(model), "fail": truth["fail"], "layers": truth["layers"] if truth["ok"] else None}
    for name, truth in json.loads((folder / "apps/expected.json").read_text()).items():
        model = json.loads((folder / f"apps/{name}.json").read_text())
        yield {"id": f"apps/{name}", "model": slim(model), "fail": None, "layers": truth["layers"]}


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(__file__).parent / "data/keras"
    write(target / "models.jsonl.gz", models(source))
    write(target / "layers.jsonl.gz", [json.loads(line) for line in (source / "keras_layers.jsonl").read_text().splitlines()])
