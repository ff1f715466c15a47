//! Why is this output an end? The paths that carried taint to it, walked back to the seeds.
//!
//! Under FIFO and LIFO a path follows the very satoshis: the place of a piece in its output is looked up in the row of inputs.
//! Rules that keep amounts do not tell satoshis apart; there a piece is taken from the inputs in proportion to what each holds of
//! the same source. Under poison every tainted input leads back.
//!
//! The walk takes the greatest piece first, so paths come out by falling amount, and when no limit is hit their amounts sum to
//! the end's taint (not under poison).

use std::collections::{BinaryHeap, HashSet};
use std::fmt;

use bitcoin::Amount;

use super::coinbase::Row;
use super::{Touch, Trace};
use crate::chain::Tx;
use crate::id::{OutputIndex, SourceIndex, TxIndex};
use crate::taint::{Origin, Part, split};

/// How much to search.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::PathLimits;
/// let limits = PathLimits { paths_max: 3, ..PathLimits::default() };
/// assert_eq!(limits.steps_max, 100_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathLimits {
    /// How many paths to return.
    pub paths_max: usize,
    /// How many pieces of outputs to look at.
    pub steps_max: usize,
}

impl Default for PathLimits {
    /// 16 paths, 100,000 steps.
    fn default() -> Self {
        Self { paths_max: 16, steps_max: 100_000 }
    }
}

/// Which limit was hit.
///
/// # Examples
///
/// See [`Trace::paths`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PathLimit {
    /// There are more paths than were asked for.
    Paths,
    /// The search looked at as many outputs as it was allowed.
    Steps,
}

impl PathLimit {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paths => "paths",
            Self::Steps => "steps",
        }
    }
}

/// The paths to an output.
///
/// # Examples
///
/// See [`Trace::paths`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Paths {
    /// The paths, by falling amount.
    pub paths: Vec<Path>,
    /// The limit that was hit, if one was.
    pub hit: Option<PathLimit>,
}

/// One way from a seed to an output.
///
/// # Examples
///
/// See [`Trace::paths`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Path {
    /// Whose taint it is.
    pub source: SourceIndex,
    /// How much of it arrives this way.
    pub amount: Amount,
    /// From the seed to the output.
    pub steps: Vec<PathStep>,
}

/// An output on a path.
///
/// # Examples
///
/// See [`Trace::paths`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PathStep {
    /// The output.
    pub output: OutputIndex,
    /// The taint it holds, over all sources and ways.
    pub tainted: Amount,
    /// The transaction whose fee brought the taint into this coinbase output; `None` for an ordinary spend or a seed.
    pub fee_of: Option<TxIndex>,
    /// True when no clean coin entered the transaction: given what arrived there, every conserving rule fills this output whole.
    /// False for a seed, for a coinbase, and always under poison.
    pub certain: bool,
}

/// A piece of taint on the way back, and the piece nearer the end that it explains.
struct Walk {
    at: Place,
    part: Part,
    toward: Option<usize>,
}

#[derive(Clone, Copy)]
enum Place {
    Output(OutputIndex),
    Fee(TxIndex),
}

impl Trace<'_> {
    /// Finds the paths that carried taint to an output, greatest first. Empty when taint did not reach it.
    ///
    /// # Complexity
    ///
    /// O(s (log s + m)), where s is `limits.steps_max` and m the inputs and outputs of a transaction on the way.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
    /// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
    /// use fundtrace::taint::Fifo;
    /// use fundtrace::trace::{self, Options, PathLimits, stop};
    ///
    /// let txid = |n| Txid::from_byte_array([n; 32]);
    /// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
    /// let spend = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(5));
    /// let mut builder = ChainBuilder::new();
    /// builder.insert(NewTx::claimed(txid(2), vec![spend], vec![out(3), out(2)]))?;
    /// let chain = builder.finish()?;
    /// let stolen = chain.view().output_at(OutPoint::new(txid(1), 0)).unwrap();
    /// let trace = trace::forward(chain.view(), &[stolen.seed("theft")], &Fifo, &stop::never(), &Options::default());
    ///
    /// let found = trace.paths(trace.ends()[1].output, PathLimits::default());
    /// assert_eq!(found.paths[0].amount, Amount::from_sat(2));
    /// assert_eq!(found.paths[0].steps.len(), 2);
    /// assert!(found.hit.is_none());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn paths(&self, output: OutputIndex, limits: PathLimits) -> Paths {
        let mut found = Paths { paths: Vec::new(), hit: None };
        let Some(touch) = self.touch(output) else { return found };
        let mut walks: Vec<Walk> = Vec::new();
        // The greatest amount first; of equals the one found first.
        let mut open = BinaryHeap::new();
        for part in &touch.parts {
            open.push((part.amount, std::cmp::Reverse(walks.len())));
            walks.push(Walk { at: Place::Output(output), part: *part, toward: None });
        }
        let seeds: HashSet<OutputIndex> = self.seeds.iter().map(|seed| seed.output).collect();
        while let Some((_, std::cmp::Reverse(at))) = open.pop() {
            let (place, part) = (walks[at].at, walks[at].part);
            if let Place::Output(output) = place
                && seeds.contains(&output)
            {
                if found.paths.len() == limits.paths_max {
                    found.hit = Some(PathLimit::Paths);
                    break;
                }
                found.paths.push(self.path(&walks, at));
                continue;
            }
            if walks.len() >= limits.steps_max {
                found.hit = Some(PathLimit::Steps);
                break;
            }
            for (place, part) in self.step_back(place, part) {
                open.push((part.amount, std::cmp::Reverse(walks.len())));
                walks.push(Walk { at: place, part, toward: Some(at) });
            }
        }
        found
    }

    fn path(&self, walks: &[Walk], seed: usize) -> Path {
        let Part { source, amount, .. } = walks[seed].part;
        let mut steps = Vec::new();
        let mut fee_of = None;
        let mut next = Some(seed);
        while let Some(at) = next {
            match walks[at].at {
                Place::Fee(tx) => fee_of = Some(tx),
                Place::Output(output) => {
                    let touch = self.touch(output).expect("a walk stays on touched outputs");
                    let certain = !steps.is_empty() && fee_of.is_none() && self.is_certain(touch);
                    steps.push(PathStep { output, tainted: touch.amount, fee_of, certain });
                    fee_of = None;
                }
            }
            next = walks[at].toward;
        }
        Path { source, amount, steps }
    }

    fn is_certain(&self, touch: &Touch) -> bool {
        if !self.policy.conserving {
            return false;
        }
        let tx = self.view.output(touch.output).tx();
        let carried: Amount = self.carries_to(tx.index()).map(|carry| carry.amount).sum();
        tx.input_value() == Some(carried)
    }

    /// The pieces of inputs (or fees) that a piece of an output (or a fee) came from.
    fn step_back(&self, place: Place, part: Part) -> Vec<(Place, Part)> {
        let (tx, at) = match place {
            Place::Output(output) => {
                let output = self.view.output(output);
                (output.tx(), crate::id::at(output.vout()))
            }
            Place::Fee(tx) => {
                let tx = self.view.tx(tx);
                (tx, tx.outputs().len())
            }
        };
        if tx.is_coinbase() {
            return self.step_back_coinbase(tx, at, part);
        }
        let outputs: Vec<Amount> =
            tx.outputs().map(|output| output.value().unwrap_or(Amount::ZERO)).chain(tx.fee()).collect();
        let mut part = part;
        if let (Place::Fee(_), Origin::RowBack) = (place, self.policy.origin) {
            // A fee is kept in input order, not in the order dealt.
            part.offset = outputs[at] - part.offset - part.amount;
        }
        let inputs: Vec<InputLot<'_>> = tx
            .inputs()
            .map(|input| {
                let touch =
                    input.prevout().and_then(|prevout| self.touch(prevout.index())).filter(|touch| touch.carried);
                InputLot {
                    value: input.value().unwrap_or(Amount::ZERO),
                    parts: touch.map_or(&[], |touch| &touch.parts),
                }
            })
            .collect();
        let prevouts: Vec<Option<OutputIndex>> =
            tx.inputs().map(|input| input.prevout().map(|prevout| prevout.index())).collect();
        origins(self.policy.origin, &inputs, &outputs, at, part)
            .into_iter()
            .filter_map(|(input, part)| Some((Place::Output(prevouts[input]?), part)))
            .collect()
    }

    fn step_back_coinbase(&self, coinbase: Tx<'_>, at: usize, part: Part) -> Vec<(Place, Part)> {
        let Some(row) = coinbase.height().and_then(|height| Row::of(self.view, height)) else { return Vec::new() };
        let lots = row.lots(self.options.coinbase_order);
        let inputs: Vec<InputLot<'_>> = lots
            .iter()
            .map(|(payer, value)| {
                let at = payer.and_then(|payer| self.fees.binary_search_by_key(&payer, |fee| fee.tx).ok());
                let fee = at.map(|at| &self.fees[at]).filter(|fee| fee.coinbase.is_some());
                InputLot { value: *value, parts: fee.map_or(&[], |fee| &fee.parts) }
            })
            .collect();
        origins(self.policy.origin, &inputs, &row.outputs(), at, part)
            .into_iter()
            .filter_map(|(input, part)| Some((Place::Fee(lots[input].0?), part)))
            .collect()
    }
}

struct InputLot<'t> {
    value: Amount,
    parts: &'t [Part],
}

/// Finds which pieces of the inputs a piece of output `at` came from.
fn origins(origin: Origin, inputs: &[InputLot<'_>], outputs: &[Amount], at: usize, part: Part) -> Vec<(usize, Part)> {
    match origin {
        Origin::RowFront | Origin::RowBack => {
            let dealt: Amount = outputs[..at].iter().copied().sum::<Amount>() + part.offset;
            let row: Amount = inputs.iter().map(|input| input.value).sum();
            let start = if origin == Origin::RowFront { dealt } else { row - dealt - part.amount };
            let end = start + part.amount;
            let mut before = Amount::ZERO;
            let mut pieces = Vec::new();
            for (input, lot) in inputs.iter().enumerate() {
                let after = before + lot.value;
                let (from, to) = (start.max(before), end.min(after));
                if from < to {
                    pieces.push((input, Part { source: part.source, offset: from - before, amount: to - from }));
                }
                before = after;
            }
            pieces
        }
        Origin::Shares => {
            let held: Vec<Amount> = inputs.iter().map(|input| held_of(input, part.source)).collect();
            let shares = split(part.amount, &held);
            let piece = |amount| Part { source: part.source, offset: Amount::ZERO, amount };
            let taken = shares.into_iter().enumerate().filter(|(_, amount)| *amount > Amount::ZERO);
            taken.map(|(input, amount)| (input, piece(amount))).collect()
        }
        Origin::Whole => {
            let of_source = |part: &&Part, wanted: SourceIndex| part.source == wanted;
            inputs
                .iter()
                .enumerate()
                .filter_map(|(input, lot)| {
                    let held = lot.parts.iter().find(|held| of_source(held, part.source))?;
                    Some((input, Part { amount: held.amount.min(part.amount), ..*held }))
                })
                .collect()
        }
    }
}

fn held_of(input: &InputLot<'_>, source: SourceIndex) -> Amount {
    input.parts.iter().filter(|part| part.source == source).map(|part| part.amount).sum()
}

impl Path {
    /// Tells the path in words, a line an output: what rule brought how much, through which transaction, and what would defeat the step.
    ///
    /// # Examples
    ///
    /// See `examples/colonial_pipeline.rs`.
    pub fn explain<'t>(&'t self, trace: &'t Trace<'_>) -> impl fmt::Display + 't {
        Explained { path: self, trace }
    }
}

struct Explained<'t, 'c> {
    path: &'t Path,
    trace: &'t Trace<'c>,
}

impl fmt::Display for Explained<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, trace) = (self.path, self.trace);
        let policy = trace.policy();
        let label = trace.label(path.source);
        write!(f, "{} sat of {label:?} under {} v{}:", path.amount.to_sat(), policy.name, policy.version)?;
        for (hop, step) in path.steps.iter().enumerate() {
            let output = trace.view().output(step.output);
            let value = output.value().unwrap_or(Amount::ZERO).to_sat();
            write!(f, "\n  {hop:>3}  {}  {} of {value} sat tainted", output.outpoint(), step.tainted.to_sat())?;
            let tx = output.tx();
            match (hop, step.fee_of, step.certain) {
                (0, ..) => f.write_str("; the seed: defeated if this output is not what was stolen")?,
                (_, Some(payer), _) => {
                    write!(f, "; by the fee of {} to its miner", trace.view().tx(payer).txid())?;
                }
                (_, None, true) => {
                    f.write_str(
                        "; no clean value came in: given what arrived, every conserving rule fills this output",
                    )?;
                }
                (_, None, false) if !policy.conserving => {
                    f.write_str("; any taint taints all: an upper bound, not an amount")?;
                }
                (_, None, false) => {
                    let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
                    write!(
                        f,
                        "; clean value came in too (inputs: {inputs}, outputs: {outputs}): another rule divides them otherwise"
                    )?;
                }
            }
        }
        Ok(())
    }
}
