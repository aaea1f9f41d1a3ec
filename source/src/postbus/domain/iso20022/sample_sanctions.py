"""A sanctions list to try the screening with: nobody on it exists."""

from collections.abc import Mapping
from typing import Any

SAMPLE: Mapping[str, Any] = {
    "entries": [
        {"names": ["Viktor Alexandrovich Malenkov", "Виктор Александрович Маленков"], "countries": ["RU"]},
        {"names": ["Abdulrahman Al-Qasimi Nasser"], "countries": ["YE"]},
        {"names": ["Zoltán Örvendő-Kishegyi"], "countries": ["HU"]},
        {
            "names": ["Black Meridian Shipping Company Ltd", "Black Meridian Lines"],
            "bics": ["BLMRKYK1"],
            "leis": ["00000000000000BLMR09"],
        },
        {"names": ["Viktor Testowitsch Sanctionov"]},
        {"names": ["Corvax"]},
    ]
}
