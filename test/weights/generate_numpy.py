"""Files as NumPy writes them, with the numbers they hold. Run: python3 generate_numpy.py > data/numpy.json"""
import base64
import io
import json

import numpy as np

VALUES = [0, 1, -1, 0.5, 100, -100, 3, 7, 11, 13, 17, 19]


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def npy(array, version=None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def main():
    arrays = []
    for descr in ["<f8", ">f8", "<f4", ">f4", "<f2", ">f2", "<i8", ">i4", "<i2", "|i1", "<u8", "<u4", ">u2", "|u1", "|b1"]:
        kept = [v for v in VALUES if descr[1] not in "iub" or v == int(v)]
        kept = [v for v in kept if descr[1] not in "ub" or v >= 0]
        array = np.array(kept).astype(descr)
        arrays.append({"what": descr, "dims": list(array.shape), "values": array.astype("f4").tolist(), "npy": packed(npy(array))})
    shaped = np.arange(24, dtype="f4")
    for what, array, version in [
        ("three axes", shaped.reshape(2, 3, 4), None),
        ("column-major", np.asfortranarray(shaped.reshape(2, 3, 4)), None),
        ("column-major matrix", np.asfortranarray(shaped.reshape(4, 6)), None),
        ("no axes", np.array(7, dtype="f4"), None),
        ("one axis", np.array([7, 8], dtype="f4"), None),
        ("empty", np.zeros((2, 0, 3), dtype="f4"), None),
        ("version 2", shaped.reshape(6, 4), (2, 0)),
        ("version 3", shaped.reshape(6, 4), (3, 0)),
    ]:
        arrays.append(
            {"what": what, "dims": list(array.shape), "values": array.flatten().tolist(), "npy": packed(npy(array, version))}
        )
    halves = np.array([0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0x7C00, 0xFC00], dtype="u2").view("f2")
    arrays.append({"what": "corners of float16", "dims": [9], "values": [str(v) for v in halves.astype("f4")], "npy": packed(npy(halves))})
    content = {"conv1.weight": shaped.reshape(2, 3, 2, 2), "conv1.bias": np.array([0.5, -0.5], dtype="f2"), "deep/bn.weight": np.zeros(500, "f4")}
    archives = []
    for what, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
        out = io.BytesIO()
        save(out, **content)
        archives.append({"what": what, "npz": packed(out.getvalue())})
    members = [{"name": n, "dims": list(a.shape), "values": a.astype("f4").flatten().tolist()} for n, a in content.items()]
    print(json.dumps({"numpy": np.__version__, "arrays": arrays, "archives": archives, "members": members}))


main()
