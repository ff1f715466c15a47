//! Writing linked records into columns, and the checks that need every spend.

use std::collections::HashMap;

use bitcoin::{Amount, Network, OutPoint, Script, TxOut, Txid};

use super::super::Chain;
use super::super::columns::{NO_ADDRESS, NO_OUTPUT, NO_POSITION, NO_SCRIPT, NO_TIME, NO_TX, UNKNOWN_VALUE, flag};
use super::super::record::{Fate, NewTx};
use super::super::script::{ScriptType, Scripts, canonical};
use super::super::subsidy::subsidy;
use super::OVERWRITTEN;
use super::link::{Linked, Name};
use crate::error::ChainError;
use crate::id::{self, BlockHeight, OutputIndex, TxIndex};

pub(super) fn freeze(
    records: &[NewTx],
    linked: Linked,
    network: Network,
    complete: Option<(BlockHeight, BlockHeight)>,
) -> Result<Chain, ChainError> {
    let mut chain = empty(network, complete);
    let mut scripts = Numbering::default();
    let stub_output = write_stubs(&mut chain, &mut scripts, &linked)?;
    let mut place = vec![TxIndex::default(); records.len()];
    for &at in &linked.order {
        place[at] = TxIndex::of(chain.txid.len());
        write_tx(&mut chain, &mut scripts, &records[at], linked.height[at])?;
        for (input, parent) in records[at].inputs.iter().zip(&linked.parents[at]) {
            let output = match parent {
                Some(parent) => {
                    OutputIndex::from_u64(chain.first_output[place[*parent].at()] + u64::from(input.outpoint.vout))
                }
                None if input.outpoint.is_null() => {
                    chain.prevout.push(NO_OUTPUT);
                    continue;
                }
                None => stub_output[&input.outpoint],
            };
            spend(&mut chain, place[at], output, input.outpoint)?;
        }
        chain.first_input.push(id::number(chain.prevout.len()));
        check_money(&mut chain, place[at])?;
    }
    scripts.write_to(&mut chain);
    sort_names(&mut chain);
    write_fates(&mut chain, records, &place)?;
    write_overwritten(&mut chain);
    check_spendable(&chain)?;
    check_complete(&chain)?;
    Ok(chain)
}

fn empty(network: Network, complete: Option<(BlockHeight, BlockHeight)>) -> Chain {
    Chain {
        network,
        complete,
        stubs: 0,
        txid: Vec::new(),
        height: Vec::new(),
        position: Vec::new(),
        time: Vec::new(),
        flags: Vec::new(),
        first_input: vec![0],
        first_output: vec![0],
        prevout: Vec::new(),
        value: Vec::new(),
        script: Vec::new(),
        spender: Vec::new(),
        stub_vout: Vec::new(),
        scripts: Scripts::default(),
        script_type: Vec::new(),
        script_address: Vec::new(),
        first_with_script: vec![0],
        with_script: Vec::new(),
        addresses: Scripts::default(),
        first_of_address: vec![0],
        of_address: Vec::new(),
        by_txid: Vec::new(),
        by_script: Vec::new(),
        by_address: Vec::new(),
        unspent: Vec::new(),
        spent_by: Vec::new(),
        overwritten: Vec::new(),
    }
}

fn write_stubs(
    chain: &mut Chain,
    scripts: &mut Numbering,
    linked: &Linked,
) -> Result<HashMap<OutPoint, OutputIndex>, ChainError> {
    let mut outputs = HashMap::with_capacity(linked.stubs.len());
    let mut last: Option<Name> = None;
    for ((name, vout), known) in &linked.stubs {
        if last != Some(*name) {
            if last.is_some() {
                end_outputs(chain);
            }
            push_tx(chain, name.txid(), 0, None, None, 0)?;
            chain.first_input.push(0);
            last = Some(*name);
        }
        outputs.insert(OutPoint::new(name.txid(), *vout), OutputIndex::of(chain.value.len()));
        chain.stub_vout.push(*vout);
        push_output(chain, scripts, known.as_ref())?;
    }
    if last.is_some() {
        end_outputs(chain);
    }
    chain.stubs = TxIndex::of(chain.txid.len()).to_u32();
    Ok(outputs)
}

fn write_tx(chain: &mut Chain, scripts: &mut Numbering, tx: &NewTx, height: BlockHeight) -> Result<(), ChainError> {
    let mut flags = 0;
    if tx.is_coinbase() {
        flags |= flag::COINBASE;
    }
    if tx.proven {
        flags |= flag::PROVEN;
    }
    if tx.height.is_some() {
        flags |= flag::HEIGHT;
    }
    push_tx(chain, tx.txid, height.to_u32(), tx.position, tx.time, flags)?;
    for output in &tx.outputs {
        push_output(chain, scripts, Some(output))?;
    }
    end_outputs(chain);
    Ok(())
}

fn push_tx(
    chain: &mut Chain,
    txid: Txid,
    height: u32,
    position: Option<u32>,
    time: Option<u32>,
    flags: u8,
) -> Result<(), ChainError> {
    if chain.txid.len() >= id::at(NO_TX) {
        return Err(ChainError::TooMany { what: "transactions" });
    }
    chain.txid.push(txid);
    chain.height.push(height);
    chain.position.push(position.unwrap_or(NO_POSITION));
    chain.time.push(time.unwrap_or(NO_TIME));
    chain.flags.push(flags);
    Ok(())
}

fn push_output(chain: &mut Chain, scripts: &mut Numbering, output: Option<&TxOut>) -> Result<(), ChainError> {
    chain.value.push(output.map_or(UNKNOWN_VALUE, |output| output.value.to_sat()));
    // So that a sum over different outputs cannot overflow, nor one over outputs and fees, which are paid out of outputs. All that was
    // ever paid on the main chain is a small part of this bound.
    scripts.value_sat = scripts.value_sat.saturating_add(output.map_or(0, |output| output.value.to_sat()));
    if scripts.value_sat > u64::MAX / 4 {
        return Err(ChainError::TooMany { what: "satoshis over all outputs" });
    }
    chain.spender.push(NO_TX);
    let script = match output {
        Some(output) => scripts.number(&output.script_pubkey)?,
        None => NO_SCRIPT,
    };
    chain.script.push(script);
    Ok(())
}

fn end_outputs(chain: &mut Chain) {
    chain.first_output.push(id::number(chain.value.len()));
}

fn spend(chain: &mut Chain, tx: TxIndex, output: OutputIndex, outpoint: OutPoint) -> Result<(), ChainError> {
    let txid = chain.txid[tx.at()];
    let spender = &mut chain.spender[output.at()];
    if *spender != NO_TX {
        let first = chain.txid[TxIndex::from_u32(*spender).at()];
        return Err(ChainError::SpentTwice { outpoint, first, second: txid });
    }
    *spender = tx.to_u32();
    chain.prevout.push(output.to_u64());
    if chain.value[output.at()] == UNKNOWN_VALUE {
        chain.flags[tx.at()] |= flag::BLIND;
    }
    Ok(())
}

/// Inputs must cover outputs, and no sum may pass the supply: later sums rely on it.
fn check_money(chain: &mut Chain, tx: TxIndex) -> Result<(), ChainError> {
    let txid = chain.txid[tx.at()];
    let range = chain.inputs_of(tx);
    let prevouts = &chain.prevout[range.start.at()..range.end.at()];
    let values = prevouts
        .iter()
        .filter(|output| **output != NO_OUTPUT)
        .map(|output| chain.value[OutputIndex::from_u64(*output).at()])
        .filter(|value| *value != UNKNOWN_VALUE);
    let inputs = sum(txid, values)?;
    let range = chain.outputs_of(tx);
    let outputs = sum(txid, chain.value[range.start.at()..range.end.at()].iter().copied())?;
    let all_known = chain.flags[tx.at()] & (flag::BLIND | flag::COINBASE) == 0;
    if all_known && inputs < outputs {
        return Err(ChainError::Inflation { txid, inputs, outputs });
    }
    Ok(())
}

fn sum(txid: Txid, mut values: impl Iterator<Item = u64>) -> Result<Amount, ChainError> {
    values.try_fold(Amount::ZERO, |sum, sat| {
        super::add(sum, Amount::from_sat(sat)).ok_or_else(|| ChainError::OverSupply {
            txid,
            place: "the sum of its inputs or outputs".into(),
            sat: sum.to_sat().saturating_add(sat),
        })
    })
}

fn sort_names(chain: &mut Chain) {
    let numbers = |count: usize| (0..id::small(count)).collect::<Vec<u32>>();
    // Stable, so that of two equal txids the earlier comes first.
    chain.by_txid = numbers(chain.txid.len());
    chain.by_txid.sort_by_key(|tx| chain.txid[id::at(*tx)]);
    chain.by_script = numbers(chain.scripts.len());
    chain.by_script.sort_by(|a, b| chain.scripts.get(*a).cmp(chain.scripts.get(*b)));
    chain.by_address = numbers(chain.addresses.len());
    chain.by_address.sort_by(|a, b| chain.addresses.get(*a).cmp(chain.addresses.get(*b)));
}

fn write_fates(chain: &mut Chain, records: &[NewTx], place: &[TxIndex]) -> Result<(), ChainError> {
    let supplied: HashMap<Txid, ()> = records.iter().map(|tx| (tx.txid, ())).collect();
    for (at, tx) in records.iter().enumerate() {
        for (vout, fate) in tx.fates.iter().enumerate() {
            let output = chain.first_output[place[at].at()] + id::number(vout);
            let spender = chain.spender[OutputIndex::from_u64(output).at()];
            match *fate {
                Fate::Unknown => {}
                // Kept even where a later source knows a spend: as of a height below that spend it is still so.
                Fate::Unspent => chain.unspent.push(output),
                Fate::SpentBy(claimed) => {
                    let outpoint = OutPoint::new(tx.txid, u32::try_from(vout).unwrap_or(u32::MAX));
                    if spender == NO_TX && supplied.contains_key(&claimed) {
                        return Err(ChainError::NotSpentBy { outpoint, claimed });
                    }
                    if spender != NO_TX && chain.txid[id::at(spender)] != claimed {
                        let actual = chain.txid[id::at(spender)];
                        return Err(ChainError::SpentByAnother { outpoint, claimed, actual });
                    }
                    chain.spent_by.push((output, claimed));
                }
            }
        }
    }
    chain.unspent.sort_unstable();
    chain.spent_by.sort_unstable();
    Ok(())
}

fn write_overwritten(chain: &mut Chain) {
    for pair in chain.by_txid.windows(2) {
        let (first, second) = (id::at(pair[0]), id::at(pair[1]));
        let heights = (chain.height[first], chain.height[second]);
        if chain.txid[first] == chain.txid[second] && OVERWRITTEN.contains(&heights) {
            chain.overwritten.push((pair[0], BlockHeight::from_u32(chain.height[second])));
        }
    }
    chain.overwritten.sort_unstable();
}

/// No consensus lets an input spend data, an oversized script or the genesis block's coins.
fn check_spendable(chain: &Chain) -> Result<(), ChainError> {
    let view = chain.view();
    for number in (0..chain.value.len()).filter(|at| chain.spender[*at] != NO_TX) {
        let output = view.output(OutputIndex::of(number));
        if output.is_unspendable() {
            let txid = chain.txid[id::at(chain.spender[number])];
            return Err(ChainError::Unspendable { txid, outpoint: output.outpoint() });
        }
    }
    Ok(())
}

fn check_complete(chain: &Chain) -> Result<(), ChainError> {
    let Some((from, to)) = chain.complete else { return Ok(()) };
    let incomplete = |what: String| Err(ChainError::Incomplete { from, to, what });
    if from.to_u32() == 0 && chain.stubs > 0 {
        return incomplete(format!("transaction {} is spent and missing", chain.txid[0]));
    }
    let mut next = u64::from(from.to_u32());
    // What the coinbases may claim less what they do, block by block; unknown once an input's value is.
    let mut block: Option<(Amount, Amount)> = None;
    let check_claim = |height: u64, block: Option<(Amount, Amount)>| match block {
        Some((entitled, claimed)) if claimed > entitled => {
            incomplete(format!("the coinbase of block {height} claims {claimed} of {entitled}: a fee is missing"))
        }
        _ => Ok(()),
    };
    for tx in chain.view().txs() {
        let Some(height) = tx.height() else {
            return incomplete(format!("transaction {} has no height", tx.txid()));
        };
        if !(from..=to).contains(&height) {
            return incomplete(format!("transaction {} is at height {height}", tx.txid()));
        }
        if tx.is_coinbase() && u64::from(height.to_u32()) == next {
            check_claim(next.saturating_sub(1), block)?;
            block = tx.output_value().map(|claimed| (subsidy(chain.network, height), claimed));
            next += 1;
        } else if u64::from(height.to_u32()) >= next {
            return incomplete(format!("the coinbase of block {next} is missing"));
        } else {
            block = block.and_then(|(entitled, claimed)| Some((entitled.checked_add(tx.fee()?)?, claimed)));
        }
    }
    check_claim(next.saturating_sub(1), block)?;
    if next <= u64::from(to.to_u32()) {
        return incomplete(format!("the coinbase of block {next} is missing"));
    }
    Ok(())
}

/// Scripts numbered by first appearance.
#[derive(Default)]
struct Numbering {
    scripts: Scripts,
    known: HashMap<Box<Script>, u32>,
    /// The value of all outputs so far.
    value_sat: u64,
}

impl Numbering {
    fn number(&mut self, script: &Script) -> Result<u32, ChainError> {
        if let Some(number) = self.known.get(script) {
            return Ok(*number);
        }
        let number = u32::try_from(self.scripts.len()).ok().filter(|number| *number != NO_SCRIPT);
        let number = number.ok_or(ChainError::TooMany { what: "different scripts" })?;
        self.scripts.push(script);
        self.known.insert(script.to_owned().into_boxed_script(), number);
        Ok(number)
    }

    fn write_to(self, chain: &mut Chain) {
        let mut known: HashMap<Box<Script>, u32> = HashMap::new();
        for number in 0..self.scripts.len() {
            let script = self.scripts.get(id::small(number));
            chain.script_type.push(ScriptType::of(script));
            let address = canonical(script).map_or(NO_ADDRESS, |canonical| {
                *known.entry(canonical.clone().into_owned().into_boxed_script()).or_insert_with(|| {
                    chain.addresses.push(&canonical);
                    id::small(chain.addresses.len() - 1)
                })
            });
            chain.script_address.push(address);
        }
        chain.scripts = self.scripts;
        let (first, with) = postings(chain.script.iter().copied(), chain.scripts.len(), NO_SCRIPT);
        (chain.first_with_script, chain.with_script) = (first, with);
        let (first, with) = postings(chain.script_address.iter().copied(), chain.addresses.len(), NO_ADDRESS);
        chain.first_of_address = first;
        chain.of_address = with.into_iter().map(|script| id::small(id::at(script))).collect();
    }
}

/// Inverts a column: for each key the positions that hold it, as offsets and positions.
fn postings(column: impl Iterator<Item = u32> + Clone, keys: usize, none: u32) -> (Vec<u64>, Vec<u64>) {
    let mut first = vec![0_u64; keys + 1];
    for key in column.clone().filter(|key| *key != none) {
        first[id::at(key) + 1] += 1;
    }
    for at in 0..keys {
        first[at + 1] += first[at];
    }
    let mut next = first.clone();
    let mut positions = vec![0_u64; id::at(first[keys])];
    for (position, key) in column.enumerate().filter(|(_, key)| *key != none) {
        let slot = &mut next[id::at(key)];
        positions[id::at(*slot)] = id::number(position);
        *slot += 1;
    }
    (first, positions)
}
