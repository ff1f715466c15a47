//! Days, as tags give them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const SECONDS_A_DAY: u32 = 86_400;

/// A day of the Gregorian calendar, in UTC.
///
/// # Examples
///
/// ```
/// use fundtrace::tag::Date;
/// let day: Date = "2022-05-06".parse()?;
/// assert_eq!(day.to_string(), "2022-05-06");
/// assert_eq!(Date::of_unix(1_651_795_200), day);
/// assert_eq!("2022-05-06 23:59:59".parse(), Ok(day));
/// assert!(day < "2022-05-07".parse()?);
/// assert!("2022-02-29".parse::<Date>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

fn days_of(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Date {
    /// Returns the day of a time in seconds since 1970-01-01 UTC, as block headers give it.
    pub fn of_unix(seconds: u32) -> Self {
        let mut left = seconds / SECONDS_A_DAY;
        let mut date = Self { year: 1970, month: 1, day: 1 };
        // The last second that 32 bits can tell is in 2106, so these are at most 136 years and 12 months.
        loop {
            let days = (1..=12).map(|month| u32::from(days_of(date.year, month))).sum();
            if left < days {
                break;
            }
            (left, date.year) = (left - days, date.year + 1);
        }
        loop {
            let days = u32::from(days_of(date.year, date.month));
            if left < days {
                break;
            }
            (left, date.month) = (left - days, date.month + 1);
        }
        date.day += u8::try_from(left).expect("fewer days are left than a month has");
        date
    }
}

/// What is wrong with the days of a tag, if its last is before its first: it would hold on no day, and nobody means that.
#[cfg(any(feature = "csv", feature = "tagpack"))]
pub(super) fn misordered(since: Option<Date>, until: Option<Date>) -> Option<String> {
    let (since, until) = since.zip(until)?;
    (until < since).then(|| format!("it is before since, {since}; exchange the two, or remove one"))
}

impl FromStr for Date {
    type Err = String;

    /// Reads `YYYY-MM-DD`; a time that follows is left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no date; write YYYY-MM-DD");
        let (day, time) = text.split_at_checked(10).ok_or_else(wrong)?;
        let number = |from: usize, to: usize| {
            let digits = day.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u16>().ok()).ok_or_else(wrong)
        };
        let (year, month, day_of_month) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let dashed = day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
        let timed = time.is_empty() || time.starts_with([' ', 'T', 't']);
        let small = |number: u16| u8::try_from(number).map_err(|_| wrong());
        let (month, day_of_month) = (small(month)?, small(day_of_month)?);
        let real = (1..=12).contains(&month) && day_of_month >= 1 && day_of_month <= days_of(year, month);
        if !dashed || !timed || !real {
            return Err(wrong());
        }
        Ok(Self { year, month, day: day_of_month })
    }
}

impl TryFrom<String> for Date {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_two_centuries_is_the_one_after() {
        let mut before = Date::of_unix(0);
        assert_eq!(before.to_string(), "1970-01-01");
        for day in 1..=u32::MAX / SECONDS_A_DAY {
            let date = Date::of_unix(day * SECONDS_A_DAY + day % 7);
            assert!(date > before);
            let next = (before.day < days_of(before.year, before.month)).then_some(before.day + 1);
            assert_eq!(date.day, next.unwrap_or(1));
            assert_eq!(date.to_string().parse(), Ok(date));
            before = date;
        }
        assert_eq!(before.to_string(), "2106-02-07");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2022",
            "2022-13-01",
            "2022-00-01",
            "2022-01-00",
            "2022/01/01",
            "+022-01-01",
            "2022-01-01x",
            "2022-1-1",
            "Ω022-01-01",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text:?}");
        }
        assert!("2000-02-29".parse::<Date>().is_ok() && "1900-02-29".parse::<Date>().is_err());
    }
}
