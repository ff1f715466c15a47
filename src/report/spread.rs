//! The spread between rules: for every end, the least and the most that any rule puts there.

use std::collections::BTreeSet;

use bitcoin::Amount;

use crate::id::{OutputIndex, SourceIndex};
use crate::trace::{Reason, Trace};

/// What the rules of a run put at one output. The spread is the result: no rule is truer than another.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::{report::Report, spec::{self, Rule}, trace::{Options, stop}};
///
/// // Five stolen satoshis and three others pay 4 and 3, and a fee of 1.
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 5), spend(2, 3)], vec![out(4), out(3)]))?;
/// let chain = builder.finish()?;
/// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap();
/// let traces = spec::run(chain.view(), &[stolen.seed("theft")], &Rule::ALL, &stop::never(), &Options::default());
///
/// let spreads = Report::new(&traces)?.spreads();
/// assert_eq!((spreads[0].least(), spreads[0].most()), (Amount::from_sat(1), Amount::from_sat(4)));
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Spread {
    /// The output; some rule's trace ends here.
    pub output: OutputIndex,
    /// What each trace puts here, in the order of the traces.
    pub by_rule: Vec<Arrived>,
}

/// What one rule puts at an output.
///
/// # Examples
///
/// See [`Spread`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Arrived {
    /// So much, by source, and the trace ends here.
    Ended(Amount, Vec<(SourceIndex, Amount)>),
    /// So much, by source, and it was carried on: a stop ended another rule's trace here and not this one's.
    WentOn(Amount, Vec<(SourceIndex, Amount)>),
    /// Nothing.
    Nothing,
    /// Nothing was seen to arrive, but a stop cut this rule's trace somewhere, so it is not known.
    Cut,
}

impl Arrived {
    /// Returns the amount; `None` where it is not known.
    pub fn amount(&self) -> Option<Amount> {
        match self {
            Self::Ended(amount, _) | Self::WentOn(amount, _) => Some(*amount),
            Self::Nothing => Some(Amount::ZERO),
            Self::Cut => None,
        }
    }

    fn by_source(&self) -> &[(SourceIndex, Amount)] {
        match self {
            Self::Ended(_, by_source) | Self::WentOn(_, by_source) => by_source,
            Self::Nothing | Self::Cut => &[],
        }
    }
}

impl Spread {
    /// Returns the least that any of the rules is known to put here.
    pub fn least(&self) -> Amount {
        self.by_rule.iter().filter_map(Arrived::amount).min().unwrap_or(Amount::ZERO)
    }

    /// Returns the most that any of the rules is known to put here.
    pub fn most(&self) -> Amount {
        self.by_rule.iter().filter_map(Arrived::amount).max().unwrap_or(Amount::ZERO)
    }

    /// True when a stop kept some rule from being followed here, so that least and most speak for the others only.
    pub fn is_cut(&self) -> bool {
        self.by_rule.contains(&Arrived::Cut)
    }

    /// True when all rules put the same here, of every source.
    pub fn is_agreed(&self) -> bool {
        !self.is_cut()
            && self
                .by_rule
                .windows(2)
                .all(|pair| (pair[0].amount(), pair[0].by_source()) == (pair[1].amount(), pair[1].by_source()))
    }

    /// Returns the least and the most that any of the rules is known to put here of one source.
    pub fn of_source(&self, source: SourceIndex) -> (Amount, Amount) {
        let of = |arrived: &Arrived| {
            let amounts = arrived.by_source().iter().filter(|(of, _)| *of == source).map(|(_, amount)| *amount);
            (*arrived != Arrived::Cut).then(|| amounts.sum::<Amount>())
        };
        let amounts = || self.by_rule.iter().filter_map(of);
        (amounts().min().unwrap_or(Amount::ZERO), amounts().max().unwrap_or(Amount::ZERO))
    }
}

pub(super) fn spreads(traces: &[Trace<'_>]) -> Vec<Spread> {
    let ends: BTreeSet<OutputIndex> = traces.iter().flat_map(|trace| trace.ends()).map(|end| end.output).collect();
    let cut: Vec<bool> = traces.iter().map(is_cut).collect();
    let row = |output| Spread {
        output,
        by_rule: traces.iter().zip(&cut).map(|(trace, cut)| arrived(trace, *cut, output)).collect(),
    };
    ends.into_iter().map(row).collect()
}

/// Whether a stop that can tell rules apart ended the trace somewhere. Tags cannot: they end every rule at the same places.
fn is_cut(trace: &Trace<'_>) -> bool {
    trace.ends().iter().any(|end| end.reason.is_limit() || matches!(end.reason, Reason::Custom(_) | Reason::Mix(_)))
}

fn arrived(trace: &Trace<'_>, cut: bool, output: OutputIndex) -> Arrived {
    let Some(touch) = trace.touch(output) else { return if cut { Arrived::Cut } else { Arrived::Nothing } };
    let mut sums = std::collections::BTreeMap::new();
    for part in &touch.parts {
        *sums.entry(part.source).or_insert(Amount::ZERO) += part.amount;
    }
    let by_source = sums.into_iter().collect();
    if touch.carried { Arrived::WentOn(touch.amount, by_source) } else { Arrived::Ended(touch.amount, by_source) }
}
