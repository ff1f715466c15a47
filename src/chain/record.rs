//! Owned transactions on their way into a chain.

use bitcoin::{OutPoint, Transaction, TxOut, Txid};

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
}

impl NewInput {
    /// Makes an input of whose prevout nothing is known.
    pub fn new(outpoint: OutPoint) -> Self {
        Self { outpoint, prevout: None }
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
    pub fn from_transaction(tx: &Transaction) -> Self {
        Self {
            txid: tx.compute_txid(),
            proven: true,
            inputs: tx.input.iter().map(|input| NewInput::new(input.previous_output)).collect(),
            outputs: tx.output.clone(),
            fates: Vec::new(),
            height: None,
            position: None,
            time: None,
        }
    }

    /// Takes a transaction as described by someone: the txid is a claim.
    pub fn claimed(txid: Txid, inputs: Vec<NewInput>, outputs: Vec<TxOut>) -> Self {
        Self { txid, proven: false, inputs, outputs, fates: Vec::new(), height: None, position: None, time: None }
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
