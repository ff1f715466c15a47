//! What kind of script an output has, and which address stands for it.
//!
//! The address of a script is found through a script too, its *canonical* one: the script itself where `bitcoin` knows an
//! address for it, the P2PKH script of the key's hash for pay-to-pubkey. So one address index serves both.

use std::borrow::Cow;
use std::fmt;

use bitcoin::{PubkeyHash, Script, ScriptBuf, hashes::Hash};
use serde::Serialize;

/// The kinds of output script.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::ScriptBuf;
/// use fundtrace::chain::ScriptType;
/// let script = ScriptBuf::from_hex("6a0568656c6c6f").unwrap();
/// assert_eq!(ScriptType::of(&script), ScriptType::OpReturn);
/// assert_eq!(ScriptType::OpReturn.to_string(), "op_return");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScriptType {
    /// Pay to a public key as such.
    P2pk,
    /// Pay to the hash of a public key.
    P2pkh,
    /// Pay to the hash of a script.
    P2sh,
    /// Bare multisig: keys and threshold in the output itself.
    Multisig,
    /// Pay to a witness public key hash.
    P2wpkh,
    /// Pay to a witness script hash.
    P2wsh,
    /// Pay to taproot.
    P2tr,
    /// Pay to anchor: anyone can spend.
    Anchor,
    /// A witness program of a version or length that has no rules yet.
    WitnessUnknown,
    /// Data; cannot be spent.
    OpReturn,
    /// Anything else.
    NonStandard,
}

impl ScriptType {
    /// Tells a script's kind from its bytes.
    pub fn of(script: &Script) -> Self {
        let bytes = script.as_bytes();
        if script.is_p2pkh() {
            Self::P2pkh
        } else if script.is_p2wpkh() {
            Self::P2wpkh
        } else if script.is_p2sh() {
            Self::P2sh
        } else if script.is_p2tr() {
            Self::P2tr
        } else if script.is_p2wsh() {
            Self::P2wsh
        } else if script.is_op_return() {
            Self::OpReturn
        } else if public_key(script).is_some() {
            Self::P2pk
        } else if script.is_multisig() {
            Self::Multisig
        } else if bytes == ANCHOR {
            Self::Anchor
        } else if script.is_witness_program() {
            Self::WitnessUnknown
        } else {
            Self::NonStandard
        }
    }

    /// All of them, by code.
    pub(crate) const ALL: [Self; 11] = [
        Self::P2pk,
        Self::P2pkh,
        Self::P2sh,
        Self::Multisig,
        Self::P2wpkh,
        Self::P2wsh,
        Self::P2tr,
        Self::Anchor,
        Self::WitnessUnknown,
        Self::OpReturn,
        Self::NonStandard,
    ];

    /// The number that stands for it in a store.
    pub(crate) fn code(self) -> u16 {
        self as u16
    }

    pub(crate) fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Returns the name, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P2pk => "p2pk",
            Self::P2pkh => "p2pkh",
            Self::P2sh => "p2sh",
            Self::Multisig => "multisig",
            Self::P2wpkh => "p2wpkh",
            Self::P2wsh => "p2wsh",
            Self::P2tr => "p2tr",
            Self::Anchor => "anchor",
            Self::WitnessUnknown => "witness_unknown",
            Self::OpReturn => "op_return",
            Self::NonStandard => "non_standard",
        }
    }
}

impl fmt::Display for ScriptType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `OP_1 <4e73>`, BIP 433.
const ANCHOR: [u8; 4] = [0x51, 0x02, 0x4e, 0x73];

/// Consensus: a longer script cannot be spent (Bitcoin Core `MAX_SCRIPT_SIZE`).
const SPENDABLE_BYTES_MAX: usize = 10_000;

/// The key bytes of a pay-to-pubkey script. Whether they name a point on the curve is not asked: the key's hash, and so
/// the address, is of the bytes as they stand.
fn public_key(script: &Script) -> Option<&[u8]> {
    const CHECKSIG: u8 = 0xac;
    match script.as_bytes() {
        [33, key @ .., CHECKSIG] if key.len() == 33 && matches!(key[0], 2 | 3) => Some(key),
        [65, key @ .., CHECKSIG] if key.len() == 65 && matches!(key[0], 4 | 6 | 7) => Some(key),
        _ => None,
    }
}

/// True when no input can ever spend the script: the rule of Bitcoin Core's `IsUnspendable`.
pub(crate) fn is_unspendable(script: &Script) -> bool {
    script.is_op_return() || script.len() > SPENDABLE_BYTES_MAX
}

/// The script whose address stands for `script`; `None` where there is no address.
pub(crate) fn canonical(script: &Script) -> Option<Cow<'_, Script>> {
    if let Some(key) = public_key(script) {
        return Some(Cow::Owned(ScriptBuf::new_p2pkh(&PubkeyHash::hash(key))));
    }
    // The parameters only choose the text of the address, not whether there is one.
    let has_address = bitcoin::Address::from_script(script, bitcoin::Network::Bitcoin).is_ok();
    has_address.then_some(Cow::Borrowed(script))
}

/// The part of a canonical script that tells addresses of its kind apart: the hash, or the witness program.
pub(crate) fn payload(script: &[u8]) -> &[u8] {
    match script {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] | [0xa9, 0x14, hash @ .., 0x87] if hash.len() == 20 => hash,
        [_, _, program @ ..] => program,
        _ => script,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_key_hash_share_an_address() {
        let mut bytes = vec![33, 2];
        bytes.extend([7; 32]);
        bytes.push(0xac);
        let p2pk = ScriptBuf::from_bytes(bytes);
        let p2pkh = ScriptBuf::new_p2pkh(&PubkeyHash::hash(&p2pk.as_bytes()[1..34]));
        assert_eq!(ScriptType::of(&p2pk), ScriptType::P2pk);
        assert_eq!(canonical(&p2pk).as_deref(), Some(p2pkh.as_script()));
        assert_eq!(canonical(&p2pkh).as_deref(), Some(p2pkh.as_script()));
    }

    #[test]
    fn anchor_has_an_address_and_data_has_none() {
        let anchor = ScriptBuf::from_bytes(ANCHOR.to_vec());
        assert_eq!(ScriptType::of(&anchor), ScriptType::Anchor);
        assert!(canonical(&anchor).is_some());
        assert!(canonical(Script::from_bytes(&[0x6a])).is_none());
        assert!(is_unspendable(Script::from_bytes(&[0; 10_001])));
        assert!(!is_unspendable(Script::from_bytes(&[0; 10_000])));
    }
}
