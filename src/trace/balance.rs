//! The balance sheet: the seeds on one side, everything that became of them on the other.

use bitcoin::Amount;

use super::Trace;
use crate::id::SourceIndex;

/// Where the seeds' value is, to the satoshi.
///
/// For a conserving rule `seeded = ends + fees + burned + displaced + truncated`. Poison is an upper bound and does not add up.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::Amount;
/// use fundtrace::trace::Balance;
/// let mut balance = Balance::default();
/// balance.seeded = Amount::from_sat(7);
/// balance.fees = Amount::from_sat(2);
/// assert!(!balance.adds_up());
/// balance.ends = Amount::from_sat(5);
/// assert!(balance.adds_up());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Balance {
    /// The value of the seeds.
    pub seeded: Amount,
    /// Taint in outputs where the trace ended by itself: unspent, unknown, at a service, by a rule of the caller's.
    pub ends: Amount,
    /// Taint in fees that was not followed.
    pub fees: Amount,
    /// Taint that nobody can spend any more.
    pub burned: Amount,
    /// Taint that gave way to another seed.
    pub displaced: Amount,
    /// Taint in outputs where a limit of the analyst's cut the trace.
    pub truncated: Amount,
}

impl Balance {
    /// Returns the right-hand side.
    pub fn accounted(&self) -> Amount {
        self.ends + self.fees + self.burned + self.displaced + self.truncated
    }

    /// True when both sides are equal.
    pub fn adds_up(&self) -> bool {
        self.seeded == self.accounted()
    }
}

impl Trace<'_> {
    /// Returns the balance over all sources.
    pub fn balance(&self) -> Balance {
        let mut balance = Balance { seeded: self.seeds.iter().map(|seed| seed.value).sum(), ..Balance::default() };
        for end in &self.ends {
            *if end.reason.is_limit() { &mut balance.truncated } else { &mut balance.ends } += end.amount;
        }
        balance.fees = self.fees.iter().filter(|fee| fee.coinbase.is_none()).map(|fee| fee.amount).sum();
        balance.burned = self.burned.iter().map(|burned| burned.amount).sum();
        balance.displaced = self.displaced.iter().map(|displaced| displaced.amount).sum();
        balance
    }

    /// Returns the balance of each source, in the order of [`SourceIndex`]. Under poison they overlap.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, taint::Fifo, trace::{self, Options, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// let trace = trace::forward(chain.view(), &[], &Fifo, &stop::never(), &Options::default());
    /// assert!(trace.balances().is_empty());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn balances(&self) -> Vec<Balance> {
        let mut balances = vec![Balance::default(); self.sources.len()];
        for seed in &self.seeds {
            balances[seed.source.at()].seeded += seed.value;
        }
        for end in &self.ends {
            for (source, amount) in &end.by_source {
                let balance = &mut balances[source.at()];
                *if end.reason.is_limit() { &mut balance.truncated } else { &mut balance.ends } += *amount;
            }
        }
        for part in self.fees.iter().filter(|fee| fee.coinbase.is_none()).flat_map(|fee| &fee.parts) {
            balances[part.source.at()].fees += part.amount;
        }
        for part in self.burned.iter().flat_map(|burned| &burned.parts) {
            balances[part.source.at()].burned += part.amount;
        }
        for part in self.displaced.iter().flat_map(|displaced| &displaced.parts) {
            balances[part.source.at()].displaced += part.amount;
        }
        balances
    }

    /// Returns the balance of one source. For all of them [`balances`](Self::balances) is one pass.
    ///
    /// # Panics
    ///
    /// When the index is not from this trace.
    pub fn balance_of(&self, source: SourceIndex) -> Balance {
        self.balances()[source.at()]
    }
}
