# Makes an AES key in a token as no tool of the command line can: with dates, a list of mechanisms, and templates for what it wraps
# and unwraps. guarded_key.py LIBRARY TOKEN-LABEL PIN LABEL PRIVATE, which is 0 or 1
import ctypes
import sys

ULONG = ctypes.c_ulong
path, token, pin, label, private = sys.argv[1:]
library = ctypes.CDLL(path)
# The numbers of PKCS#11's pkcs11t.h.
TOKEN, PRIVATE, LABEL, SENSITIVE, ENCRYPT, WRAP, UNWRAP = 0x001, 0x002, 0x003, 0x103, 0x104, 0x106, 0x107
START_DATE, END_DATE, VALUE_LEN, EXTRACTABLE = 0x110, 0x111, 0x161, 0x162
WRAP_TEMPLATE, UNWRAP_TEMPLATE, ALLOWED_MECHANISMS = 0x40000211, 0x40000212, 0x40000600
AES_KEY_GEN, AES_KEY_WRAP_PAD = 0x1080, 0x210A


class Attribute(ctypes.Structure):
    _fields_ = [("type", ULONG), ("value", ctypes.c_void_p), ("length", ULONG)]


class Mechanism(ctypes.Structure):
    _fields_ = [("mechanism", ULONG), ("parameter", ctypes.c_void_p), ("length", ULONG)]


class Template:
    def __init__(self, entries):
        self.values = [
            ctypes.create_string_buffer(value, len(value)) if isinstance(value, bytes) else value.array
            for _, value in entries
        ]
        self.array = (Attribute * len(entries))(
            *(
                Attribute(number, ctypes.cast(value, ctypes.c_void_p), ctypes.sizeof(value))
                for (number, _), value in zip(entries, self.values)
            )
        )
        self.entries = entries


def call(name, *arguments):
    code = getattr(library, name)(*arguments)
    if code != 0:
        sys.exit(f"{name}: {code:#x}")


def slot():
    count = ULONG(0)
    call("C_GetSlotList", 1, None, ctypes.byref(count))
    slots = (ULONG * count.value)()
    call("C_GetSlotList", 1, slots, ctypes.byref(count))
    for number in slots:
        information = ctypes.create_string_buffer(512)
        call("C_GetTokenInfo", ULONG(number), information)
        if information.raw[:32].rstrip() == token.encode():
            return number
    sys.exit(f"no token {token}")


def number(value):
    return bytes(ULONG(value))


inner = Template([(EXTRACTABLE, b"\0")])
template = Template(
    [
        (TOKEN, b"\1"),
        (LABEL, label.encode()),
        (PRIVATE, bytes([int(private)])),
        (VALUE_LEN, number(32)),
        (SENSITIVE, b"\1"),
        (EXTRACTABLE, b"\1"),
        (ENCRYPT, b"\1"),
        (WRAP, b"\1"),
        (UNWRAP, b"\1"),
        (START_DATE, b"20240102"),
        (END_DATE, b"20990304"),
        (WRAP_TEMPLATE, inner),
        (UNWRAP_TEMPLATE, inner),
        (ALLOWED_MECHANISMS, number(AES_KEY_WRAP_PAD)),
    ]
)
call("C_Initialize", None)
session, key = ULONG(), ULONG()
call("C_OpenSession", ULONG(slot()), ULONG(6), None, None, ctypes.byref(session))
call("C_Login", session, ULONG(1), pin.encode(), ULONG(len(pin)))
mechanism = Mechanism(AES_KEY_GEN, None, 0)
call("C_GenerateKey", session, ctypes.byref(mechanism), template.array, ULONG(len(template.array)), ctypes.byref(key))
call("C_Finalize", None)
