//! Small payments with kinds of scripts, lock times and weights. The same code stands hidden in the examples of `change`.

use fundtrace::bitcoin::hashes::{Hash, hash160};
use fundtrace::bitcoin::{
    Amount, OutPoint, PubkeyHash, ScriptBuf, ScriptHash, Sequence, TxIn, TxOut, Txid, WPubkeyHash,
};
use fundtrace::chain::{NewInput, NewTx, Spend};
use fundtrace::{BlockHeight, Chain, ChainBuilder};

/// A name with its words, inputs, outputs.
pub type Row<'a> = (&'a str, &'a [(&'a str, u64, &'a str)], &'a [(u64, &'a str)]);

/// A txid that is a name's bytes.
pub fn txid(name: &str) -> Txid {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Txid::from_byte_array(bytes)
}

pub fn pay(sat: u64, who: &str) -> TxOut {
    let key = hash160::Hash::hash(who.as_bytes());
    let script_pubkey = match who.split(':').next().expect("the sketch is well formed") {
        "return" => ScriptBuf::from_hex("6a0568656c6c6f").expect("the sketch is well formed"),
        "p2pkh" => ScriptBuf::new_p2pkh(&PubkeyHash::from_raw_hash(key)),
        "p2sh" => ScriptBuf::new_p2sh(&ScriptHash::from_raw_hash(key)),
        _ => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(key)),
    };
    TxOut { value: Amount::from_sat(sat), script_pubkey }
}

/// A chain of one transaction a block. A name may be followed by `v2`, `rbf`, `lock=N`, `weight=N`, `time=N`; an input `coin` is nobody's output,
/// `mint` is what a coinbase spends, `t:1` is output 1 of t.
pub fn sketch(txs: &[Row<'_>]) -> Chain {
    let mut builder = ChainBuilder::new();
    for (at, (words, inputs, outputs)) in txs.iter().enumerate() {
        let mut words = words.split(' ');
        let name = words.next().expect("the sketch is well formed");
        let (mut version, mut lock, mut sequence, mut weight, mut time) = (1, 0, Sequence::MAX, None, None);
        for word in words {
            match word.split_once('=') {
                None if word == "rbf" => sequence = Sequence::ENABLE_RBF_NO_LOCKTIME,
                None => version = word[1..].parse().expect("the sketch is well formed"),
                Some(("lock", height)) => lock = height.parse().expect("the sketch is well formed"),
                Some(("time", seconds)) => time = Some(seconds.parse().expect("the sketch is well formed")),
                Some((_, units)) => weight = Some(units.parse().expect("the sketch is well formed")),
            }
        }
        let inputs = inputs.iter().enumerate().map(|(vin, (of, sat, who))| {
            let outpoint = match of.split_once(':') {
                Some((of, vout)) => OutPoint::new(txid(of), vout.parse().expect("the sketch is well formed")),
                None if *of == "mint" => return NewInput::new(OutPoint::null()),
                None => OutPoint::new(txid(&format!("{name} {of}")), vin as u32),
            };
            NewInput::new(outpoint).prevout(pay(*sat, who)).spend(Spend::of(&TxIn { sequence, ..TxIn::default() }))
        });
        let outputs = outputs.iter().map(|(sat, who)| pay(*sat, who)).collect();
        let mut tx = NewTx::claimed(txid(name), inputs.collect(), outputs).version(version, lock);
        if let Some(units) = weight {
            tx = tx.weight(units);
        }
        if let Some(seconds) = time {
            tx = tx.time(seconds);
        }
        builder.insert(tx.height(BlockHeight::from_u32(at as u32 + 1))).expect("the sketch is well formed");
    }
    builder.finish().expect("the sketch is well formed")
}

/// What a rule says of a transaction, by vout.
pub fn vouts(chain: &Chain, name: &str, rule: &dyn fundtrace::change::Change) -> Option<Vec<u32>> {
    let tx = chain.view().tx_at(&txid(name)).expect("the sketch is well formed");
    let set = rule.candidates(&fundtrace::change::Payment::of(tx)?)?;
    Some(set.iter().map(|output| chain.view().output(output).vout()).collect())
}

/// The same of a rule that looks ahead.
pub fn vouts_later(chain: &Chain, name: &str, rule: &dyn fundtrace::change::Hindsight) -> Option<Vec<u32>> {
    let set = rule.candidates(chain.view().tx_at(&txid(name)).expect("the sketch is well formed"))?;
    Some(set.iter().map(|output| chain.view().output(output).vout()).collect())
}
