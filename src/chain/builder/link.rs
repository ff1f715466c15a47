//! Who spends whom, and in which order transactions stand.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, TxOut, Txid};

use super::super::record::NewTx;
use crate::error::ChainError;
use crate::id::BlockHeight;

/// The records in chain order, and what stands before them.
pub(super) struct Linked {
    /// Outputs known only as prevouts, sorted by txid as written and vout.
    pub(super) stubs: BTreeMap<(Name, u32), Option<TxOut>>,
    /// For each record, for each input, the record that it spends; `None` for a stub or nothing.
    pub(super) parents: Vec<Vec<Option<usize>>>,
    /// The records in chain order.
    pub(super) order: Vec<usize>,
    /// The height in force of each record.
    pub(super) height: Vec<BlockHeight>,
}

/// A txid that sorts as it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Name([u8; 32]);

impl Name {
    pub(super) fn of(txid: Txid) -> Self {
        let mut bytes = txid.to_byte_array();
        bytes.reverse();
        Self(bytes)
    }

    pub(super) fn txid(self) -> Txid {
        let mut bytes = self.0;
        bytes.reverse();
        Txid::from_byte_array(bytes)
    }
}

pub(super) fn link(records: &[NewTx]) -> Result<Linked, ChainError> {
    let mut by_txid: HashMap<Txid, Vec<usize>> = HashMap::with_capacity(records.len());
    for (at, tx) in records.iter().enumerate() {
        by_txid.entry(tx.txid).or_default().push(at);
    }
    for same in by_txid.values_mut() {
        same.sort_by_key(|at| records[*at].height);
    }
    let mut stubs = BTreeMap::new();
    let mut parents = Vec::with_capacity(records.len());
    for tx in records {
        let mut of_tx = Vec::with_capacity(tx.inputs.len());
        for (vin, input) in tx.inputs.iter().enumerate() {
            let parent = parent(records, &by_txid, tx, input.outpoint);
            match parent {
                Some(at) => check_prevout(&records[at], tx, vin)?,
                None if input.outpoint.is_null() => {}
                None => {
                    let name = (Name::of(input.outpoint.txid), input.outpoint.vout);
                    let known = stubs.entry(name).or_insert_with(|| input.prevout.clone());
                    // A second spender is refused below; until then keep whatever is known.
                    if known.is_none() {
                        known.clone_from(&input.prevout);
                    }
                }
            }
            of_tx.push(parent);
        }
        parents.push(of_tx);
    }
    let (order, height) = order(records, &parents)?;
    Ok(Linked { stubs, parents, order, height })
}

/// The record that an outpoint names; of a BIP30 pair, the last one not above the spender.
fn parent(
    records: &[NewTx],
    by_txid: &HashMap<Txid, Vec<usize>>,
    spender: &NewTx,
    outpoint: OutPoint,
) -> Option<usize> {
    let same = by_txid.get(&outpoint.txid)?;
    let below = |at: &&usize| match (records[**at].height, spender.height) {
        (Some(parent), Some(height)) => parent <= height,
        _ => true,
    };
    same.iter().rev().find(below).or(same.first()).copied()
}

fn check_prevout(parent: &NewTx, tx: &NewTx, vin: usize) -> Result<(), ChainError> {
    let input = &tx.inputs[vin];
    let (txid, outpoint) = (tx.txid, input.outpoint);
    let Some(actual) = parent.outputs.get(crate::id::at(outpoint.vout)) else {
        return Err(ChainError::NoSuchOutput { txid, vin, outpoint, outputs: parent.outputs.len() });
    };
    let Some(claimed) = &input.prevout else { return Ok(()) };
    let unlike = |what| Err(ChainError::Prevout { txid, vin, outpoint, what });
    if claimed.value != actual.value {
        return unlike(format!("its value is {}, but that output's is {}", claimed.value, actual.value));
    }
    if claimed.script_pubkey != actual.script_pubkey {
        let (claimed, actual) = (claimed.script_pubkey.to_hex_string(), actual.script_pubkey.to_hex_string());
        return unlike(format!("its script is {claimed}, but that output's is {actual}"));
    }
    Ok(())
}

/// Chain order by Kahn's algorithm: of the transactions whose parents are placed, the least by height, position and txid.
///
/// A child's key is never below its parent's, so keys come out in order. Positions that are given become edges between neighbours
/// of a block, so a transaction of unknown position cannot lift one out of its place.
fn order(records: &[NewTx], parents: &[Vec<Option<usize>>]) -> Result<(Vec<usize>, Vec<BlockHeight>), ChainError> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); records.len()];
    let mut waiting = vec![0_u32; records.len()];
    let mut edge = |from: usize, to: usize| {
        children[from].push(to);
        waiting[to] += 1;
    };
    for (to, of_tx) in parents.iter().enumerate() {
        of_tx.iter().flatten().for_each(|from| edge(*from, to));
    }
    for (from, to) in neighbours(records)? {
        edge(from, to);
    }
    let mut height: Vec<BlockHeight> = records.iter().map(|tx| tx.height.unwrap_or_default()).collect();
    let key = |at: usize, height: BlockHeight| {
        let tx: &NewTx = &records[at];
        Reverse((height, position(tx).unwrap_or(u32::MAX), Name::of(tx.txid), at))
    };
    let mut ready: BinaryHeap<_> =
        (0..records.len()).filter(|at| waiting[*at] == 0).map(|at| key(at, height[at])).collect();
    let mut order = Vec::with_capacity(records.len());
    // A neighbour in the block is a child here too, without spending anything.
    let spends_coinbase = |at: usize, child: usize| records[at].is_coinbase() && parents[child].contains(&Some(at));
    while let Some(Reverse((_, _, _, at))) = ready.pop() {
        order.push(at);
        for &child in &children[at] {
            // A coinbase takes the fees of its whole block, so nothing of the block may spend it.
            let least = BlockHeight::from_u32(height[at].to_u32() + u32::from(spends_coinbase(at, child)));
            if height[child] < least {
                if let Some(given) = records[child].height {
                    let (txid, parent) = (records[child].txid, records[at].txid);
                    return Err(ChainError::HeightOrder { txid, height: given, parent, least });
                }
                height[child] = least;
            }
            waiting[child] -= 1;
            if waiting[child] == 0 {
                ready.push(key(child, height[child]));
            }
        }
    }
    if order.len() < records.len() {
        let stuck = (0..records.len()).filter(|at| waiting[*at] > 0).min_by_key(|at| Name::of(records[*at].txid));
        let txid = records[stuck.expect("some record was not placed")].txid;
        return Err(ChainError::Circle { txid });
    }
    Ok((order, height))
}

/// A coinbase's position need not be given.
pub(super) fn position(tx: &NewTx) -> Option<u32> {
    if tx.is_coinbase() { Some(0) } else { tx.position }
}

/// Pairs of transactions of one block whose given positions follow each other.
fn neighbours(records: &[NewTx]) -> Result<Vec<(usize, usize)>, ChainError> {
    let mut placed: Vec<(BlockHeight, u32, usize)> =
        records.iter().enumerate().filter_map(|(at, tx)| Some((tx.height?, position(tx)?, at))).collect();
    placed.sort_unstable();
    let mut pairs = Vec::new();
    for pair in placed.windows(2) {
        let ((height, position, first), (other, next, second)) = (pair[0], pair[1]);
        if height != other {
            continue;
        }
        if position == next {
            let (first, second) = (records[first].txid, records[second].txid);
            return Err(ChainError::SamePosition { first, second, position, height });
        }
        pairs.push((first, second));
    }
    Ok(pairs)
}
