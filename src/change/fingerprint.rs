//! What a transaction shows of the wallet that made it: one word a transaction.
//!
//! Returns flags, twenty of them Moeser and Narayanan's, under their names. The idea: a wallet makes its transactions alike, so the transaction that spends the change looks like
//! the one that made it, and whether two look alike under a mask is one comparison. A word depends on its transaction and on what it spends, so it never changes.
//!
//! What the store does not hold is not guessed: a word says of three groups of flags whether their facts were there ([`Fingerprint::KNOWN`],
//! [`Fingerprint::WITNESS_KNOWN`], [`Fingerprint::PLACED`]), and two words are compared only where both know what the mask asks. The store has nothing of whether keys
//! are compressed, of the position of the change, or of sequence numbers beyond their class.
//!
//! Source: Moeser and Narayanan, "Resurrecting Address Clustering in Bitcoin" (Financial Cryptography 2022), notebooks; low R, recent lock times, round values and taproot are added here.

use std::fmt;

use super::Published;
use crate::chain::{Input, Output, ScriptType, Tx, View};
use crate::id::TxIndex;

/// From here on a lock time is a time, below it a height (consensus).
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;
/// Bitcoin Core and Electrum lock to the tip against fee sniping, and one time in ten up to 100 blocks earlier.
const RECENT_BLOCKS: u32 = 101;
/// A value that is a multiple of it is round: 0.01 BTC, as in `power_of_ten`.
const ROUND_SAT: u64 = 1_000_000;

/// The flags of one transaction.
///
/// # Examples
///
/// ```
#[doc = include_str!("sketch.txt")]
/// use fundtrace::change::Fingerprint;
/// let chain = sketch(&[("t v2 rbf", &[("coin", 900, "alice")], &[(500, "bob"), (399, "alice2")])]);
/// let word = Fingerprint::of(chain.view().txs().next().unwrap()).unwrap();
/// assert!(word.has(Fingerprint::VERSION_2 | Fingerprint::RBF | Fingerprint::TWO_OUTPUTS | Fingerprint::P2WPKH));
/// assert!(!word.has(Fingerprint::LOCKTIME_HEIGHT));
/// // Nobody gave the witness, so nothing is said about it.
/// assert!(!word.has(Fingerprint::WITNESS_KNOWN));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Fingerprint {
            $($(#[$doc])* pub const $name: u32 = 1 << $bit;)*
        }
    };
}

flags! {
    /// Two outputs.
    TWO_OUTPUTS = 0;
    /// Three outputs or more.
    MORE_OUTPUTS = 1;
    /// Version 2.
    VERSION_2 = 2;
    /// A lock time that is a height.
    LOCKTIME_HEIGHT = 3;
    /// A lock time that is a time.
    LOCKTIME_TIME = 4;
    /// Some input asks to be replaceable (BIP 125).
    RBF = 5;
    /// Some input has a witness.
    SEGWIT = 6;
    /// Some input spends P2SH with a witness.
    SEGWIT_COMPATIBLE = 7;
    /// Inputs in the order of BIP 69; one alone is.
    SORTED_INPUTS = 8;
    /// Outputs in the order of BIP 69.
    SORTED_OUTPUTS = 9;
    /// Both.
    SORTED_INOUTS = 10;
    /// Spends an output of its own block.
    ZEROCONF = 11;
    /// Spends P2PKH.
    P2PKH = 12;
    /// Spends P2WPKH.
    P2WPKH = 13;
    /// Spends P2SH.
    P2SH = 14;
    /// Spends P2WSH.
    P2WSH = 15;
    /// Spends multisig: bare, or a redeem or witness script that is.
    MULTISIG = 16;
    /// Spends another kind of script.
    ADDRESS_OTHER = 17;
    /// Two inputs.
    TWO_INPUTS = 18;
    /// Three inputs or more.
    MORE_INPUTS = 19;
    /// Spends taproot; `ADDRESS_OTHER` is set too.
    P2TR = 20;
    /// Locked to a height up to 101 blocks below its own.
    LOCKTIME_RECENT = 21;
    /// Every first signature of an input has a short R; there is one at least.
    LOW_R = 22;
    /// Some signature has a long R: a wallet that grinds makes none.
    HIGH_R = 23;
    /// Some output's value is a multiple of 0.01 BTC.
    ROUND_VALUE = 24;
    /// The heights of the transaction and of what it spends are known.
    PLACED = 29;
    /// The witnesses are known.
    WITNESS_KNOWN = 30;
    /// Version, lock time, sequences and kinds of inputs are known.
    KNOWN = 31;
}

/// Flags that say nothing without the witness.
const OF_WITNESS: u32 = Fingerprint::SEGWIT
    | Fingerprint::SEGWIT_COMPATIBLE
    | Fingerprint::MULTISIG
    | Fingerprint::LOW_R
    | Fingerprint::HIGH_R;
/// Flags that say nothing without heights.
const OF_ORDER: u32 = Fingerprint::SORTED_INPUTS | Fingerprint::SORTED_OUTPUTS | Fingerprint::SORTED_INOUTS;
const OF_PLACE: u32 = Fingerprint::ZEROCONF | Fingerprint::LOCKTIME_RECENT;

impl Fingerprint {
    /// Moeser and Narayanan's twenty flags.
    pub const TWENTY: u32 = (1 << 20) - 1;

    /// Reads a transaction's flags; `None` for a coinbase, a stub, and where version, lock time, sequences or kinds of inputs are not all known.
    pub fn of(tx: Tx<'_>) -> Option<Self> {
        Self::within(tx, u32::MAX)
    }

    /// As [`of`](Self::of), right in what [`agrees`](Self::agrees) looks at under this mask: the order of inputs and the place of their transactions,
    /// which lie far away, are left out where it does not ask for them.
    pub(crate) fn within(tx: Tx<'_>, mask: u32) -> Option<Self> {
        if tx.is_coinbase() || tx.is_stub() {
            return None;
        }
        let (version, lock_time) = (tx.version()?, tx.lock_time()?);
        let mut bits = Self::KNOWN | count(tx.outputs().len(), Self::TWO_OUTPUTS, Self::MORE_OUTPUTS);
        bits |= count(tx.inputs().len(), Self::TWO_INPUTS, Self::MORE_INPUTS);
        bits |= if version == 2 { Self::VERSION_2 } else { 0 };
        bits |= match lock_time {
            0 => 0,
            1..LOCK_TIME_THRESHOLD => Self::LOCKTIME_HEIGHT,
            _ => Self::LOCKTIME_TIME,
        };
        for input in tx.inputs() {
            bits |= of_input(input)?;
        }
        // Set by inputs where there is a short R and none is long.
        if bits & Self::HIGH_R != 0 {
            bits &= !Self::LOW_R;
        }
        bits |= if tx.weight().is_some() { Self::WITNESS_KNOWN } else { 0 };
        bits |= if mask & OF_ORDER == 0 { 0 } else { of_order(tx) };
        bits |= if mask & (OF_PLACE | Self::PLACED) == 0 { 0 } else { of_place(tx, lock_time) };
        let round = |output: Output<'_>| output.value().is_some_and(|value| value.to_sat().is_multiple_of(ROUND_SAT));
        bits |= if tx.outputs().any(round) { Self::ROUND_VALUE } else { 0 };
        Some(Self(bits))
    }

    /// Returns the word.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// True when all these flags are set.
    pub fn has(self, flags: u32) -> bool {
        self.0 & flags == flags
    }

    /// Tells whether two words agree under a mask; `None` where either lacks the facts behind it.
    pub fn agrees(self, other: Self, mask: u32) -> Option<bool> {
        let mut needs = Self::KNOWN;
        if mask & OF_WITNESS != 0 {
            needs |= Self::WITNESS_KNOWN;
        }
        if mask & OF_PLACE != 0 {
            needs |= Self::PLACED;
        }
        (self.0 & other.0 & needs == needs).then_some((self.0 ^ other.0) & mask == 0)
    }
}

fn count(of: usize, two: u32, more: u32) -> u32 {
    match of {
        0 | 1 => 0,
        2 => two,
        _ => more,
    }
}

fn of_input(input: Input<'_>) -> Option<u32> {
    let (spend, of) = (input.spend()?, input.script_type()?);
    let mut bits = match of {
        ScriptType::P2pkh => Fingerprint::P2PKH,
        ScriptType::P2wpkh => Fingerprint::P2WPKH,
        ScriptType::P2sh => Fingerprint::P2SH,
        ScriptType::P2wsh => Fingerprint::P2WSH,
        ScriptType::P2tr => Fingerprint::P2TR | Fingerprint::ADDRESS_OTHER,
        _ => Fingerprint::ADDRESS_OTHER,
    };
    let multisig = Some(ScriptType::Multisig);
    if [Some(of), input.redeem_type(), input.witness_script_type()].contains(&multisig) {
        bits |= Fingerprint::MULTISIG;
    }
    if spend.has_witness() {
        bits |= Fingerprint::SEGWIT;
        bits |= if of == ScriptType::P2sh { Fingerprint::SEGWIT_COMPATIBLE } else { 0 };
    }
    bits |= if spend.sequence().is_replaceable() { Fingerprint::RBF } else { 0 };
    bits |= match spend.has_low_r() {
        None => 0,
        Some(true) => Fingerprint::LOW_R,
        Some(false) => Fingerprint::HIGH_R,
    };
    Some(bits)
}

/// BIP 69: inputs by txid as it is written and vout, outputs by value and script.
fn of_order(tx: Tx<'_>) -> u32 {
    let spent = |input: Input<'_>| {
        let outpoint = input.prevout().map(Output::outpoint)?;
        let mut txid: [u8; 32] = *AsRef::<[u8; 32]>::as_ref(&outpoint.txid);
        txid.reverse();
        Some((txid, outpoint.vout))
    };
    let paid = |output: Output<'_>| (output.value(), output.script().map(|script| script.as_bytes().to_vec()));
    let inputs = tx.inputs().len() < 2 || tx.inputs().map(spent).is_sorted();
    let values = tx.outputs().map(Output::value).is_sorted();
    let outputs = values && tx.outputs().map(paid).is_sorted();
    let mut bits = if inputs { Fingerprint::SORTED_INPUTS } else { 0 };
    bits |= if outputs { Fingerprint::SORTED_OUTPUTS } else { 0 };
    bits | if inputs && outputs { Fingerprint::SORTED_INOUTS } else { 0 }
}

fn of_place(tx: Tx<'_>, lock_time: u32) -> u32 {
    let Some(height) = tx.height() else { return 0 };
    let mut bits = Fingerprint::PLACED;
    for parent in tx.inputs().filter_map(|input| input.prevout()).map(|output| output.tx()) {
        match parent.height() {
            None => return 0,
            Some(at) if at == height => bits |= Fingerprint::ZEROCONF,
            Some(_) => {}
        }
    }
    let below = height.to_u32().checked_sub(lock_time).filter(|_| lock_time > 0);
    let recent = below.is_some_and(|below| (1..=RECENT_BLOCKS).contains(&below));
    bits | if recent { Fingerprint::LOCKTIME_RECENT } else { 0 }
}

/// The flags of every transaction of a view.
///
/// # Complexity
///
/// Made in one pass on the caller's rayon pool; four bytes a transaction.
///
/// # Examples
///
/// See [`SameFingerprint`](super::SameFingerprint).
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprints {
    first: TxIndex,
    words: Vec<u32>,
}

impl Fingerprints {
    /// Reads the flags of every transaction that a view shows.
    pub fn of(view: View<'_>) -> Self {
        let first = view.txs().next().map(Tx::index).unwrap_or_default();
        let read = view.scan(|tx| (tx.index(), Fingerprint::of(tx).map_or(0, Fingerprint::bits)));
        let end = read.last().map_or(0, |(index, _)| index.at() + 1 - first.at());
        let mut words = vec![0; end];
        for (index, word) in read {
            words[index.at() - first.at()] = word;
        }
        Self { first, words }
    }

    /// Returns the flags of a transaction; `None` where [`Fingerprint::of`] has none, and for one that the view did not show.
    pub fn get(&self, tx: TxIndex) -> Option<Fingerprint> {
        let word = *self.words.get(tx.at().checked_sub(self.first.at())?)?;
        (word != 0).then_some(Fingerprint(word))
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprints").field("transactions", &self.words.len()).finish_non_exhaustive()
    }
}

/// Flags to compare, under a name.
///
/// # Examples
///
/// ```
/// use fundtrace::change::{Fingerprint, Mask};
/// let version = Mask::ALL.iter().find(|mask| mask.name == "fingerprint_version").unwrap();
/// assert_eq!(version.bits, Fingerprint::VERSION_2);
/// assert_eq!(version.published.unwrap().fpr_ppm, Some(3_800));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mask {
    /// The name.
    pub name: &'static str,
    /// The flags.
    pub bits: u32,
    /// The published rates of a rule on it.
    pub published: Option<Published>,
}

impl Mask {
    /// Every mask of the published evaluation, and last the twenty flags together, of which no rate was published.
    pub const ALL: [Self; 16] = {
        use Fingerprint as F;
        let types = F::P2PKH | F::P2WPKH | F::P2SH | F::P2WSH | F::MULTISIG | F::ADDRESS_OTHER;
        let outputs = F::TWO_OUTPUTS | F::MORE_OUTPUTS;
        let order = F::SORTED_INPUTS | F::SORTED_OUTPUTS | F::SORTED_INOUTS;
        [
            Self::rated("fingerprint_output_count", outputs, 283_000, 129_000),
            Self::rated("fingerprint_counts", outputs | F::TWO_INPUTS | F::MORE_INPUTS, 263_000, 107_000),
            Self::rated("fingerprint_zeroconf", F::ZEROCONF, 100_000, 61_000),
            Self::rated("fingerprint_multisig", F::MULTISIG, 140_000, 600),
            Self::rated("fingerprint_p2pkh", F::P2PKH, 239_000, 13_500),
            Self::rated("fingerprint_p2sh", F::P2SH, 269_000, 15_200),
            Self::rated("fingerprint_p2wpkh", F::P2WPKH, 181_000, 19_000),
            Self::rated("fingerprint_p2wsh", F::P2WSH, 63_000, 7_200),
            Self::rated("fingerprint_address_type", types, 294_000, 22_900),
            Self::rated("fingerprint_version", F::VERSION_2, 245_000, 3_800),
            Self::rated("fingerprint_lock_time", F::LOCKTIME_HEIGHT | F::LOCKTIME_TIME, 307_000, 2_900),
            Self::rated("fingerprint_rbf", F::RBF, 75_000, 2_700),
            Self::rated("fingerprint_segwit", F::SEGWIT, 191_000, 20_900),
            Self::rated("fingerprint_segwit_compatible", F::SEGWIT_COMPATIBLE, 21_000, 800),
            Self::rated("fingerprint_order", order, 262_000, 53_000),
            Self::new("fingerprint", F::TWENTY),
        ]
    };

    /// Makes a mask of one's own.
    pub const fn new(name: &'static str, bits: u32) -> Self {
        Self { name, bits, published: None }
    }

    const fn rated(name: &'static str, bits: u32, tpr_ppm: u32, fpr_ppm: u32) -> Self {
        Self { name, bits, published: Some(Published::rates(tpr_ppm, fpr_ppm)) }
    }
}
