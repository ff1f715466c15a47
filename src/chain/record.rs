//! Owned transactions on their way into a chain.

use bitcoin::block::Header;
use bitcoin::{OutPoint, Transaction, TxIn, TxOut, Txid};

use super::spend::Spend;
use crate::id::BlockHeight;

/// A transaction as a source hands it over, before it is placed in a chain.
///
/// It is proven when it was made from the transaction itself, whose hash is the txid, and claimed when someone described it.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{NewInput, NewTx};
/// use fundtrace::BlockHeight;
///
/// let parent = OutPoint::new(Txid::from_byte_array([1; 32]), 0);
/// let out = TxOut { value: Amount::from_sat(900), script_pubkey: ScriptBuf::new() };
/// let tx = NewTx::claimed(Txid::from_byte_array([2; 32]), vec![NewInput::new(parent)], vec![out])
///     .height(BlockHeight::from_u32(7));
/// assert!(!tx.is_proven());
/// assert!(!tx.is_coinbase());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTx {
    pub(crate) txid: Txid,
    pub(crate) proven: bool,
    pub(crate) height: Option<BlockHeight>,
    pub(crate) position: Option<u32>,
    pub(crate) time: Option<u32>,
    pub(crate) version: Option<i32>,
    pub(crate) lock_time: Option<u32>,
    pub(crate) weight: Option<u32>,
    pub(crate) header: Option<Box<Header>>,
    pub(crate) inputs: Vec<NewInput>,
    pub(crate) outputs: Vec<TxOut>,
    pub(crate) fates: Vec<Fate>,
}

/// An input: the outpoint it spends, and what is said of that output.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::OutPoint;
/// use fundtrace::chain::NewInput;
/// assert!(NewInput::new(OutPoint::null()).prevout.is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NewInput {
    /// The output that is spent; [`OutPoint::null`] in a coinbase.
    pub outpoint: OutPoint,
    /// The value and script of that output as the source tells them, if it does.
    pub prevout: Option<TxOut>,
    /// What its sequence, scriptSig and witness show, where the source has them.
    pub spend: Option<Spend>,
}

impl NewInput {
    /// Makes an input of whose prevout nothing is known.
    pub fn new(outpoint: OutPoint) -> Self {
        Self { outpoint, prevout: None, spend: None }
    }

    /// Adds what its sequence, scriptSig and witness show.
    #[must_use]
    pub fn spend(mut self, spend: Spend) -> Self {
        self.spend = Some(spend);
        self
    }

    /// Adds what the source says of the prevout.
    #[must_use]
    pub fn prevout(mut self, prevout: TxOut) -> Self {
        self.prevout = Some(prevout);
        self
    }
}

/// What a source says became of an output, beyond the spends that are in the input itself.
///
/// # Examples
///
/// ```
/// use fundtrace::chain::Fate;
/// assert_eq!(Fate::default(), Fate::Unknown);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Fate {
    /// Nothing is said.
    #[default]
    Unknown,
    /// The source says that no confirmed transaction spends it.
    Unspent,
    /// The source says that this transaction spends it.
    SpentBy(Txid),
}

impl NewTx {
    /// Takes a transaction whose bytes are here: its txid is computed, so the record is proven.
    ///
    /// The txid does not cover the witness. Where the witness is here too, [`weight`](Self::weight) says so.
    pub fn from_transaction(tx: &Transaction) -> Self {
        Self::of(tx, tx.compute_txid())
    }

    /// As [`from_transaction`](Self::from_transaction), where the hash was computed before.
    pub(crate) fn of(tx: &Transaction, txid: Txid) -> Self {
        let input = |input: &TxIn| NewInput::new(input.previous_output).spend(Spend::of(input));
        Self {
            proven: true,
            version: Some(tx.version.0),
            lock_time: Some(tx.lock_time.to_consensus_u32()),
            ..Self::claimed(txid, tx.input.iter().map(input).collect(), tx.output.clone())
        }
    }

    /// Takes a transaction as described by someone: the txid is a claim.
    pub fn claimed(txid: Txid, inputs: Vec<NewInput>, outputs: Vec<TxOut>) -> Self {
        Self {
            txid,
            proven: false,
            height: None,
            position: None,
            time: None,
            version: None,
            lock_time: None,
            weight: None,
            header: None,
            inputs,
            outputs,
            fates: Vec::new(),
        }
    }

    /// Sets the version and the lock time, as a source that lacks the bytes tells them.
    #[must_use]
    pub fn version(mut self, version: i32, lock_time: u32) -> Self {
        (self.version, self.lock_time) = (Some(version), Some(lock_time));
        self
    }

    /// Sets the weight in weight units (BIP 141), which says too that what the inputs show of their witnesses is all there is.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    /// Sets the header of the block that holds it. Needed once a block, best on the coinbase.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.time = Some(header.time);
        self.header = Some(Box::new(header));
        self
    }

    /// Sets the height of the block that holds it.
    #[must_use]
    pub fn height(mut self, height: BlockHeight) -> Self {
        self.height = Some(height);
        self
    }

    /// Sets its position in the block; 0 is the coinbase.
    #[must_use]
    pub fn position(mut self, position: u32) -> Self {
        self.position = Some(position);
        self
    }

    /// Sets the block's time, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn time(mut self, time: u32) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets what is said of the prevouts, in input order. Entries beyond the inputs are ignored.
    #[must_use]
    pub fn prevouts(mut self, prevouts: impl IntoIterator<Item = Option<TxOut>>) -> Self {
        for (input, prevout) in self.inputs.iter_mut().zip(prevouts) {
            input.prevout = prevout;
        }
        self
    }

    /// Sets what is said of the outputs' fates, in output order. Entries beyond the outputs are ignored.
    #[must_use]
    pub fn fates(mut self, fates: impl IntoIterator<Item = Fate>) -> Self {
        self.fates = fates.into_iter().take(self.outputs.len()).collect();
        self
    }

    /// Returns the txid.
    pub fn txid(&self) -> Txid {
        self.txid
    }

    /// Returns the inputs.
    pub fn inputs(&self) -> &[NewInput] {
        &self.inputs
    }

    /// Returns the outputs.
    pub fn outputs(&self) -> &[TxOut] {
        &self.outputs
    }

    /// Returns the height of the block that holds it, if known.
    pub fn block_height(&self) -> Option<BlockHeight> {
        self.height
    }

    /// Returns its position in the block, if known.
    pub fn block_position(&self) -> Option<u32> {
        self.position
    }

    /// Returns the block's time in seconds since 1970-01-01 UTC, if known.
    pub fn block_time(&self) -> Option<u32> {
        self.time
    }

    /// Returns the version, if known.
    pub fn tx_version(&self) -> Option<i32> {
        self.version
    }

    /// Returns the lock time as it stands in the bytes, if known.
    pub fn tx_lock_time(&self) -> Option<u32> {
        self.lock_time
    }

    /// Returns the weight in weight units, if the witness is known.
    pub fn tx_weight(&self) -> Option<u32> {
        self.weight
    }

    /// Returns the header of its block, if this record brings it.
    pub fn block_header(&self) -> Option<&Header> {
        self.header.as_deref()
    }

    /// Returns what is said of an output's fate.
    pub fn fate(&self, vout: u32) -> Fate {
        self.fates.get(crate::id::at(vout)).copied().unwrap_or_default()
    }

    /// True when the txid is the hash of bytes that were given.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// True when its only input spends nothing: the transaction that creates a block's new coins.
    pub fn is_coinbase(&self) -> bool {
        self.inputs.len() == 1 && self.inputs[0].outpoint.is_null()
    }
}
