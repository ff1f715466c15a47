//! Clusters as blocks come: which merged when, as of any height, and back again.
//!
//! A cluster is named by its first address, so adding blocks changes a name only where two clusters merge: the younger one's name ceases. The
//! log of these is all there is to keep. Its merges up to a block are the clusters as of that block, and cutting it rolls back.

use bitcoin::Txid;

use super::{Clusters, Evidence, Rule};
use crate::chain::View;
use crate::id::{self, AddressIndex, BlockHeight, TxIndex};
use crate::par::union::Shared;

/// Two clusters that became one.
///
/// # Examples
///
/// See [`History`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Merged {
    /// The name that ceased: the first address of the younger cluster.
    pub from: AddressIndex,
    /// The name that stays: the first address of the older one.
    pub into: AddressIndex,
    /// The transaction.
    pub tx: TxIndex,
    /// Its height.
    pub height: BlockHeight,
    /// The rule, as a position in [`History::rules`].
    pub rule: u16,
}

/// A block up to which the history goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    height: BlockHeight,
    /// The first transaction after it.
    end: TxIndex,
    /// How many addresses there are at its end.
    addresses: usize,
    /// Its last transaction, by which another chain is told apart.
    last: Txid,
}

/// Every merge of clusters over the blocks of a chain.
///
/// A transaction whose height is unknown has no place in a history and is passed over, as a view as of a height does.
///
/// # What evidence it is for
///
/// For evidence that rests on nothing later than its transaction: [`by_spending`](super::by_spending), what a
/// [`Change`](crate::change::Change) rule picks, and [`same_key`](super::same_key). Then what was said of a block stays as it was, and the clusters as of a
/// height are those of a run there. A [`Hindsight`](crate::change::Hindsight) rule says more or other things of an old payment with each block, and the
/// history keeps what it said when the block was added. Evidence does not know which kind it is, so nothing refuses it; [`agrees`](Self::agrees) tells whether a
/// history is what a run now would give.
///
/// ```
#[doc = include_str!("../change/sketch.txt")]
/// use fundtrace::change::{self, Spent};
/// use fundtrace::cluster::{Evidence, History, Rule};
/// let chain = sketch(&[
///     ("t", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")]),
///     ("u", &[("t:1", 399, "alice2")], &[(398, "dave")]),
/// ]);
/// // The change is the one that is spent, which nobody sees before the second block.
/// let evidence = |view| Evidence::of_pairs(view, Rule::new("spent", 1), change::links(view, change::picks_in_hindsight(view, &Spent)));
/// let early = chain.as_of(BlockHeight::from_u32(1));
/// let (mut in_steps, mut at_once) = (History::default(), History::default());
/// in_steps.append(early, &evidence(early)).unwrap();
/// in_steps.append(chain.view(), &evidence(chain.view())).unwrap();
/// at_once.append(chain.view(), &evidence(chain.view())).unwrap();
/// // In steps a merge is missing, at once it is there a block before anybody could know.
/// assert!(in_steps.log().is_empty() && !in_steps.agrees(chain.view(), &evidence(chain.view())));
/// assert!(at_once.as_of(BlockHeight::from_u32(1)) != evidence(early).clusters());
/// ```
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::cluster::{History, spending};
/// use fundtrace::BlockHeight;
///
/// let txid = |tx: u8| Txid::from_byte_array([tx; 32]);
/// let to = |key: u8| TxOut { value: Amount::from_sat(50), script_pubkey: ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([key; 20])) };
/// let from = |tx: u8, key: u8| NewInput::new(OutPoint::new(txid(tx), 0)).prevout(to(key));
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::claimed(txid(10), vec![from(1, 1), from(2, 2)], vec![to(8)]).height(BlockHeight::from_u32(100)))?;
/// builder.insert(NewTx::claimed(txid(11), vec![from(3, 2), from(4, 3)], vec![to(9)]).height(BlockHeight::from_u32(101)))?;
/// let chain = builder.finish()?;
///
/// let mut history = History::default();
/// let (early, late) = (chain.as_of(BlockHeight::from_u32(100)), chain.view());
/// assert_eq!(history.append(early, &spending::evidence(early, "", |_| false)).unwrap().len(), 1);
/// let merged = history.append(late, &spending::evidence(late, "", |_| false)).unwrap();
/// assert_eq!((merged.len(), merged[0].height), (1, BlockHeight::from_u32(101)));
/// assert_eq!(history.as_of(BlockHeight::from_u32(100)), spending::by_spending(early, |_| false));
/// assert_eq!(history.clusters(), spending::by_spending(late, |_| false));
/// history.roll_back(BlockHeight::from_u32(100));
/// assert_eq!(history.log().len(), 1);
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Debug)]
pub struct History {
    rules: Vec<Rule>,
    marks: Vec<Mark>,
    /// Stubs have no place among the blocks, so a chain with others is another chain.
    stubs: usize,
    log: Vec<Merged>,
    union: Shared,
}

impl Default for History {
    fn default() -> Self {
        Self { rules: Vec::new(), marks: Vec::new(), stubs: 0, log: Vec::new(), union: Shared::new(0) }
    }
}

impl History {
    /// Adds the blocks that a view has beyond those known, and returns what merged in them. The evidence is of the view; what it says of
    /// known blocks is passed over.
    ///
    /// `None` where the view does not go on from here: it ends earlier, or the last known block is another one. Then
    /// [roll back](Self::roll_back) to a block that both have, or begin anew.
    ///
    /// # Panics
    ///
    /// When the evidence is of another view.
    ///
    /// # Complexity
    ///
    /// Linear in the new evidence and the blocks.
    pub fn append(&mut self, view: View<'_>, evidence: &Evidence) -> Option<&[Merged]> {
        assert!(evidence.is_of(view), "evidence of another view");
        let marks = marks(view);
        let known = self.marks.len();
        if marks.get(..known) != Some(&self.marks[..]) || (known > 0 && self.stubs != view.stubs().len()) {
            return None;
        }
        self.stubs = view.stubs().len();
        self.union.grow(view.addresses_seen());
        let rules: Vec<u16> = evidence.rules().iter().map(|rule| self.number(rule)).collect();
        let from = self.marks.last().map_or(TxIndex::default(), |mark| mark.end);
        let logged = self.log.len();
        for at in evidence.from(from) {
            let tx = evidence.tx_of(at);
            let Some(height) = view.tx(tx).height() else { continue };
            let [first, rest @ ..] = evidence.members_of(at) else { continue };
            for other in rest {
                if let Some((high, low)) = self.union.link(first.to_u32(), other.to_u32()) {
                    let [from, into] = [high, low].map(AddressIndex::from_u32);
                    self.log.push(Merged { from, into, tx, height, rule: rules[evidence.rule_of(at)] });
                }
            }
        }
        self.marks = marks;
        Some(&self.log[logged..])
    }

    /// True when a run over a view that has all blocks of the history gives the same clusters as of its last block. False where the evidence looks ahead and has
    /// changed its mind, or the view is of another chain.
    ///
    /// # Panics
    ///
    /// When the evidence is of another view.
    ///
    /// # Complexity
    ///
    /// Linear in the evidence and the blocks.
    pub fn agrees(&self, view: View<'_>, evidence: &Evidence) -> bool {
        assert_eq!(evidence.addresses(), view.addresses_seen(), "evidence of another view");
        let Some(last) = self.marks.last() else { return true };
        if marks(view).get(..self.marks.len()) != Some(&self.marks[..]) || self.stubs != view.stubs().len() {
            return false;
        }
        let fresh = Shared::new(evidence.addresses());
        let mut merges = 0;
        for at in (0..evidence.from(last.end).start).filter(|at| view.tx(evidence.tx_of(*at)).height().is_some()) {
            let [first, rest @ ..] = evidence.members_of(at) else { continue };
            merges += rest.iter().filter(|other| fresh.link(first.to_u32(), other.to_u32()).is_some()).count();
        }
        // As many merges, and none that the history has and the evidence has not: one partition.
        let apart = |merged: &Merged| fresh.link(merged.from.to_u32(), merged.into.to_u32()).is_some();
        merges == self.log.len() && !self.log.iter().any(apart)
    }

    fn number(&mut self, rule: &Rule) -> u16 {
        let at = self.rules.iter().position(|known| known == rule).unwrap_or_else(|| {
            self.rules.push(rule.clone());
            self.rules.len() - 1
        });
        u16::try_from(at).expect("there are few rules")
    }

    /// Forgets the blocks above a height. Linear in what is left.
    pub fn roll_back(&mut self, height: BlockHeight) {
        self.marks.truncate(self.blocks_to(height));
        self.log.truncate(self.merges_to(height));
        self.union = Shared::new(self.marks.last().map_or(0, |mark| mark.addresses));
        for merged in &self.log {
            self.union.link(merged.from.to_u32(), merged.into.to_u32());
        }
    }

    fn blocks_to(&self, height: BlockHeight) -> usize {
        self.marks.partition_point(|mark| mark.height <= height)
    }

    fn merges_to(&self, height: BlockHeight) -> usize {
        self.log.partition_point(|merged| merged.height <= height)
    }

    /// Returns the rules that [`Merged::rule`] counts.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns every merge, in chain order.
    pub fn log(&self) -> &[Merged] {
        &self.log
    }

    /// Returns the height of the last block.
    pub fn tip(&self) -> Option<BlockHeight> {
        self.marks.last().map(|mark| mark.height)
    }

    /// Returns the clusters now.
    pub fn clusters(&self) -> Clusters {
        Clusters::of_parents(self.union.parents().collect())
    }

    /// Returns the clusters as they were at the end of the block at a height: what a run as of that height gives, if the evidence looks at
    /// [nothing later](Self#what-evidence-it-is-for). Linear.
    pub fn as_of(&self, height: BlockHeight) -> Clusters {
        let addresses = self.blocks_to(height).checked_sub(1).map_or(0, |last| self.marks[last].addresses);
        let mut parents: Vec<u32> = (0..id::small(addresses)).collect();
        for merged in &self.log[..self.merges_to(height)] {
            parents[merged.from.at()] = merged.into.to_u32();
        }
        Clusters::of_parents(parents)
    }
}

/// The blocks of a view.
fn marks(view: View<'_>) -> Vec<Mark> {
    let mark = |(height, end, addresses): (BlockHeight, TxIndex, usize)| {
        let last = view.tx(TxIndex::of(end.at() - 1)).txid();
        Mark { height, end, addresses, last }
    };
    view.blocks_seen().map(mark).collect()
}
