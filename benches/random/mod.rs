//! A random chain, made from a seed, so that every run measures the same work.

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{NewInput, NewTx};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

pub const TXS: u32 = 20_000;

/// SplitMix64: small, seeded, and good enough to pick coins with.
pub struct Random(u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end.max(1) as u64) as usize
    }
}

pub fn txid(number: u32) -> Txid {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Txid::from_byte_array(bytes)
}

/// Transactions of one to three inputs and two outputs that spend recent coins.
pub fn records() -> Vec<NewTx> {
    let mut random = Random(1);
    let mut coins: Vec<(OutPoint, TxOut)> = Vec::new();
    let out = |sat: usize, script: u32| {
        let script = ScriptBuf::from_bytes(script.to_be_bytes().to_vec());
        TxOut { value: Amount::from_sat(sat as u64), script_pubkey: script }
    };
    (0..TXS)
        .map(|number| {
            let mut inputs = Vec::new();
            let mut value = 0;
            for _ in 0..=random.below(3) {
                let recent = coins.len().saturating_sub(1 + random.below(500));
                if let Some((outpoint, prevout)) = (!coins.is_empty()).then(|| coins.swap_remove(recent)) {
                    value += prevout.value.to_sat() as usize;
                    inputs.push(NewInput::new(outpoint).prevout(prevout));
                }
            }
            if inputs.is_empty() || number < 500 {
                value += 100_000_000;
                let outpoint = OutPoint::new(txid(TXS + number), 0);
                inputs.push(NewInput::new(outpoint).prevout(out(100_000_000, number)));
            }
            let fee = value.min(200);
            let first = random.below(value - fee + 1);
            let outputs = vec![out(first, number), out(value - fee - first, number)];
            coins.extend(
                outputs
                    .iter()
                    .enumerate()
                    .map(|(vout, output)| (OutPoint::new(txid(number), vout as u32), output.clone())),
            );
            NewTx::claimed(txid(number), inputs, outputs).height(BlockHeight::from_u32(number / 100))
        })
        .collect()
}

pub fn freeze(records: Vec<NewTx>) -> Chain {
    let mut builder = ChainBuilder::new();
    for tx in records {
        builder.insert(tx).expect("the generator keeps the rules");
    }
    builder.finish().expect("the generator keeps the rules")
}
