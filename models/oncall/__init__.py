"""People on call: who holds the pager when, and which hours are business hours. POLICY 8, 11.

Pure: values in, values out. It reads no clock and no file but the zone database; every instant in it is aware and UTC,
every time that a person writes is the wall time of a zone.
"""
