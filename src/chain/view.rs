//! Looking at a frozen chain: all of it, or as of a height.

use std::convert::Infallible;
use std::fmt;

use bitcoin::block::Header;
use bitcoin::hashes::sha256;
use bitcoin::{Address, Amount, Network, OutPoint, Script, Txid};

use super::columns::{Columns, NO_ADDRESS, NO_TX, Numbers, UNKNOWN_VALUE, flag};
use super::format::Column;
use super::script::ScriptType;
use super::{Counts, Output, OutputSet, Tx};
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
    columns: Columns<'c>,
    /// Transactions from here on are not visible.
    end: TxIndex,
    pub(super) as_of: Option<BlockHeight>,
}

impl<'c> View<'c> {
    pub(super) fn whole(columns: Columns<'c>) -> Self {
        Self { columns, end: TxIndex::of(columns.txs()), as_of: None }
    }

    pub(super) fn as_of(columns: Columns<'c>, height: BlockHeight) -> Self {
        let heights = columns.numbers::<4>(Column::BlockHeight);
        let blocks = heights.partition_point(|h| h <= u64::from(height.to_u32()));
        // Stubs have no height and always stand before the end.
        let end = TxIndex::from_u32(columns.numbers::<4>(Column::BlockFirstTx).get_u32(blocks));
        Self { columns, end, as_of: Some(height) }
    }

    pub(crate) fn columns(self) -> Columns<'c> {
        self.columns
    }

    /// Views the whole of the same chain.
    #[must_use]
    pub fn unbounded(self) -> Self {
        Self::whole(self.columns)
    }

    /// True when both look at the same chain in memory, if as of different heights.
    pub fn is_of_same_chain(self, other: View<'_>) -> bool {
        self.columns.is_same(other.columns)
    }

    /// Returns the height as of which the chain is viewed; `None` for the whole.
    pub fn height(self) -> Option<BlockHeight> {
        self.as_of
    }

    /// Returns the heights from and to which every block of the chain is here whole, if that was declared.
    pub fn complete(self) -> Option<(BlockHeight, BlockHeight)> {
        self.columns.layout().head.complete
    }

    /// Returns what [`Chain::digest`](super::Chain::digest) does, of the whole chain.
    pub fn digest(self) -> sha256::Hash {
        self.columns.digest()
    }

    /// Counts what the whole chain holds and how well it is known, in constant time.
    pub fn counts(self) -> Counts {
        Counts::of(self.columns)
    }

    /// Returns the greatest known height of a transaction in the view.
    pub fn tip(self) -> Option<BlockHeight> {
        (id::at(self.columns.stubs())..self.end.at()).rev().find_map(|at| self.cursor(TxIndex::of(at)).height())
    }

    /// Returns the header of the block at a height, where the chain has headers and the view sees it.
    pub fn header(self, height: BlockHeight) -> Option<Header> {
        let visible = self.as_of.is_none_or(|as_of| height <= as_of);
        let block = self.columns.numbers::<4>(Column::BlockHeight).find(u64::from(height.to_u32()))?;
        self.columns.header(block).filter(|_| visible)
    }

    /// Returns the network.
    pub fn network(self) -> Network {
        self.columns.layout().head.network
    }

    /// Returns the transaction at an index of this chain.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn tx(self, index: TxIndex) -> Tx<'c> {
        assert!(index.at() < self.columns.txs(), "transaction index {index} is not from this chain");
        self.cursor(index)
    }

    /// Returns the output at an index of this chain. Logarithmic in the number of transactions.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn output(self, index: OutputIndex) -> Output<'c> {
        let known = index.to_u64() < self.columns.layout().head.outputs;
        assert!(known, "output index {index} is not from this chain");
        Output { view: self, index, tx: self.columns.tx_of_output(index) }
    }

    /// The output at an index, of which the transaction is known.
    pub(crate) fn output_in(self, index: OutputIndex, tx: TxIndex) -> Output<'c> {
        Output { view: self, index, tx }
    }

    /// Finds a visible transaction by txid; the later of a BIP30 pair.
    pub fn tx_at(self, txid: &Txid) -> Option<Tx<'c>> {
        self.columns.find_txs(txid).rev().map(|index| self.cursor(index)).find(|tx| self.sees(tx.index))
    }

    /// Finds an output by outpoint; of a stub too, if something spends it.
    pub fn output_at(self, outpoint: OutPoint) -> Option<Output<'c>> {
        self.tx_at(&outpoint.txid)?.output(outpoint.vout)
    }

    /// Iterates the visible supplied transactions in chain order; stubs are not among them.
    pub fn txs(self) -> impl DoubleEndedIterator<Item = Tx<'c>> {
        (self.columns.stubs()..self.end.to_u32())
            .map(TxIndex::from_u32)
            .filter(move |index| self.sees(*index))
            .map(move |index| self.cursor(index))
    }

    /// Iterates the stubs: transactions that nobody supplied and that a supplied one spends.
    ///
    /// They have no height, so they are all visible as of any height, those too that only a later transaction spends.
    pub fn stubs(self) -> impl ExactSizeIterator<Item = Tx<'c>> {
        (0..self.columns.stubs()).map(move |index| self.cursor(TxIndex::from_u32(index)))
    }

    /// Iterates the transactions that a view as of a height leaves out because their own height is unknown.
    ///
    /// Empty when the whole chain is viewed.
    pub fn left_out(self) -> impl Iterator<Item = Tx<'c>> {
        // Most chains know every height and need not be searched.
        let searched = self.as_of.is_some() && self.counts().heights_unknown > 0;
        let from = if searched { self.columns.stubs() } else { NO_TX };
        (from..TxIndex::of(self.columns.txs()).to_u32())
            .map(move |index| self.cursor(TxIndex::from_u32(index)))
            .filter(|tx| tx.height().is_none())
    }

    /// Iterates the visible transactions of a block, in block order.
    pub fn block(self, height: BlockHeight) -> impl Iterator<Item = Tx<'c>> {
        let block = self.columns.numbers::<4>(Column::BlockHeight).find(u64::from(height.to_u32()));
        let txs = block.map_or(TxIndex::default()..TxIndex::default(), |block| self.columns.txs_of_block(block));
        (txs.start.to_u32()..txs.end.min(self.end).to_u32())
            .map(move |at| self.cursor(TxIndex::from_u32(at)))
            .filter(|tx| tx.height().is_some())
    }

    /// Returns the visible outputs that pay this script, byte for byte. As of a height, those of a stub that a visible transaction spends.
    pub fn outputs_to(self, script: &Script) -> OutputSet {
        let columns = self.columns;
        let paying = |output: &OutputIndex| columns.script(*output) == Some(script);
        if ScriptType::of(script) != ScriptType::P2pk
            && let Some(address) = columns.find_address(script)
        {
            return self.seen(columns.outputs_to(address)).filter(paying).collect();
        }
        self.seen(columns.find_bare(script)).filter(paying).collect()
    }

    /// Finds an address that some output of the chain pays; of a script, through its address.
    ///
    /// The address must be of this chain's network; `None` otherwise.
    pub fn address_index(self, script: &Script) -> Option<AddressIndex> {
        self.columns.find_address(script)
    }

    /// Returns the address at an index of this chain.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn address(self, index: AddressIndex) -> Address {
        let script = self.columns.address_script(index);
        Address::from_script(script, self.network()).expect("only scripts with an address are numbered")
    }

    /// Returns how many different addresses the whole chain pays.
    pub fn addresses(self) -> usize {
        self.columns.addresses()
    }

    /// Returns how many different addresses are paid before the view's end: all with a smaller index. Logarithmic.
    ///
    /// In a view as of a height those of a transaction without a height count too, where it stands before the end. And so do those that stubs pay, even where
    /// only a later transaction spends from one: stubs come first in chain order. So where previous transactions are missing, later blocks bring addresses
    /// into an earlier view, and the numbers of all others shift.
    ///
    /// # Examples
    ///
    /// ```
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// assert_eq!(chain.view().addresses_seen(), 0);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn addresses_seen(self) -> usize {
        let end = id::number(self.end_of(Column::TxFirstOutput));
        self.columns.numbers::<5>(Column::AddressFirstOutput).partition_point(|first| first < end)
    }

    /// The blocks before the view's end: height, the first transaction after it, and how many addresses are paid until then. Blocks that hold no
    /// transaction are not among them.
    pub(crate) fn blocks_seen(self) -> impl Iterator<Item = (BlockHeight, TxIndex, usize)> + 'c {
        let columns = self.columns;
        let first_output = columns.numbers::<5>(Column::TxFirstOutput);
        let first_paid = columns.numbers::<5>(Column::AddressFirstOutput);
        (0..columns.blocks())
            .map(move |block| (block, columns.txs_of_block(block)))
            .filter(|(_, txs)| !txs.is_empty())
            .map_while(move |(block, txs)| {
                let output = first_output.get(txs.end.at());
                let addresses = first_paid.partition_point(|first| first < output);
                let height = BlockHeight::from_u32(columns.height_of_block(block));
                (txs.end <= self.end).then_some((height, txs.end, addresses))
            })
    }

    /// The output that first pays an address.
    pub(crate) fn first_output_to(self, address: AddressIndex) -> Output<'c> {
        self.output(OutputIndex::from_u64(self.columns.numbers::<5>(Column::AddressFirstOutput).get(address.at())))
    }

    /// The script that stands for an address.
    pub(crate) fn address_script(self, address: AddressIndex) -> &'c Script {
        self.columns.address_script(address)
    }

    /// Returns the visible outputs that pay this address, whichever script they use. As of a height, those of a stub that a visible transaction spends.
    ///
    /// # Panics
    ///
    /// When the index is not from this chain.
    pub fn outputs_of(self, address: AddressIndex) -> OutputSet {
        self.seen(self.columns.outputs_to(address)).collect()
    }

    /// Whether exactly one visible output pays an address. Looks at two at most.
    pub(crate) fn is_paid_once(self, address: AddressIndex) -> bool {
        self.seen(self.columns.outputs_to(address)).take(2).count() == 1
    }

    /// Iterates the value and the address of every visible output, in chain order, without a look at anything else.
    ///
    /// # Examples
    ///
    /// ```
    /// let chain = fundtrace::ChainBuilder::new().finish()?;
    /// assert_eq!(chain.view().output_values().count(), 0);
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn output_values(self) -> impl Iterator<Item = (Option<Amount>, Option<AddressIndex>)> + 'c {
        let end = self.end_of(Column::TxFirstOutput);
        let value = self.columns.numbers::<8>(Column::OutputValue).slice(0..end);
        let address = self.columns.numbers::<4>(Column::OutputAddress).slice(0..end);
        pairs(value, address)
    }

    /// Iterates the value and the address of what every visible input spends, in chain order: one sequential pass, because the store
    /// repeats both on the input's side. A coinbase's input has neither.
    pub fn input_values(self) -> impl Iterator<Item = (Option<Amount>, Option<AddressIndex>)> + 'c {
        let end = self.end_of(Column::TxFirstInput);
        let value = self.columns.numbers::<8>(Column::InputValue).slice(0..end);
        let address = self.columns.numbers::<4>(Column::InputAddress).slice(0..end);
        pairs(value, address)
    }

    fn end_of(self, first: Column) -> usize {
        id::at(self.columns.numbers::<5>(first).get(self.end.at()))
    }

    fn seen(self, outputs: impl Iterator<Item = OutputIndex>) -> impl Iterator<Item = OutputIndex> {
        outputs.filter(move |output| {
            let by = TxIndex::from_u32(self.columns.spender(*output));
            // Of an output of a stub nothing is known before the transaction that spends it.
            let hidden = self.as_of.is_some() && self.columns.is_of_stub(*output) && !self.sees(by);
            !hidden && self.sees(self.columns.tx_of_output(*output))
        })
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

    /// Asks every visible supplied transaction, on the caller's rayon pool, for any number of answers, and returns them in chain order: for
    /// questions to which most transactions have nothing to say.
    ///
    /// Morally `self.txs().for_each(|tx| f(tx, &mut all))`.
    ///
    /// # Examples
    ///
    /// ```
    /// let chain = fundtrace::ChainBuilder::new().finish().unwrap();
    /// let large = chain.view().gather(|tx, found| found.extend(tx.fee().filter(|fee| fee.to_sat() > 1_000_000)));
    /// assert!(large.is_empty());
    /// ```
    pub fn gather<T: Send>(self, f: impl Fn(Tx<'c>, &mut Vec<T>) + Send + Sync) -> Vec<T> {
        self.gather_with(|| (), |(), tx, found| f(tx, found))
    }

    /// As [`gather`](Self::gather), with something that `f` may keep from one transaction to the next. Answers must not depend on it.
    pub(crate) fn gather_with<S, T: Send>(
        self,
        keep: impl Fn() -> S + Send + Sync,
        f: impl Fn(&mut S, Tx<'c>, &mut Vec<T>) + Send + Sync,
    ) -> Vec<T> {
        // Long enough that a list costs nothing, short enough that no thread waits for another.
        const STEP: u32 = 2_048;
        // So many answers have room at once.
        const FOUND: usize = 128;
        // While so many parts are asked, the answers of those before are joined.
        const PARTS: usize = 64;
        let (first, end) = (self.columns.stubs(), self.end.to_u32());
        let parts: Vec<u32> = (first..end).step_by(id::at(STEP)).collect();
        let ask = |from: u32| {
            let (mut kept, mut found) = (keep(), Vec::with_capacity(FOUND));
            for index in (from..end.min(from.saturating_add(STEP))).map(TxIndex::from_u32) {
                if self.sees(index) {
                    f(&mut kept, self.cursor(index), &mut found);
                }
            }
            found
        };
        let mut all = Vec::new();
        let join = |mut part: Vec<T>| {
            all.append(&mut part);
            Ok::<(), Infallible>(())
        };
        let Ok(()) = par::ahead(parts.chunks(PARTS).map(<[u32]>::to_vec), ask, join);
        all
    }

    /// The index one above the last visible transaction.
    pub(crate) fn end(self) -> TxIndex {
        self.end
    }

    pub(crate) fn sees(self, index: TxIndex) -> bool {
        let placed = self.as_of.is_none() || self.columns.flags(index) & flag::HEIGHT != 0;
        self.columns.is_stub(index) || (index < self.end && placed)
    }

    pub(super) fn cursor(self, index: TxIndex) -> Tx<'c> {
        Tx { view: self, index }
    }
}

/// Two columns side by side, with their sentinels turned into `None`.
fn pairs<'c>(
    value: Numbers<'c, 8>,
    address: Numbers<'c, 4>,
) -> impl Iterator<Item = (Option<Amount>, Option<AddressIndex>)> + 'c {
    value.bytes().iter().zip(address.bytes()).map(|(value, address)| {
        let (sat, address) = (u64::from_le_bytes(*value), u32::from_le_bytes(*address));
        let value = (sat != UNKNOWN_VALUE).then_some(Amount::from_sat(sat));
        (value, (address != NO_ADDRESS).then_some(AddressIndex::from_u32(address)))
    })
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("as_of", &self.as_of).field("end", &self.end).finish_non_exhaustive()
    }
}
