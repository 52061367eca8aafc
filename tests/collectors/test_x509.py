"""The reader of certificates, against the library cryptography on certificates that it makes."""

import base64
import datetime as dt
import random
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from driftscan.collectors import _x509

NAMES = (
    "Plain",
    'quotes " and, commas; plus+ <angle> back\\slash = ',
    " #leading",
    "Zürich 中文",
    "trailing ",
)
KEY = ec.generate_private_key(ec.SECP256R1())


def der(name: x509.Name, before: dt.datetime, after: dt.datetime) -> bytes:
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    signed = builder.serial_number(1).not_valid_before(before).not_valid_after(after).sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("common", NAMES)
@pytest.mark.parametrize("year", [1950, 1999, 2049, 2050, 2120])
def test_made(common: str, year: int) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"), x509.NameAttribute(NameOID.COMMON_NAME, common)])
    before = dt.datetime(1950, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    after = dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    found = _x509.read(der(name, before, after))
    assert found.subject == found.issuer == name.rfc4514_string()
    assert found.not_before == "1950-01-02T03:04:05Z"
    assert found.not_after == f"{year}-12-31T23:59:59Z"


def test_roots_of_this_machine() -> None:
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip("this machine has no bundle of authorities")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a root with a serial number of zero, which the library will refuse one day
        for certificate in x509.load_pem_x509_certificates(bundle.read_bytes()):
            data = certificate.public_bytes(serialization.Encoding.DER)
            found = _x509.read(data)
            assert _x509.size(data) == len(data)
            assert found.not_after == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
            common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            assert all(str(one.value).replace(",", "\\,") in found.subject for one in common)


def test_damage_is_told() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    whole = der(name, day, day + dt.timedelta(days=1))
    chance = random.Random(1)
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"cut|element|length"):
            _x509.read(whole[:end])
    for _ in range(3000):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            _x509.read(bytes(damaged))
        except ValueError:
            continue


def test_base64_of_nothing() -> None:
    with pytest.raises(ValueError, match="element"):
        _x509.read(base64.b64decode("AA=="))
