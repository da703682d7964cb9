"""Tensor files: what is read, bit for bit, and what is refused, in one line.

Files are written by numpy, or byte by byte with struct and json; expected values are literals or
what was given to numpy. bfloat16 is written by hand.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refmodel import arrayfiles
from refmodel.errors import DefinitionError, DtypeError, FileError, MxError, ShapeError
from refmodel.tensors import parse_source, read_array, read_tensors

ROOT = pathlib.Path(__file__).parents[1]
FUZZ_CASES = int(os.environ.get("FUZZ_CASES", "500"))

MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)


def safetensors_bytes(tensors: dict[str, tuple[str, list[int], bytes]], header: bytes | None = None) -> bytes:
    """Return a .safetensors file: 8 bytes of header length, JSON header, values."""
    entries, values = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        entries[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(values), len(values) + len(data)],
        }
        values += data
    text = json.dumps(entries).encode() if header is None else header
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + values


def npy_bytes(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on old readers for versions 2 and 3
        np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def npy_by_hand(shape: str, values: bytes) -> bytes:
    """Return a .npy file of little-endian float32 with *shape* put into its header as it is."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def refusal(kind: type[MxError], path: object, name: str | None = None) -> str:
    """Return the message of the expected error, which is one printable line that names the file."""
    with pytest.raises(kind) as caught:
        read_tensors(path, name)  # type: ignore[arg-type]
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.isprintable(), message
    assert len(message) < 600, message
    return message


# What is read


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_of_any_byte_order_memory_order_and_version(tmp_path, dtype, order, shape, version):
    values = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    path = tmp_path / "weights.npy"
    path.write_bytes(npy_bytes(np.asarray(values, order=order), version))
    result = read_tensors(path)
    assert list(result) == ["weights"]
    got = result["weights"]
    assert got.dtype == np.dtype(dtype[1:])
    assert got.dtype.isnative
    assert got.flags.c_contiguous
    assert got.flags.writeable
    assert got.shape == shape
    assert got.tolist() == values.tolist()


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_special_values_keep_their_bits(tmp_path, byte_order, suffix):
    """NaN payloads, quiet and signalling, -0, Inf and subnormals."""
    bits = [0x7FC00000, 0xFFC12345, 0x7F800001, 0x80000000, 0xFF800000, 0x00000001, 0x807FFFFF]
    array = np.array(bits, np.uint32).astype(byte_order + "u4").view(byte_order + "f4")
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, array)
    else:
        np.savez(path, x=array)
    assert read_tensors(path)["x"].view(np.uint32).tolist() == bits


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_its_float_tensors_in_order(tmp_path, save):
    path = tmp_path / "x.npz"
    save(
        path,
        **{
            "z": MATRIX,
            "index": np.arange(3),
            "flag": np.array([True]),
            "scalar": np.float32(3),
            "empty": np.zeros((0, 4), np.float32),
            "complex": np.ones(2, np.complex64),
            "deep/a": MATRIX.astype(np.float16).T,
            "d": MATRIX.astype(np.float64),
        },
    )
    result = read_tensors(str(path))
    assert [(name, a.dtype.name, a.tolist()) for name, a in result.items()] == [
        ("z", "float32", MATRIX.tolist()),
        ("deep/a", "float16", MATRIX.T.tolist()),
        ("d", "float64", MATRIX.tolist()),
    ]
    assert list(read_tensors(path, "deep/a")) == ["deep/a"]


def test_safetensors_written_by_hand(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        safetensors_bytes(
            {
                "half": ("F16", [3], struct.pack("<3H", 0x3C00, 0xC000, 0x0001)),
                "index": ("I64", [1], struct.pack("<q", 5)),
                "single": ("F32", [2, 1], struct.pack("<2f", 1.5, -0.0)),
                "fp8": ("F8_E4M3", [2], b"\x01\x02"),
                "double": ("F64", [1, 1, 2], struct.pack("<2d", 1e300, 0.1)),
                "brain": ("BF16", [2, 2], struct.pack("<4H", 0x3F80, 0xC040, 0x0001, 0x7F80)),
                "scalar": ("F32", [], struct.pack("<f", 1)),
                "empty": ("F32", [0, 3], b""),
            }
        )
    )
    result = read_tensors(path)
    assert {name: (a.dtype.name, a.tolist()) for name, a in result.items()} == {
        "half": ("float16", [1.0, -2.0, 2.0**-24]),
        "single": ("float32", [[1.5], [-0.0]]),
        "double": ("float64", [[[1e300, 0.1]]]),
        "brain": ("float32", [[1.0, -3.0], [2.0**-133, float("inf")]]),
    }
    assert np.signbit(result["single"][1, 0])
    assert all(a.flags.writeable and a.flags.c_contiguous for a in result.values())
    assert read_tensors(path, "brain")["brain"].tolist() == [[1.0, -3.0], [2.0**-133, float("inf")]]


def test_every_bfloat16_widens_to_the_float32_with_16_zero_bits_appended(tmp_path):
    path = tmp_path / "all.safetensors"
    codes = b"".join(struct.pack("<H", code) for code in range(1 << 16))
    path.write_bytes(safetensors_bytes({"x": ("BF16", [1 << 16], codes)}))
    got = read_tensors(path)["x"].view(np.uint32).tolist()
    assert got == [code * 65536 for code in range(1 << 16)]


def test_npy_written_by_python_2_is_read_without_a_remark(tmp_path):
    path = tmp_path / "old.npy"
    path.write_bytes(npy_by_hand("(3L, 4L)", MATRIX.tobytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_tensors(path)["old"].tolist() == MATRIX.tolist()


def test_suffix_in_capitals_and_path_objects(tmp_path):
    path = tmp_path / "Big.NPY"
    path.write_bytes(npy_bytes(MATRIX))
    assert read_tensors(path, "Big")["Big"].tolist() == MATRIX.tolist()


def test_safetensors_by_the_package_itself(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    path = tmp_path / "x.safetensors"
    save_file({"b": MATRIX, "a": MATRIX.astype(np.float16)}, path, {"key": "value"})
    result = read_tensors(path)
    assert {name: a.tolist() for name, a in result.items()} == {"a": MATRIX.tolist(), "b": MATRIX.tolist()}
    assert result["a"].dtype == np.float16


# What a command line names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.npy", ("x.npy", None)),
        ("x.npz:w", ("x.npz", "w")),
        ("missing.safetensors:layer.weight", ("missing.safetensors", "layer.weight")),
        ("x.npz:dense/kernel:0", ("x.npz", "dense/kernel:0")),
        ("missing.npz:dense/kernel:0", ("missing.npz:dense/kernel", "0")),
        ("with:colon.npy", ("with:colon.npy", None)),
        ("with:colon.npy:with:colon", ("with:colon.npy", "with:colon")),
        ("a:b", ("a", "b")),
        ("x.npz:", ("x.npz", "")),
        ("", ("", None)),
    ],
)
def test_parse_source(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("x.npz", "with:colon.npy"):
        pathlib.Path(name).touch()
    assert parse_source(text) == expected


# What is refused


@pytest.mark.parametrize(
    ("dtype", "label"),
    [
        ("i4", "int32"),
        ("u1", "uint8"),
        ("?", "bool"),
        ("c8", "complex64"),
        ("c16", "complex128"),
        ("U3", "str96"),
        ("M8[s]", "datetime64[s]"),
        ([("re", "f4"), ("im", "f4")], "void64"),
        ("V2", "void16"),
        ("g", np.dtype("g").name),
    ],
)
def test_element_types_that_are_refused(tmp_path, dtype, label):
    path, archive = tmp_path / "x.npy", tmp_path / "x.npz"
    np.save(path, np.zeros(3, dtype))
    np.savez(archive, good=MATRIX, bad=np.zeros(3, dtype))
    for message in (refusal(DtypeError, path), refusal(DtypeError, archive, "bad")):
        assert label in message
        assert "float16, float32, float64" in message
        assert ("bfloat16 or FP8" in message) == (label == "void16")
    assert list(read_tensors(archive)) == ["good"]


def test_objects_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pathlib.Path.touch, (tmp_path / "exploded",))

    np.save(tmp_path / "x.npy", np.array([Bomb(), None]), allow_pickle=True)
    np.savez(tmp_path / "x.npz", bomb=np.array([Bomb(), None]))
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Bomb()))
    assert "object" in refusal(DtypeError, tmp_path / "x.npy")
    assert "object" in refusal(DtypeError, tmp_path / "x.npz", "bomb")
    refusal(FileError, tmp_path / "raw.npy")
    assert not (tmp_path / "exploded").exists()


def test_shapes_that_are_refused(tmp_path):
    np.save(tmp_path / "scalar.npy", np.float32(1))
    np.save(tmp_path / "empty.npy", np.zeros((3, 0), np.float16))
    assert "axis" in refusal(ShapeError, tmp_path / "scalar.npy")
    assert "[3, 0]" in refusal(ShapeError, tmp_path / "empty.npy")
    path = tmp_path / "x.npz"
    np.savez(path, i=np.arange(3), s=np.float64(1), e=np.zeros(0, np.float32))
    assert "'s'" in refusal(ShapeError, path, "s")
    assert "'e'" in refusal(ShapeError, path, "e")
    assert "none of its 3 tensors" in refusal(ShapeError, path)


def test_safetensors_types_that_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        safetensors_bytes(
            {"fp8": ("F8_E5M2", [2], b"\x01\x02"), "c": ("C64", [1], bytes(8)), "i": ("I8", [1], b"1")}
        )
    )
    for name, label in (("fp8", "F8_E5M2"), ("c", "C64"), ("i", "I8")):
        message = refusal(DtypeError, path, name)
        assert repr(name) in message
        assert label in message
    message = refusal(DtypeError, path)
    assert "none of its 3 tensors" in message
    assert "F8_E5M2" in message


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    path = tmp_path / "few.npz"
    np.savez(path, alpha=MATRIX, beta=MATRIX)
    for name in ("gamma", ""):
        message = refusal(FileError, path, name)
        assert repr(name) in message
        assert "'alpha', 'beta'" in message
    many = tmp_path / "many.npz"
    np.savez(many, **{f"layer{i}.{part}": MATRIX for i in range(20) for part in ("query", "key")})
    message = refusal(FileError, many, "layer7.qery")
    assert "'layer7.query'" in message
    assert message.count("'layer") <= 11
    assert "'layer0.key'" in refusal(FileError, many, "KEY")
    assert "and 30 more" in refusal(FileError, many, "&&&&")
    np.save(tmp_path / "one.npy", MATRIX)
    assert "'one'" in refusal(FileError, tmp_path / "one.npy", "two")


def test_paths_that_are_refused(tmp_path):
    (tmp_path / "dir.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "x.pt").write_bytes(b"")
    np.save(tmp_path / "w.npy", MATRIX)
    assert "No such file" in refusal(FileError, tmp_path / "missing.npy")
    assert "missing.npz" in refusal(FileError, str(tmp_path / "missing.npz"))
    assert "Not a directory" in refusal(FileError, tmp_path / "w.npy" / "y.npy")
    assert "regular file" in refusal(FileError, tmp_path / "dir.npz")
    assert "regular file" in refusal(FileError, tmp_path / "pipe.npy")
    assert ".npy, .npz, .safetensors" in refusal(FileError, tmp_path / "x.pt")
    assert "no suffix" in refusal(FileError, tmp_path / "x")
    assert "no suffix" in refusal(FileError, "")
    refusal(FileError, "nul\0.npy")
    refusal(FileError, "two\nlines.npy")


def test_a_file_without_permission(tmp_path, monkeypatch):
    """Stands in for chmod 0, which does not stop every user."""

    def denied(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    np.save(tmp_path / "x.npy", MATRIX)
    monkeypatch.setattr(arrayfiles, "open", denied, raising=False)
    assert "Permission denied" in refusal(FileError, tmp_path / "x.npy")


def test_damaged_files(tmp_path):
    npy, npz, st_ = tmp_path / "x.npy", tmp_path / "x.npz", tmp_path / "x.safetensors"
    whole = npy_bytes(MATRIX)
    for data, why in (
        (b"", "not a valid .npy"),
        (whole[:-1], "truncated"),
        (whole + whole, "more than one array"),
        (whole.replace(b"(3, 4)", b"(3,-4)"), "shape"),
        (npy_by_hand(f"(3, {10**30})", bytes(48)), "truncated"),
        (npy_by_hand(str((1,) * 70), bytes(4)), "damaged"),
        (npy_by_hand("(" * 3000, bytes(4)), "damaged"),
        (whole[:6] + b"\x04" + whole[7:], "version"),
        (b"PK\x03\x04" + whole, "damaged"),
    ):
        npy.write_bytes(data)
        assert why in refusal(FileError, npy), data

    np.savez(npz, a=MATRIX)
    whole = npz.read_bytes()
    for data, why in (
        (b"", "not a valid .npz"),
        (whole[:-10], "not a valid .npz"),
        (whole.replace(np.float32(11).tobytes(), np.float32(12).tobytes()), "CRC"),
    ):
        npz.write_bytes(data)
        assert why in refusal(FileError, npz), data
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("readme.txt", "no tensor")
    assert "no tensor" in refusal(FileError, npz)
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("a.npy", npy_bytes(MATRIX))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", npy_bytes(MATRIX))
    assert "two tensors" in refusal(FileError, npz)

    entry = b'"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    for data, why in (
        (b"", "not a valid .safetensors"),
        (safetensors_bytes({"x": ("F32", [1], bytes(4))})[:-1], "damaged"),
        (safetensors_bytes({"x": ("F32", [1], bytes(4))}) + b"1", "damaged"),
        (safetensors_bytes({"x": ("F32", [2], bytes(4))}), "damaged"),
        (safetensors_bytes({"x": ("F33", [1], bytes(4))}), "F33"),
        (safetensors_bytes({"x": ("F" * 5000, [1], bytes(4))}), "FFFF"),
        (safetensors_bytes({}, b"{" + entry + b"," + entry + b"}") + bytes(4), "twice"),
        (safetensors_bytes({}), "holds no tensor"),
        (struct.pack("<Q", 1 << 63) + b"{}", "damaged"),
    ):
        st_.write_bytes(data)
        assert why in refusal(FileError, st_), data


def test_an_archive_member_shorter_than_the_archive_says(tmp_path):
    """Header and directory say 60 bytes of values; 48 are there, and their checksum is right."""
    path = tmp_path / "x.npz"
    content = npy_by_hand("(3, 5)", MATRIX.tobytes())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    whole = path.read_bytes()
    size, wrong = struct.pack("<I", len(content)), struct.pack("<I", len(content) + 12)
    assert whole.count(size) == 2
    path.write_bytes(whole.replace(size, wrong))
    message = refusal(FileError, path)
    assert "truncated" in message
    assert "not a valid" not in message


def test_an_encrypted_or_unknown_archive_member(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=MATRIX)
    whole = path.read_bytes()
    central = whole.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):  # flag bit 0: encrypted; compression method 99
        data = bytearray(whole)
        data[central + offset] = value
        path.write_bytes(data)
        assert "not a valid .npz" in refusal(FileError, path)


def test_an_archive_cannot_claim_more_than_its_bytes_can_hold(tmp_path):
    """A few bytes of bzip2 or LZMA can be terabytes, and a directory can claim anything."""
    path = tmp_path / "x.npz"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a.npy", npy_bytes(MATRIX))
        assert f"compression method {method}; 0 or 8" in refusal(FileError, path)
    header = npy_by_hand(f"({2**40},)", b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header)
        entry = archive.infolist()[0]
        entry.file_size = len(header) + 4 * 2**40
    assert "bytes cannot hold" in refusal(FileError, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:  # zeros are as dense as deflate gets
        archive.writestr("a.npy", npy_bytes(np.zeros(1 << 22, np.float32)))
    assert read_tensors(path)["a"].shape == (1 << 22,)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i8", "u1"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4)])
def test_read_array_takes_any_shape_and_maps_without_changing_values(tmp_path, order, dtype, shape):
    values = np.asarray(np.random.default_rng(1).integers(0, 9, shape), dtype, order=order)
    np.save(tmp_path / "x.npy", values)
    array = read_array(str(tmp_path / "x.npy"), "numbers" if "f" in dtype else "codes")
    assert array.dtype.newbyteorder("=") == np.dtype(dtype).newbyteorder("=")
    assert array.shape == shape
    assert array.tolist() == values.tolist()


def test_read_array_takes_the_one_array_of_its_content(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, index=np.arange(3), x=MATRIX, flag=np.array([True]))
    assert read_array(str(path), "numbers").tolist() == MATRIX.tolist()
    assert read_array(str(path), "codes").tolist() == [0, 1, 2]
    with pytest.raises(DtypeError, match="tensor 'flag' is bool; codes are integers"):
        read_array(f"{path}:flag", "codes")
    np.savez(path, a=MATRIX, b=MATRIX)
    with pytest.raises(DefinitionError, match=r"holds 2 tensors; name one: .*x\.npz:a"):
        read_array(str(path), "numbers")


def test_safetensors_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes({"x": ("F32", [1], bytes(4))}))
    assert "pip install safetensors" in refusal(FileError, path)


def test_safetensors_is_imported_only_for_its_files(tmp_path):
    np.save(tmp_path / "x.npy", MATRIX)
    code = (
        "import sys; from refmodel.tensors import read_tensors; read_tensors('x.npy'); "
        "sys.exit('safetensors' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


# Damage at random


def _valid_files() -> dict[str, bytes]:
    archives = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, a=MATRIX, b=MATRIX.astype(">f8").T, c=np.arange(3))
        archives.append(stream.getvalue())
    return {
        "1.npy": npy_bytes(MATRIX),
        "2.npy": npy_bytes(np.asfortranarray(MATRIX.astype(np.float16)), (2, 0)),
        "1.npz": archives[0],
        "2.npz": archives[1],
        "1.safetensors": safetensors_bytes(
            {
                "a": ("F32", [3, 4], MATRIX.tobytes()),
                "b": ("BF16", [2], b"\x80\x3f\x00\x00"),
                "c": ("U8", [3], b"abc"),
            }
        ),
    }


VALID_FILES = _valid_files()


@settings(max_examples=FUZZ_CASES, deadline=None)
@given(data=st.data())
def test_damage_ends_in_an_error_of_ours_or_in_tensors(tmp_path_factory, data):
    """Flip bytes, cut the end or both: no other exception, no warning, never a surprise type."""
    kind = data.draw(st.sampled_from(sorted(VALID_FILES)))
    content = bytearray(VALID_FILES[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.getbasetemp() / kind
    path.unlink(missing_ok=True)  # writing a new file is many times faster than emptying an old one
    path.write_bytes(content)
    for name in (None, "a"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                result = read_tensors(path, name)
            except (FileError, DtypeError, ShapeError) as error:
                message = str(error)
                assert kind in message
                assert message.isprintable()
                assert len(message) < 1000
            else:
                assert result
                assert {a.dtype.name for a in result.values()} <= {"float16", "float32", "float64"}
                assert all(a.size for a in result.values())


def test_every_truncation_of_a_valid_file_is_a_file_error(tmp_path):
    for kind, content in VALID_FILES.items():
        path = tmp_path / kind
        path.write_bytes(content)
        for length in reversed(range(len(content))):
            os.truncate(path, length)
            refusal(FileError, path)


# The real input that ships with the project

REAL = ROOT / "vectors" / "real"
README = (REAL / "README.md").read_text(encoding="utf-8")


def test_real_input_is_the_file_its_readme_describes():
    content = (REAL / "minilm.safetensors").read_bytes()
    (digest,) = re.findall(r"^    SHA-256 ([0-9a-f]{64})$", README, re.M)
    assert hashlib.sha256(content).hexdigest() == digest
    assert len(content) < 400_000


def test_real_input_is_pairs_that_share_their_last_axis():
    operands = read_tensors(REAL / "minilm.safetensors")
    names = {name.rpartition(".")[0] for name in operands}
    assert set(operands) == {f"{name}.{side}" for name in names for side in ("weight", "input")}
    for name in names:
        weight, activations = operands[f"{name}.weight"], operands[f"{name}.input"]
        assert f"| `{name}` | {list(weight.shape)} | {list(activations.shape)} |" in README
        assert weight.shape[-1] == activations.shape[-1]
        for values in (weight, activations):
            assert values.dtype == np.float32
            assert np.isfinite(values).all()
            assert len(np.unique(values)) > values.size // 2  # data, not filling
    assert {operands[f"{name}.weight"].shape[-1] % 32 == 0 for name in names} == {True, False}


def test_real_attention_probabilities_are_probabilities():
    """Softmax rows sum to 1: a property of the model that the script does not enforce afterwards."""
    probabilities = read_tensors(REAL / "minilm.safetensors", "layer1.head4.context.input")
    (rows,) = probabilities.values()
    assert (rows > 0).all()
    assert np.abs(rows.astype(np.float64).sum(axis=-1) - 1).max() < 1e-6
