//! How an input spends: what its sequence, its scriptSig and its witness show of the wallet that made it.
//!
//! Sixteen bits an input. What they mean can depend on the script that is spent, which is not known where an input is
//! read, so the facts are raw here and [`Input`](super::Input) reads them against the prevout.

use bitcoin::{Script, TxIn};
use serde::Serialize;

use super::script::ScriptType;

/// What a sequence number says.
///
/// # Examples
///
/// ```
/// use fundtrace::chain::SequenceClass;
/// assert_eq!(SequenceClass::of(u32::MAX), SequenceClass::Final);
/// assert!(SequenceClass::of(0xffff_fffd).is_replaceable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SequenceClass {
    /// 0xffffffff: the lock time is off for this input.
    Final,
    /// 0xfffffffe: the lock time is on, and the transaction does not ask to be replaceable.
    LockTime,
    /// Below that with bit 31 set: replaceable (BIP 125).
    Replaceable,
    /// Bit 31 clear: replaceable, and a relative lock time where the transaction's version is 2 or more (BIP 68).
    Relative,
}

impl SequenceClass {
    /// Tells the class of a sequence number.
    pub fn of(sequence: u32) -> Self {
        match sequence {
            u32::MAX => Self::Final,
            0xffff_fffe => Self::LockTime,
            0x8000_0000.. => Self::Replaceable,
            _ => Self::Relative,
        }
    }

    /// True when the input signals BIP 125.
    pub fn is_replaceable(self) -> bool {
        matches!(self, Self::Replaceable | Self::Relative)
    }
}

const KNOWN: u16 = 1;
const SEQUENCE_SHIFT: u32 = 1;
const SCRIPT_SIG: u16 = 1 << 3;
const WITNESS: u16 = 1 << 4;
const ONE_ITEM: u16 = 1 << 5;
const DER: u16 = 1 << 6;
const LOW_R: u16 = 1 << 7;
const REDEEM_SHIFT: u32 = 8;
const INNER_SHIFT: u32 = 12;

/// The facts of one input, packed; `docs/format.md` draws the bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Spend(u16);

impl Spend {
    /// Reads the facts of an input with its witness.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::bitcoin::{TxIn, Sequence};
    /// use fundtrace::chain::{SequenceClass, Spend};
    /// let input = TxIn { sequence: Sequence::ENABLE_RBF_NO_LOCKTIME, ..TxIn::default() };
    /// assert_eq!(Spend::of(&input).sequence(), SequenceClass::Replaceable);
    /// assert!(!Spend::of(&input).has_witness());
    /// ```
    pub fn of(input: &TxIn) -> Self {
        let mut facts = Self::base(input.script_sig.as_bytes(), input.sequence.0, input.previous_output.is_null());
        let mut witness = WitnessFacts::new(input.witness.len());
        input.witness.iter().for_each(|item| witness.item(item));
        facts.add_witness(witness, input.previous_output.is_null());
        facts
    }

    /// The facts without the witness. A coinbase's script is the miner's text, so nothing is read into it.
    pub(crate) fn base(script_sig: &[u8], sequence: u32, coinbase: bool) -> Self {
        let mut bits = KNOWN | (SequenceClass::of(sequence) as u16) << SEQUENCE_SHIFT;
        if !script_sig.is_empty() {
            bits |= SCRIPT_SIG;
        }
        if !coinbase {
            let (signature, last) = pushes(script_sig);
            bits |= signature_bits(signature);
            bits |= last.map_or(0, |script| nibble(script) << REDEEM_SHIFT);
        }
        Self(bits)
    }

    pub(crate) fn add_witness(&mut self, witness: WitnessFacts, coinbase: bool) {
        let items = witness.items_without_annex();
        if items == 0 {
            return;
        }
        self.0 |= WITNESS;
        if items == 1 {
            self.0 |= ONE_ITEM;
        }
        if coinbase {
            return;
        }
        if self.0 & DER == 0 {
            self.0 |= witness.signature;
        }
        self.0 |= witness.script() << INNER_SHIFT;
    }

    /// Returns what the sequence number says.
    pub fn sequence(self) -> SequenceClass {
        match (self.0 >> SEQUENCE_SHIFT) & 3 {
            0 => SequenceClass::Final,
            1 => SequenceClass::LockTime,
            2 => SequenceClass::Replaceable,
            _ => SequenceClass::Relative,
        }
    }

    /// True when the scriptSig is not empty.
    pub fn has_script_sig(self) -> bool {
        self.0 & SCRIPT_SIG != 0
    }

    /// True when the witness is not empty. Bytes without their witness cannot show one: see [`Tx::weight`](super::Tx::weight).
    pub fn has_witness(self) -> bool {
        self.0 & WITNESS != 0
    }

    /// True when the witness, its annex aside, is a single item, as a taproot key spend's is.
    pub fn has_one_witness_item(self) -> bool {
        self.0 & ONE_ITEM != 0
    }

    /// Tells whether the first ECDSA signature has an R of 32 bytes or fewer; `None` where no DER signature was seen.
    ///
    /// Wallets that grind for it always do; one that does not has even odds each time.
    pub fn has_low_r(self) -> Option<bool> {
        (self.0 & DER != 0).then_some(self.0 & LOW_R != 0)
    }

    /// The type of the scriptSig's last push read as a script: a redeem script where a P2SH output is spent.
    pub(crate) fn last_push(self) -> Option<ScriptType> {
        ScriptType::from_code(((self.0 >> REDEEM_SHIFT) & 15).checked_sub(1)?)
    }

    /// The type of the last witness item read as a script: a witness script where a P2WSH output is spent.
    pub(crate) fn last_item(self) -> Option<ScriptType> {
        ScriptType::from_code(((self.0 >> INNER_SHIFT) & 15).checked_sub(1)?)
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    pub(crate) fn from_bits(bits: u16) -> Option<Self> {
        (bits & KNOWN != 0).then_some(Self(bits))
    }

    /// The part that the bytes without witness show.
    pub(crate) fn without_witness(self) -> Self {
        Self(self.0 & (KNOWN | 3 << SEQUENCE_SHIFT | SCRIPT_SIG))
    }
}

/// What is kept of a witness while its items go by.
#[derive(Clone, Copy, Default)]
pub(crate) struct WitnessFacts {
    items: usize,
    seen: usize,
    /// The bits of the first signature.
    signature: u16,
    /// What the last item and the one before it are as scripts.
    last: u16,
    before_last: u16,
    annex: bool,
}

impl WitnessFacts {
    pub(crate) fn new(items: usize) -> Self {
        Self { items, ..Self::default() }
    }

    pub(crate) fn item(&mut self, item: &[u8]) {
        self.seen += 1;
        if self.signature == 0 && is_der(item) {
            self.signature = signature_bits(item);
        }
        // Only the last one can be a script, or the one before where the last is an annex.
        if self.seen + 1 >= self.items {
            self.before_last = self.last;
            self.last = nibble(item);
            // BIP 341: of two or more items a last one that begins with 0x50 is the annex.
            self.annex = self.seen == self.items && self.items >= 2 && item.first() == Some(&0x50);
        }
    }

    fn items_without_annex(&self) -> usize {
        self.items - usize::from(self.annex)
    }

    fn script(&self) -> u16 {
        if self.annex { self.before_last } else { self.last }
    }
}

fn nibble(script: &[u8]) -> u16 {
    if script.is_empty() { 0 } else { 1 + ScriptType::of(Script::from_bytes(script)).code() }
}

/// `30 len 02 rlen r .. 02 slen s .. type`, of a length that a signature can have.
fn is_der(bytes: &[u8]) -> bool {
    (9..=73).contains(&bytes.len()) && bytes[0] == 0x30 && usize::from(bytes[1]) + 3 == bytes.len() && bytes[2] == 2
}

fn signature_bits(signature: &[u8]) -> u16 {
    match signature {
        [] => 0,
        bytes if bytes[3] <= 32 => DER | LOW_R,
        _ => DER,
    }
}

/// The first signature and the last push of a script of pushes; nothing is read into any other.
fn pushes(script: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut signature, mut last): (&[u8], Option<&[u8]>) = (&[], None);
    let mut rest = script;
    while let [op, after @ ..] = rest {
        let (length, after) = match (*op, after) {
            (0x4f..=0x60, _) => (0, after),
            (op @ 0..=0x4b, _) => (usize::from(op), after),
            (0x4c, [length, after @ ..]) => (usize::from(*length), after),
            (0x4d, [a, b, after @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), after),
            _ => return (&[], None),
        };
        let Some((push, after)) = after.split_at_checked(length) else { return (&[], None) };
        if signature.is_empty() && is_der(push) {
            signature = push;
        }
        last = Some(push);
        rest = after;
    }
    (signature, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_read_and_nothing_else() {
        let signature: Vec<u8> = [&[0x30, 0x44, 2, 0x20][..], &[7; 32], &[2, 0x20], &[7; 32], &[1]].concat();
        let mut script = vec![0, 71];
        script.extend(&signature);
        script.extend([0x4c, 3, 0x52, 0x51, 0xae]);
        assert_eq!(pushes(&script), (&signature[..], Some(&[0x52, 0x51, 0xae][..])));
        assert_eq!(Spend::base(&script, 0, false).has_low_r(), Some(true));
        // A truncated push and an operation other than a push: not a script of pushes.
        assert_eq!(pushes(&script[..20]), (&[][..], None));
        assert_eq!(pushes(&[1, 2, 0xac]), (&[][..], None));
    }

    #[test]
    fn annex_is_no_item() {
        let (key_spend, annex) = ([9; 64], [0x50, 1]);
        let mut witness = WitnessFacts::new(2);
        [&key_spend[..], &annex].into_iter().for_each(|item| witness.item(item));
        let mut spend = Spend::base(&[], 0xffff_fffd, false);
        spend.add_witness(witness, false);
        assert!(spend.has_one_witness_item() && spend.has_witness() && !spend.has_script_sig());
        assert_eq!(spend.has_low_r(), None);
    }
}
