//! Is there any way forward in time from one set of outputs to another? A search from both sides at once.
//!
//! A node is a transaction in the range of heights; an edge goes from it to the one that spends an output of its that pays no tagged
//! service. Forward a transaction's outputs are opened and their spenders looked up, backward its inputs are opened and the
//! transactions they spend. Each round widens one side by one hop, the side that opens fewer outputs, until a transaction is known from
//! both or one side has nothing left.
//!
//! Invariant: after f rounds forward and b rounds back every transaction that is f hops or less from the one set, or b hops or less
//! from the other, is known with its least number of hops. So the sides meet first on a shortest connection, and its number of hops is
//! f + b; and as long as they have not met, there is none of f + b hops or fewer.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::{RangeBounds, RangeInclusive};

use bitcoin::Amount;

use crate::chain::{Output, Spent, Tx, View};
use crate::id::{self, BlockHeight, OutputIndex, TxIndex};
use crate::tag::Tags;

/// How much to search.
///
/// # Examples
///
/// ```
/// use fundtrace::trace::ConnectLimits;
/// let limits = ConnectLimits::default().hops(12);
/// assert_eq!((limits.hops_max, limits.opened_max), (12, 1_000_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConnectLimits {
    /// How many outputs may be opened, on both sides together: looked at for their spender, or for their transaction.
    pub opened_max: u64,
    /// How many hops a connection may have.
    pub hops_max: u32,
}

impl Default for ConnectLimits {
    /// 1,000,000 outputs, and as many hops as there are.
    fn default() -> Self {
        Self { opened_max: 1_000_000, hops_max: u32::MAX }
    }
}

impl ConnectLimits {
    /// Sets how many outputs may be opened.
    #[must_use]
    pub fn opened(mut self, max: u64) -> Self {
        self.opened_max = max;
        self
    }

    /// Sets how many hops a connection may have.
    #[must_use]
    pub fn hops(mut self, max: u32) -> Self {
        self.hops_max = max;
        self
    }
}

/// Which limit was hit.
///
/// # Examples
///
/// See [`connect`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ConnectLimit {
    /// The next round would open more outputs than allowed.
    Opened,
    /// A connection would need more hops than allowed.
    Hops,
}

impl ConnectLimit {
    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Hops => "hops",
        }
    }
}

/// An output on a connection.
///
/// # Examples
///
/// See [`connect`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Link {
    /// The output.
    pub output: OutputIndex,
    /// Its value, if known.
    pub value: Option<Amount>,
    /// The transaction that spends it, and makes the next one; `None` at the end.
    pub into: Option<TxIndex>,
}

/// Whether two sets of outputs are connected.
///
/// # Examples
///
/// See [`connect`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Connection {
    /// They are: the shortest connection, in chain order; of equals the one whose outputs stand first, compared from the start.
    Found(Vec<Link>),
    /// They are not, on the transactions that the view shows: everything was searched. Where a spender is unknown, more transactions could
    /// still connect them.
    None,
    /// Nobody knows: a limit was hit first.
    GaveUp {
        /// The limit.
        limit: ConnectLimit,
        /// No connection has so few hops or fewer; `None` where not even that an output stands in both sets was looked at.
        none_up_to: Option<u32>,
        /// How many outputs were opened.
        opened: u64,
    },
}

impl Connection {
    /// Returns the number of hops of the connection that was found: of transactions on it.
    pub fn hops(&self) -> Option<u32> {
        match self {
            Self::Found(links) => links.len().checked_sub(1).map(id::small),
            _ => None,
        }
    }
}

/// Looks for a connection forward in time from any output of one set to any of another, such that every transaction on it stands in the
/// range of heights and no output between its two ends pays a tagged address.
///
/// What leaves a tagged service again is the service's money, so a service connects all its customers; as an end it may stand. Fees are not
/// followed. A transaction whose height is unknown is left out unless the range is `..`. An output that stands in both sets is a connection
/// of no hops. Outputs that the view does not show are passed over.
///
/// # Panics
///
/// When an output's index is not from this chain, or a damaged store's spenders and prevouts contradict each other, which
/// [`verify`](crate::Chain::verify) would refuse.
///
/// # Complexity
///
/// Time O(n log n) and memory O(n) in the number of outputs opened and, where a connection is found, of inputs of the transactions
/// opened forward. At best that is the square root of what a search from one side opens.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
/// use fundtrace::tag::{Tag, Tags};
/// use fundtrace::trace::{ConnectLimit, ConnectLimits, Connection, connect};
///
/// // 1:0 -> 2:0 -> 3:0, and 2:0 pays a script of its own.
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat, script: &ScriptBuf| TxOut { value: Amount::from_sat(sat), script_pubkey: script.clone() };
/// let (plain, shop) = (ScriptBuf::new(), ScriptBuf::from_hex("51")?);
/// let mut builder = ChainBuilder::new();
/// let first = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(9, &plain));
/// builder.insert(NewTx::claimed(txid(2), vec![first], vec![out(8, &shop)]))?;
/// builder.insert(NewTx::claimed(txid(3), vec![NewInput::new(OutPoint::new(txid(2), 0))], vec![out(7, &plain)]))?;
/// let chain = builder.finish()?;
/// let view = chain.view();
/// let at = |n| view.output_at(OutPoint::new(txid(n), 0)).unwrap().index();
///
/// let found = connect(view, &[at(1)], &[at(3)], .., &Tags::default(), &ConnectLimits::default());
/// assert_eq!(found.hops(), Some(2));
///
/// let mut tags = Tags::default();
/// tags.insert(shop, Tag::new("a shop", "merchant", "this example"));
/// let found = connect(view, &[at(1)], &[at(3)], .., &tags, &ConnectLimits::default());
/// assert_eq!(found, Connection::None);
/// // The tagged output itself can be reached.
/// assert_eq!(connect(view, &[at(1)], &[at(2)], .., &tags, &ConnectLimits::default()).hops(), Some(1));
///
/// let found = connect(view, &[at(1)], &[at(3)], .., &Tags::default(), &ConnectLimits::default().hops(1));
/// assert!(matches!(found, Connection::GaveUp { limit: ConnectLimit::Hops, none_up_to: Some(1), .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect(
    view: View<'_>,
    from: &[OutputIndex],
    to: &[OutputIndex],
    heights: impl RangeBounds<BlockHeight>,
    tags: &Tags,
    limits: &ConnectLimits,
) -> Connection {
    let visible = |outputs: &[OutputIndex]| -> BTreeSet<OutputIndex> {
        outputs.iter().copied().filter(|output| view.sees(view.output(*output).tx().index())).collect()
    };
    let bounds = (heights.start_bound().cloned(), heights.end_bound().cloned());
    let search = Search { view, from: visible(from), to: visible(to), bounds, tags, span: None };
    search.run(limits)
}

type Bounds = (std::ops::Bound<BlockHeight>, std::ops::Bound<BlockHeight>);

struct Search<'v, 'c> {
    view: View<'c>,
    from: BTreeSet<OutputIndex>,
    to: BTreeSet<OutputIndex>,
    bounds: Bounds,
    tags: &'v Tags,
    /// From the first transaction that spends an output of the one set to the last that made one of the other: a connection cannot leave it,
    /// because every output stands before its spender.
    span: Option<RangeInclusive<TxIndex>>,
}

/// What is known from one side.
#[derive(Default)]
struct Side {
    /// The least hops of each transaction known: into it from the one set, or out of it to the other.
    hops: HashMap<TxIndex, u32>,
    /// The transactions to be opened next.
    next: Vec<TxIndex>,
    /// How many outputs that opens.
    cost: u64,
    /// How many hops the next ones have.
    reach: u32,
}

impl Side {
    fn insert(&mut self, tx: TxIndex, cost: usize) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.hops.entry(tx) {
            entry.insert(self.reach);
            self.next.push(tx);
            self.cost += id::number(cost);
        }
    }
}

impl<'c> Search<'_, 'c> {
    fn run(mut self, limits: &ConnectLimits) -> Connection {
        let mut opened = id::number(self.from.len() + self.to.len());
        if opened > limits.opened_max {
            return Connection::GaveUp { limit: ConnectLimit::Opened, none_up_to: None, opened: 0 };
        }
        if let Some(both) = self.from.intersection(&self.to).next() {
            return Connection::Found(vec![self.link(*both, None)]);
        }
        let spenders: Vec<TxIndex> = self.from.iter().filter_map(|output| self.spender(*output)).collect();
        let makers: Vec<TxIndex> = self.to.iter().filter_map(|output| self.maker(*output)).collect();
        let (Some(first), Some(last)) = (spenders.iter().min(), makers.iter().max()) else { return Connection::None };
        self.span = Some(*first..=*last);
        let mut forward = Side { reach: 1, ..Side::default() };
        let mut back = Side::default();
        for tx in spenders.into_iter().filter(|tx| self.is_inside(*tx)) {
            forward.insert(tx, self.view.tx(tx).outputs().len());
        }
        for tx in makers.into_iter().filter(|tx| self.is_inside(*tx)) {
            back.insert(tx, self.view.tx(tx).inputs().len());
        }
        loop {
            let none_up_to = Some(forward.reach + back.reach - 1);
            if forward.next.is_empty() || back.next.is_empty() {
                return Connection::None;
            }
            if forward.reach + back.reach > limits.hops_max {
                return Connection::GaveUp { limit: ConnectLimit::Hops, none_up_to, opened };
            }
            // What the sides met at earlier would be a shorter connection, and was looked for then.
            let meeting: HashSet<TxIndex> =
                forward.next.iter().copied().filter(|tx| back.hops.get(tx) == Some(&back.reach)).collect();
            if !meeting.is_empty() {
                return Connection::Found(self.shortest(&forward, &back, meeting));
            }
            let (side, is_forward) = if forward.cost <= back.cost { (&mut forward, true) } else { (&mut back, false) };
            if opened.saturating_add(side.cost) > limits.opened_max {
                return Connection::GaveUp { limit: ConnectLimit::Opened, none_up_to, opened };
            }
            opened += side.cost;
            self.widen(side, is_forward);
        }
    }

    /// Opens a side's next transactions: one hop further.
    fn widen(&self, side: &mut Side, forward: bool) {
        let next = std::mem::take(&mut side.next);
        side.cost = 0;
        side.reach += 1;
        for tx in next {
            let tx = self.view.tx(tx);
            if forward {
                for spender in tx.outputs().filter_map(|output| self.spender_between(output)) {
                    side.insert(spender, self.view.tx(spender).outputs().len());
                }
            } else {
                for maker in self.makers_between(tx) {
                    side.insert(maker, self.view.tx(maker).inputs().len());
                }
            }
        }
    }

    /// The first in the chain of the shortest connections, when the sides have just met at these transactions.
    fn shortest(&self, forward: &Side, back: &Side, meeting: HashSet<TxIndex>) -> Vec<Link> {
        // From where they met back to the one set: which transactions lead there, by hops.
        let mut ways = vec![meeting];
        for hops in (1..forward.reach).rev() {
            let here = ways.last().into_iter().flatten();
            let makers = here.flat_map(|tx| self.makers_between(self.view.tx(*tx)));
            ways.push(makers.filter(|maker| forward.hops.get(maker) == Some(&hops)).collect());
        }
        let mut links = Vec::new();
        let mut outputs: Vec<OutputIndex> = self.from.iter().copied().collect();
        let mut left = forward.reach + back.reach;
        while left > 0 {
            left -= 1;
            let way = ways.pop();
            let leads = |tx: &TxIndex| match &way {
                Some(way) => way.contains(tx),
                None => back.hops.get(tx) == Some(&left),
            };
            let step = outputs.iter().find_map(|output| {
                let spender = self.spender(*output)?;
                let may = links.is_empty() || !self.is_tagged(self.view.output(*output));
                (may && leads(&spender)).then_some((*output, spender))
            });
            let (output, spender) = step.expect("what was found by its prevouts is found by its spenders too");
            links.push(self.link(output, Some(spender)));
            outputs = self.view.tx(spender).outputs().map(Output::index).collect();
        }
        links.extend(outputs.iter().find(|output| self.to.contains(output)).map(|end| self.link(*end, None)));
        links
    }

    /// The visible transaction in range that spends an output.
    fn spender(&self, output: OutputIndex) -> Option<TxIndex> {
        match self.view.output(output).spent() {
            Spent::By(spender) => Some(spender).filter(|tx| self.is_inside(*tx)),
            _ => None,
        }
    }

    /// The transaction in range that made an output.
    fn maker(&self, output: OutputIndex) -> Option<TxIndex> {
        Some(self.view.output(output).tx().index()).filter(|tx| self.is_inside(*tx))
    }

    /// As `spender`, unless the output pays a tagged service.
    fn spender_between(&self, output: Output<'c>) -> Option<TxIndex> {
        self.spender(output.index()).filter(|_| !self.is_tagged(output))
    }

    /// The transactions that made what this one spends, unless that pays a tagged service.
    fn makers_between(&self, tx: Tx<'c>) -> impl Iterator<Item = TxIndex> {
        let prevouts = tx.inputs().filter_map(|input| input.prevout());
        prevouts.filter(|prevout| !self.is_tagged(*prevout)).filter_map(|prevout| self.maker(prevout.index()))
    }

    fn is_tagged(&self, output: Output<'c>) -> bool {
        !self.tags.is_empty() && self.tags.holding(output).next().is_some()
    }

    /// Whether a connection can run through a transaction: one that somebody supplied, visible, in range and in the span.
    fn is_inside(&self, tx: TxIndex) -> bool {
        let tx = self.view.tx(tx);
        let everywhere = matches!(self.bounds, (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded));
        !tx.is_stub()
            && self.view.sees(tx.index())
            && self.span.as_ref().is_none_or(|span| span.contains(&tx.index()))
            && (everywhere || tx.height().is_some_and(|height| self.bounds.contains(&height)))
    }

    fn link(&self, output: OutputIndex, into: Option<TxIndex>) -> Link {
        Link { output, value: self.view.output(output).value(), into }
    }
}
