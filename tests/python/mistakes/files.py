"""Files that are missing, cut off or hostile. `folder` is a fresh one."""

import json
import struct
import zlib

import numpy as np

import phlox as px


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def written(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def missing_file(folder):
    """
    phlox.errors.FileNotFoundError: [E0801] load: cannot open the file, No such file or directory
      file  FOLDER/model.safetensors
      at    files.py:LINE   px.load(folder / "model.safetensors")
    """
    px.load(folder / "model.safetensors")


def folder_in_place_of_a_file(folder):
    """
    phlox.errors.FileError: [E0801] load: cannot open the file, Is a directory
      file  FOLDER/model.safetensors
      at    files.py:LINE   px.load(folder / "model.safetensors")
    """
    (folder / "model.safetensors").mkdir()
    px.load(folder / "model.safetensors")


def empty_file(folder):
    """
    phlox.errors.FormatError: [E0802] load: the file ends too early, 8 bytes are wanted at byte 0
      file  FOLDER/a.safetensors, 0 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "a.safetensors", b""))
    """
    px.load(written(folder, "a.safetensors", b""))


def truncated_safetensors(folder):
    """
    phlox.errors.FormatError: [E0802] load: the file ends too early, 400 bytes are wanted at byte 128
      file  FOLDER/b.safetensors, 518 bytes
      byte  518
      at    files.py:LINE   px.load(written(folder, "b.safetensors", content[:-10]))
    """
    px.save({"weight": px.ones(100)}, folder / "a.safetensors")
    content = (folder / "a.safetensors").read_bytes()
    px.load(written(folder, "b.safetensors", content[:-10]))


def safetensors_with_an_enormous_header(folder):
    """
    phlox.errors.FormatError: [E0803] load: the header would have 4611686018427387904 bytes; at most 100000000 are allowed
      file  FOLDER/a.safetensors, 10 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors({}, length=2**62)))
    """
    px.load(written(folder, "a.safetensors", safetensors({}, length=2**62)))


def safetensors_with_a_broken_header(folder):
    """
    phlox.errors.FormatError: [E0803] load: the header ends where '{' was expected
      file  FOLDER/a.safetensors, 14 bytes
      byte  14
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors(b'{"a": ')))
    """
    px.load(written(folder, "a.safetensors", safetensors(b'{"a": ')))


def safetensors_with_an_unknown_dtype(folder):
    """
    phlox.errors.FormatError: [E0803] load: the dtype "F31" is not known
      file  FOLDER/a.safetensors, 73 bytes
      byte  24
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))
    """
    entry = {"dtype": "F31", "shape": [1], "data_offsets": [0, 4]}
    px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))


def safetensors_that_point_outside(folder):
    """
    phlox.errors.FormatError: [E0802] load: the file ends too early, 8 bytes are wanted at byte 69
      file  FOLDER/a.safetensors, 73 bytes
      byte  73
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))
    """
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))


def safetensors_with_overlapping_tensors(folder):
    """
    phlox.errors.FormatError: [E0803] load: "b" overlaps another tensor
      file  FOLDER/a.safetensors, 134 bytes
      byte  70
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors({"a": a, "b": a}, bytes(4))))
    """
    a = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    px.load(written(folder, "a.safetensors", safetensors({"a": a, "b": a}, bytes(4))))


def safetensors_whose_sizes_overflow(folder):
    """
    phlox.errors.FormatError: [E0803] load: the shape of "a" has too many elements
      file  FOLDER/a.safetensors, 100 bytes
      byte  9
      at    files.py:LINE   px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))
    """
    entry = {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}
    px.load(written(folder, "a.safetensors", safetensors({"a": entry}, bytes(4))))


def pytorch_file(folder):
    """
    phlox.errors.FormatError: [E0803] load: this is no safetensors file but a zip archive, such as .npz, or .pt of torch.save
      file  FOLDER/model.pt, 64 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "model.pt", b"PK\\x03\\x04" + bytes(60)))
    """
    px.load(written(folder, "model.pt", b"PK\x03\x04" + bytes(60)))


def pickle_in_place_of_a_file(folder):
    """
    phlox.errors.FormatError: [E0803] load: this is no safetensors file but a Python pickle
      file  FOLDER/model.pt, 63 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "model.pt", b"\\x80\\x04\\x95" + bytes(60)))
    """
    px.load(written(folder, "model.pt", b"\x80\x04\x95" + bytes(60)))


def npz_that_is_none(folder):
    """
    phlox.errors.FormatError: [E0803] load: this is no zip archive, or it is truncated: it has no end record
      file  FOLDER/a.npz, 124 bytes
      byte  124
      at    files.py:LINE   px.load(written(folder, "a.npz", b"these are words, and no archive" * 4))
    """
    px.load(written(folder, "a.npz", b"these are words, and no archive" * 4))


def truncated_npz(folder):
    """
    phlox.errors.FormatError: [E0803] load: this is no zip archive, or it is truncated: it has no end record
      file  FOLDER/b.npz, 1016 bytes
      byte  1016
      at    files.py:LINE   px.load(written(folder, "b.npz", content[:-40]))
    """
    np.savez(folder / "a.npz", x=np.ones(100))
    content = (folder / "a.npz").read_bytes()
    px.load(written(folder, "b.npz", content[:-40]))


def damaged_npz(folder):
    """
    phlox.errors.FormatError: [E0803] load: the checksum of the entry "x.npy" is wrong
      file  FOLDER/b.npz, 1763 bytes
      byte  55
      at    files.py:LINE   px.load(written(folder, "b.npz", bytes(content)))
    """
    np.savez_compressed(folder / "a.npz", x=np.arange(1000))
    content = bytearray((folder / "a.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    px.load(written(folder, "b.npz", bytes(content)))


def npz_of_objects(folder):
    """
    phlox.errors.FormatError: [E0804] load: the file holds Python objects, and reading them could run any code
      file  FOLDER/a.npz, entry x.npy, 280 bytes
      byte  20
      at    files.py:LINE   px.load(folder / "a.npz")
      try   np.save an array of numbers
    """
    np.savez(folder / "a.npz", x=np.array([{}, None]))
    px.load(folder / "a.npz")


def npy_of_objects(folder):
    """
    phlox.errors.FormatError: [E0804] load: the file holds Python objects, and reading them could run any code
      file  FOLDER/a.npy, 280 bytes
      byte  20
      at    files.py:LINE   px.load(folder / "a.npy")
      try   np.save an array of numbers
    """
    np.save(folder / "a.npy", np.array([{}, None]))
    px.load(folder / "a.npy")


def truncated_npy(folder):
    """
    phlox.errors.FormatError: [E0802] load: the file ends too early, 10 bytes are wanted at byte 918
      file  FOLDER/b.npy, 918 bytes
      byte  918
      at    files.py:LINE   px.load(written(folder, "b.npy", content[:-10]))
    """
    np.save(folder / "a.npy", np.ones(100))
    content = (folder / "a.npy").read_bytes()
    px.load(written(folder, "b.npy", content[:-10]))


def text_as_npy(folder):
    """
    phlox.errors.FormatError: [E0803] load: this is no .npy file
      file  FOLDER/a.npy, 7 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "a.npy", b"1, 2, 3"))
    """
    px.load(written(folder, "a.npy", b"1, 2, 3"))


def csv_with_words(folder):
    """
    phlox.errors.FormatError: [E0803] load_csv: line 2: "four" is no number
      file  FOLDER/a.csv, 11 bytes
      byte  6
      at    files.py:LINE   px.io.load_csv(written(folder, "a.csv", b"1,2\\n3,four\\n"))
    """
    px.io.load_csv(written(folder, "a.csv", b"1,2\n3,four\n"))


def csv_with_a_short_line(folder):
    """
    phlox.errors.FormatError: [E0803] load_csv: line 2 has 1 fields, and those before have 2
      file  FOLDER/a.csv, 6 bytes
      byte  4
      at    files.py:LINE   px.io.load_csv(written(folder, "a.csv", b"1,2\\n3\\n"))
    """
    px.io.load_csv(written(folder, "a.csv", b"1,2\n3\n"))


def csv_that_is_not_there(folder):
    """
    phlox.errors.FileNotFoundError: [E0801] load_csv: cannot open the file, No such file or directory
      file  FOLDER/a.csv
      at    files.py:LINE   px.io.load_csv(folder / "a.csv")
    """
    px.io.load_csv(folder / "a.csv")


def idx_of_another_kind(folder):
    """
    phlox.errors.FormatError: [E0803] load_idx: this is no IDX file: it does not begin with two zero bytes
      file  FOLDER/a.idx, 4 bytes
      byte  0
      at    files.py:LINE   px.io.load_idx(written(folder, "a.idx", b"\\x01\\x02\\x03\\x04"))
    """
    px.io.load_idx(written(folder, "a.idx", b"\x01\x02\x03\x04"))


def truncated_idx(folder):
    """
    phlox.errors.FormatError: [E0802] load_idx: the file ends too early, 16 bytes are wanted at byte 12
      file  FOLDER/a.idx, 15 bytes
      byte  15
      at    files.py:LINE   px.io.load_idx(written(folder, "a.idx", b"\\0\\0\\x08\\x02" + struct.pack(">II", 4, 4) + bytes(3)))
    """
    px.io.load_idx(written(folder, "a.idx", b"\0\0\x08\x02" + struct.pack(">II", 4, 4) + bytes(3)))


def idx_of_enormous_size(folder):
    """
    phlox.errors.FormatError: [E0803] load_idx: the array has too many elements
      file  FOLDER/a.idx, 16 bytes
      byte  12
      at    files.py:LINE   px.io.load_idx(written(folder, "a.idx", b"\\0\\0\\x08\\x03" + struct.pack(">III", 2**31, 2**31, 2**31)))
    """
    px.io.load_idx(written(folder, "a.idx", b"\0\0\x08\x03" + struct.pack(">III", 2**31, 2**31, 2**31)))


def picture_of_the_wrong_dtype(folder):
    """
    phlox.errors.DTypeError: [E0301] save_png: an image of u8 is needed, not i64
      image  i64[4,4] cpu
      at     files.py:LINE   px.io.save_png(px.ones(4, 4, dtype=px.int64), folder / "a.png")
      try    (x * 255).to(uint8) for values from 0 to 1
    """
    px.io.save_png(px.ones(4, 4, dtype=px.int64), folder / "a.png")


def picture_of_the_wrong_shape(folder):
    """
    phlox.errors.ShapeError: [E0204] save_png: the shape is not that of an image
      image  u8[2,4,4,5] cpu
      at     files.py:LINE   px.io.save_png(px.zeros(2, 4, 4, 5, dtype=px.uint8), folder / "a.png")
      try    [height, width], [height, width, 3] or [height, width, 4], each size from 1 to 65535
    """
    px.io.save_png(px.zeros(2, 4, 4, 5, dtype=px.uint8), folder / "a.png")


def folder_that_is_not_there(folder):
    """
    phlox.errors.FileNotFoundError: [E0805] save: cannot write the file, No such file or directory
      file  FOLDER/none/a.safetensors
      note  an older file of this name is unchanged
      at    files.py:LINE   px.save({"a": px.ones(1)}, folder / "none" / "a.safetensors")
    """
    px.save({"a": px.ones(1)}, folder / "none" / "a.safetensors")


def class_in_place_of_a_state(folder):
    """
    phlox.errors.TypeError: [E0104] save: "model" is the class Linear; what is saved are tensors, numbers, texts, None, and dicts and lists of them
      at   files.py:LINE   px.save({"model": px.nn.Linear}, folder / "a.safetensors")
      try  px.save(model.state_dict(), path)
    """
    px.save({"model": px.nn.Linear}, folder / "a.safetensors")


def state_of_another_network(folder):
    """
    phlox.errors.StateError: [E0702] load_state_dict: 1 shapes differ from those of Conv2d
      shape  weight: stored is [2,2], the module has [2,1,3,3]
      at     files.py:LINE   px.nn.Conv2d(1, 2, 3).load_state_dict(px.load(folder / "a.safetensors"))
    """
    px.save(px.nn.Linear(2, 2).state_dict(), folder / "a.safetensors")
    px.nn.Conv2d(1, 2, 3).load_state_dict(px.load(folder / "a.safetensors"))


def unreadable_format(folder):
    """
    phlox.errors.FormatError: [E0803] load: the header would have 326199698758776 bytes; at most 100000000 are allowed
      file  FOLDER/a.gz, 12 bytes
      byte  0
      at    files.py:LINE   px.load(written(folder, "a.gz", zlib.compress(b"text")))
    """
    px.load(written(folder, "a.gz", zlib.compress(b"text")))
