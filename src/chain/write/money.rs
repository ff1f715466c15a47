//! No transaction and no block may create money: one pass over all of them in order, in step with their inputs and outputs.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, Txid};

use super::super::columns::{NO_OUTPUT, UNKNOWN_VALUE, flag};
use super::super::format::Column;
use super::super::subsidy::subsidy;
use super::Spools;
use super::dense::u40;
use crate::error::{ChainError, Error};
use crate::id::{self, BlockHeight};

/// Transactions read at a time.
const TXS: u64 = 1 << 16;

pub(super) struct Money {
    pub(super) network: Network,
    pub(super) complete: Option<(BlockHeight, BlockHeight)>,
    pub(super) stubs: u64,
    pub(super) txs: u64,
    pub(super) blocks: u64,
}

/// What a block's coinbase may claim less what it does, as far as it is known.
#[derive(Clone, Copy, Default)]
struct Claim {
    height: u32,
    entitled: Option<u64>,
    claimed: u64,
}

impl Money {
    /// Checks every transaction and, where blocks are whole, every coinbase. Returns the fees of all whose inputs are known.
    pub(super) fn check(&self, columns: &mut Spools) -> Result<u64, Error> {
        let mut fees = 0_u64;
        let mut blocks = Blocks::read(columns, self.blocks)?;
        let mut claim = Claim::default();
        let mut from = 0;
        while from < self.txs {
            let to = (from + TXS).min(self.txs);
            let mut part = Part::read(columns, from, to)?;
            for tx in from..to {
                let (paid, made, known) = part.next_tx(tx, from)?;
                if let Some(height) = blocks.begin_at(tx) {
                    self.check_claim(claim)?;
                    claim = Claim { height, entitled: None, claimed: 0 };
                }
                if tx < self.stubs {
                    continue;
                }
                match (part.is_coinbase(tx - from), known) {
                    (true, _) => {
                        let subsidy = subsidy(self.network, BlockHeight::from_u32(claim.height));
                        claim = Claim { entitled: Some(subsidy.to_sat()), claimed: made, ..claim };
                    }
                    (false, true) => {
                        let Some(fee) = paid.checked_sub(made) else {
                            let (inputs, outputs) = (Amount::from_sat(paid), Amount::from_sat(made));
                            return Err(ChainError::Inflation { txid: part.txid(tx - from), inputs, outputs }.into());
                        };
                        fees += fee;
                        claim.entitled = claim.entitled.and_then(|entitled| entitled.checked_add(fee));
                    }
                    (false, false) => claim.entitled = None,
                }
            }
            from = to;
        }
        self.check_claim(claim)?;
        Ok(fees)
    }

    fn check_claim(&self, claim: Claim) -> Result<(), ChainError> {
        let height = BlockHeight::from_u32(claim.height);
        let Some((from, to)) = self.complete.filter(|(from, to)| (*from..=*to).contains(&height)) else {
            return Ok(());
        };
        match claim.entitled {
            Some(entitled) if claim.claimed > entitled => {
                let (entitled, claimed) = (Amount::from_sat(entitled), Amount::from_sat(claim.claimed));
                let what = format!("the coinbase of block {height} claims {claimed} of {entitled}: a fee is missing");
                Err(ChainError::Incomplete { from, to, what })
            }
            _ => Ok(()),
        }
    }
}

/// The blocks' beginnings, walked in step.
struct Blocks {
    first_tx: Vec<u8>,
    height: Vec<u8>,
    next: usize,
}

impl Blocks {
    fn read(columns: &mut Spools, blocks: u64) -> Result<Self, Error> {
        let first_tx = columns.of(Column::BlockFirstTx).read(0..blocks * 4)?;
        Ok(Self { first_tx, height: columns.of(Column::BlockHeight).read(0..blocks * 4)?, next: 0 })
    }

    /// The height of the block that begins with a transaction.
    fn begin_at(&mut self, tx: u64) -> Option<u32> {
        let number = |bytes: &[u8]| bytes.as_chunks::<4>().0.get(self.next).copied().map(u32::from_le_bytes);
        if u64::from(number(&self.first_tx)?) != tx {
            return None;
        }
        let height = number(&self.height);
        self.next += 1;
        height
    }
}

/// Some transactions with their inputs and outputs.
struct Part {
    txid: Vec<u8>,
    flags: Vec<u8>,
    first_input: Vec<u8>,
    first_output: Vec<u8>,
    prevout: Vec<u8>,
    input_value: Vec<u8>,
    output_value: Vec<u8>,
}

impl Part {
    fn read(columns: &mut Spools, from: u64, to: u64) -> Result<Self, Error> {
        let first_input = columns.of(Column::TxFirstInput).read(from * 5..(to + 1) * 5)?;
        let first_output = columns.of(Column::TxFirstOutput).read(from * 5..(to + 1) * 5)?;
        let ends = |first: &[u8]| (u40(first), u40(&first[first.len() - 5..]));
        let (inputs, outputs) = (ends(&first_input), ends(&first_output));
        Ok(Self {
            txid: columns.of(Column::Txid).read(from * 32..to * 32)?,
            flags: columns.of(Column::TxFlags).read(from..to)?,
            prevout: columns.of(Column::InputPrevout).read(inputs.0 * 5..inputs.1 * 5)?,
            input_value: columns.of(Column::InputValue).read(inputs.0 * 8..inputs.1 * 8)?,
            output_value: columns.of(Column::OutputValue).read(outputs.0 * 8..outputs.1 * 8)?,
            first_input,
            first_output,
        })
    }

    /// The value that a transaction spends and that it makes, and whether all that it spends is known.
    fn next_tx(&mut self, tx: u64, from: u64) -> Result<(u64, u64, bool), ChainError> {
        let range = |first: &[u8]| {
            let at = |tx: u64| id::at(u40(&first[id::at(tx - from) * 5..]) - u40(first));
            at(tx)..at(tx + 1)
        };
        let mut known = true;
        let mut paid = 0_u64;
        for at in range(&self.first_input) {
            if u40(&self.prevout[at * 5..]) == NO_OUTPUT {
                continue;
            }
            match u64::from_le_bytes(self.input_value.as_chunks::<8>().0[at]) {
                UNKNOWN_VALUE => known = false,
                sat => paid = self.add(tx - from, paid, sat, "the sum of inputs")?,
            }
        }
        let mut made = 0_u64;
        for at in range(&self.first_output) {
            match u64::from_le_bytes(self.output_value.as_chunks::<8>().0[at]) {
                UNKNOWN_VALUE => {}
                sat => made = self.add(tx - from, made, sat, "the sum of outputs")?,
            }
        }
        Ok((paid, made, known))
    }

    fn add(&self, at: u64, sum: u64, sat: u64, place: &str) -> Result<u64, ChainError> {
        let sum = sum.saturating_add(sat);
        if sum > Amount::MAX_MONEY.to_sat() {
            return Err(ChainError::OverSupply { txid: self.txid(at), place: place.into(), sat: sum });
        }
        Ok(sum)
    }

    fn is_coinbase(&self, at: u64) -> bool {
        self.flags[id::at(at)] & flag::COINBASE != 0
    }

    fn txid(&self, at: u64) -> Txid {
        Txid::from_byte_array(self.txid.as_chunks::<32>().0[id::at(at)])
    }
}
