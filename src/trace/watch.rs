//! A run that goes on as blocks come: saved between blocks, continued, and wound back where the chain was reorganised.
//!
//! A watch list is a propagation continued. What a watch finds equals what one run over the whole chain finds, block for block, whatever the steps.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, BlockHash, OutPoint, Txid};
use serde::{Deserialize, Serialize};

use super::reach::{self, Reach, State};
use super::{Options, Reason, Seed, Stop};
use crate::chain::{Output, Spent, View};
use crate::error::{Error, SpecError};
use crate::id::BlockHeight;
use crate::taint::Rule;

/// A propagation as of a block, that can be saved and continued.
///
/// It remembers where it stood after each of its last steps; a reorganisation winds it back to the last of them that is still in the chain, and to the
/// start where none is. The chain must have block headers, because the hash of a block is what tells two chains apart.
///
/// A stop is known by what it says of itself. Two closures with one `describe` are one stop to a watch, so give each rule
/// ([`stop::when`](super::stop::when)) a text of its own.
///
/// # Examples
///
/// See [`Watch::start`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    rule: Rule,
    options: Options,
    stop: String,
    seeds: Vec<Named>,
    points: Vec<Point>,
}

/// A seed in names that outlive the chain's indexes: its output and its label.
type Named = (Txid, u32, String);

fn named(view: View<'_>, seed: &Seed) -> Named {
    let OutPoint { txid, vout } = view.unbounded().output(seed.output).outpoint();
    (txid, vout, seed.label.clone())
}

/// The labels of each output; the last has it. The same one twice in a row counts once.
fn by_output(seeds: &[Named]) -> BTreeMap<(Txid, u32), Vec<&str>> {
    let mut outputs: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (txid, vout, label) in seeds {
        let labels = outputs.entry((*txid, *vout)).or_default();
        if labels.last() != Some(&label.as_str()) {
            labels.push(label);
        }
    }
    outputs
}

/// Where the run stood after a block.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    height: BlockHeight,
    hash: BlockHash,
    state: State,
}

/// How many steps back are remembered.
const POINTS_MAX: usize = 8;

/// The first line of a saved watch; the second is the SHA-256 of everything after it.
const MAGIC: &str = "fundtrace watch 2\n";

/// Something that happened since the last step.
///
/// # Examples
///
/// See [`Watch::advance`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Alert {
    /// The output it happened at.
    pub outpoint: OutPoint,
    /// How much of it is tainted, over all sources.
    pub amount: Amount,
    /// What happened.
    pub event: Event,
}

/// What happened at a tainted output.
///
/// # Examples
///
/// See [`Watch::advance`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It is not in the chain any more: the block it was in was reorganised away.
    Undone,
    /// This transaction spends it.
    Moved(Txid),
    /// Taint has come to it, and ends there for this reason as things stand.
    Arrived(Reason),
}

/// A step of a watch.
///
/// # Examples
///
/// See [`Watch::advance`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress<'c> {
    /// Where taint ends now: what one run over the view would find.
    pub reach: Reach<'c>,
    /// What is new since the last step: what was undone, what moved, what arrived; each in chain order.
    pub alerts: Vec<Alert>,
    /// The height from which the run went on; `None` where it began anew.
    pub resumed_from: Option<BlockHeight>,
}

impl Watch {
    /// Runs up to the end of a view, and remembers where it stands.
    ///
    /// # Errors
    ///
    /// When the view has no block header at its tip ([`Error::is_spec`]).
    ///
    /// # Panics
    ///
    /// As [`reach()`](super::reach()).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{ChainBuilder, taint::Rule, trace::{Options, Watch, stop}};
    /// let chain = ChainBuilder::new().finish()?;
    /// // A chain without blocks cannot be watched.
    /// let refused = Watch::start(chain.view(), &[], Rule::Fifo, &stop::never(), &Options::default());
    /// assert!(refused.unwrap_err().is_spec());
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn start<'c, S: Stop + ?Sized>(
        view: View<'c>,
        seeds: &[Seed],
        rule: Rule,
        stop: &S,
        options: &Options,
    ) -> Result<(Self, Reach<'c>), Error> {
        let seeds = seeds.iter().map(|seed| named(view, seed)).collect();
        let mut watch = Self { rule, options: *options, stop: stop.describe(), seeds, points: Vec::new() };
        let progress = watch.advance(view, stop)?;
        Ok((watch, progress.reach))
    }

    /// Goes on to the end of a view: of the same chain with more blocks, or of one that was reorganised.
    ///
    /// # Errors
    ///
    /// When the view has no block header at its tip, or ends before a block that the run has come to and that is still in the chain (that
    /// is no reorganisation); when the stop is not the one that the watch began with; or when it was read from a file that
    /// says what no run finds ([`Error::is_spec`]); nothing changes then.
    ///
    /// # Complexity
    ///
    /// What the new blocks' taint costs, and a look-up for every output that holds taint.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn poll(watch: &mut fundtrace::trace::Watch, chain: &fundtrace::Chain) -> Result<(), fundtrace::Error> {
    /// use fundtrace::trace::{Event, stop};
    /// let progress = watch.advance(chain.view(), &stop::never())?;
    /// assert!(progress.reach.balance().adds_up());
    /// let moved = progress.alerts.iter().filter(|alert| matches!(alert.event, Event::Moved(_)));
    /// # drop(moved); Ok(())
    /// # }
    /// ```
    pub fn advance<'c, S: Stop + ?Sized>(&mut self, view: View<'c>, stop: &S) -> Result<Progress<'c>, Error> {
        if stop.describe() != self.stop {
            return Err(wrong(format!("it stops by {:?}, not by {:?}", self.stop, stop.describe())));
        }
        let tip = view.tip().and_then(|height| Some((height, view.header(height)?.block_hash())));
        let (height, hash) =
            tip.ok_or_else(|| wrong("the chain has no block header at its tip; use a store of blocks"))?;
        let unseen = |point: &&Point| point.height > height && point.has_block(view.unbounded());
        if let Some(ahead) = self.points.iter().rfind(unseen) {
            let come_to = ahead.height;
            return Err(wrong(format!(
                "it has come to block {come_to}, which is still in the chain, and this view ends before, at block {height}"
            )));
        }
        let before = self.points.last().map(|point| point.state.clone());
        let kept = self.points.iter().rposition(|point| point.is_in(view)).map_or(0, |at| at + 1);
        let labels: Vec<&str> = self.seeds.iter().map(|(.., label)| label.as_str()).collect();
        let find = |(txid, vout, label): &Named| {
            let output = view.unbounded().output_at(OutPoint::new(*txid, *vout))?;
            Some(output.seed(label.as_str()))
        };
        let seeds: Vec<Seed> = self.seeds.iter().filter_map(find).collect();
        let from = self.points[..kept].last();
        let resumed_from = from.map(|point| point.height);
        let state = from.map(|point| &point.state);
        let resumed = reach::resume(view, &labels, &seeds, self.rule, stop, &self.options, state);
        let (reach, state) = resumed.map_err(unsound)?;
        self.points.truncate(kept);
        let alerts = before.map_or(Vec::new(), |before| alerts(&before, &reach));
        if resumed_from == Some(height) {
            self.points.pop();
        }
        self.points.push(Point { height, hash, state });
        let surplus = self.points.len().saturating_sub(POINTS_MAX);
        self.points.drain(..surplus);
        Ok(Progress { reach, alerts, resumed_from })
    }

    /// Returns the height that it has come to, and the hash of the block there.
    pub fn tip(&self) -> Option<(BlockHeight, BlockHash)> {
        self.points.last().map(|point| (point.height, point.hash))
    }

    /// Takes the seeds as they are named now, which may be more than before: an address has received again.
    ///
    /// A seed is known by its outpoint and label. The order of seeds does not matter, except among those that name one output. A new seed must
    /// be above the block that the run goes on from; a seed may be left out once the chain has lost it. Sources keep their order, new ones come
    /// last.
    ///
    /// # Errors
    ///
    /// When a new seed is not above that block, a seed is left out that is in the view, or an output has other labels ([`Error::is_spec`]);
    /// nothing changes then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn poll(watch: &mut fundtrace::trace::Watch, chain: &fundtrace::Chain, seeds: &[fundtrace::trace::Seed]) -> Result<(), fundtrace::Error> {
    /// use fundtrace::trace::stop;
    /// watch.update_seeds(chain.view(), seeds)?;
    /// assert!(watch.advance(chain.view(), &stop::never())?.reach.balance().adds_up());
    /// # Ok(())
    /// # }
    /// ```
    pub fn update_seeds(&mut self, view: View<'_>, seeds: &[Seed]) -> Result<(), Error> {
        let known = by_output(&self.seeds);
        let given: Vec<Named> = seeds.iter().map(|seed| named(view, seed)).collect();
        let from = self.points.iter().rfind(|point| point.is_in(view)).map(|point| point.height);
        let now = by_output(&given);
        for (output, labels) in &now {
            let at = OutPoint::new(output.0, output.1);
            match known.get(output) {
                Some(before) if before == labels => {}
                Some(before) => return Err(wrong(format!("other seeds: {at} was {before:?} and is now {labels:?}"))),
                None => {
                    let height = view.unbounded().tx_at(&output.0).and_then(|tx| tx.height());
                    if let Some(from) = from.filter(|from| height.is_none_or(|height| height <= *from)) {
                        return Err(wrong(format!("other seeds: {at} is new, and not above block {from}")));
                    }
                }
            }
        }
        let left_out = |output: &&(Txid, u32)| {
            !now.contains_key(*output) && view.output_at(OutPoint::new(output.0, output.1)).is_some()
        };
        if let Some((txid, vout)) = known.keys().find(left_out) {
            return Err(wrong(format!("other seeds: {txid}:{vout} is left out")));
        }
        let fresh = given.iter().filter(|(txid, vout, _)| !known.contains_key(&(*txid, *vout)));
        let fresh: Vec<Named> = fresh.cloned().collect();
        self.seeds.extend(fresh);
        let labels: HashSet<&str> = self.seeds.iter().map(|(.., label)| label.as_str()).collect();
        self.points.iter_mut().for_each(|point| point.state.widen(labels.len()));
        Ok(())
    }

    /// Returns the conventions.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Returns the rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Returns what its stop rules are, as they describe themselves: `advance` wants the same.
    pub fn stop(&self) -> &str {
        &self.stop
    }

    /// Saves it: a line with the version, a line with the SHA-256 of the rest, and the rest as JSON. Flushes `out`.
    ///
    /// # Errors
    ///
    /// When writing fails ([`Error::is_io`]).
    pub fn write_to(&self, mut out: impl Write) -> Result<(), Error> {
        let body = serde_json::to_vec(self).map_err(|error| wrong(error.to_string()))?;
        out.write_all(format!("{MAGIC}{}\n", sha256::Hash::hash(&body)).as_bytes())?;
        out.write_all(&body)?;
        // A buffer that is dropped does not tell that the disk was full.
        Ok(out.flush()?)
    }

    /// Reads a saved watch.
    ///
    /// # Errors
    ///
    /// When reading fails ([`Error::is_io`]), or the bytes are none, of another version, damaged, or contradict themselves
    /// ([`Error::is_spec`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::trace::Watch;
    /// assert!(Watch::read(b"fundtrace watch 1\n".as_slice()).unwrap_err().is_spec());
    /// ```
    pub fn read(mut from: impl Read) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let rest = bytes.strip_prefix(MAGIC.as_bytes());
        let rest = rest
            .ok_or_else(|| wrong("this is no saved watch, or one of another version; this program reads version 2"))?;
        let cut = || wrong("the saved watch is damaged: its hash is not that of its content");
        let (hash, body) = rest.split_at_checked(64).ok_or_else(cut)?;
        let body = body.strip_prefix(b"\n").ok_or_else(cut)?;
        if hash != sha256::Hash::hash(body).to_string().as_bytes() {
            return Err(cut());
        }
        let watch: Self = serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
        let labels: HashSet<&str> = watch.seeds.iter().map(|(.., label)| label.as_str()).collect();
        for point in &watch.points {
            point.state.fits(labels.len(), watch.rule).map_err(unsound)?;
        }
        if !watch.points.is_sorted_by(|a, b| a.height < b.height) {
            return Err(unsound("its blocks are not in their order"));
        }
        Ok(watch)
    }
}

impl Point {
    /// True when the block is in the view, with every output that the state names, each made by then.
    fn is_in(&self, view: View<'_>) -> bool {
        let by_then = |output: Output<'_>| output.tx().height().is_none_or(|height| height <= self.height);
        self.has_block(view) && self.state.outpoints().all(|at| view.output_at(at).is_some_and(by_then)) && {
            // What is held goes on from its spender, which must be one that the run has not been to.
            let spender = |at| view.output_at(at).and_then(|output| output.spender()).and_then(|tx| tx.height());
            self.state.held(false).all(|(at, _)| spender(at).is_none_or(|height| height > self.height))
        }
    }

    fn has_block(&self, view: View<'_>) -> bool {
        view.header(self.height).is_some_and(|header| header.block_hash() == self.hash)
    }
}

/// What is different from a state.
fn alerts(before: &State, now: &Reach<'_>) -> Vec<Alert> {
    let view = now.view();
    let known: HashSet<OutPoint> = before.outpoints().collect();
    let conserving = now.policy().conserving;
    let gone = before.held(conserving).chain(before.ended(conserving));
    let gone = gone.filter(|(outpoint, _)| view.output_at(*outpoint).is_none());
    let undone = |(outpoint, amount): (OutPoint, Option<Amount>)| Alert {
        outpoint,
        amount: amount.unwrap_or_default(),
        event: Event::Undone,
    };
    let mut undone: Vec<Alert> = gone.map(undone).collect();
    let mut moved = Vec::new();
    for (outpoint, amount) in before.held(conserving) {
        let Some(output) = view.output_at(outpoint) else { continue };
        if let Spent::By(spender) = output.spent() {
            let amount = amount.or(output.value()).unwrap_or_default();
            moved.push((output.index(), Alert { outpoint, amount, event: Event::Moved(view.tx(spender).txid()) }));
        }
    }
    undone.sort_unstable_by_key(|alert| alert.outpoint);
    moved.sort_unstable_by_key(|(index, _)| *index);
    let arrived = now.ends().filter_map(|end| {
        let outpoint = view.output(end.output).outpoint();
        let event = Event::Arrived(end.reason.clone());
        (!known.contains(&outpoint)).then_some(Alert { outpoint, amount: end.amount, event })
    });
    undone.into_iter().chain(moved.into_iter().map(|(_, alert)| alert)).chain(arrived).collect()
}

fn unsound(what: &str) -> Error {
    wrong(format!("the saved watch is unsound: {what}"))
}

fn wrong(what: impl Into<String>) -> Error {
    SpecError::Watch { what: what.into() }.into()
}
