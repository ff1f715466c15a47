//! Which transactions are no evidence that their inputs have one owner.

use std::fmt;

use super::{has_repeated_outputs, has_unnecessary_input};
use crate::chain::Tx;
use crate::detect::{Confidence, coinjoin};

/// Rises when [`has_repeated_outputs`] gives other answers for the same facts.
const REPEATED_VERSION: u32 = 1;
/// Rises when [`has_unnecessary_input`] does.
const UNNECESSARY_VERSION: u32 = 1;

/// One thing that a guard leaves out.
#[derive(Clone, Copy)]
enum Part {
    Coinjoin(Confidence),
    Repeated,
    Unnecessary,
}

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
/// // What evidence says of it. A number after a slash is a version; a confidence is in millionths.
/// assert_eq!(Guard::none().to_string(), "nothing skipped");
/// assert_eq!(Guard::default().to_string(), "skipped: coinjoin from 600000 ppm, repeated_outputs/1");
/// let all = Guard::default().unnecessary(true);
/// assert_eq!(all.to_string(), "skipped: coinjoin from 600000 ppm, repeated_outputs/1, unnecessary_input/1");
/// // And what it says of one transaction.
/// let mix = chain.view().txs().next().unwrap();
/// assert!(Guard::none().reasons(mix).is_empty() && Guard::default().reasons(mix).contains(&"repeated_outputs/1".to_owned()));
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

    /// Names what makes it leave a transaction out, as its text does; nothing where it does not. O(n log n) in inputs and outputs.
    ///
    /// # Examples
    ///
    /// See [`Guard`].
    pub fn reasons(&self, tx: Tx<'_>) -> Vec<String> {
        let holds = |part| match part {
            Part::Coinjoin(least) => coinjoin::is_mix(tx, least),
            Part::Repeated => has_repeated_outputs(tx),
            Part::Unnecessary => has_unnecessary_input(tx),
        };
        self.parts(holds).collect()
    }

    fn parts(&self, keep: impl Fn(Part) -> bool) -> impl Iterator<Item = String> {
        let repeated = self.repeated.then_some(Part::Repeated);
        let unnecessary = self.unnecessary.then_some(Part::Unnecessary);
        let parts = [self.coinjoin.map(Part::Coinjoin), repeated, unnecessary].into_iter().flatten();
        parts.filter(move |part| keep(*part)).map(|part| match part {
            Part::Coinjoin(least) => format!("coinjoin from {} ppm", least.to_ppm()),
            Part::Repeated => format!("repeated_outputs/{REPEATED_VERSION}"),
            Part::Unnecessary => format!("unnecessary_input/{UNNECESSARY_VERSION}"),
        })
    }
}

/// What evidence says of the guard: every setting, so that no two guards say the same.
impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts(|_| true).collect();
        if parts.is_empty() { f.write_str("nothing skipped") } else { write!(f, "skipped: {}", parts.join(", ")) }
    }
}
