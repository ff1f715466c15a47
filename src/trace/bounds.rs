//! Bounds that hold under any rule: the least and the most stolen value that can be at a place.
//!
//! A rule decides how taint is dealt at a transaction; all that every conserving rule shares is that nothing is lost or made there and that no output
//! holds more than its value. That is a flow: the seeds are where it comes from, outputs are its pipes, and ends, dropped fees, what was burned, displaced
//! or cut off are where it goes. So the greatest flow into a place is the most that any rule can put there, and what cannot flow anywhere else is the
//! least.

mod flow;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use bitcoin::Amount;

use super::{Reason, Trace};
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
    /// How many looks at an edge one bound may take; ten thousand million are about half a minute.
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
    /// Nothing can be said: the trace has ends whose spender is unknown, in blocks no later than the place, and their value may come to it.
    Void,
    /// A limit was reached first.
    GaveUp,
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
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "under every rule that conserves value transaction by transaction, on these transactions, seeds and ends, "
        )?;
        match self.least {
            Some(least) => write!(f, "at least {} sat", least.to_sat())?,
            None => write!(f, "at least an amount that was not found within the limits")?,
        }
        match self.most {
            Most::Sat(most) => write!(f, " and at most {} sat", most.to_sat())?,
            Most::Void => write!(f, " (and no upper bound, because the spenders of some earlier ends are unknown)")?,
            Most::GaveUp => write!(f, " and at most an amount that was not found within the limits")?,
        }
        write!(f, " is assigned to {}", self.name)
    }
}

/// Finds for every place the least and the most that any conserving rule can assign to it: hold there, or carry through it.
///
/// The trace must be under poison, which touches all that any rule can touch; its stops are where value ends. A stop that looks at amounts looks at
/// poison's, and then the bounds hold for rules that end at the same outputs.
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
        let open = is_open(trace, place);
        let small = id::number(touched.pipes.len()) <= limits.edges_max;
        let flow = |asked: Asked| {
            small.then(|| touched.network(place, asked).greatest(&mut limits.work_max.clone())).flatten()
        };
        let least = flow(Asked::Elsewhere).map(|elsewhere| Amount::from_sat(all.saturating_sub(elsewhere)));
        let most = match open {
            true => Most::Void,
            false => flow(Asked::Place).map_or(Most::GaveUp, |most| Most::Sat(Amount::from_sat(most))),
        };
        Bound { name: place.name.clone(), least, most }
    };
    Ok(places.iter().map(find).collect())
}

/// True when value may come to the place through transactions that are not here: from an end whose spender is unknown, or
/// has inputs of unknown value. What is spent is spent in the
/// same block or a later one, so an end in a later block than all of the place cannot be where value comes from, nor can an output beside it.
fn is_open(trace: &Trace<'_>, place: &Place) -> bool {
    let view = trace.view;
    let height = |output: OutputIndex| view.output(output).tx().height();
    let txs: BTreeSet<TxIndex> = place.outputs.iter().map(|output| view.output(*output).tx().index()).collect();
    let known: Option<Vec<_>> = place.outputs.iter().map(|output| height(*output)).collect();
    let last = known.and_then(|heights| heights.into_iter().max());
    let beside = |end: OutputIndex| txs.len() == 1 && txs.contains(&view.output(end).tx().index());
    let before = |end: OutputIndex| last.zip(height(end)).is_none_or(|(last, height)| height <= last);
    let gap = |reason: &Reason| matches!(reason, Reason::UnknownSpender | Reason::UnknownPrevout);
    let mut open = trace.ends.iter().filter(|end| gap(&end.reason)).map(|end| end.output);
    open.any(|end| !beside(end) && before(end))
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
    /// Where no place is: fees, burned, displaced.
    Lost,
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
            let to = fee.coinbase.map_or(To::Lost, |coinbase| To::Tx(node_of[&coinbase]));
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
    fn network(&self, place: &Place, asked: Asked) -> Network {
        let mut network = Network::new(self.nodes);
        for (from, to, output, capacity) in &self.pipes {
            let here = output.is_some_and(|output| place.outputs.contains(&output));
            match to {
                _ if here && asked == Asked::Place => network.arc(*from, SINK, *capacity),
                _ if here => {}
                To::Tx(to) => network.arc(*from, *to, *capacity),
                To::End | To::Lost if asked == Asked::Elsewhere => network.arc(*from, SINK, *capacity),
                To::End | To::Lost => {}
            }
        }
        network.freeze();
        network
    }
}
