//! One key's addresses, and a witness program's wrapped form, have one owner.
//!
//! Returns evidence. The idea: a compressed key k has three addresses that pay to its hash h: P2PKH(h), P2WPKH(h), and P2SH of the script `0 h`; a witness
//! script's P2WSH program w has P2SH of the script `0 w` too. Each follows from another by hashing, so it needs no spend that reveals anything: where both addresses of such
//! a pair occur in the chain, the pair is one inference. It names the transaction by which both are known first, but rests on
//! none: hashes show it. P2PK needs no rule: it is the
//! P2PKH address of its key already.
//!
//! What cannot be known from a store: that an uncompressed key's P2PKH and the same key's compressed forms belong together (their hashes differ and
//! keys that are revealed in inputs are not kept), which key a taproot output is tweaked from, and which keys a bare or hidden multisig names.
//!
//! 1. BIP 141, "P2WPKH nested in BIP16 P2SH" and "P2WSH nested in BIP16 P2SH".
//! 2. Kalodner and others: BlockSci (USENIX Security 2020), section 2.3, on linked scripts.
//!
//! # Fooled by
//!
//! A hash that nobody has a key for. Coins are burned by paying them to twenty zeros, in either form, and the two sinks are no owner's:
//!
//! ```
//! use fundtrace::bitcoin::{Amount, OutPoint, PubkeyHash, ScriptBuf, TxOut, Txid, WPubkeyHash, hashes::Hash};
//! use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
//! use fundtrace::cluster::same_key;
//!
//! let out = |script: ScriptBuf| TxOut { value: Amount::from_sat(50), script_pubkey: script };
//! let witness = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([0; 20]));
//! let legacy = ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([0; 20]));
//! let wrapped = ScriptBuf::new_p2sh(&witness.script_hash());
//! let mut builder = ChainBuilder::new();
//! let spend = NewInput::new(OutPoint::new(Txid::from_byte_array([1; 32]), 0)).prevout(out(witness.clone()));
//! builder.insert(NewTx::claimed(Txid::from_byte_array([9; 32]), vec![spend], vec![out(legacy.clone())]))?;
//! let chain = builder.finish()?;
//! let view = chain.view();
//! let clusters = same_key::evidence(view).clusters();
//! let address = |script| view.address_index(script).unwrap();
//! assert!(clusters.is_same(address(&witness), address(&legacy)));
//! assert!(view.address_index(&wrapped).is_none(), "nobody has used the third form");
//! # Ok::<(), fundtrace::Error>(())
//! ```

use bitcoin::{PubkeyHash, Script, ScriptBuf, WPubkeyHash, hashes::Hash};

use super::{Basis, Evidence, Rule};
use crate::chain::View;
use crate::id::{self, AddressIndex, TxIndex};
use crate::par;

/// The rule's name.
pub const NAME: &str = "same_key";
/// The rule's version.
pub const VERSION: u32 = 1;

/// Addresses that a thread takes at a time.
const PIECE: usize = 1 << 12;

/// Collects the pairs of addresses of the view that one key or one witness program stands behind, on the caller's rayon pool.
///
/// # Complexity
///
/// A hash for each P2PKH, P2WPKH and P2WSH address, and a look-up for those that have another form, and for a few more. Ten to twelve bytes an address meanwhile.
///
/// # Examples
///
/// See above.
pub fn evidence(view: View<'_>) -> Evidence {
    let seen = view.addresses_seen();
    // Morally without the filter: a look-up for each form. Most forms are not there, and a bit tells so sooner.
    let known = Known::of(view, seen);
    let pairs = par::pieces(seen, PIECE, |range| {
        let mut pairs: Vec<(TxIndex, AddressIndex, AddressIndex)> = Vec::new();
        for address in range.map(AddressIndex::of) {
            for form in
                other_forms(view.address_script(address)).into_iter().flatten().filter(|form| known.may_have(form))
            {
                if let Some(other) = view.address_index(&form).filter(|other| other.at() < seen) {
                    let later = view.first_output_to(address.max(other)).tx().index();
                    pairs.push((later, address, other));
                }
            }
        }
        pairs
    });
    Evidence::of_pairs(view, Rule::new(NAME, VERSION).basis(Basis::Identity), pairs.into_iter().flatten())
}

/// Which scripts may be among the view's: "no" is certain.
struct Known {
    bits: Vec<u64>,
}

impl Known {
    fn of(view: View<'_>, seen: usize) -> Self {
        let parts = par::pieces(seen, PIECE, |range| {
            range.map(|at| Self::word(view.address_script(AddressIndex::of(at)))).collect::<Vec<u64>>()
        });
        let mut known = Self { bits: vec![0; (seen / 4).max(1).next_power_of_two()] };
        for word in parts.into_iter().flatten() {
            let (at, bit) = known.place(word);
            known.bits[at] |= bit;
        }
        known
    }

    /// A part of the hash that the script holds, and of what stands around it.
    fn word(script: &Script) -> u64 {
        let bytes = script.as_bytes();
        let hash = bytes.get(4..).and_then(|rest| rest.first_chunk::<8>());
        let kind = bytes.first().map_or(0, |first| u64::from(*first));
        hash.map_or(0, |hash| u64::from_le_bytes(*hash)).wrapping_add(kind << 16)
    }

    fn place(&self, word: u64) -> (usize, u64) {
        let at = (word >> 6) & (id::number(self.bits.len()) - 1);
        (id::at(at), 1 << (word & 63))
    }

    fn may_have(&self, script: &Script) -> bool {
        let (at, bit) = self.place(Self::word(script));
        self.bits[at] & bit != 0
    }
}

/// The other scripts that the same key or program can be paid by, as far as they follow from this one.
fn other_forms(script: &Script) -> [Option<ScriptBuf>; 2] {
    let wrapped = |program: &Script| Some(ScriptBuf::new_p2sh(&program.script_hash()));
    match script.as_bytes() {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] if script.is_p2pkh() => {
            let hash = WPubkeyHash::from_slice(hash).expect("a P2PKH script has 20 bytes of hash");
            let program = ScriptBuf::new_p2wpkh(&hash);
            let nested = wrapped(&program);
            [Some(program), nested]
        }
        [0, 0x14, hash @ ..] if script.is_p2wpkh() => {
            let hash = PubkeyHash::from_slice(hash).expect("a P2WPKH script has 20 bytes of hash");
            [Some(ScriptBuf::new_p2pkh(&hash)), wrapped(script)]
        }
        _ if script.is_p2wsh() => [wrapped(script), None],
        _ => [None, None],
    }
}
