//! From records in any order to a frozen chain: merging, linking, ordering, and every check that needs two facts.

mod freeze;
mod link;

use std::collections::HashMap;

use bitcoin::{Amount, Network, Txid};

use super::Chain;
use super::record::NewTx;
use super::spend::Spend;
use crate::error::{ChainError, Error};
use crate::id::BlockHeight;

/// Collects transactions in any order and freezes them into a [`Chain`].
///
/// The same transaction may come twice; what one record lacks (a height, a prevout's value) is taken from the other, and what
/// they both say must agree. Previous transactions may be missing: they become stubs.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::blockdata::constants::genesis_block;
/// use fundtrace::bitcoin::Network;
/// use fundtrace::chain::{ChainBuilder, NewTx};
/// use fundtrace::BlockHeight;
///
/// let genesis = &genesis_block(Network::Bitcoin).txdata[0];
/// let mut builder = ChainBuilder::new();
/// builder.insert(NewTx::from_transaction(genesis).height(BlockHeight::from_u32(0)))?;
/// let chain = builder.finish()?;
/// let genesis = chain.view().txs().next().unwrap();
/// assert!(genesis.is_coinbase() && genesis.is_proven());
/// assert!(genesis.outputs().next().unwrap().is_unspendable());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChainBuilder {
    network: Network,
    complete: Option<(BlockHeight, BlockHeight)>,
    records: Vec<NewTx>,
    by_txid: HashMap<Txid, Vec<usize>>,
}

impl Default for ChainBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChainBuilder {
    /// Starts an empty chain of the main network.
    pub fn new() -> Self {
        Self { network: Network::Bitcoin, complete: None, records: Vec::new(), by_txid: HashMap::new() }
    }

    /// Sets the network.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Declares that every transaction of the blocks from `from` to `to`, both included, is supplied.
    ///
    /// Only then can an output be called unspent. [`finish`](Self::finish) checks what can be checked: each of these blocks has
    /// its coinbase, every transaction has a height among them, and when `from` is 0 nothing spends a transaction that is not there.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{BlockHeight, ChainBuilder};
    /// let height = BlockHeight::from_u32(0);
    /// let error = ChainBuilder::new().complete(height, height).finish().unwrap_err();
    /// assert!(error.is_contradiction()); // there is no block at height 0
    /// ```
    #[must_use]
    pub fn complete(mut self, from: BlockHeight, to: BlockHeight) -> Self {
        self.complete = Some((from, to));
        self
    }

    /// Adds a transaction.
    ///
    /// # Errors
    ///
    /// When the record contradicts itself or an earlier record of the same txid ([`Error::is_contradiction`]); the builder is
    /// then as it was before.
    pub fn insert(&mut self, tx: NewTx) -> Result<(), Error> {
        check(&tx)?;
        let same = self.by_txid.get(&tx.txid).map_or(&[][..], Vec::as_slice);
        let mut into = None;
        for &at in same {
            if !is_overwriting_pair(&self.records[at], &tx) {
                into = Some(at);
            }
        }
        match into {
            Some(at) => self.records[at] = merge(&self.records[at], tx)?,
            None => {
                self.by_txid.entry(tx.txid).or_default().push(self.records.len());
                self.records.push(tx);
            }
        }
        Ok(())
    }

    /// True when a transaction of this txid has been inserted.
    pub fn contains(&self, txid: &Txid) -> bool {
        self.by_txid.contains_key(txid)
    }

    /// Returns how many different transactions have been inserted.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when none has been inserted.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Freezes what was inserted. The builder stays, so that more can be inserted and frozen anew.
    ///
    /// Transactions are put into chain order: by height, then by position in the block where it is known, then
    /// so that none stands before one it spends, then by txid as written. A transaction without a height gets the
    /// least that its parents allow.
    ///
    /// # Errors
    ///
    /// When the records contradict each other ([`Error::is_contradiction`]); the message names the transaction.
    ///
    /// # Complexity
    ///
    /// O(n log n) in the number of transactions, inputs and outputs.
    pub fn finish(&self) -> Result<Chain, Error> {
        let linked = link::link(&self.records)?;
        freeze::freeze(&self.records, &linked, self.network, self.complete)
    }
}

/// Consensus reads a lock time from here on as a time, so no block is ever this high.
const HEIGHTS_END: u32 = bitcoin::absolute::LOCK_TIME_THRESHOLD;

/// The heights of the two pairs of coinbases that share a txid, from before BIP30 forbade it.
pub(super) const OVERWRITTEN: [(u32, u32); 2] = [(91_722, 91_880), (91_812, 91_842)];

fn is_overwriting_pair(a: &NewTx, b: &NewTx) -> bool {
    let (Some(a_height), Some(b_height)) = (a.height, b.height) else { return false };
    let pair = (a_height.min(b_height).to_u32(), a_height.max(b_height).to_u32());
    a.is_coinbase() && b.is_coinbase() && OVERWRITTEN.contains(&pair)
}

fn check(tx: &NewTx) -> Result<(), ChainError> {
    let malformed = |what| Err(ChainError::Malformed { txid: tx.txid, what });
    if tx.inputs.is_empty() {
        return malformed("has no inputs");
    }
    if tx.inputs.len() > 1 && tx.inputs.iter().any(|input| input.outpoint.is_null()) {
        return malformed("has an input that spends nothing beside others");
    }
    if tx.inputs.iter().any(|input| input.outpoint.txid == tx.txid) {
        return malformed("spends itself");
    }
    if tx.is_coinbase() && tx.position.is_some_and(|position| position != 0) {
        return malformed("is a coinbase and not at position 0 of its block");
    }
    if tx.height.is_some_and(|height| height.to_u32() >= HEIGHTS_END) {
        return malformed("has a height that no chain can have");
    }
    let mut total = Amount::ZERO;
    for (vout, output) in tx.outputs.iter().enumerate() {
        total = add(total, output.value).ok_or_else(|| ChainError::OverSupply {
            txid: tx.txid,
            place: if output.value > Amount::MAX_MONEY {
                format!("output {vout}")
            } else {
                "the sum of outputs".into()
            },
            sat: total.to_sat().saturating_add(output.value.to_sat()),
        })?;
    }
    let mut total = Amount::ZERO;
    for (vin, input) in tx.inputs.iter().enumerate() {
        let Some(prevout) = &input.prevout else { continue };
        total = add(total, prevout.value).ok_or_else(|| ChainError::OverSupply {
            txid: tx.txid,
            place: format!("the prevout of input {vin}, with those before it,"),
            sat: total.to_sat().saturating_add(prevout.value.to_sat()),
        })?;
    }
    Ok(())
}

/// Adds two amounts of which the first is within the supply; `None` when the sum is not.
fn add(a: Amount, b: Amount) -> Option<Amount> {
    a.checked_add(b).filter(|sum| *sum <= Amount::MAX_MONEY)
}

/// Joins two records of one transaction: what both say must agree, what one lacks comes from the other.
fn merge(old: &NewTx, new: NewTx) -> Result<NewTx, ChainError> {
    let txid = new.txid;
    if let (Some(first), Some(second)) = (old.height, new.height)
        && first != second
    {
        return Err(ChainError::TwoHeights { txid, first, second });
    }
    let outpoints = |tx: &NewTx| tx.inputs.iter().map(|input| input.outpoint).collect::<Vec<_>>();
    if outpoints(old) != outpoints(&new) {
        let text = |tx: &NewTx| format!("{:?}", outpoints(tx));
        return Err(ChainError::Unlike { txid, what: "lists of inputs", first: text(old), second: text(&new) });
    }
    if old.outputs != new.outputs {
        let text = |tx: &NewTx| format!("{:?}", tx.outputs);
        return Err(ChainError::Unlike { txid, what: "lists of outputs", first: text(old), second: text(&new) });
    }
    let mut both = new;
    both.proven |= old.proven;
    both.height = either(txid, "heights", old.height, both.height)?;
    both.position = either(txid, "positions in the block", old.position, both.position)?;
    both.time = either(txid, "block times", old.time, both.time)?;
    both.version = either(txid, "versions", old.version, both.version)?;
    both.lock_time = either(txid, "lock times", old.lock_time, both.lock_time)?;
    both.header = either(txid, "block headers", old.header.clone(), both.header)?;
    let with_witness = (old.weight.is_some(), both.weight.is_some());
    both.weight = either(txid, "weights", old.weight, both.weight)?;
    for (input, other) in both.inputs.iter_mut().zip(&old.inputs) {
        input.spend = merge_spend(txid, (other.spend, input.spend), with_witness)?;
        input.prevout = either(txid, "prevouts", other.prevout.clone(), input.prevout.take())?;
    }
    // A source read later may know of a spend that an earlier one had not seen.
    use super::record::Fate;
    let longest = both.fates.len().max(old.fates.len());
    let fate = |fates: &[Fate], vout: usize| fates.get(vout).copied().unwrap_or_default();
    both.fates = (0..longest)
        .map(|vout| match (fate(&old.fates, vout), fate(&both.fates, vout)) {
            (Fate::SpentBy(first), Fate::SpentBy(second)) if first != second => {
                let (first, second) = (first.to_string(), second.to_string());
                Err(ChainError::Unlike { txid, what: "spenders of one output", first, second })
            }
            (Fate::SpentBy(spender), _) | (_, Fate::SpentBy(spender)) => Ok(Fate::SpentBy(spender)),
            (Fate::Unspent, _) | (_, Fate::Unspent) => Ok(Fate::Unspent),
            (Fate::Unknown, Fate::Unknown) => Ok(Fate::Unknown),
        })
        .collect::<Result<_, _>>()?;
    Ok(both)
}

/// What a record with the witness shows stands before what one without it shows; the rest must agree.
fn merge_spend(
    txid: Txid,
    (old, new): (Option<Spend>, Option<Spend>),
    with_witness: (bool, bool),
) -> Result<Option<Spend>, ChainError> {
    match with_witness {
        (true, false) | (false, true) => {
            let bare = |spend: Option<Spend>| spend.map(Spend::without_witness);
            either(txid, "sequences or scriptSigs", bare(old), bare(new))?;
            Ok(if with_witness.0 { old.or(new) } else { new.or(old) })
        }
        _ => either(txid, "sequences, scriptSigs or witnesses", old, new),
    }
}

fn either<T: PartialEq + std::fmt::Debug>(
    txid: Txid,
    what: &'static str,
    a: Option<T>,
    b: Option<T>,
) -> Result<Option<T>, ChainError> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => {
            Err(ChainError::Unlike { txid, what, first: format!("{a:?}"), second: format!("{b:?}") })
        }
        (a, b) => Ok(a.or(b)),
    }
}
