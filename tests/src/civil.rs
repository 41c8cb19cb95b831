//! Months of the Gregorian calendar in UTC. The models use them as an independent judge of the
//! engine's windows and periods.

const DAY: i64 = 86_400_000;

/// Returns the days from 1970-01-01 to the first day of a month. Months are counted from January of
/// the year 0.
pub(crate) fn first_day(month: i64) -> i64 {
    // The year begins in March, so that the leap day is its last day.
    let (year, from_march) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * from_march + 2) / 5 - 719_468
}

/// Returns the month of an instant, in milliseconds since 1970.
pub(crate) fn month_of(instant: i64) -> i64 {
    let days = instant.div_euclid(DAY);
    // 400 years have 4,800 months and 146,097 days.
    let mut month = 1970 * 12 + (days * 4_800).div_euclid(146_097);
    while first_day(month) > days {
        month -= 1;
    }
    while first_day(month + 1) <= days {
        month += 1;
    }
    month
}

/// Returns the first instant of the month of an instant, and the first one of the next month.
#[must_use]
pub fn month_window(instant: i64) -> (i64, i64) {
    let month = month_of(instant);
    (first_day(month) * DAY, first_day(month + 1) * DAY)
}

/// Returns the month of an instant as `YYYY-MM`.
#[must_use]
pub fn month_name(instant: i64) -> String {
    let month = month_of(instant);
    format!(
        "{:04}-{:02}",
        month.div_euclid(12),
        month.rem_euclid(12) + 1
    )
}

#[cfg(test)]
mod tests {
    use super::{DAY, month_name, month_window};

    #[test]
    fn months_have_their_days() {
        let (mut begin, mut days) = (-2_208_988_800_000, Vec::new());
        for _ in 0..12 * 500 {
            let (start, end) = month_window(begin);
            assert_eq!(start, begin);
            assert_eq!(
                (month_window(start), month_window(end - 1)),
                ((start, end), (start, end))
            );
            days.push((end - start) / DAY);
            begin = end;
        }
        let usual = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (at, days) in days.into_iter().enumerate() {
            let year = 1900 + at / 12;
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            assert_eq!(days, usual[at % 12] + i64::from(at % 12 == 1 && is_leap));
        }
        assert_eq!(
            [0, -1, 951_782_400_000].map(month_name),
            ["1970-01", "1969-12", "2000-02"]
        );
    }
}
