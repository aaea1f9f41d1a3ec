"""What it takes to judge an ISO 20022 message: on one core, beside two other ways of reading the same files.

The rivals are xmlschema, which checks the same schema, and pyiso20022, which builds a message's classes
and asks no schema.  pyiso20022 is no dependency of the project; where it is not installed its line says so:

    python -m venv /tmp/pyiso && /tmp/pyiso/bin/pip install pyiso20022==1.6.2 xsdata
    PYISO20022_PYTHON=/tmp/pyiso/bin/python python -m tests.bench --only iso20022
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import xmlschema

from postbus.adapters.iso20022_schemas import installed
from postbus.domain.iso20022 import xml
from postbus.domain.iso20022.messages import Fault
from postbus.domain.iso20022.schemas import Schemas

ROOT = Path(__file__).resolve().parents[2]
LIMIT_BYTES = 64 * 1024 * 1024
MESSAGE = "pacs.008.001.08"
SIZES = (1, 1000)

# Run by another Python with nothing of the project: reads the file named first as often as the second says.
_PYISO20022 = """
import json, sys, time
from xsdata.formats.dataclass.parsers import XmlParser
began = time.perf_counter()
from pyiso20022.pacs.pacs_008_001_08 import Document
imported = time.perf_counter() - began
body = open(sys.argv[1], "rb").read()
parser = XmlParser()
def judge():
    began = time.perf_counter()
    parser.from_bytes(body, Document)
    return time.perf_counter() - began
first = judge()
times = sorted(judge() for _ in range(int(sys.argv[2])))
print(json.dumps([imported + first, times[len(times) // 2]]))
"""


def judge(body: bytes, schemas: Schemas) -> tuple[Fault, ...]:
    """From bytes to the verdict: safe parsing and the schema."""
    document = xml.read(body, LIMIT_BYTES)
    return (document,) if isinstance(document, Fault) else schemas.validate(document)


def message(transfers: int) -> bytes:
    """A valid pacs.008.001.08 with this many transfers."""
    each = "".join(_transfer(number) for number in range(1, transfers + 1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{MESSAGE}">
<FIToFICstmrCdtTrf>
<GrpHdr><MsgId>BENCH-1</MsgId><CreDtTm>2026-11-02T09:30:00Z</CreDtTm><NbOfTxs>{transfers}</NbOfTxs>
<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>
{each}</FIToFICstmrCdtTrf>
</Document>
""".encode()


def _transfer(number: int) -> str:
    def party(role: str, name: str) -> str:
        return f"""<{role}><Nm>{name}</Nm><PstlAdr><StrtNm>Main Street</StrtNm><BldgNb>{number}</BldgNb>
<PstCd>1010</PstCd><TwnNm>Vienna</TwnNm><Ctry>AT</Ctry></PstlAdr></{role}>
"""

    def agent(role: str, bic: str) -> str:
        return f"<{role}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{role}>\n"

    def account(role: str, iban: str) -> str:
        return f"<{role}><Id><IBAN>{iban}</IBAN></Id></{role}>\n"

    return f"""<CdtTrfTxInf>
<PmtId><InstrId>INSTR-{number}</InstrId><EndToEndId>E2E-{number}</EndToEndId><TxId>TX-{number}</TxId>
<UETR>7a562c67-ca16-48ba-b074-{number:012x}</UETR></PmtId>
<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>
<IntrBkSttlmAmt Ccy="EUR">{number}.25</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-02</IntrBkSttlmDt>
<ChrgBr>SLEV</ChrgBr>
{agent("InstgAgt", "POSBATWWXXX")}{agent("InstdAgt", "POSBDEFFXXX")}{party("Dbtr", "Example Debtor")}\
{account("DbtrAcct", "AT611904300234573201")}\
{agent("DbtrAgt", "POSBATWWXXX")}{agent("CdtrAgt", "POSBDEFFXXX")}\
{party("Cdtr", "Example Creditor")}{account("CdtrAcct", "DE89370400440532013000")}<Purp><Cd>GDDS</Cd></Purp>
<RmtInf><Ustrd>Invoice {number} of the second of November, as agreed</Ustrd></RmtInf>
</CdtTrfTxInf>
"""


def report(quick: bool) -> None:
    """Print for each way and size the first message, which pays for the schema, and the median of others."""
    subprocess.run(
        [sys.executable, str(ROOT / "source/build/package.py"), "iso20022", "--schemas"], check=True
    )
    for transfers in SIZES:
        body = message(transfers)
        runs = (500 if transfers == 1 else 10) // (5 if quick else 1)
        print(f"{MESSAGE}, {transfers} transfers, {len(body) / 1e6:.3f} MB: first, then the median of {runs}")
        _line("parse and schema", _measured(_ours, body, runs))
        _line("xmlschema", _measured(_xmlschema, body, max(2, runs // 10)))
        _line("pyiso20022", _pyiso20022(body, max(2, runs // 10)))


def _ours() -> Callable[[bytes], bool]:
    schemas = installed()
    return lambda body: judge(body, schemas) == ()


def _xmlschema() -> Callable[[bytes], bool]:
    schema = xmlschema.XMLSchema(str(ROOT / ".build/iso20022/xsd" / f"{MESSAGE}.xsd"))
    return lambda body: schema.is_valid(body.decode())


def _measured(prepare: Callable[[], Callable[[bytes], bool]], body: bytes, runs: int) -> tuple[float, float]:
    began = time.perf_counter()
    is_valid = prepare()
    if not is_valid(body):
        raise SystemExit("the message of the measurement is not valid")
    first = time.perf_counter() - began
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        is_valid(body)
        times.append(time.perf_counter() - began)
    return first, statistics.median(times)


def _pyiso20022(body: bytes, runs: int) -> tuple[float, float] | None:
    """Measured by the Python that ``PYISO20022_PYTHON`` names, else by this one; ``None`` if it is absent."""
    path = ROOT / ".build" / "bench" / "iso20022.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    python = os.environ.get("PYISO20022_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", _PYISO20022, str(path), str(runs)], capture_output=True, text=True)
    if done.returncode != 0:
        if "ModuleNotFoundError" not in done.stderr:
            raise SystemExit(done.stderr)
        return None
    first, median = json.loads(done.stdout)
    return first, median


def _line(name: str, measured: tuple[float, float] | None) -> None:
    if measured is None:
        print(f"  {name:<20} not installed: see tests/bench/iso20022.py")
        return
    first, median = measured
    print(
        f"  {name:<20} {first * 1000:>9.2f} ms {median * 1000:>9.3f} ms {1 / median:>9.1f} messages/s",
        flush=True,
    )
