"""Filters failures of valid requests by rules that a JSON Schema cannot express."""

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

# A time that must be in the future, a cursor that only the previous page returns, and days that depend on each other.
BEYOND_SCHEMAS = [
    '"must be in the future, got ',
    '"cursor: must be the next_cursor of a page, got ',
    '"cursor: must be the next_cursor of a page of the same usage, got ',
    '"cursor: must be the next_cursor of a page of the log, got ',
    '"from: must not be after ',
    '"from: must give at most 366 days up to ',
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    refused = isinstance(failure, RejectedPositiveData)
    return not (refused and any(reason in response.text for reason in BEYOND_SCHEMAS))
