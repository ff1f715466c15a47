//! Bounds that hold under any rule: the least and the most stolen value that can be at a place.
//!
//! A rule decides how taint is dealt at a transaction; all that every conserving rule shares is that nothing is lost or made there and that no output
//! holds more than its value. That is a flow: the seeds are where it comes from, outputs are its pipes, and ends, dropped fees, what was burned, displaced
//! or cut off are where it goes. So the greatest flow into a place is the most that any rule can put there, and what cannot flow anywhere else is the
//! least.
//!
//! Limits of the analyst's (hops, least amount, height, budget) are no part of this: they look at a rule's own amounts and hops, so rules under one limit end
//! at different outputs. The bounds are of rules that are followed without them.

mod flow;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use bitcoin::Amount;
use bitcoin::constants::COINBASE_MATURITY;

use super::{Fees, Reason, Trace};
use crate::error::{Error, SpecError};
use crate::id::{self, OutputIndex, TxIndex};
use flow::{Network, SINK, SOURCE};

/// Outputs that are asked about together, under a name.
///
/// # Examples
///
/// ```
/// use fundtrace::{OutputIndex, trace::Place};
/// let place = Place::new("the exchange", [OutputIndex::from_u64(3)]);
/// assert_eq!(place.outputs.len(), 1);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// Outputs: ends, or outputs on the way, and then it is about what comes to them. Those that taint does not touch count for nothing.
    pub outputs: BTreeSet<OutputIndex>,
}

impl Place {
    /// Names some outputs.
    pub fn new(name: impl Into<String>, outputs: impl IntoIterator<Item = OutputIndex>) -> Self {
        Self { name: name.into(), outputs: outputs.into_iter().collect() }
    }
}

/// When to give up.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::BoundLimits;
/// assert_eq!(BoundLimits::default().edges_max, 1_000_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BoundLimits {
    /// The most outputs and fees that the touched part may have.
    pub edges_max: u64,
    /// How many looks at an edge the two flows of one place may take together; ten thousand million are about half a minute.
    pub work_max: u64,
}

impl Default for BoundLimits {
    fn default() -> Self {
        Self { edges_max: 1_000_000, work_max: 10_000_000_000 }
    }
}

/// The most that can be at a place.
///
/// # Examples
///
/// See [`bounds`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Most {
    /// So much.
    Sat(Amount),
    /// Nothing can be said: the trace has ends that are not the value's last, in blocks no later than the place, and their value may come to it;
    /// [`Bound::void`] says which.
    Void,
    /// A limit was reached first.
    GaveUp,
}

/// Where value may come to a place from, that the trace does not follow: a reason for no upper bound.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::Gap;
/// assert_eq!(Gap::Limit.as_str(), "limit");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Gap {
    /// Ends whose spender is unknown, or has inputs of unknown value.
    UnknownSpender,
    /// Ends where a limit of the analyst's cut the trace.
    Limit,
}

impl Gap {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSpender => "unknown_spender",
            Self::Limit => "limit",
        }
    }

    /// Says it in a sentence's "because".
    pub(crate) fn because(self) -> &'static str {
        match self {
            Self::UnknownSpender => "the spenders of some earlier ends are unknown",
            Self::Limit => "a limit cut the trace at some earlier ends",
        }
    }
}

/// What every conserving rule assigns to a place.
///
/// It speaks of these transactions, seeds and ends, and of nothing else: not of who owns what, not of what a custodian holds for whom, not of what moves
/// off the chain.
///
/// # Examples
///
/// See [`bounds`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Bound {
    /// The place.
    pub name: String,
    /// At least so much; `None` where a limit was reached first.
    pub least: Option<Amount>,
    /// At most so much.
    pub most: Most,
    /// Why there is no upper bound, where it is void; else empty.
    pub void: Vec<Gap>,
    /// What becomes of fees, by the trace's convention. Those that are booked where they are paid may come back through their block's coinbase all the
    /// same; where blocks and heights allow it, `most` has them in it.
    pub fees: Fees,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "under every rule that conserves value transaction by transaction, on these transactions, seeds and ends, \
             followed without limits and with fees {}, ",
            self.fees.phrase()
        )?;
        match self.least {
            Some(least) => write!(f, "at least {} sat", least.to_sat())?,
            None => write!(f, "at least an amount that was not found within the limits")?,
        }
        match self.most {
            Most::Sat(most) => write!(f, " and at most {} sat", most.to_sat())?,
            Most::Void => {
                let because: Vec<_> = self.void.iter().map(|gap| gap.because()).collect();
                write!(f, " (and no upper bound, because {})", because.join(" and "))?;
            }
            Most::GaveUp => write!(f, " and at most an amount that was not found within the limits")?,
        }
        write!(f, " is assigned to {}", self.name)
    }
}

/// Finds for every place the least and the most that any conserving rule can assign to it: hold there, or carry through it.
///
/// The trace must be under poison, which touches all that any rule can touch; its stops are where value ends, and should look at outputs alone, as tags do. A
/// limit looks at a rule's own amounts or hops, so a rule that is cut by one may hold less than `least`. Where a limit cut the trace itself, value may come
/// from beyond it, and `most` is void as it is where a spender is unknown.
///
/// Fees are the trace's convention: a bound under [`Fees::Coinbase`] does not speak of rules under [`Fees::Drop`].
///
/// # Errors
///
/// When the trace is not under poison ([`Error::is_spec`]).
///
/// # Complexity
///
/// Two flows a place. A flow takes O(V E) for each different distance from a seed to an end, in practice far less; `limits` say when to give up.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::taint::Poison;
/// use fundtrace::trace::{self, BoundLimits, Most, Options, Place, stop};
///
/// // Five stolen satoshis and three others pay 6 and 1, and a fee of 1: at least three of the five are in the 6.
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let spend = |n, sat| NewInput::new(OutPoint::new(txid(n), 0)).prevout(out(sat));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(3), vec![spend(1, 5), spend(2, 3)], vec![out(6), out(1)]))?;
/// let chain = builder.finish()?;
/// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap().seed("theft");
/// let trace = trace::forward(chain.view(), &[stolen], &Poison, &stop::never(), &Options::default());
///
/// let large = Place::new("the large output", [trace.ends()[0].output]);
/// let bound = &trace::bounds(&trace, &[large], BoundLimits::default())?[0];
/// assert_eq!(bound.least, Some(Amount::from_sat(3)));
/// assert_eq!(bound.most, Most::Sat(Amount::from_sat(5)));
/// println!("{bound}");
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn bounds(trace: &Trace<'_>, places: &[Place], limits: BoundLimits) -> Result<Vec<Bound>, Error> {
    if trace.policy.name != "poison" {
        return Err(SpecError::NotPoison { given: trace.policy.name }.into());
    }
    let touched = Touched::of(trace);
    let all: u64 = trace.seeds.iter().map(|seed| seed.value.to_sat()).sum();
    let find = |place: &Place| {
        let void = gaps(trace, place);
        let mut work = limits.work_max;
        let small = id::number(touched.pipes.len()) <= limits.edges_max;
        let mut flow = |asked: Asked| small.then(|| touched.network(trace, place, asked).greatest(&mut work)).flatten();
        let least = flow(Asked::Elsewhere).map(|elsewhere| Amount::from_sat(all.saturating_sub(elsewhere)));
        let most = match void.is_empty() {
            false => Most::Void,
            true => flow(Asked::Place)
                .map_or(Most::GaveUp, |most| Most::Sat(Amount::from_sat(most.min(room(trace, place))))),
        };
        Bound { name: place.name.clone(), least, most, void, fees: trace.options.fees }
    };
    Ok(places.iter().map(find).collect())
}

/// Finds where value may come to the place from through transactions that are not here: from an end whose spender is unknown or has inputs of unknown
/// value, or where a limit cut. What is spent is spent in the same block or a later one, so an end in a later block than all of the place cannot be
/// where value comes from, nor can an output beside it.
fn gaps(trace: &Trace<'_>, place: &Place) -> Vec<Gap> {
    let view = trace.view;
    let height = |output: OutputIndex| view.output(output).tx().height();
    let txs: BTreeSet<TxIndex> = place.outputs.iter().map(|output| view.output(*output).tx().index()).collect();
    let known: Option<Vec<_>> = place.outputs.iter().map(|output| height(*output)).collect();
    let last = known.and_then(|heights| heights.into_iter().max());
    let beside = |end: OutputIndex| txs.len() == 1 && txs.contains(&view.output(end).tx().index());
    let before = |end: OutputIndex| last.zip(height(end)).is_none_or(|(last, height)| height <= last);
    let mut found = BTreeSet::new();
    for end in &trace.ends {
        let gap = match &end.reason {
            Reason::UnknownSpender | Reason::UnknownPrevout => Gap::UnknownSpender,
            reason if reason.is_limit() => Gap::Limit,
            _ => continue,
        };
        if !beside(end.output) && before(end.output) {
            found.insert(gap);
        }
    }
    found.into_iter().collect()
}

/// How much fits into a place.
fn room(trace: &Trace<'_>, place: &Place) -> u64 {
    let value = |output: &OutputIndex| trace.view.output(*output).value().map_or(u64::MAX, Amount::to_sat);
    place.outputs.iter().map(value).fold(0, u64::saturating_add)
}

/// True when a fee that is booked at a transaction may be in the place all the same: in its block's coinbase, or in what comes of that once it may be spent.
fn may_return(trace: &Trace<'_>, paid: TxIndex, place: &Place) -> bool {
    let paid = trace.view.tx(paid).height();
    place.outputs.iter().any(|output| {
        let tx = trace.view.output(*output).tx();
        let heights = paid.zip(tx.height()).map(|(paid, here)| (paid.to_u32(), here.to_u32()));
        heights.is_none_or(|(paid, here)| {
            here >= paid.saturating_add(COINBASE_MATURITY) || (here == paid && tx.is_coinbase())
        })
    })
}

impl Trace<'_> {
    /// Returns the ends at tagged services, a place for every label, in the order of labels.
    ///
    /// # Examples
    ///
    /// See [`bounds`].
    pub fn services(&self) -> Vec<Place> {
        let mut places: BTreeMap<&str, Vec<OutputIndex>> = BTreeMap::new();
        for end in &self.ends {
            if let Reason::Tagged(tag) = &end.reason {
                places.entry(&tag.label).or_default().push(end.output);
            }
        }
        places.into_iter().map(|(name, outputs)| Place::new(name, outputs)).collect()
    }
}

/// Where a pipe leads.
#[derive(Clone, Copy)]
enum To {
    Tx(u32),
    End,
    /// Where no place is: burned, displaced.
    Lost,
    /// A fee of this transaction that was not followed.
    Fee(TxIndex),
}

/// Which way the flow is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Place,
    Elsewhere,
}

/// The part of the chain that poison touches, as pipes between transactions.
struct Touched {
    nodes: u32,
    /// From where, to where, of which output, how much fits.
    pipes: Vec<(u32, To, Option<OutputIndex>, u64)>,
}

impl Touched {
    fn of(trace: &Trace<'_>) -> Self {
        let view = trace.view;
        let node_of: HashMap<TxIndex, u32> =
            trace.nodes.iter().enumerate().map(|(at, tx)| (*tx, id::small(at) + 2)).collect();
        let mut seeds: HashMap<OutputIndex, u64> = HashMap::new();
        for seed in &trace.seeds {
            *seeds.entry(seed.output).or_default() += 1;
        }
        // A seed's coins come from the source; those of anything else from its transaction.
        let from = |output: OutputIndex| match seeds.contains_key(&output) {
            true => SOURCE,
            false => node_of[&view.output(output).tx().index()],
        };
        let value = |output: OutputIndex| view.output(output).value().unwrap_or(Amount::ZERO).to_sat();
        let mut pipes = Vec::new();
        for touch in &trace.touched {
            let to = match view.output(touch.output).spender().filter(|_| touch.carried) {
                Some(spender) => To::Tx(node_of[&spender.index()]),
                None => To::End,
            };
            pipes.push((from(touch.output), to, Some(touch.output), value(touch.output)));
        }
        for fee in &trace.fees {
            let to = fee.coinbase.map_or(To::Fee(fee.tx), |coinbase| To::Tx(node_of[&coinbase]));
            pipes.push((node_of[&fee.tx], to, None, fee.amount.to_sat()));
        }
        for burned in &trace.burned {
            let from = burned.output.map_or_else(|| node_of[&burned.tx], from);
            pipes.push((from, To::Lost, None, burned.amount.to_sat()));
        }
        for displaced in &trace.displaced {
            // An output with several owners was displaced before anything moved, once for each but the last; then what arrives is.
            let owners = seeds.entry(displaced.output).or_default();
            let from = if *owners > 1 {
                *owners -= 1;
                SOURCE
            } else {
                node_of[&view.output(displaced.output).tx().index()]
            };
            pipes.push((from, To::Lost, None, displaced.amount.to_sat()));
        }
        Self { nodes: id::small(trace.nodes.len()) + 2, pipes }
    }

    /// The network in which flow goes into the place, or everywhere else; what comes to the place goes no further.
    fn network(&self, trace: &Trace<'_>, place: &Place, asked: Asked) -> Network {
        let mut network = Network::new(self.nodes);
        for (from, to, output, capacity) in &self.pipes {
            let here = output.is_some_and(|output| place.outputs.contains(&output));
            match to {
                _ if here && asked == Asked::Place => network.arc(*from, SINK, *capacity),
                _ if here => {}
                To::Tx(to) => network.arc(*from, *to, *capacity),
                _ if asked == Asked::Elsewhere => network.arc(*from, SINK, *capacity),
                To::Fee(paid) if may_return(trace, *paid, place) => network.arc(*from, SINK, *capacity),
                To::End | To::Lost | To::Fee(_) => {}
            }
        }
        network.freeze();
        network
    }
}
