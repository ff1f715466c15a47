//! What went into mixes, beside the balance sheet.

use bitcoin::Amount;
use serde::Serialize;

use super::{How, Mode, Way};
use crate::trace::{Reason, Trace};

/// How much taint came to mixes, by what was done there, and how much of the trace's ends lies behind one.
///
/// What went in counts a coin once for each mix that it went through, so it is no part of the balance; but `stopped` is, for there a coin
/// ends. The other ends are told apart by the [`Way`] that says the least: `stopped + behind + behind_suspected + linked_change + clear` is the
/// balance's `ends + truncated`. Under poison all are sums of values that overlap.
///
/// # Examples
///
/// See [`Trace::mix_sheet`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct MixSheet {
    /// The trace ended there.
    #[serde(rename = "stopped_sat", with = "bitcoin::amount::serde::as_sat")]
    pub stopped: Amount,
    /// The rule went on.
    #[serde(rename = "flagged_sat", with = "bitcoin::amount::serde::as_sat")]
    pub flagged: Amount,
    /// It was spread, as asked.
    #[serde(rename = "spread_sat", with = "bitcoin::amount::serde::as_sat")]
    pub spread: Amount,
    /// It was weighed by an exact matrix of links.
    #[serde(rename = "links_sat", with = "bitcoin::amount::serde::as_sat")]
    pub linked: Amount,
    /// It was to be weighed and was spread, because the matrix is not exact.
    #[serde(rename = "fell_back_sat", with = "bitcoin::amount::serde::as_sat")]
    pub fell_back: Amount,
    /// It came to what may be a mix, undecided or less sure than was asked for, and the rule went on as if there were none.
    #[serde(rename = "suspected_sat", with = "bitcoin::amount::serde::as_sat")]
    pub suspected: Amount,
    /// Taint in ends behind a mix.
    #[serde(rename = "ends_behind_sat", with = "bitcoin::amount::serde::as_sat")]
    pub behind: Amount,
    /// Taint in ends behind what may be a mix, and behind none that is taken for one.
    #[serde(rename = "ends_behind_suspected_sat", with = "bitcoin::amount::serde::as_sat")]
    pub behind_suspected: Amount,
    /// Taint in ends that came out of mixes as linked change alone: clear of them if that inference holds.
    #[serde(rename = "ends_linked_change_sat", with = "bitcoin::amount::serde::as_sat")]
    pub linked_change: Amount,
    /// Taint in ends that nothing lies before that is or may be a mix, and that are not about to enter one at which the run stopped.
    #[serde(rename = "ends_clear_sat", with = "bitcoin::amount::serde::as_sat")]
    pub clear: Amount,
}

impl Trace<'_> {
    /// Sums up what went into mixes.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
    /// use fundtrace::taint::Fifo;
    /// use fundtrace::trace::{self, Mixes, Mode, Options, Through, stop};
    /// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
    /// let view = chain.view();
    /// let tx = view.txs().find(|tx| tx.inputs().len() == 5).unwrap();
    /// let seeds = [tx.inputs().next().unwrap().prevout().unwrap().seed("theft")];
    /// let sheet = |mode| {
    ///     let through = Through::new(mode, Mixes::new(Rules::default(), Confidence::from_percent(60)));
    ///     trace::forward_through(view, &seeds, &Fifo, &stop::never(), &through, &Options::default()).mix_sheet()
    /// };
    /// assert_eq!((sheet(Mode::Stop).stopped.to_sat(), sheet(Mode::Stop).behind.to_sat()), (100_000, 0));
    /// assert_eq!((sheet(Mode::Flag).flagged.to_sat(), sheet(Mode::Flag).behind.to_sat()), (100_000, 100_000));
    /// // The rest of the coin is in the fee.
    /// assert_eq!((sheet(Mode::Spread).spread.to_sat(), sheet(Mode::Spread).behind.to_sat()), (100_000, 99_801));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn mix_sheet(&self) -> MixSheet {
        let mut sheet = MixSheet::default();
        for crossing in self.mixes() {
            *match crossing.how {
                How::Stopped => &mut sheet.stopped,
                How::Flagged => &mut sheet.flagged,
                How::Spread => &mut sheet.spread,
                How::Linked => &mut sheet.linked,
                How::LinksBounded | How::LinksUndecided => &mut sheet.fell_back,
            } += crossing.entered;
        }
        sheet.suspected = self.suspects().iter().filter(|suspect| !suspect.vetoed).map(|suspect| suspect.entered).sum();
        let stops = self.through() == Some(Mode::Stop);
        for end in self.ends().iter().filter(|end| !(stops && matches!(end.reason, Reason::Mix(_)))) {
            *match self.behind(end.output).map(|behind| behind.way) {
                Some(Way::Mixed) => &mut sheet.behind,
                Some(Way::Suspected) => &mut sheet.behind_suspected,
                Some(Way::Linked) => &mut sheet.linked_change,
                None => &mut sheet.clear,
            } += end.amount;
        }
        sheet
    }
}
