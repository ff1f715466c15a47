//! What kind of transaction is this? Pure functions of one transaction, a file each.
//!
//! A detector takes a [`Tx`] and says [`Finding`] or nothing. A finding is an inference: it names its rule with the version, what the rule
//! looked at, a verdict (yes, no, undecided) and a confidence, which is a grade that the rule's author gave and no measured probability.
//! [`eval::Detection`](crate::eval::Detection) measures.
//!
//! - [`coinjoin`]: mixes, by protocol, and what prepares for them; whether a mix's ancestry is right.
//! - [`links`]: in how many ways the inputs of a mix can pay its outputs.
//! - [`memo`]: swaps to other chains, by what they write into `OP_RETURN` outputs.
//!
//! - [`payjoin`], [`batch`], [`consolidation`], [`fan_out`], [`dormant`], [`dust`], [`structuring`]: other shapes.
//!
//! [`all`] asks every detector about one transaction, [`scan`] about every transaction of a view. Thresholds stand in the rule's file; where
//! one is ours and no paper's, it says so.
//!
//! # Examples
//!
//! ```
//! use fundtrace::detect::{self, Kind};
//! let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
//! let finding = chain.view().txs().find_map(detect::coinjoin::classify).unwrap();
//! assert_eq!(finding.kind, Kind::Coinjoin);
//! assert_eq!(finding.rule, "whirlpool/1");
//! assert!(finding.is_yes());
//! # Ok::<(), fundtrace::Error>(())
//! ```

pub mod batch;
pub mod coinjoin;
pub mod consolidation;
pub mod dormant;
pub mod dust;
pub mod fan_out;
mod finding;
mod gate;
pub mod links;
pub mod memo;
pub mod payjoin;
mod shape;
pub mod structuring;

use std::cell::Cell;
use std::collections::BTreeSet;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash};

pub use finding::{Confidence, Feature, Features, Finding, Kind, Verdict};

use crate::chain::{Chain, ChainBuilder, NewInput, NewTx, Tx, View};
use crate::error::Error;
use crate::id::{self, TxIndex};
use shape::{Lazy, Room};

/// What to look for, and under which terms.
///
/// # Examples
///
/// See [`scan`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The kinds of finding that are wanted.
    pub kinds: BTreeSet<Kind>,
    /// Lists and budget of the rules for mixes.
    pub coinjoin: coinjoin::Rules,
    /// The first mixes of Whirlpool's pools, which need no parents.
    pub anchors: BTreeSet<Txid>,
    /// From when on a coin is dormant.
    pub dormant: dormant::Terms,
}

impl Default for Options {
    /// Every kind, no list, the rules' own terms.
    fn default() -> Self {
        Self {
            kinds: Kind::ALL.into(),
            coinjoin: coinjoin::Rules::default(),
            anchors: BTreeSet::new(),
            dormant: dormant::Terms::default(),
        }
    }
}

/// Asks every detector about one transaction. Findings come in the order of [`Kind`]; a coinbase has none.
///
/// # Complexity
///
/// O(n log n) in inputs and outputs, and the budget of [`coinjoin::Rules`]. Most transactions are through after a look at the numbers of
/// their inputs and outputs and one at their values.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Kind, Options};
/// let chain = detect::sketch(&[20_000; 15], &[295_000])?;
/// let found = detect::all(chain.view().txs().next().unwrap(), &Options::default());
/// assert_eq!(found[0].kind, Kind::Consolidation);
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn all(tx: Tx<'_>, options: &Options) -> Vec<Finding> {
    if tx.is_coinbase() {
        return Vec::new();
    }
    let shape = Lazy::of(tx);
    options.kinds.iter().filter_map(|kind| one(&shape, *kind, options)).collect()
}

fn one(shape: &Lazy<'_>, kind: Kind, options: &Options) -> Option<Finding> {
    let tx = shape.tx;
    match kind {
        Kind::Coinjoin => options.coinjoin.classify_shape(shape, Confidence::default()),
        Kind::Premix => coinjoin::premix::find(tx),
        Kind::Swap => memo::find(tx),
        Kind::Payjoin => payjoin::find(tx),
        Kind::Batch => batch::of(shape),
        Kind::Consolidation => consolidation::find(tx),
        Kind::FanOut => fan_out::find(tx),
        Kind::Dormant => dormant::find(tx, options.dormant),
        Kind::Dust => dust::find(tx),
        Kind::Structuring => structuring::find(tx),
        // Of several transactions; `service` finds them.
        Kind::Peel | Kind::CustodialMixer => None,
        // Of addresses, which takes many transactions and most of it tags: `service` as well.
        Kind::Deposit | Kind::HotWallet | Kind::ColdWallet | Kind::Pool | Kind::Processor => None,
    }
}

/// Asks every detector about every transaction of a view, on the caller's rayon pool. Findings come in chain order, those of one transaction
/// by kind; after a mix's own finding stands what its [`lineage`](coinjoin::lineage) says, after an outbound's what
/// [`join`](memo::join) says.
///
/// # Complexity
///
/// As [`all`], summed over the transactions; most of them are ruled out by a look at their columns.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, Kind, Options};
/// let chain = detect::sketch(&[100_000, 100_000, 100_000, 100_000, 101_000], &[100_000; 5])?;
/// let found = detect::scan(chain.view(), &Options::default());
/// let rules: Vec<&str> = found.iter().map(|(_, finding)| finding.rule).collect();
/// assert_eq!(rules, ["whirlpool/1", "whirlpool_lineage/2"]);
/// let mut options = Options::default();
/// options.kinds = [Kind::Dust].into();
/// assert!(detect::scan(chain.view(), &options).is_empty());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn scan(view: View<'_>, options: &Options) -> Vec<(TxIndex, Finding)> {
    let gate = gate::Gate::of(view, options);
    let ask = |room: &mut Cell<Option<Box<Room>>>, tx: Tx<'_>, found: &mut Vec<(TxIndex, Finding)>| {
        let shape = Lazy::within(tx, room);
        gate.ask(tx.index(), |kind| found.extend(one(&shape, kind, options).map(|finding| (tx.index(), finding))));
    };
    let mut found = view.gather_with(Cell::default, ask);
    let whirlpool = |(index, finding): &'_ (TxIndex, Finding)| (finding.protocol == "whirlpool").then_some(*index);
    let joined = found.iter().filter(|(_, of)| of.kind == Kind::Swap && of.features.contains_key("inbound"));
    let mut second: Vec<(TxIndex, Finding)> =
        joined.filter_map(|(index, _)| Some((*index, memo::join(view.tx(*index), view)?))).collect();
    if found.iter().any(|finding| whirlpool(finding).is_some()) {
        let mixes = found.iter().filter_map(|pair| Some((whirlpool(pair)?, &pair.1)));
        second.extend(coinjoin::lineage::judge(view, mixes, &options.anchors));
    }
    if !second.is_empty() {
        found.extend(second);
        // Stable, so what was said first stands first.
        found.sort_by_key(|(index, finding)| (*index, finding.kind));
    }
    found
}

/// Makes a chain of one claimed transaction with inputs and outputs of these satoshis, each with a P2WPKH address of its own: to see what
/// a detector says of a form.
///
/// # Errors
///
/// [`Error::is_contradiction`] when the outputs are worth more than the inputs.
///
/// # Examples
///
/// ```
/// let chain = fundtrace::detect::sketch(&[5_000], &[3_000, 1_500])?;
/// assert_eq!(chain.view().txs().next().unwrap().fee().unwrap().to_sat(), 500);
/// assert!(fundtrace::detect::sketch(&[5], &[6]).unwrap_err().is_contradiction());
/// # Ok::<(), fundtrace::Error>(())
/// ```
pub fn sketch(inputs: &[u64], outputs: &[u64]) -> Result<Chain, Error> {
    let out = |side: u8, at: usize, sat: &u64| {
        let mut hash = [side; 20];
        hash[..8].copy_from_slice(&id::number(at).to_le_bytes());
        let script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash));
        TxOut { value: Amount::from_sat(*sat), script_pubkey }
    };
    let parent = Txid::from_byte_array([1; 32]);
    let input = |(at, sat)| NewInput::new(OutPoint::new(parent, id::small(at))).prevout(out(1, at, sat));
    let inputs = inputs.iter().enumerate().map(input).collect();
    let outputs = outputs.iter().enumerate().map(|(at, sat)| out(2, at, sat)).collect();
    let mut builder = ChainBuilder::new();
    builder.insert(NewTx::claimed(Txid::from_byte_array([2; 32]), inputs, outputs))?;
    builder.finish()
}
