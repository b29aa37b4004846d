"""When the events of a calendar take time, by another program's parser and its reckoning of rules.

Arguments: the file, the beginning and the end of the period (RFC 3339), the time zone of those events that name none.
Prints one line for each time: beginning, end, summary.
"""

import sys
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar

calendar = Calendar.from_ical(open(sys.argv[1], "rb").read())
begin, end = (datetime.fromisoformat(argument) for argument in sys.argv[2:4])
home = ZoneInfo(sys.argv[4])
zones = {str(zone["tzid"]): zone for zone in calendar.walk("VTIMEZONE")}


def placed(value, name):
    """A time with its zone; a day begins where the doctor is."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time.min, home)
    if name in zones:
        # As the file describes it, whatever this machine knows under that name.
        return value.replace(tzinfo=zones[name].to_tz(lookup_tzid=False))
    return value if value.tzinfo else value.replace(tzinfo=home)


found = []
for event in calendar.walk("VEVENT"):
    if str(event.get("transp", "OPAQUE")) == "TRANSPARENT":
        continue
    name = event["dtstart"].params.get("TZID")
    start = placed(event["dtstart"].dt, name)
    is_day = not isinstance(event["dtstart"].dt, datetime)
    ends = placed(event["dtend"].dt, name) if "dtend" in event else start + event["duration"].dt
    left_out = event.get("exdate", [])
    left_out = left_out if isinstance(left_out, list) else [left_out]
    left_out = {placed(one.dt, one.params.get("TZID")) for dates in left_out for one in dates.dts}
    length = ends.replace(tzinfo=None) - start.replace(tzinfo=None)
    rule = rrulestr(event["rrule"].to_ical().decode(), dtstart=start)
    for one in rule.between(begin - timedelta(days=9), end, inc=True):
        if one in left_out:
            continue
        if is_day:
            last = one + length
        else:
            last = one.astimezone(timezone.utc) + length
        if last > begin and one < end:
            spoken = [at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (one, last)]
            found.append((*spoken, str(event["summary"])))
for line in sorted(found):
    print(*line)
