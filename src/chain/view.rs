//! Looking at a frozen chain: cursors that borrow it.

use std::fmt;

use bitcoin::{Address, Amount, Network, OutPoint, Script, Txid};

use super::columns::{NO_ADDRESS, NO_OUTPUT, NO_POSITION, NO_SCRIPT, NO_TIME, NO_TX, UNKNOWN_VALUE, flag};
use super::script::is_unspendable;
use super::{Chain, OutputSet, ScriptType};
use crate::id::{self, AddressIndex, BlockHeight, InputIndex, OutputIndex, TxIndex};
use crate::par;

/// A chain as seen whole, or as of the end of a block: what every algorithm works on.
///
/// Questions to a view cannot fail; what is not there is `None`. Indexes must come from the same chain.
///
/// # Examples
///
/// ```
/// use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, hashes::Hash};
/// use fundtrace::chain::{ChainBuilder, NewInput, NewTx, Spent};
/// use fundtrace::BlockHeight;
///
/// let txid = |n| Txid::from_byte_array([n; 32]);
/// let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
/// let mut builder = ChainBuilder::new();
/// let spend = NewInput::new(OutPoint::new(txid(1), 0)).prevout(out(50));
/// builder.insert(NewTx::claimed(txid(2), vec![spend], vec![out(30), out(15)]).height(BlockHeight::from_u32(8)))?;
/// let chain = builder.finish()?;
///
/// let tx = chain.view().tx_at(&txid(2)).unwrap();
/// assert_eq!(tx.fee(), Some(Amount::from_sat(5)));
/// let change = tx.outputs().nth(1).unwrap();
/// // Nobody said what became of it, and a part of a chain never claims "unspent".
/// assert_eq!(change.spent(), Spent::Unknown);
/// assert!(chain.as_of(BlockHeight::from_u32(7)).tx_at(&txid(2)).is_none());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct View<'c> {
    chain: &'c Chain,
    /// Transactions from here on are not visible.
    end: TxIndex,
    as_of: Option<BlockHeight>,
}

/// What became of an output, as far as the view can tell.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Spent {
    /// This transaction of the view spends it.
    By(TxIndex),
    /// No transaction spends it: the chain is complete to the view's tip, or a source said so.
    Unspent,
    /// No transaction of the view spends it, and nobody said that none does.
    Unknown,
}

impl<'c> View<'c> {
    pub(super) fn whole(chain: &'c Chain) -> Self {
        Self { chain, end: TxIndex::of(chain.txid.len()), as_of: None }
    }

    pub(super) fn as_of(chain: &'c Chain, height: BlockHeight) -> Self {
        // Stubs have no height and always stand before the end.
        let stubs = id::at(chain.stubs);
        let end = stubs + chain.height[stubs..].partition_point(|h| *h <= height.to_u32());
        Self { chain, end: TxIndex::of(end), as_of: Some(height) }
    }

    /// Returns the chain that is viewed.
    pub fn chain(self) -> &'c Chain {
        self.chain
    }

    /// Returns the height as of which the chain is viewed; `None` for the whole.
    pub fn height(self) -> Option<BlockHeight> {
        self.as_of
    }

    /// Returns the greatest known height of a transaction in the view.
    pub fn tip(self) -> Option<BlockHeight> {
        (id::at(self.chain.stubs)..self.end.at()).rev().find_map(|at| self.cursor(TxIndex::of(at)).height())
    }

    /// Returns the network.
    pub fn network(self) -> Network {
        self.chain.network
    }

    /// Returns the transaction at an index of this chain.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn tx(self, index: TxIndex) -> Tx<'c> {
        assert!(index.at() < self.chain.txid.len(), "transaction index {index} is not from this chain");
        self.cursor(index)
    }

    /// Returns the output at an index of this chain. Logarithmic in the number of transactions.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn output(self, index: OutputIndex) -> Output<'c> {
        assert!(index.at() < self.chain.value.len(), "output index {index} is not from this chain");
        let after = self.chain.first_output.partition_point(|first| *first <= index.to_u64());
        Output { view: self, index, tx: TxIndex::of(after - 1) }
    }

    /// Finds a visible transaction by txid; the later of a BIP30 pair.
    pub fn tx_at(self, txid: &Txid) -> Option<Tx<'c>> {
        self.chain.find_txs(txid).rev().map(|index| self.cursor(index)).find(|tx| self.sees(tx.index))
    }

    /// Finds an output by outpoint; of a stub too, if something spends it.
    pub fn output_at(self, outpoint: OutPoint) -> Option<Output<'c>> {
        self.tx_at(&outpoint.txid)?.output(outpoint.vout)
    }

    /// Iterates the visible supplied transactions in chain order; stubs are not among them.
    pub fn txs(self) -> impl DoubleEndedIterator<Item = Tx<'c>> {
        (self.chain.stubs..self.end.to_u32())
            .map(TxIndex::from_u32)
            .filter(move |index| self.sees(*index))
            .map(move |index| self.cursor(index))
    }

    /// Iterates the stubs: transactions that nobody supplied and that a supplied one spends.
    pub fn stubs(self) -> impl ExactSizeIterator<Item = Tx<'c>> {
        (0..self.chain.stubs).map(move |index| self.cursor(TxIndex::from_u32(index)))
    }

    /// Iterates the transactions that a view as of a height leaves out because their own height is unknown.
    ///
    /// Empty when the whole chain is viewed.
    pub fn left_out(self) -> impl Iterator<Item = Tx<'c>> {
        let from = if self.as_of.is_some() { self.chain.stubs } else { NO_TX };
        (from..TxIndex::of(self.chain.txid.len()).to_u32())
            .map(move |index| self.cursor(TxIndex::from_u32(index)))
            .filter(|tx| tx.height().is_none())
    }

    /// Iterates the visible transactions of a block, in block order.
    pub fn block(self, height: BlockHeight) -> impl Iterator<Item = Tx<'c>> {
        let stubs = id::at(self.chain.stubs);
        let heights = &self.chain.height[stubs..];
        let start = stubs + heights.partition_point(|h| *h < height.to_u32());
        let end = (stubs + heights.partition_point(|h| *h <= height.to_u32())).min(self.end.at());
        (start..end).map(move |at| self.cursor(TxIndex::of(at))).filter(|tx| tx.height().is_some())
    }

    /// Returns the visible outputs that pay this script, byte for byte.
    pub fn outputs_to(self, script: &Script) -> OutputSet {
        let Some(number) = self.chain.find_script(script) else { return OutputSet::default() };
        self.with_script(number).collect()
    }

    /// Finds an address that some output of the chain pays; of a script, through its address.
    ///
    /// The address must be of this chain's network; `None` otherwise.
    pub fn address_index(self, script: &Script) -> Option<AddressIndex> {
        self.chain.find_address(script)
    }

    /// Returns the address at an index of this chain.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn address(self, index: AddressIndex) -> Address {
        let script = self.chain.addresses.get(index.to_u32());
        Address::from_script(script, self.chain.network).expect("only scripts with an address are numbered")
    }

    /// Returns the visible outputs that pay this address, whichever script they use.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn outputs_of(self, address: AddressIndex) -> OutputSet {
        let scripts =
            id::at(self.chain.first_of_address[address.at()])..id::at(self.chain.first_of_address[address.at() + 1]);
        self.chain.of_address[scripts].iter().flat_map(|script| self.with_script(*script)).collect()
    }

    /// Maps every visible supplied transaction, on the caller's rayon pool, and returns the results in chain order.
    ///
    /// # Examples
    ///
    /// ```
    /// let chain = fundtrace::ChainBuilder::new().finish().unwrap();
    /// assert!(chain.view().scan(|tx| tx.fee()).is_empty());
    /// ```
    pub fn scan<T: Send>(self, f: impl Fn(Tx<'c>) -> T + Send + Sync) -> Vec<T> {
        let visible: Vec<TxIndex> = self.txs().map(|tx| tx.index).collect();
        par::map(&visible, |index| f(self.cursor(*index)))
    }

    /// The index one above the last visible transaction.
    pub(crate) fn end(self) -> TxIndex {
        self.end
    }

    pub(crate) fn sees(self, index: TxIndex) -> bool {
        let placed = self.as_of.is_none() || self.chain.flags[index.at()] & flag::HEIGHT != 0;
        self.chain.is_stub(index) || (index < self.end && placed)
    }

    fn cursor(self, index: TxIndex) -> Tx<'c> {
        Tx { view: self, index }
    }

    fn with_script(self, number: u32) -> impl Iterator<Item = OutputIndex> {
        let first = &self.chain.first_with_script;
        let range = id::at(first[id::at(number)])..id::at(first[id::at(number) + 1]);
        self.chain.with_script[range]
            .iter()
            .map(|output| OutputIndex::from_u64(*output))
            .filter(move |output| self.sees(self.output(*output).tx))
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("as_of", &self.as_of).field("end", &self.end).finish_non_exhaustive()
    }
}

/// A transaction of a view.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy)]
pub struct Tx<'c> {
    view: View<'c>,
    index: TxIndex,
}

impl<'c> Tx<'c> {
    /// Returns its position in chain order.
    pub fn index(self) -> TxIndex {
        self.index
    }

    /// Returns the txid.
    pub fn txid(self) -> Txid {
        self.view.chain.txid[self.index.at()]
    }

    /// Returns the height of its block, if a source gave it.
    pub fn height(self) -> Option<BlockHeight> {
        self.has(flag::HEIGHT).then(|| BlockHeight::from_u32(self.view.chain.height[self.index.at()]))
    }

    /// Returns its position in the block, if a source gave it.
    pub fn position(self) -> Option<u32> {
        Some(self.view.chain.position[self.index.at()]).filter(|position| *position != NO_POSITION)
    }

    /// Returns its block's time in seconds since 1970-01-01 UTC, if a source gave it.
    pub fn time(self) -> Option<u32> {
        Some(self.view.chain.time[self.index.at()]).filter(|time| *time != NO_TIME)
    }

    /// True when it creates a block's new coins.
    pub fn is_coinbase(self) -> bool {
        self.has(flag::COINBASE)
    }

    /// True when nobody supplied it: its outputs are those that supplied transactions spend.
    pub fn is_stub(self) -> bool {
        self.view.chain.is_stub(self.index)
    }

    /// True when its txid is the hash of bytes that were given.
    pub fn is_proven(self) -> bool {
        self.has(flag::PROVEN)
    }

    /// Iterates its inputs in order. A stub has none; a coinbase has one that spends nothing.
    pub fn inputs(self) -> impl ExactSizeIterator<Item = Input<'c>> + DoubleEndedIterator {
        let range = self.view.chain.inputs_of(self.index);
        let (first, count) = (range.start.to_u64(), range.end.at() - range.start.at());
        (0..count).map(move |at| Input { tx: self, index: InputIndex::from_u64(first + id::number(at)) })
    }

    /// Iterates its outputs in order. Of a stub, those that are known.
    pub fn outputs(self) -> impl ExactSizeIterator<Item = Output<'c>> + DoubleEndedIterator {
        let range = self.view.chain.outputs_of(self.index);
        let (first, count) = (range.start.to_u64(), range.end.at() - range.start.at());
        (0..count).map(move |at| Output {
            view: self.view,
            index: OutputIndex::from_u64(first + id::number(at)),
            tx: self.index,
        })
    }

    /// Returns the output at a vout, if there is one that is known.
    pub fn output(self, vout: u32) -> Option<Output<'c>> {
        let range = self.view.chain.outputs_of(self.index);
        let index = if self.is_stub() {
            let known = &self.view.chain.stub_vout[range.start.at()..range.end.at()];
            OutputIndex::of(range.start.at() + known.binary_search(&vout).ok()?)
        } else {
            OutputIndex::from_u64(range.start.to_u64() + u64::from(vout))
        };
        (index < range.end).then_some(Output { view: self.view, index, tx: self.index })
    }

    /// Returns the sum of the inputs; `None` for a coinbase, a stub, or when some prevout's value is unknown.
    pub fn input_value(self) -> Option<Amount> {
        if self.has(flag::BLIND | flag::COINBASE) || self.is_stub() {
            return None;
        }
        Some(self.inputs().filter_map(Input::value).sum())
    }

    /// Returns the sum of the outputs; `None` for a stub.
    pub fn output_value(self) -> Option<Amount> {
        if self.is_stub() {
            return None;
        }
        Some(self.outputs().filter_map(Output::value).sum())
    }

    /// Returns what the inputs are worth more than the outputs; `None` for a coinbase, a stub, or when some prevout's value
    /// is unknown.
    pub fn fee(self) -> Option<Amount> {
        // The builder refused inputs worth less than the outputs.
        Some(self.input_value()? - self.output_value()?)
    }

    fn has(self, flags: u8) -> bool {
        self.view.chain.flags[self.index.at()] & flags != 0
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("index", &self.index).field("txid", &self.txid()).finish_non_exhaustive()
    }
}

/// An input of a transaction.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy)]
pub struct Input<'c> {
    tx: Tx<'c>,
    index: InputIndex,
}

impl<'c> Input<'c> {
    /// Returns its position in the chain.
    pub fn index(self) -> InputIndex {
        self.index
    }

    /// Returns the transaction it belongs to.
    pub fn tx(self) -> Tx<'c> {
        self.tx
    }

    /// Returns the output it spends; `None` in a coinbase.
    pub fn prevout(self) -> Option<Output<'c>> {
        let view = self.tx.view;
        match view.chain.prevout[self.index.at()] {
            NO_OUTPUT => None,
            output => Some(view.output(OutputIndex::from_u64(output))),
        }
    }

    /// Returns the value of the output it spends, if known.
    pub fn value(self) -> Option<Amount> {
        match self.tx.view.chain.prevout[self.index.at()] {
            NO_OUTPUT => None,
            output => value(self.tx.view.chain, OutputIndex::from_u64(output)),
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outpoint = self.prevout().map(Output::outpoint);
        f.debug_struct("Input").field("tx", &self.tx.txid()).field("spends", &outpoint).finish_non_exhaustive()
    }
}

/// An output of a transaction.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy)]
pub struct Output<'c> {
    view: View<'c>,
    index: OutputIndex,
    tx: TxIndex,
}

impl<'c> Output<'c> {
    /// Returns its position in the chain.
    pub fn index(self) -> OutputIndex {
        self.index
    }

    /// Returns the transaction it belongs to.
    pub fn tx(self) -> Tx<'c> {
        self.view.cursor(self.tx)
    }

    /// Returns its number within the transaction.
    pub fn vout(self) -> u32 {
        let chain = self.view.chain;
        if chain.is_stub(self.tx) {
            return chain.stub_vout[self.index.at()];
        }
        let distance = self.index.to_u64() - chain.first_output[self.tx.at()];
        u32::try_from(distance).expect("a transaction has fewer than 2^32 outputs")
    }

    /// Returns its name.
    pub fn outpoint(self) -> OutPoint {
        OutPoint::new(self.tx().txid(), self.vout())
    }

    /// Returns its value; `None` for a stub's output of which no source told it.
    pub fn value(self) -> Option<Amount> {
        value(self.view.chain, self.index)
    }

    /// Returns its script; `None` for a stub's output of which no source told it.
    pub fn script(self) -> Option<&'c Script> {
        self.script_number().map(|number| self.view.chain.scripts.get(number))
    }

    /// Returns the kind of its script; `None` where the script is unknown.
    pub fn script_type(self) -> Option<ScriptType> {
        self.script_number().map(|number| self.view.chain.script_type[id::at(number)])
    }

    /// Returns the address it pays; `None` where the script is unknown or has no address.
    pub fn address_index(self) -> Option<AddressIndex> {
        let address = self.view.chain.script_address[id::at(self.script_number()?)];
        (address != NO_ADDRESS).then_some(AddressIndex::from_u32(address))
    }

    /// Returns the address it pays, written for the chain's network.
    pub fn address(self) -> Option<Address> {
        self.address_index().map(|index| self.view.address(index))
    }

    /// Tells what became of it, as far as the view can know.
    pub fn spent(self) -> Spent {
        let chain = self.view.chain;
        let spender = TxIndex::from_u32(chain.spender[self.index.at()]);
        if spender.to_u32() != NO_TX && self.view.sees(spender) {
            return Spent::By(spender);
        }
        if chain.unspent.binary_search(&self.index.to_u64()).is_ok() {
            return Spent::Unspent;
        }
        let complete = chain.complete.is_some_and(|(from, to)| {
            let to_tip = self.view.as_of.is_none_or(|height| (from..=to).contains(&height));
            to_tip && self.tx().height().is_some_and(|height| height >= from)
        });
        if complete { Spent::Unspent } else { Spent::Unknown }
    }

    /// Returns the visible transaction that spends it.
    pub fn spender(self) -> Option<Tx<'c>> {
        match self.spent() {
            Spent::By(index) => Some(self.view.cursor(index)),
            _ => None,
        }
    }

    /// Returns the txid of its spender where a source named it: of a supplied transaction or of one that is missing.
    ///
    /// Looks past the view's height, because it tells what could be fetched and is no part of a result.
    pub fn named_spender(self) -> Option<Txid> {
        match self.view.chain.spender[self.index.at()] {
            NO_TX => self.view.chain.named_spender(self.index),
            spender => Some(self.view.chain.txid[TxIndex::from_u32(spender).at()]),
        }
    }

    /// True when nothing can ever spend it: an `OP_RETURN`, a script over 10,000 bytes, the genesis block's output, or
    /// a coinbase that a later one of the same txid had overwritten before the view's end (BIP30).
    pub fn is_unspendable(self) -> bool {
        let tx = self.tx();
        let genesis = tx.is_coinbase() && tx.height() == Some(BlockHeight::from_u32(0));
        genesis || self.is_overwritten() || self.script().is_some_and(is_unspendable)
    }

    fn is_overwritten(self) -> bool {
        let by = self.view.chain.overwritten.iter().find(|(tx, _)| *tx == self.tx.to_u32());
        by.is_some_and(|(_, height)| self.view.as_of.is_none_or(|as_of| *height <= as_of)) && self.spender().is_none()
    }

    fn script_number(self) -> Option<u32> {
        Some(self.view.chain.script[self.index.at()]).filter(|number| *number != NO_SCRIPT)
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("outpoint", &self.outpoint())
            .field("value", &self.value())
            .finish_non_exhaustive()
    }
}

fn value(chain: &Chain, output: OutputIndex) -> Option<Amount> {
    Some(chain.value[output.at()]).filter(|sat| *sat != UNKNOWN_VALUE).map(Amount::from_sat)
}
