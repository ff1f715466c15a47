//! Ordered runs of satoshis: the algebra that FIFO and LIFO share, and that an account's balance can use.
//!
//! A [`Runs`] is a row of satoshis, each clean or of one source, written as runs of equal ones. Rows are joined at the
//! back and cut at either end; what is cut off keeps every label, and what is left stays in place.
//!
//! Invariant: no run is empty and no two neighbours are alike, so equal rows are equal values.
//!
//! Each cut splits at most one run, so the number of runs grows by at most one an output, never by multiplication
//! (algorithms: Anderson, Shumailov, Ahmed & Rietmann, "Bitcoin Redux", 2018).

use std::collections::VecDeque;

use bitcoin::Amount;

use super::{Lot, Part};
use crate::id::SourceIndex;

/// A row of satoshis with their sources, front first.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::taint::Runs;
/// use fundtrace::SourceIndex;
///
/// let sat = Amount::from_sat;
/// let mut balance = Runs::clean(sat(3));
/// balance.append(Runs::of(SourceIndex::from_u32(0), sat(5)));
///
/// // An account that pays its oldest coins first draws from the front ...
/// let drawn = balance.clone().take_front(sat(4));
/// assert_eq!(drawn.tainted(), sat(1));
/// // ... and one that pays its newest first draws from the back; the rest stays in place.
/// let drawn = balance.take_back(sat(4));
/// assert_eq!(drawn.tainted(), sat(4));
/// assert_eq!(balance.value(), sat(4));
/// assert_eq!(balance.tainted(), sat(1));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Runs {
    runs: VecDeque<Run>,
}

/// Neighbouring satoshis that are alike: of one source, or clean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    len: Amount,
    source: Option<SourceIndex>,
}

impl Runs {
    /// Makes a row of clean satoshis.
    pub fn clean(len: Amount) -> Self {
        let mut runs = Self::default();
        runs.push(Run { len, source: None });
        runs
    }

    /// Makes a row of one source's satoshis.
    pub fn of(source: SourceIndex, len: Amount) -> Self {
        let mut runs = Self::default();
        runs.push(Run { len, source: Some(source) });
        runs
    }

    /// Returns the length of the row.
    pub fn value(&self) -> Amount {
        self.runs.iter().map(|run| run.len).sum()
    }

    /// Returns how many of its satoshis have a source.
    pub fn tainted(&self) -> Amount {
        self.runs.iter().filter(|run| run.source.is_some()).map(|run| run.len).sum()
    }

    /// Joins another row to the back.
    pub fn append(&mut self, row: Self) {
        row.runs.into_iter().for_each(|run| self.push(run));
    }

    /// Cuts `amount` satoshis off the front and returns them, front first; all there are when there are fewer.
    pub fn take_front(&mut self, amount: Amount) -> Self {
        let mut taken = Self::default();
        let mut wanted = amount;
        while wanted > Amount::ZERO {
            let Some(run) = self.runs.front_mut() else { break };
            let len = run.len.min(wanted);
            taken.push(Run { len, ..*run });
            run.len -= len;
            wanted -= len;
            if run.len == Amount::ZERO {
                self.runs.pop_front();
            }
        }
        taken
    }

    /// Cuts `amount` satoshis off the back and returns them in the order dealt, last first; all there are when there are fewer.
    pub fn take_back(&mut self, amount: Amount) -> Self {
        let mut taken = Self::default();
        let mut wanted = amount;
        while wanted > Amount::ZERO {
            let Some(run) = self.runs.back_mut() else { break };
            let len = run.len.min(wanted);
            taken.push(Run { len, ..*run });
            run.len -= len;
            wanted -= len;
            if run.len == Amount::ZERO {
                self.runs.pop_back();
            }
        }
        taken
    }

    /// Turns the row around.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.runs.make_contiguous().reverse();
        self
    }

    /// Returns the tainted runs, front first, each with the number of satoshis before it.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let mut offset = Amount::ZERO;
        self.runs.iter().filter_map(move |run| {
            let at = offset;
            offset += run.len;
            Some(Part { source: run.source?, offset: at, amount: run.len })
        })
    }

    /// Joins the lots of a transaction into one row. A clean lot's mark is empty, so its length comes from its value.
    pub(super) fn row(inputs: &[Lot<Self>]) -> Self {
        let mut row = Self::default();
        for lot in inputs {
            if lot.mark.runs.is_empty() {
                row.push(Run { len: lot.value, source: None });
            } else {
                row.append(lot.mark.clone());
            }
        }
        row
    }

    /// The row as a mark: a row without a source is the default.
    pub(super) fn into_mark(self) -> Self {
        if self.runs.iter().all(|run| run.source.is_none()) { Self::default() } else { self }
    }

    fn push(&mut self, run: Run) {
        match self.runs.back_mut() {
            _ if run.len == Amount::ZERO => {}
            Some(last) if last.source == run.source => last.len += run.len,
            _ => self.runs.push_back(run),
        }
    }
}
