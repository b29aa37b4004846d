"""Reads a calendar with another program's parser and tells what is in it.

Arguments: the file, and the time (RFC 3339) before which hours are told: they may have no end.
"""

import sys
from datetime import datetime, timezone
from itertools import takewhile

from dateutil.rrule import rrulestr
from icalendar import Calendar

raw = open(sys.argv[1], "rb").read()
end_of_hours = datetime.fromisoformat(sys.argv[2])
assert raw.endswith(b"END:VCALENDAR\r\n") and b"\n" not in raw.replace(b"\r\n", b"")
assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
calendar = Calendar.from_ical(raw)
assert not calendar.errors, calendar.errors
assert calendar["version"] == "2.0" and calendar["prodid"]
# The parser does not know that this is text (RFC 7986 5.1), and leaves the escapes.
print(str(calendar["name"]).replace("\\,", ",").replace("\\;", ";"))
uids = [str(event["uid"]) for event in calendar.walk("VEVENT")]
assert len(uids) == len(set(uids)), uids
for event in calendar.walk("VEVENT"):
    assert not event.errors, event.errors
    start, end = event["dtstart"].dt, event["dtend"].dt
    if "rrule" in event:
        # The zone of the file itself, not that of this machine.
        assert event["dtstart"].params["TZID"] in [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")]
        zone = calendar.walk("VTIMEZONE")[0].to_tz(lookup_tzid=False)
        rule = rrulestr(event["rrule"].to_ical().decode(), dtstart=start.replace(tzinfo=zone))
        for one in takewhile(lambda one: one < end_of_hours, rule):
            print("Hours", one.astimezone(timezone.utc).isoformat(), end - start)
    else:
        what = str(event.get("status", event["summary"]))
        print(what, start.astimezone(timezone.utc).isoformat(), end.astimezone(timezone.utc).isoformat())
