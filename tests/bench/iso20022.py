"""What it takes to judge an ISO 20022 message: on one core, beside two other ways of reading the same files.

Ours is the whole way from bytes to the records that the pipeline posts: safe parsing, schema, reading,
business checks, accounts, mapping; and its first two parts alone.  The rivals are xmlschema, which checks the
same schema, and pyiso20022, which builds a message's classes and asks no schema.  Each runs in a process of
its own; what is told is processor time, and how large the process became.  pyiso20022 is no dependency of
the project; where it is not installed its line says so:

    python -m venv /tmp/pyiso && /tmp/pyiso/bin/pip install pyiso20022==1.6.2 xsdata
    PYISO20022_PYTHON=/tmp/pyiso/bin/python python -m tests.bench --only iso20022
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = "pacs.008.001.08"
SIZES = (1, 1000)

# Each is given the file, and prepares what judges it: then True is returned for a valid message.
_WAYS = {
    "whole": """
from datetime import UTC, datetime
from postbus.adapters.iso20022_schemas import installed
from postbus.domain.iso20022 import accounts, business_checks, reading, xml
from postbus.domain.iso20022.instructions import Origin, transfer_record
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.workflow import FoundAccount
schemas, agreement = installed(), business_checks.Agreement()
mandate = Mandate(frozenset("*"), frozenset("*"))
origin = Origin("7a562c67-ca16-48ba-b074-f65581be6f0d", datetime(2026, 11, 2, 10, tzinfo=UTC), "eu-central-1")
def is_valid(body):
    document = xml.read(body, 64 * 1024 * 1024)
    if schemas.validate(document):
        return False
    read = reading.read(document.root, document.type)
    if business_checks.check(read, agreement, origin.received_at):
        return False
    for one in read.message.transfers:
        found = {key: (FoundAccount(key.value, "EUR", "open"),) for key in accounts.keys_of(one)}
        transfer_record(one, origin, accounts.resolve(one, found, (), mandate))
    return True
""",
    "parse and schema": """
from postbus.adapters.iso20022_schemas import installed
from postbus.domain.iso20022 import xml
schemas = installed()
def is_valid(body):
    return schemas.validate(xml.read(body, 64 * 1024 * 1024)) == ()
""",
    "xmlschema": f"""
import xmlschema
schema = xmlschema.XMLSchema({str(ROOT / ".build/iso20022/xsd" / MESSAGE)!r} + ".xsd")
def is_valid(body):
    return schema.is_valid(body.decode())
""",
    "pyiso20022": """
from xsdata.formats.dataclass.parsers import XmlParser
from pyiso20022.pacs.pacs_008_001_08 import Document
parser = XmlParser()
def is_valid(body):
    return parser.from_bytes(body, Document) is not None
""",
}

# Around a way: everything before the first verdict is counted to it, imports too.
_MEASURE = """
import json, sys, time
began = time.process_time()
{way}
body = open(sys.argv[1], "rb").read()
assert is_valid(body), "the message of the measurement is not valid"
first = time.process_time() - began
times = []
for _ in range(int(sys.argv[2])):
    began = time.process_time()
    is_valid(body)
    times.append(time.process_time() - began)
# Not ru_maxrss, which goes on from the process that started this one.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
largest = int(status["VmHWM"].split()[0]) * 1024 / 1e6
print(json.dumps([first, sorted(times)[len(times) // 2], largest]))
"""


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
    """Print for each way and size the first message, the median of others, and the process's largest size."""
    subprocess.run(
        [sys.executable, str(ROOT / "source/build/package.py"), "iso20022", "--schemas"], check=True
    )
    path = ROOT / ".build" / "bench" / "iso20022.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    for transfers in SIZES:
        path.write_bytes(message(transfers))
        runs = (500 if transfers == 1 else 20) // (5 if quick else 1)
        print(
            f"{MESSAGE}, {transfers} transfers, {path.stat().st_size / 1e6:.3f} MB: the first one with all it"
        )
        print(f"needs, then the median of {runs} (rivals {max(2, runs // 10)})")
        for name in _WAYS:
            _line(name, _measured(name, path, runs if name in ("whole", "parse and schema") else runs // 10))


def _measured(name: str, path: Path, runs: int) -> tuple[float, float, float] | None:
    """Seconds of the first and of the median, and megabytes; ``None`` where the way is not installed."""
    python = os.environ.get("PYISO20022_PYTHON", sys.executable) if name == "pyiso20022" else sys.executable
    program = _MEASURE.format(way=_WAYS[name])
    done = subprocess.run(
        [python, "-c", program, str(path), str(max(2, runs))], capture_output=True, text=True
    )
    if done.returncode != 0:
        if name != "pyiso20022" or "ModuleNotFoundError" not in done.stderr:
            raise SystemExit(done.stderr)
        return None
    first, median, largest = json.loads(done.stdout)
    return first, median, largest


def _line(name: str, measured: tuple[float, float, float] | None) -> None:
    if measured is None:
        print(f"  {name:<18} not installed: see tests/bench/iso20022.py")
        return
    first, median, largest = measured
    print(
        f"  {name:<18} {first * 1000:>8.1f} ms {median * 1000:>9.3f} ms {1 / median:>8.1f} messages/s"
        f" {largest:>6.1f} MB",
        flush=True,
    )
