//! Scores side by side, for people and programs.

use std::fmt;

use serde::Serialize;

use super::{Interval, Ratio};

/// One measure of one heuristic on one set of data. Prints as a row of a Markdown table.
///
/// # Examples
///
/// See [`Scorecard`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// The heuristic's name.
    pub heuristic: String,
    /// Its version.
    pub version: u32,
    /// What it was run on: a world's name and seed.
    pub data: String,
    /// What is measured.
    pub measure: String,
    /// The value.
    pub value: Ratio,
    /// The lower bound of its interval, where there is one.
    pub low: Option<Ratio>,
    /// The upper bound.
    pub high: Option<Ratio>,
    /// The owners or thefts that it is over.
    pub groups: u64,
}

impl Score {
    /// Makes a row without an interval, over so many groups.
    pub fn new(
        heuristic: impl Into<String>,
        version: u32,
        data: impl Into<String>,
        measure: impl Into<String>,
        value: Ratio,
        groups: u64,
    ) -> Self {
        let (heuristic, data, measure) = (heuristic.into(), data.into(), measure.into());
        Self { heuristic, version, data, measure, value, low: None, high: None, groups }
    }

    /// Takes value, bounds and groups from an interval.
    #[must_use]
    pub fn interval(mut self, interval: &Interval) -> Self {
        self.value = interval.value;
        (self.low, self.high) = (Some(interval.low), Some(interval.high));
        self.groups = interval.groups;
        self
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
        write!(f, "| {} {} | {} | {} | ", cell(&self.heuristic), self.version, cell(&self.data), cell(&self.measure))?;
        write!(f, "{} | ", self.value)?;
        match (self.low, self.high) {
            (Some(low), Some(high)) => write!(f, "{low} to {high}")?,
            _ => f.write_str("n/a")?,
        }
        write!(f, " | {} |", self.groups)
    }
}

/// Rows of scores. Prints as a Markdown table.
///
/// # Examples
///
/// ```
/// use fundtrace::eval::{Bootstrap, Ratio, Score, Scorecard};
/// let thefts = [Ratio::new(9_u32, 10_u32), Ratio::new(9_u32, 10_u32)];
/// let score = Score::new("fifo", 1, "world 7", "recall of exits", thefts.into_iter().sum(), 2);
/// let score = score.interval(&Bootstrap::default().interval(&thefts).unwrap());
/// let card = Scorecard { rows: vec![score] };
/// let table = card.to_string();
/// assert_eq!(table.lines().last(), Some("| fifo 1 | world 7 | recall of exits | 0.9000 | 0.9000 to 0.9000 | 2 |"));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Scorecard {
    /// The rows.
    pub rows: Vec<Score>,
}

impl fmt::Display for Scorecard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| heuristic | data | measure | value | 95 % interval | groups |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
