//! Which transactions are no evidence that their inputs have one owner.

use std::fmt;

use super::{has_repeated_outputs, has_unnecessary_input};
use crate::chain::Tx;
use crate::detect::{Confidence, coinjoin};

/// What to leave out of the evidence: transactions that several people seem to have signed.
///
/// By default CoinJoins of the protocols that have a mark of their own (from a confidence of 60 %) and whatever
/// [repeats amounts](has_repeated_outputs). [Unnecessary inputs](has_unnecessary_input), the mark of a payjoin, are an option: of transactions that
/// have them nearly all are one owner's, so it costs a quarter of the recall and gains little (`COMPARE.md` has the rows).
///
/// # Examples
///
/// ```
/// use fundtrace::cluster::{self, Guard};
/// use fundtrace::detect;
/// // A CoinJoin of three with change.
/// let chain = detect::sketch(&[70_000, 80_000, 90_000], &[50_000, 50_000, 50_000, 19_000, 29_000, 39_000])?;
/// let clusters = |guard: Guard| cluster::by_spending(chain.view(), |tx| guard.skips(tx));
/// let (kept, guarded) = (clusters(Guard::none()), clusters(Guard::default()));
/// assert_eq!(kept.size(kept.largest(1)[0]), 3);
/// assert_eq!(guarded.size(guarded.largest(1)[0]), 1);
/// assert_eq!(Guard::none().to_string(), "coinjoin=keep");
/// assert_eq!(Guard::default().to_string(), "coinjoin=skip, from 60 %, repeated outputs");
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A CoinJoin of two, and a payjoin: two equal outputs, or none, are what payments have too.
///
/// ```
/// use fundtrace::{cluster::Guard, detect};
/// let chain = detect::sketch(&[70_000, 80_000], &[50_000, 50_000, 19_000, 29_000])?;
/// assert!(!chain.view().txs().any(|tx| Guard::default().skips(tx)));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    coinjoin: Option<Confidence>,
    repeated: bool,
    unnecessary: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self::none().coinjoin(Confidence::from_percent(60)).repeated(true)
    }
}

impl Guard {
    /// Leaves nothing out.
    pub const fn none() -> Self {
        Self { coinjoin: None, repeated: false, unnecessary: false }
    }

    /// Leaves out what a [detector](coinjoin::is_mix) calls a CoinJoin with at least this confidence.
    #[must_use]
    pub const fn coinjoin(mut self, confidence_min: Confidence) -> Self {
        self.coinjoin = Some(confidence_min);
        self
    }

    /// Leaves out what [repeats amounts](has_repeated_outputs), or not.
    #[must_use]
    pub const fn repeated(mut self, skip: bool) -> Self {
        self.repeated = skip;
        self
    }

    /// Leaves out what [has an input that it does not need](has_unnecessary_input), or not.
    #[must_use]
    pub const fn unnecessary(mut self, skip: bool) -> Self {
        self.unnecessary = skip;
        self
    }

    /// True when the transaction is to be left out. O(n log n) in inputs and outputs.
    pub fn skips(&self, tx: Tx<'_>) -> bool {
        (self.repeated && has_repeated_outputs(tx))
            || self.coinjoin.is_some_and(|least| coinjoin::is_mix(tx, least))
            || (self.unnecessary && has_unnecessary_input(tx))
    }
}

/// What evidence says of the guard.
impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.coinjoin {
            Some(least) => write!(f, "coinjoin=skip, from {} %", least.to_ppm() / 10_000)?,
            None => f.write_str("coinjoin=keep")?,
        }
        if self.repeated {
            f.write_str(", repeated outputs")?;
        }
        if self.unnecessary {
            f.write_str(", unnecessary inputs")?;
        }
        Ok(())
    }
}
