//! Scripts, and what spends them. Signatures have the form of signatures and are none.

use bitcoin::hashes::{Hash, hash160};
use bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_EQUAL, OP_HASH256, OP_PUSHNUM_2, OP_PUSHNUM_3};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{PubkeyHash, Script, ScriptBuf, WPubkeyHash, Witness};

use super::keys::Key;
use crate::simulate::plan::Form;
use crate::simulate::rng::Rng;

/// A script's type and its key: enough to write it and to spend it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed {
    pub(super) form: Form,
    pub(super) key: Key,
}

/// The keys that services put beside a customer's in scripts of several keys.
pub(super) type Cosigners = [Key; 64];

impl Keyed {
    /// The script of an output.
    pub(super) fn script(&self, cosigners: &Cosigners) -> ScriptBuf {
        match self.form {
            Form::P2pk => {
                Builder::new().push_slice(self.key).push_opcode(bitcoin::opcodes::all::OP_CHECKSIG).into_script()
            }
            Form::P2pkh => ScriptBuf::new_p2pkh(&PubkeyHash::from_raw_hash(self.hash())),
            Form::BareMultisig => self.multisig(cosigners),
            Form::P2shMultisig => self.multisig(cosigners).to_p2sh(),
            Form::P2shP2wpkh => self.p2wpkh().to_p2sh(),
            Form::P2shP2wsh => self.multisig(cosigners).to_p2wsh().to_p2sh(),
            Form::P2wpkh => self.p2wpkh(),
            Form::P2wsh => self.multisig(cosigners).to_p2wsh(),
            Form::P2tr => {
                let mut point = [0; 32];
                point.copy_from_slice(&self.key[1..]);
                Builder::new().push_opcode(bitcoin::opcodes::all::OP_PUSHNUM_1).push_slice(point).into_script()
            }
        }
    }

    /// The scriptSig and the witness that spend it.
    pub(super) fn spend(&self, cosigners: &Cosigners, low_r: bool, rng: &mut Rng) -> (ScriptBuf, Witness) {
        let mut sign = || signature(low_r, rng);
        let one = |script: &Script| Builder::new().push_slice(push(script.as_bytes())).into_script();
        match self.form {
            Form::P2pk => (Builder::new().push_slice(push(&sign())).into_script(), Witness::new()),
            Form::P2pkh => {
                (Builder::new().push_slice(push(&sign())).push_slice(self.key).into_script(), Witness::new())
            }
            Form::BareMultisig | Form::P2shMultisig => {
                let unlock = Builder::new().push_int(0).push_slice(push(&sign())).push_slice(push(&sign()));
                let whole = if self.form == Form::P2shMultisig {
                    unlock.push_slice(push(self.multisig(cosigners).as_bytes()))
                } else {
                    unlock
                };
                (whole.into_script(), Witness::new())
            }
            Form::P2shP2wpkh => (one(&self.p2wpkh()), Witness::from_slice(&[sign().as_slice(), &self.key])),
            Form::P2wpkh => (ScriptBuf::new(), Witness::from_slice(&[sign().as_slice(), &self.key])),
            Form::P2wsh | Form::P2shP2wsh => {
                let script = self.multisig(cosigners);
                let witness = Witness::from_slice(&[&[], sign().as_slice(), sign().as_slice(), script.as_bytes()]);
                let nested = self.form == Form::P2shP2wsh;
                (if nested { one(&script.to_p2wsh()) } else { ScriptBuf::new() }, witness)
            }
            Form::P2tr => {
                let mut schnorr = [0; 64];
                fill(&mut schnorr, rng);
                (ScriptBuf::new(), Witness::from_slice(&[schnorr]))
            }
        }
    }

    fn hash(&self) -> hash160::Hash {
        hash160::Hash::hash(&self.key)
    }

    fn p2wpkh(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(self.hash()))
    }

    /// 2 of 3: the owner's key and two of a service's.
    fn multisig(&self, cosigners: &Cosigners) -> ScriptBuf {
        let first = usize::from(self.key[7] % 64);
        let second = (first + 1 + usize::from(self.key[8] % 63)) % 64;
        Builder::new()
            .push_opcode(OP_PUSHNUM_2)
            .push_slice(self.key)
            .push_slice(cosigners[first])
            .push_slice(cosigners[second])
            .push_opcode(OP_PUSHNUM_3)
            .push_opcode(OP_CHECKMULTISIG)
            .into_script()
    }
}

/// A script for which there is no key: it asks for bytes with a hash that was made up.
pub(super) fn lost(rng: &mut Rng) -> ScriptBuf {
    let mut hash = [0; 32];
    fill(&mut hash, rng);
    Builder::new().push_opcode(OP_HASH256).push_slice(hash).push_opcode(OP_EQUAL).into_script()
}

/// OP_RETURN and some bytes.
pub(super) fn data(length: u8, rng: &mut Rng) -> ScriptBuf {
    let mut bytes = vec![0; usize::from(length.max(1))];
    fill(&mut bytes, rng);
    ScriptBuf::new_op_return(push(&bytes))
}

fn push(bytes: &[u8]) -> PushBytesBuf {
    PushBytesBuf::try_from(bytes.to_vec()).expect("far below 4 GiB")
}

fn fill(bytes: &mut [u8], rng: &mut Rng) {
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&rng.number().to_le_bytes()[..part.len()]);
    }
}

/// DER as Bitcoin Core asks for it: R of 32 or 33 bytes, S in the lower half, then SIGHASH_ALL.
fn signature(low_r: bool, rng: &mut Rng) -> Vec<u8> {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    fill(&mut r, rng);
    fill(&mut s, rng);
    if low_r {
        r[0] &= 0x7f;
    }
    // Not zero, below the order of the group, and S below its half.
    r[0] = r[0].clamp(1, 0xfe);
    s[0] = (s[0] & 0x7f).clamp(1, 0x7e);
    let long = r[0] >= 0x80;
    let mut bytes = Vec::with_capacity(73);
    bytes.extend([0x30, if long { 69 } else { 68 }, 0x02, if long { 33 } else { 32 }]);
    if long {
        bytes.push(0);
    }
    bytes.extend(r);
    bytes.extend([0x02, 32]);
    bytes.extend(s);
    bytes.push(1);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{ScriptType, Spend};

    #[test]
    fn forms_are_what_they_say() {
        let keys = super::super::keys::Keys::new(1).from(0, 65);
        let cosigners: Cosigners = std::array::from_fn(|at| keys[at]);
        let forms = [
            (Form::P2pk, ScriptType::P2pk),
            (Form::P2pkh, ScriptType::P2pkh),
            (Form::BareMultisig, ScriptType::Multisig),
            (Form::P2shMultisig, ScriptType::P2sh),
            (Form::P2shP2wpkh, ScriptType::P2sh),
            (Form::P2shP2wsh, ScriptType::P2sh),
            (Form::P2wpkh, ScriptType::P2wpkh),
            (Form::P2wsh, ScriptType::P2wsh),
            (Form::P2tr, ScriptType::P2tr),
        ];
        let mut rng = Rng::new(1, 1, 1);
        for (form, script_type) in forms {
            let keyed = Keyed { form, key: keys[64] };
            assert_eq!(ScriptType::of(&keyed.script(&cosigners)), script_type);
            let (script_sig, witness) = keyed.spend(&cosigners, true, &mut rng);
            let input = bitcoin::TxIn { script_sig, witness, ..bitcoin::TxIn::default() };
            assert_eq!(
                Spend::of(&input).has_witness(),
                !matches!(form, Form::P2pk | Form::P2pkh | Form::BareMultisig | Form::P2shMultisig)
            );
        }
        assert_eq!(ScriptType::of(&lost(&mut rng)), ScriptType::NonStandard);
        assert_eq!(ScriptType::of(&data(40, &mut rng)), ScriptType::OpReturn);
    }

    #[test]
    fn signatures_are_in_strict_form() {
        let mut rng = Rng::new(1, 2, 3);
        let mut long = 0;
        for low_r in [true, false].into_iter().cycle().take(400) {
            let bytes = signature(low_r, &mut rng);
            let parsed = bitcoin::ecdsa::Signature::from_slice(&bytes).expect("strict");
            assert_eq!(parsed.serialize().to_vec(), bytes);
            let mut normal = parsed.signature;
            normal.normalize_s();
            assert_eq!(normal, parsed.signature);
            assert!(!low_r || bytes.len() == 71);
            long += usize::from(bytes.len() == 72);
        }
        assert!((60..140).contains(&long), "{long}");
    }
}
