//! Why is this output an end? The paths that carried taint to it, walked back to the seeds.
//!
//! Under FIFO and LIFO a path follows the very satoshis: the place of a piece in its output is looked up in the row of inputs.
//! Rules that keep amounts do not tell satoshis apart; there a piece is taken from the inputs in proportion to what each holds of
//! the same source. Under poison every tainted input leads back.
//!
//! Paths come out the widest first, and when no limit is hit their amounts sum to the end's taint (not under poison, where
//! every path is one way among others). However tight the limits, one whole path is found.

use std::fmt;

use bitcoin::Amount;

use super::evidence::{Evidence, Node, Place};
use super::{Crossing, How, Owners, Trace, Via, owners};
use crate::detect::coinjoin::change;
use crate::id::{OutputIndex, SourceIndex, TxIndex};

/// How much to search.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::PathLimits;
/// let limits = PathLimits::default().paths(3);
/// assert_eq!((limits.paths_max, limits.steps_max), (3, 1_000_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PathLimits {
    /// How many paths to return.
    pub paths_max: usize,
    /// After how many steps back, from an output to an input, to follow only the greatest at each transaction.
    pub steps_max: usize,
}

impl Default for PathLimits {
    /// 16 paths, 1,000,000 steps.
    fn default() -> Self {
        Self { paths_max: 16, steps_max: 1_000_000 }
    }
}

impl PathLimits {
    /// Sets how many paths to return.
    #[must_use]
    pub fn paths(mut self, max: usize) -> Self {
        self.paths_max = max;
        self
    }

    /// Sets after how many steps to follow only the greatest.
    #[must_use]
    pub fn steps(mut self, max: usize) -> Self {
        self.steps_max = max;
        self
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
    /// There were more steps than allowed, so beyond them only the greatest was followed at each transaction.
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
    /// How much of the output is tainted.
    pub tainted: Amount,
    /// The paths, by falling amount.
    pub paths: Vec<Path>,
    /// The limit that was hit, if one was.
    pub hit: Option<PathLimit>,
}

impl Paths {
    /// Returns how much of the taint the paths explain. Under poison paths overlap and the sum means nothing.
    pub fn explained(&self) -> Amount {
        self.paths.iter().map(|path| path.amount).sum()
    }
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
    /// True when the transaction took in nothing but taint of this path's source: given what arrived there, every conserving rule fills
    /// this output with it. False for a seed, for a coinbase, and always under poison.
    pub certain: bool,
    /// True when the payer paid this output to itself, in a trace between owners ([`forward_between`](super::forward_between)): no move.
    pub inside: bool,
}

impl Trace<'_> {
    /// Finds the paths that carried taint to an output, greatest first. Empty when taint did not reach it.
    ///
    /// # Complexity
    ///
    /// Linear in the part of the trace that lies before the output, once to build the flow and once for each path.
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
        let tainted = self.touch(output).map_or(Amount::ZERO, |touch| touch.amount);
        let mut found = Paths { tainted, paths: Vec::new(), hit: None };
        let mut evidence = Evidence::of(self, output, limits.steps_max);
        if evidence.cut {
            found.hit = Some(PathLimit::Steps);
        }
        while let Some((amount, nodes)) = evidence.take_path() {
            if found.paths.len() == limits.paths_max {
                found.hit = found.hit.or(Some(PathLimit::Paths));
                break;
            }
            let nodes: Vec<&Node> = nodes.into_iter().rev().map(|node| &evidence.nodes[node]).collect();
            found.paths.push(self.path(amount, &nodes));
        }
        found
    }

    /// `nodes` stand from the seed to the output.
    fn path(&self, amount: Amount, nodes: &[&Node]) -> Path {
        let source = nodes[0].part.source;
        let mut steps = Vec::new();
        let mut fee_of = None;
        for node in nodes {
            match node.at {
                Place::Fee(tx) => fee_of = Some(tx),
                Place::Output(output) => {
                    let tainted = self.touch(output).map_or(Amount::ZERO, |touch| touch.amount);
                    let certain = !steps.is_empty() && fee_of.is_none() && self.is_certain(output, source);
                    steps.push(PathStep { output, tainted, fee_of, certain, inside: self.is_inside(output) });
                    fee_of = None;
                }
            }
        }
        Path { source, amount, steps }
    }

    /// True when the transaction took in this source's taint and nothing else.
    fn is_certain(&self, output: OutputIndex, source: SourceIndex) -> bool {
        let tx = self.view.output(output).tx();
        let mut carried = Amount::ZERO;
        for carry in self.carries_to(tx.index()) {
            let Via::Output(from) = carry.via else { return false };
            let of_source = self.touch(from).is_some_and(|touch| touch.parts.iter().all(|part| part.source == source));
            if !of_source {
                return false;
            }
            carried += carry.amount;
        }
        self.policy.conserving && tx.input_value() == Some(carried)
    }
}

impl Path {
    /// Tells the path in words, a line an output: what rule brought how much, through which transaction, and what would defeat the step.
    ///
    /// # Examples
    ///
    /// See `examples/colonial_pipeline.rs`.
    pub fn explain<'t>(&'t self, trace: &'t Trace<'_>) -> impl fmt::Display + 't {
        Explained { path: self, trace, owners: None }
    }

    /// As [`explain`](Self::explain), with the inferred owner of each output.
    ///
    /// # Examples
    ///
    /// See [`forward_between`](super::forward_between).
    pub fn explain_with<'t>(&'t self, trace: &'t Trace<'_>, owners: &'t Owners<'_>) -> impl fmt::Display + 't {
        Explained { path: self, trace, owners: Some(owners) }
    }

    /// Returns how many moves the path has: its steps after the seed, but those inside one cluster where the trace is between owners.
    pub fn moves(&self) -> usize {
        self.steps.iter().skip(1).filter(|step| !step.inside).count()
    }
}

/// What an output of a mix rests on.
fn mixed(f: &mut fmt::Formatter<'_>, mix: &Crossing, vout: u32) -> fmt::Result {
    write!(f, "; out of what is taken for a mix ({}; {})", mix.finding.graded(), mix.how.as_str())?;
    if !mix.settled.contains(&vout) {
        return f.write_str(": whose it is nobody knows");
    }
    match mix.changes.iter().find(|link| link.vout == vout) {
        Some(link) => {
            let percent = change::CONFIDENCE.to_ppm() / 10_000;
            write!(f, ": change of inputs {:?} by {}, confidence {percent} %", link.vins, change::RULE)
        }
        None => {
            f.write_str(": of one payer in every way that the mix can be dealt out, if no participant paid another")
        }
    }
}

struct Explained<'t, 'c, 'o> {
    path: &'t Path,
    trace: &'t Trace<'c>,
    owners: Option<&'t Owners<'o>>,
}

impl fmt::Display for Explained<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, trace) = (self.path, self.trace);
        let policy = trace.policy();
        let label = trace.label(path.source);
        write!(f, "{} sat of {label:?} under {} v{}:", path.amount.to_sat(), policy.name, policy.version)?;
        let mut hop = 0;
        for (at, step) in path.steps.iter().enumerate() {
            hop += u32::from(at > 0 && !step.inside);
            let output = trace.view().output(step.output);
            let value = output.value().unwrap_or(Amount::ZERO).to_sat();
            write!(f, "\n  {hop:>3}  {}  {} of {value} sat tainted", output.outpoint(), step.tainted.to_sat())?;
            let tx = output.tx();
            let mix = trace.passage.at(tx.index()).filter(|mix| mix.how != How::Stopped);
            match (at, step.fee_of, step.certain) {
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
                (_, None, false) if mix.is_some_and(|mix| mix.how != How::Flagged) => {
                    f.write_str("; other value came in too: the choice made for mixes divides it, whatever the rule")?;
                }
                (_, None, false) => {
                    let (inputs, outputs) = (tx.inputs().len(), tx.outputs().len());
                    write!(
                        f,
                        "; other value came in too (inputs: {inputs}, outputs: {outputs}): another rule divides them otherwise"
                    )?;
                }
            }
            if let Some(mix) = mix.filter(|_| at > 0) {
                mixed(f, mix, output.vout())?;
            }
            if let Some(suspect) = trace.passage.suspect(tx.index()).filter(|_| at > 0) {
                write!(f, "; may be a mix ({}) and was passed as none", suspect.finding.graded())?;
            }
            if let (true, Some(rules)) = (step.inside, trace.entity_rules()) {
                write!(f, "; no move: payer and payee are one cluster under {}", owners::told(rules))?;
            }
            if let Some(owners) = self.owners {
                match owners.of(output) {
                    Some(owner) => write!(f, "; appears to be of {}", trace.view().address(owner.name))?,
                    None => f.write_str("; its owner is not inferred: no address")?,
                }
            }
        }
        Ok(())
    }
}
