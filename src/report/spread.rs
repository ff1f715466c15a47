//! The spread between rules: for every end, the least and the most that any rule puts there.

use std::collections::BTreeMap;

use bitcoin::Amount;

use crate::id::OutputIndex;
use crate::trace::Trace;

/// What the rules of a run put at one output. The spread is the result: no rule is truer than another.
///
/// # Examples
///
/// See [`spreads`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Spread {
    /// The output; some rule's trace ends here.
    pub output: OutputIndex,
    /// What each trace puts here, in the order of the traces: zero where none arrived or all was carried on.
    pub amounts: Vec<Amount>,
}

impl Spread {
    /// Returns the least that any of the rules puts here.
    pub fn least(&self) -> Amount {
        self.amounts.iter().copied().min().unwrap_or(Amount::ZERO)
    }

    /// Returns the most that any of the rules puts here.
    pub fn most(&self) -> Amount {
        self.amounts.iter().copied().max().unwrap_or(Amount::ZERO)
    }
}

/// Compares traces of one view end by end, in chain order.
///
/// # Examples
///
/// ```
/// use fundtrace::{ChainBuilder, report, spec::{self, Rule}, trace::{Options, stop}};
/// let chain = ChainBuilder::new().finish()?;
/// let traces = spec::run(chain.view(), &[], &Rule::ALL, &stop::never(), &Options::default());
/// assert!(report::spreads(&traces).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn spreads(traces: &[Trace<'_>]) -> Vec<Spread> {
    let mut by_output: BTreeMap<OutputIndex, Vec<Amount>> = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate() {
        for end in trace.ends() {
            let amounts = by_output.entry(end.output).or_insert_with(|| vec![Amount::ZERO; traces.len()]);
            amounts[at] = end.amount;
        }
    }
    by_output.into_iter().map(|(output, amounts)| Spread { output, amounts }).collect()
}
