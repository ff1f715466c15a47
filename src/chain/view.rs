//! Looking at a frozen chain: all of it, or as of a height.

use std::fmt;

use bitcoin::{Address, Network, OutPoint, Script, Txid};

use super::columns::{NO_TX, flag};
use super::{Chain, Output, OutputSet, Tx};
use crate::id::{self, AddressIndex, BlockHeight, OutputIndex, TxIndex};
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
    pub(super) chain: &'c Chain,
    /// Transactions from here on are not visible.
    end: TxIndex,
    pub(super) as_of: Option<BlockHeight>,
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
    ///
    /// They have no height, so they are all visible as of any height, those too that only a later transaction spends.
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

    pub(super) fn cursor(self, index: TxIndex) -> Tx<'c> {
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
