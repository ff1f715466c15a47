//! Whether a block's transactions are the ones its header commits to.

use bitcoin::hashes::{Hash, HashEngine, sha256d};

/// The merkle root of txids in block order; zeros for none.
///
/// A list whose end repeats has the root of the list without the repetition (CVE-2012-2459); such a block
/// repeats a txid, which whoever places its transactions refuses.
pub(crate) fn root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        let pairs = level.len().div_ceil(2);
        for pair in 0..pairs {
            let left = level[pair * 2];
            let right = level.get(pair * 2 + 1).copied().unwrap_or(left);
            let mut engine = sha256d::Hash::engine();
            engine.input(&left);
            engine.input(&right);
            level[pair] = sha256d::Hash::from_engine(engine).to_byte_array();
        }
        level.truncate(pairs);
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bitcoin::Txid;

    use super::*;

    #[test]
    fn agrees_with_bitcoin() {
        for count in 1..20_u8 {
            let txids: Vec<[u8; 32]> = (0..count).map(|n| [n; 32]).collect();
            let theirs = bitcoin::merkle_tree::calculate_root(txids.iter().map(|txid| Txid::from_byte_array(*txid)));
            assert_eq!(Some(root(txids)), theirs.map(Txid::to_byte_array));
        }
    }
}
