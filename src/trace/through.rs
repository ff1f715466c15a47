//! Following coins through a mix: what is done there is the analyst's choice, and part of the run.
//!
//! A CoinJoin is made so that nobody can tell whose outputs are whose; no rule of taint knows better. So a run says one of four things, and
//! [`forward_through`](super::forward_through) does it at every transaction that [`Mixes`] calls a mix:
//!
//! | [`Mode`] | what happens at a mix | what it claims |
//! |---|---|---|
//! | `Stop` | the trace ends at the output that enters ([`Reason::Mix`](super::Reason::Mix)) | nothing |
//! | `Flag` | the rule goes on as if it were no mix; what lies behind is flagged | what the rule claims, of an order that means nothing |
//! | `Spread` | evenly over what may be the coins (`spread`); change goes to whom it is linked | where coins may be, thinly |
//! | `Links` | by the matrix of [`detect::links`](crate::detect::links) where it is exact, otherwise as `Spread`, and it says so | the same, weighed |
//!
//! Stop first and look at what is linkable ([`Trace::linked`]): a Tx0's change, changes of unequal size. Flag when what happens behind
//! the mix is known by other means. Spread and links are for sums over many mixes; of one output they say little.
//!
//! Behind a mix every output carries the mixes on its way ([`Trace::behind`]), coins of one mix that are spent together are listed
//! ([`Trace::consolidations`]), and [`Trace::mix_sheet`] says how much went in. Under every conserving rule the balance adds up to the satoshi.
//!
//! What may be a mix and is not sure enough for the run is passed as none, is named ([`Trace::suspects`]), and lies before what is behind it. A
//! change that a rule links to its payer is not behind the mix, but only if the rule is right: it is told apart ([`Way::Linked`]).
//!
//! Without a mode ([`forward`](super::forward)) mixes are not looked for: a mix is an inference, and a run that nobody asked for inferences
//! makes none.
//!
//! # Fooled by
//!
//! What fools the detector: a firm's batch that looks like a mix is spread like one. And who puts several coins into one mix gets several
//! of its outputs, but each coin is spread over all of them alone.
//!
//! ```
//! use fundtrace::detect::{self, Confidence, coinjoin::Rules};
//! use fundtrace::taint::Fifo;
//! use fundtrace::trace::{self, Mixes, Mode, Options, Through, stop};
//! // One owner spends five coins of a pool's size to five addresses, all of it stolen or none.
//! let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
//! let view = chain.view();
//! let tx = view.txs().find(|tx| tx.outputs().len() == 5 && tx.inputs().len() == 5).unwrap();
//! let stolen = tx.inputs().next().unwrap().prevout().unwrap();
//! let through = Through::new(Mode::Spread, Mixes::new(Rules::default(), Confidence::from_percent(60)));
//! let trace = trace::forward_through(view, &[stolen.seed("theft")], &Fifo, &stop::never(), &through, &Options::default());
//! // The first output is as stolen as the others, whoever's they are.
//! let amounts: Vec<u64> = trace.ends().iter().map(|end| end.amount.to_sat()).collect();
//! assert_eq!(amounts, [19_960, 19_960, 19_961, 19_960, 19_960]);
//! assert!(trace.balance().adds_up());
//! # Ok::<(), fundtrace::Error>(())
//! ```

pub(super) mod consolidation;
pub(super) mod flag;
pub(super) mod flow;
mod given;
mod links;
mod mixes;
mod sheet;
mod spread;

use std::collections::BTreeMap;

use bitcoin::Amount;
use serde::{Deserialize, Serialize};

pub use consolidation::Consolidation;
pub use flag::{Behind, Linked, Way};
use flow::{Flow, Move};
pub use given::{ListGiven, MixesGiven};
pub use mixes::{Mix, MixStop, Mixes};
pub use sheet::MixSheet;

use super::Trace;
use crate::chain::{Tx, View};
use crate::detect::Finding;
use crate::detect::coinjoin::change::{self, ChangeLink};
use crate::detect::links::Limits;
use crate::error::{Error, SpecError};
use crate::id::{OutputIndex, SourceIndex, TxIndex};

/// What happens at a mix.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::Mode;
/// assert_eq!("spread".parse::<Mode>()?, Mode::Spread);
/// assert_eq!(Mode::Links.as_str(), "links");
/// assert!("guess".parse::<Mode>().unwrap_err().is_spec());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// The trace ends at the output that enters.
    Stop,
    /// The rule goes on, and what lies behind is flagged.
    Flag,
    /// Evenly over the mix's outputs, change to whom it is linked.
    Spread,
    /// By the matrix of links where it is exact.
    Links,
}

impl Mode {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Stop, Self::Flag, Self::Spread, Self::Links];

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Flag => "flag",
            Self::Spread => "spread",
            Self::Links => "links",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SpecError::Unknown { what: "way through a mix", given: name.into(), known }.into()
        })
    }
}

/// What to do at mixes, and what is one.
///
/// # Examples
///
/// See [`through`](self).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Through {
    /// What happens at a mix.
    pub mode: Mode,
    /// Which transactions are mixes.
    pub mixes: Mixes,
    /// How far the links of one mix are counted.
    pub limits: Limits,
    /// What participants may pay each other, in parts of a million of the common amount; a Whirlpool's do not.
    pub intra_fee_ppm: u32,
}

impl Through {
    /// Chooses, with two million steps for the links of one mix and half a per cent between participants.
    pub fn new(mode: Mode, mixes: Mixes) -> Self {
        let limits = Limits { steps_max: 2_000_000, ..Limits::default() };
        Self { mode, mixes, limits, intra_fee_ppm: 5_000 }
    }

    /// Says what is done, for the manifest: whoever has the text and the lists can repeat the run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{Confidence, coinjoin::Rules};
    /// use fundtrace::trace::{Mixes, Mode, Through};
    /// let mixes = Mixes::new(Rules::default(), Confidence::from_percent(60));
    /// assert_eq!(Through::new(Mode::Stop, mixes).describe(), "stop at mixes (from 60 %)");
    /// ```
    pub fn describe(&self) -> String {
        let what = self.what();
        format!("{what} {}", self.mixes.describe())
    }

    /// Says what happens at a mix.
    fn what(&self) -> String {
        match self.mode {
            Mode::Stop => "stop at".to_owned(),
            Mode::Flag => "flag behind".to_owned(),
            Mode::Spread => format!("spread over ({})", change::RULE),
            Mode::Links => {
                let Limits { txos_max, subsets_max, steps_max, .. } = self.limits;
                let ppm = self.intra_fee_ppm;
                format!(
                    "links through (at most {txos_max} coins, {subsets_max} subsets, {steps_max} steps, {ppm} ppm between participants, \
                     in Whirlpool none; {})",
                    change::RULE
                )
            }
        }
    }

    /// How value is taken to flow through a mix; no flow where the rule of taint goes on by itself.
    pub(super) fn flow(&self, tx: Tx<'_>, mix: &Finding, inputs: &[Amount], outputs: &[Amount]) -> (How, Passed) {
        let changes = change::find(tx, mix);
        let (how, flow) = match self.mode {
            Mode::Stop => (How::Stopped, None),
            Mode::Flag => (How::Flagged, None),
            Mode::Spread => (How::Spread, Some(spread::flow(inputs, outputs, &changes))),
            Mode::Links => {
                let ppm = if mix.protocol == "whirlpool" { 0 } else { self.intra_fee_ppm };
                match links::flow(tx, inputs, outputs, ppm, self.limits, &changes) {
                    Ok(flow) => (How::Linked, Some(flow)),
                    Err(how) => (how, Some(spread::flow(inputs, outputs, &changes))),
                }
            }
        };
        (how, Passed { flow, changes })
    }
}

/// A mix's flow and the changes found in it.
pub(super) struct Passed {
    pub(super) flow: Option<Flow>,
    pub(super) changes: Vec<ChangeLink>,
}

/// What was done at one mix.
///
/// # Examples
///
/// ```
/// assert_eq!(fundtrace::trace::How::LinksBounded.as_str(), "links_bounded");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum How {
    /// The trace ended there.
    Stopped,
    /// The rule went on; flagged.
    Flagged,
    /// Spread evenly.
    Spread,
    /// Weighed by the exact matrix of links.
    Linked,
    /// Asked to weigh; the number of ways is known as a lower bound alone, so it was spread.
    LinksBounded,
    /// Asked to weigh; counting did not come to an end, so it was spread.
    LinksUndecided,
}

impl How {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Flagged => "flagged",
            Self::Spread => "spread",
            Self::Linked => "links",
            Self::LinksBounded => "links_bounded",
            Self::LinksUndecided => "links_undecided",
        }
    }
}

/// A mix on the way of a trace, and what was done there.
///
/// # Examples
///
/// See [`Trace::mixes`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Crossing {
    /// The transaction.
    pub tx: TxIndex,
    /// Why it is called a mix: an inference.
    pub finding: Finding,
    /// What was done.
    pub how: How,
    /// The taint that came to it and was not stopped before by another reason.
    pub entered: Amount,
    /// Outputs that are the change of some inputs: inferences of [`change::RULE`].
    pub changes: Vec<ChangeLink>,
    /// Outputs that have one payer, by an inference, and got that payer's taint alone.
    pub(super) settled: Vec<u32>,
    pub(super) moves: Vec<Move>,
}

impl Crossing {
    /// Returns the outputs that have one payer by an inference and got that payer's taint alone, by vout: linked change, or sure links of the
    /// matrix.
    pub fn settled(&self) -> &[u32] {
        &self.settled
    }

    /// Iterates how much of a source's taint went from an input to an output, or to the fee where there is no output: where the choice divided the mix,
    /// and nothing where the rule of taint did.
    ///
    /// # Panics
    ///
    /// When the view is of another chain.
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
    /// let through = Through::new(Mode::Spread, Mixes::new(Rules::default(), Confidence::from_percent(60)));
    /// let trace = trace::forward_through(view, &seeds, &Fifo, &stop::never(), &through, &Options::default());
    /// let moved: Vec<_> = trace.mixes()[0].moved(view).map(|(vin, vout, _, amount)| (vin, vout, amount.to_sat())).collect();
    /// assert_eq!(moved[0], (0, Some(0), 19_960));
    /// assert_eq!(moved[5], (0, None, 199));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn moved(&self, view: View<'_>) -> impl Iterator<Item = (u32, Option<u32>, SourceIndex, Amount)> {
        let fee = crate::id::small(view.tx(self.tx).outputs().len());
        self.moves.iter().map(move |part| {
            let vout = Some(part.output).filter(|output| *output != fee);
            (part.input, vout, part.source, part.amount)
        })
    }
}

/// A transaction on the way of a trace that may be a mix and was passed as none: undecided, or less sure than was asked for.
///
/// # Examples
///
/// See [`Trace::suspects`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Suspect {
    /// The transaction.
    pub tx: TxIndex,
    /// Why it may be a mix: an inference.
    pub finding: Finding,
    /// The taint that was carried through it.
    pub entered: Amount,
    /// Whether the caller's list says that it is none: then what lies behind is clear on the list's word.
    pub vetoed: bool,
}

/// What a trace knows of the mixes on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Passage {
    pub(super) given: Option<MixesGiven>,
    pub(super) crossings: Vec<Crossing>,
    pub(super) suspects: Vec<Suspect>,
    pub(super) behind: BTreeMap<OutputIndex, Behind>,
    pub(super) linked: Vec<Linked>,
    pub(super) consolidations: Vec<Consolidation>,
}

impl Passage {
    pub(super) fn at(&self, tx: TxIndex) -> Option<&Crossing> {
        let at = self.crossings.binary_search_by_key(&tx, |crossing| crossing.tx).ok()?;
        Some(&self.crossings[at])
    }

    pub(super) fn suspect(&self, tx: TxIndex) -> Option<&Suspect> {
        let at = self.suspects.binary_search_by_key(&tx, |suspect| suspect.tx).ok()?;
        Some(&self.suspects[at]).filter(|suspect| !suspect.vetoed)
    }
}

impl Trace<'_> {
    /// Returns what was chosen for mixes, if the run was one of [`forward_through`](super::forward_through).
    pub fn through(&self) -> Option<Mode> {
        self.passage.given.as_ref().map(|given| given.through)
    }

    /// Returns what the run was told about mixes, as [`through`](Self::through).
    pub fn mixes_given(&self) -> Option<&MixesGiven> {
        self.passage.given.as_ref()
    }

    /// Returns the mixes that taint came to, in chain order, with what was done at each.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
    /// use fundtrace::taint::Haircut;
    /// use fundtrace::trace::{self, How, Mixes, Mode, Options, Through, Way, stop};
    /// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
    /// let view = chain.view();
    /// let tx = view.txs().find(|tx| tx.inputs().len() == 5).unwrap();
    /// let seeds = [tx.inputs().next().unwrap().prevout().unwrap().seed("theft")];
    /// let through = Through::new(Mode::Links, Mixes::new(Rules::default(), Confidence::from_percent(60)));
    /// let trace = trace::forward_through(view, &seeds, &Haircut, &stop::never(), &through, &Options::default());
    /// let mix = &trace.mixes()[0];
    /// assert_eq!((mix.finding.rule, mix.how), ("whirlpool/1", How::Linked));
    /// assert_eq!(mix.entered.to_sat(), 100_000);
    /// let first = trace.ends()[0].output;
    /// assert_eq!(trace.behind(first).unwrap().mixes(view, Way::Mixed), [mix.tx]);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn mixes(&self) -> &[Crossing] {
        &self.passage.crossings
    }

    /// Returns the transactions on the way that may be mixes and were passed as none, in chain order.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::detect::{self, Confidence, coinjoin::Rules};
    /// use fundtrace::taint::Fifo;
    /// use fundtrace::trace::{self, Mixes, Mode, Options, Through, Way, stop};
    /// let chain = detect::sketch(&[9_000_000, 7_000_000, 8_000_000], &[5_000_000, 5_000_000, 5_000_000, 3_999_000, 1_999_000])?;
    /// let view = chain.view();
    /// let tx = view.txs().find(|tx| tx.inputs().len() == 3).unwrap();
    /// let seeds = [tx.inputs().next().unwrap().prevout().unwrap().seed("theft")];
    /// let through = Through::new(Mode::Stop, Mixes::new(Rules::default(), Confidence::from_percent(60)));
    /// let trace = trace::forward_through(view, &seeds, &Fifo, &stop::never(), &through, &Options::default());
    /// // JoinMarket has no mark of its own, so its rule is less than half sure, and the run went on.
    /// assert_eq!(trace.suspects()[0].finding.rule, "joinmarket/1");
    /// assert_eq!(trace.behind(trace.ends()[0].output).unwrap().way, Way::Suspected);
    /// assert_eq!(trace.mix_sheet().behind_suspected.to_sat(), 9_000_000);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn suspects(&self) -> &[Suspect] {
        &self.passage.suspects
    }

    /// Returns what lies between the seeds and an output in the way of mixes; `None` where there is none, or none was looked for.
    pub fn behind(&self, output: OutputIndex) -> Option<&Behind> {
        self.passage.behind.get(&output)
    }

    /// Returns what the mixes on the way, and the transactions that prepare for them, leave linked to their payers, in chain order.
    pub fn linked(&self) -> &[Linked] {
        &self.passage.linked
    }

    /// Returns where outputs of one mix were spent together later, in chain order.
    pub fn consolidations(&self) -> &[Consolidation] {
        &self.passage.consolidations
    }
}
