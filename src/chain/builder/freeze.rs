//! Placing linked records and the checks that need every spend; the columns are put together by `write`.

use std::collections::{BTreeMap, HashMap, HashSet};

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{Network, OutPoint, Txid};

use super::super::Chain;
use super::super::columns::{NO_OUTPUT, NO_POSITION, NO_TIME, UNKNOWN_VALUE, flag};
use super::super::format::Column;
use super::super::merkle;
use super::super::record::{Fate, NewTx};
use super::super::script::is_unspendable;
use super::super::write::chunk::{Chunk, TxHead};
use super::super::write::scratch::Scratch;
use super::super::write::{Assembler, Known};
use super::OVERWRITTEN;
use super::link::{Linked, position};
use crate::error::{ChainError, Error};
use crate::id::{self, BlockHeight};

pub(super) fn freeze(
    records: &[NewTx],
    linked: &Linked,
    network: Network,
    complete: Option<(BlockHeight, BlockHeight)>,
) -> Result<Chain, Error> {
    let mut assembler = Assembler::new(network, Scratch::Memory);
    assembler.complete = complete;
    let (place, first_output) = (vec![0; records.len()], vec![0; records.len()]);
    let mut placed = Placed { records, linked, stubs: 0, place, first_output, facts: Vec::new() };
    let stub_output = placed.write_stubs(&mut assembler)?;
    let headers = if complete.is_some() { headers(records, linked)? } else { BTreeMap::new() };
    let mut chunk = Chunk::default();
    let mut prevouts = Vec::new();
    let mut known = Known::default();
    let mut block = None;
    for &at in &linked.order {
        let height = linked.height[at];
        if block != Some(height) {
            chunk.block(height.to_u32(), headers.get(&height));
            block = Some(height);
        }
        placed.place[at] = placed.stubs + chunk.txs();
        placed.write_tx(at, &stub_output, &mut chunk, &mut prevouts, &mut known)?;
    }
    check_complete(records, linked, complete)?;
    assembler.append(&chunk, &prevouts)?;
    known.positions = placed.write_positions(&mut assembler)?;
    known.times = placed.write_times(&headers, &mut assembler)?;
    assembler.known = known;
    placed.write_fates(&mut assembler)?;
    placed.write_overwritten(&mut assembler)?;
    let mut bytes = Vec::new();
    assembler.finish()?.write_to(&mut bytes)?;
    Chain::from_bytes(bytes)
}

/// What is known of an output while records are placed.
struct Fact {
    known: bool,
    proven: bool,
    spendable: bool,
    /// The record that spends it.
    spender: Option<usize>,
}

struct Placed<'r> {
    records: &'r [NewTx],
    linked: &'r Linked,
    stubs: u32,
    /// The place of each record in the chain, and of its first output.
    place: Vec<u32>,
    first_output: Vec<usize>,
    /// Of each output.
    facts: Vec<Fact>,
}

impl Placed<'_> {
    fn write_stubs(&mut self, assembler: &mut Assembler) -> Result<HashMap<OutPoint, usize>, Error> {
        let mut outputs = HashMap::with_capacity(self.linked.stubs.len());
        let mut chunk = Chunk::default();
        let mut stubs = self.linked.stubs.iter().peekable();
        while let Some(((name, vout), known)) = stubs.next() {
            outputs.insert(OutPoint::new(name.txid(), *vout), self.facts.len());
            assembler.column(Column::StubVout).number::<4>(u64::from(*vout))?;
            let value = known.as_ref().map_or(UNKNOWN_VALUE, |output| output.value.to_sat());
            let script = known.as_ref().map(|output| output.script_pubkey.as_script());
            chunk.output(value, script);
            let spendable = !script.is_some_and(is_unspendable);
            self.facts.push(Fact { known: known.is_some(), proven: false, spendable, spender: None });
            if stubs.peek().is_none_or(|((next, _), _)| next != name) {
                chunk.tx(TxHead { txid: name.txid(), flags: 0, version: 0, lock_time: 0, weight: 0 });
            }
        }
        // A chunk of their own, so that the assembler can tell where they end.
        assembler.append(&chunk, &[])?;
        assembler.end_stubs();
        self.stubs = chunk.txs();
        Ok(outputs)
    }

    fn write_tx(
        &mut self,
        at: usize,
        stub_output: &HashMap<OutPoint, usize>,
        chunk: &mut Chunk,
        prevouts: &mut Vec<u64>,
        known: &mut Known,
    ) -> Result<(), ChainError> {
        let tx = &self.records[at];
        let mut head = TxHead::of(tx);
        for (input, parent) in tx.inputs.iter().zip(&self.linked.parents[at]) {
            chunk.input(input.outpoint, input.spend);
            let output = match parent {
                Some(parent) => self.first_output[*parent] + id::at(input.outpoint.vout),
                None if input.outpoint.is_null() => {
                    prevouts.push(NO_OUTPUT);
                    continue;
                }
                None => stub_output[&input.outpoint],
            };
            prevouts.push(id::number(output));
            let (fact, outpoint) = (&mut self.facts[output], input.outpoint);
            if let Some(first) = fact.spender.replace(at) {
                return Err(ChainError::SpentTwice { outpoint, first: self.records[first].txid, second: tx.txid });
            }
            if !fact.spendable {
                return Err(ChainError::Unspendable { txid: tx.txid, outpoint });
            }
            match (fact.known, fact.proven) {
                (true, true) => known.prevouts_proven += 1,
                (true, false) => known.prevouts_claimed += 1,
                (false, _) => {
                    known.prevouts_unknown += 1;
                    head.flags |= flag::BLIND;
                }
            }
        }
        self.first_output[at] = self.facts.len();
        let genesis = is_genesis(tx);
        for output in &tx.outputs {
            chunk.output(output.value.to_sat(), Some(&output.script_pubkey));
            let spendable = !genesis && !is_unspendable(&output.script_pubkey);
            self.facts.push(Fact { known: true, proven: tx.proven, spendable, spender: None });
        }
        chunk.tx(head);
        Ok(())
    }

    /// Writes the positions, unless each is its distance from the block's first transaction. Returns how many are known.
    fn write_positions(&self, assembler: &mut Assembler) -> Result<u64, Error> {
        let order = &self.linked.order;
        let mut first = None;
        let mut distance = 0;
        let told = order.iter().all(|at| {
            let height = self.linked.height[*at];
            distance = if first == Some(height) { distance + 1 } else { 0 };
            first = Some(height);
            position(&self.records[*at]) == Some(distance)
        });
        if !told {
            // Stubs have none.
            let stubs = (0..self.stubs).map(|_| None);
            let positions = stubs.chain(order.iter().map(|at| position(&self.records[*at])));
            for position in positions {
                let position = position.unwrap_or(NO_POSITION);
                assembler.column(Column::TxPosition).number::<4>(u64::from(position))?;
            }
        }
        Ok(id::number(self.records.iter().filter(|tx| position(tx).is_some()).count()))
    }

    /// Writes the times, unless each is its header's. Returns how many are known.
    fn write_times(&self, headers: &BTreeMap<BlockHeight, Header>, assembler: &mut Assembler) -> Result<u64, Error> {
        if !headers.is_empty() {
            return Ok(id::number(self.records.len()));
        }
        let stubs = (0..self.stubs).map(|_| None);
        for time in stubs.chain(self.linked.order.iter().map(|at| self.records[*at].time)) {
            assembler.column(Column::TxTime).number::<4>(u64::from(time.unwrap_or(NO_TIME)))?;
        }
        Ok(id::number(self.records.iter().filter(|tx| tx.time.is_some()).count()))
    }

    fn write_fates(&self, assembler: &mut Assembler) -> Result<(), Error> {
        let supplied: HashSet<Txid> = self.records.iter().map(|tx| tx.txid).collect();
        let (mut unspent, mut spent) = (Vec::new(), Vec::new());
        for (at, tx) in self.records.iter().enumerate() {
            for (vout, fate) in (0_u32..).zip(&tx.fates) {
                let output = self.first_output[at] + id::at(vout);
                let outpoint = OutPoint::new(tx.txid, vout);
                match (*fate, self.facts[output].spender.map(|spender| self.records[spender].txid)) {
                    (Fate::Unknown, _) => {}
                    // Kept even where a later source knows a spend: as of a height below that spend it is still so.
                    (Fate::Unspent, _) => unspent.push(id::number(output)),
                    (Fate::SpentBy(claimed), None) if supplied.contains(&claimed) => {
                        return Err(ChainError::NotSpentBy { outpoint, claimed }.into());
                    }
                    (Fate::SpentBy(claimed), Some(actual)) if actual != claimed => {
                        return Err(ChainError::SpentByAnother { outpoint, claimed, actual }.into());
                    }
                    (Fate::SpentBy(claimed), _) => spent.push((id::number(output), claimed)),
                }
            }
        }
        unspent.sort_unstable();
        spent.sort_unstable();
        for output in unspent {
            assembler.column(Column::SaidUnspent).number::<5>(output)?;
        }
        for (output, spender) in spent {
            assembler.column(Column::SaidSpent).number::<5>(output)?;
            assembler.column(Column::SaidSpender).write(spender.as_byte_array())?;
        }
        Ok(())
    }

    /// Tells the assembler which outputs cannot be spent though their script could, and writes down BIP30's pairs.
    fn write_overwritten(&self, assembler: &mut Assembler) -> Result<(), Error> {
        let mut later: HashMap<Txid, usize> = HashMap::new();
        let mut pairs = Vec::new();
        for &at in self.linked.order.iter().rev() {
            let tx = &self.records[at];
            let by = later.insert(tx.txid, at);
            let heights = by.map(|by| (self.linked.height[at].to_u32(), self.linked.height[by].to_u32()));
            let overwritten = heights.filter(|heights| OVERWRITTEN.contains(heights));
            if let Some((_, height)) = overwritten {
                pairs.push((self.place[at], height));
            }
            if overwritten.is_some() || is_genesis(tx) {
                let first = id::number(self.first_output[at]);
                (first..first + id::number(tx.outputs.len())).for_each(|output| assembler.dead(output));
            }
        }
        for (tx, height) in pairs.into_iter().rev() {
            assembler.column(Column::OverwrittenTx).number::<4>(u64::from(tx))?;
            assembler.column(Column::OverwrittenHeight).number::<4>(u64::from(height))?;
        }
        Ok(())
    }
}

fn is_genesis(tx: &NewTx) -> bool {
    tx.is_coinbase() && tx.height == Some(BlockHeight::from_u32(0))
}

/// The headers of a chain declared complete, checked against its transactions; none unless every block brings its own.
fn headers(records: &[NewTx], linked: &Linked) -> Result<BTreeMap<BlockHeight, Header>, ChainError> {
    let mut headers: BTreeMap<BlockHeight, Header> = BTreeMap::new();
    let mut txids: BTreeMap<BlockHeight, Vec<[u8; 32]>> = BTreeMap::new();
    for &at in &linked.order {
        let (tx, height) = (&records[at], linked.height[at]);
        txids.entry(height).or_default().push(tx.txid.to_byte_array());
        if let Some(header) = tx.header.as_deref() {
            let known = *headers.entry(height).or_insert(*header);
            if known != *header {
                let (first, second) = (known.block_hash().to_string(), header.block_hash().to_string());
                return Err(ChainError::Unlike { txid: tx.txid, what: "block headers", first, second });
            }
        }
    }
    if headers.len() < txids.len() {
        return Ok(BTreeMap::new());
    }
    let mut last: Option<(BlockHeight, Header)> = None;
    for (height, header) in &headers {
        let root = merkle::root(txids.remove(height).unwrap_or_default());
        if root != header.merkle_root.to_byte_array() {
            return Err(ChainError::MerkleRoot { height: *height, block: header.block_hash() });
        }
        if let Some((below, parent)) = last
            && below.to_u32() + 1 == height.to_u32()
            && parent.block_hash() != header.prev_blockhash
        {
            return Err(ChainError::Unlinked { height: *height, block: header.block_hash(), parent: below });
        }
        last = Some((*height, *header));
    }
    for &at in &linked.order {
        let (tx, header) = (&records[at], headers[&linked.height[at]]);
        if let Some(time) = tx.time.filter(|time| *time != header.time) {
            let (first, second) = (time.to_string(), header.time.to_string());
            return Err(ChainError::Unlike { txid: tx.txid, what: "block times", first, second });
        }
    }
    Ok(headers)
}

fn check_complete(
    records: &[NewTx],
    linked: &Linked,
    complete: Option<(BlockHeight, BlockHeight)>,
) -> Result<(), ChainError> {
    let Some((from, to)) = complete else { return Ok(()) };
    let incomplete = |what: String| Err(ChainError::Incomplete { from, to, what });
    if let (0, Some(((name, _), _))) = (from.to_u32(), linked.stubs.first_key_value()) {
        return incomplete(format!("transaction {} is spent and missing", name.txid()));
    }
    let mut next = u64::from(from.to_u32());
    for tx in linked.order.iter().map(|at| &records[*at]) {
        let Some(height) = tx.height else {
            return incomplete(format!("transaction {} has no height", tx.txid));
        };
        if !(from..=to).contains(&height) {
            return incomplete(format!("transaction {} is at height {height}", tx.txid));
        }
        if tx.is_coinbase() && u64::from(height.to_u32()) == next {
            next += 1;
        } else if u64::from(height.to_u32()) >= next {
            return incomplete(format!("the coinbase of block {next} is missing"));
        }
    }
    if next <= u64::from(to.to_u32()) {
        return incomplete(format!("the coinbase of block {next} is missing"));
    }
    Ok(())
}
