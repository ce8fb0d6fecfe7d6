//! Points in time as text, in UTC.

/// The text of milliseconds since 1970, as RFC 3339 has it.
pub(crate) fn rfc3339(milliseconds: u64) -> String {
    let (year, month, day) = date(milliseconds / 86_400_000);
    format!("{year:04}-{month:02}-{day:02}T{}Z", time(milliseconds / 1000))
}

/// The text of microseconds since 1970, as the audit log of AWS CloudHSM has it: `12/19/17 21:01:17.140812`.
pub(crate) fn of_audit_log(microseconds: u64) -> String {
    let (year, month, day) = date(microseconds / 86_400_000_000);
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    format!("{month:02}/{day:02}/{:02} {}.{rest:06}", year % 100, time(seconds))
}

/// The time of the day of seconds since 1970.
fn time(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// The date so many days after 1970-01-01.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_calendar_has_it() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59Z"),
            (1_798_761_600_000, "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(milliseconds), expected);
        }
        // User Guide, interpreting-audit-logs.
        assert_eq!(of_audit_log(1_513_717_277_140_812), "12/19/17 21:01:17.140812");
    }
}
