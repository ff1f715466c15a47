//! The frozen chain: a store's bytes, and the reading of its columns.
//!
//! Offsets (`tx_first_input`, `tx_first_output`) make the columns a compressed sparse graph: `input_prevout` are its edges
//! backwards, `output_spender` forwards. Stubs come first, so the transactions of known place are a suffix sorted by height and a view
//! as of a height is a prefix. The sentinels below never leave this module's siblings: the API says `None`.

use std::fmt;
use std::ops::Range;

use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{BlockHash, Network, OutPoint, Script, Txid};

use super::View;
use super::format::{ADDRESS_STRIDE, Column, Layout};
use super::script::ScriptType;
use crate::error::Error;
use crate::id::{self, AddressIndex, BlockHeight, InputIndex, OutputIndex, TxIndex};

pub(crate) const NO_TX: u32 = u32::MAX;
pub(crate) const NO_ADDRESS: u32 = u32::MAX;
pub(crate) const NO_TIME: u32 = u32::MAX;
pub(crate) const NO_POSITION: u32 = u32::MAX;
pub(crate) const NO_OUTPUT: u64 = (1 << 40) - 1;
pub(crate) const UNKNOWN_VALUE: u64 = u64::MAX;
pub(crate) const UNKNOWN_TYPE: u8 = u8::MAX;

/// What is so about a transaction, a bit each.
pub(crate) mod flag {
    pub(crate) const COINBASE: u8 = 1;
    pub(crate) const PROVEN: u8 = 2;
    pub(crate) const HEIGHT: u8 = 4;
    /// Some input's prevout has no known value, so neither the fee nor a share can be computed.
    pub(crate) const BLIND: u8 = 8;
    /// The version and the lock time are known.
    pub(crate) const VERSION: u8 = 16;
    pub(crate) const ALL: u8 = COINBASE | PROVEN | HEIGHT | BLIND | VERSION;
}

/// A frozen chain, or the part of one that was supplied: a [store](crate::_documentation::format)'s bytes with their
/// directory read.
///
/// Made by [`ChainBuilder::finish`](super::ChainBuilder::finish), or opened on bytes that [`Writer`](super::Writer) or [`write_to`](Chain::write_to) wrote: a
/// `Vec<u8>`, a `&[u8]`, a file mapped by whoever embeds this library. Nothing changes afterwards. It can be shared between
/// threads; every question goes through a [`View`].
///
/// # Examples
///
/// ```
/// use fundtrace::{Chain, ChainBuilder};
/// let chain = ChainBuilder::new().finish()?;
/// assert_eq!(chain.view().txs().count(), 0);
///
/// let mut store = Vec::new();
/// chain.write_to(&mut store)?;
/// let again = Chain::from_bytes(store.as_slice())?;
/// assert_eq!(again.digest(), chain.digest());
/// # Ok::<(), fundtrace::Error>(())
/// ```
#[derive(Clone)]
pub struct Chain<D = Vec<u8>> {
    bytes: D,
    layout: Layout,
}

impl<D: AsRef<[u8]>> Chain<D> {
    /// Opens a store. Only its header is read and checked, so the time does not depend on its size;
    /// [`verify`](Self::verify) checks the rest.
    ///
    /// # Errors
    ///
    /// [`Error::is_store`] when the bytes are no store, one of another version, or cut short, or when the header is damaged.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(fundtrace::Chain::from_bytes(b"{}".as_slice()).unwrap_err().is_store());
    /// ```
    pub fn from_bytes(bytes: D) -> Result<Self, Error> {
        let layout = Layout::read(bytes.as_ref())?;
        Ok(Self { bytes, layout })
    }

    /// Writes the store, the same bytes for the same facts.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`] when writing fails.
    pub fn write_to(&self, mut out: impl std::io::Write) -> Result<(), Error> {
        Ok(out.write_all(self.bytes.as_ref())?)
    }

    /// Returns the store's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Returns what it was opened on.
    pub fn into_bytes(self) -> D {
        self.bytes
    }

    /// Returns the hash of the store's header and directory. The directory has the hashes of all columns, so this names the
    /// store's content once [`verify`](Self::verify) has passed.
    pub fn store_hash(&self) -> sha256::Hash {
        self.layout.hash
    }

    /// Views all of it.
    pub fn view(&self) -> View<'_> {
        View::whole(self.columns())
    }

    /// Views it as of the end of the block at `height`: nothing later is visible, and a transaction whose height is unknown
    /// is left out (see [`View::left_out`]).
    pub fn as_of(&self, height: BlockHeight) -> View<'_> {
        View::as_of(self.columns(), height)
    }

    /// Returns the network, which decides how addresses are written and when the subsidy halves.
    pub fn network(&self) -> Network {
        self.layout.head.network
    }

    /// Returns the heights from and to which every block is here whole, if that was declared.
    pub fn complete(&self) -> Option<(BlockHeight, BlockHeight)> {
        self.layout.head.complete
    }

    /// Names everything that the chain was told: the same facts give the same hash, in whatever order and form they came.
    ///
    /// Where the chain is made of whole blocks from the genesis block on, each with its header and all transactions proven, the
    /// hash of the last block commits to all of it. Then it is SHA-256 over the line `fundtrace blocks 1`, the network's
    /// name and a newline, the last height (u32) and the last block's hash, in constant time.
    ///
    /// Otherwise it is SHA-256 over, all numbers little-endian: the line `fundtrace input 1`, the network's name and a newline; the declared
    /// complete heights (2 x u32, ones where none); for every transaction, stubs first: txid, height, position,
    /// time (u32 each, ones where unknown), whether proven (u8), the number of inputs (u64) and each one's outpoint, the number of
    /// outputs (u64) and each one's vout (u32), value (u64, ones where unknown), script length (u64) and script, a fate byte (0 unknown,
    /// 1 said to be unspent, 2 said to be spent by the txid that follows). Linear time.
    pub fn digest(&self) -> sha256::Hash {
        self.columns().digest()
    }

    pub(crate) fn columns(&self) -> Columns<'_> {
        Columns { bytes: self.bytes.as_ref(), layout: &self.layout }
    }
}

impl<D: AsRef<[u8]>> fmt::Debug for Chain<D> {
    /// Names its size and hash; its columns would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self.layout.head;
        f.debug_struct("Chain")
            .field("network", &head.network)
            .field("transactions", &(head.txs - head.stubs))
            .field("stubs", &head.stubs)
            .field("store_hash", &self.layout.hash)
            .finish_non_exhaustive()
    }
}

/// A chain's columns, borrowed from whatever holds its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'c> {
    bytes: &'c [u8],
    layout: &'c Layout,
}

/// A column of numbers of `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'c, const N: usize>(&'c [[u8; N]]);

impl<'c, const N: usize> Numbers<'c, N> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn bytes(self) -> &'c [[u8; N]] {
        self.0
    }

    /// The number at a position.
    ///
    /// # Panics
    ///
    /// When there is none: an index of another chain, or a damaged store, which `verify` would refuse.
    #[inline]
    pub(crate) fn get(self, at: usize) -> u64 {
        let mut number = [0; 8];
        number[..N].copy_from_slice(&self.0[at]);
        u64::from_le_bytes(number)
    }

    /// The number at a position of a column of four bytes or fewer.
    #[inline]
    pub(crate) fn get_u32(self, at: usize) -> u32 {
        let mut number = [0; 4];
        number[..N].copy_from_slice(&self.0[at]);
        u32::from_le_bytes(number)
    }

    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = u64> + Clone + 'c {
        (0..self.0.len()).map(move |at| self.get(at))
    }

    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        Self(&self.0[range])
    }

    /// The number of leading entries for which `before` holds, in a column where they all come first.
    pub(crate) fn partition_point(self, before: impl Fn(u64) -> bool) -> usize {
        self.0.partition_point(|bytes| {
            let mut number = [0; 8];
            number[..N].copy_from_slice(bytes);
            before(u64::from_le_bytes(number))
        })
    }

    /// The position of a number in an ascending column.
    pub(crate) fn find(self, number: u64) -> Option<usize> {
        let at = self.partition_point(|entry| entry < number);
        (at < self.len() && self.get(at) == number).then_some(at)
    }
}

impl<'c> Columns<'c> {
    pub(crate) fn layout(self) -> &'c Layout {
        self.layout
    }

    pub(crate) fn bytes_of(self, column: Column) -> &'c [u8] {
        &self.bytes[self.layout.range(column)]
    }

    pub(crate) fn numbers<const N: usize>(self, column: Column) -> Numbers<'c, N> {
        Numbers(self.bytes_of(column).as_chunks::<N>().0)
    }

    pub(crate) fn is_same(self, other: Columns<'_>) -> bool {
        std::ptr::eq(self.bytes, other.bytes)
    }

    pub(crate) fn txs(self) -> usize {
        id::at(self.layout.head.txs)
    }

    pub(crate) fn stubs(self) -> u32 {
        self.layout.head.stubs
    }

    pub(crate) fn is_stub(self, tx: TxIndex) -> bool {
        tx.to_u32() < self.stubs()
    }

    /// True when a stub made the output: stubs and what they pay come first.
    pub(crate) fn is_of_stub(self, output: OutputIndex) -> bool {
        output.to_u64() < self.numbers::<5>(Column::TxFirstOutput).get(id::at(self.stubs()))
    }

    pub(crate) fn txid(self, tx: TxIndex) -> Txid {
        Txid::from_byte_array(self.bytes_of(Column::Txid).as_chunks::<32>().0[tx.at()])
    }

    pub(crate) fn flags(self, tx: TxIndex) -> u8 {
        self.bytes_of(Column::TxFlags)[tx.at()]
    }

    pub(crate) fn inputs_of(self, tx: TxIndex) -> Range<InputIndex> {
        let first = self.numbers::<5>(Column::TxFirstInput);
        InputIndex::from_u64(first.get(tx.at()))..InputIndex::from_u64(first.get(tx.at() + 1))
    }

    pub(crate) fn outputs_of(self, tx: TxIndex) -> Range<OutputIndex> {
        let first = self.numbers::<5>(Column::TxFirstOutput);
        OutputIndex::from_u64(first.get(tx.at()))..OutputIndex::from_u64(first.get(tx.at() + 1))
    }

    /// The transaction that an output belongs to.
    pub(crate) fn tx_of_output(self, output: OutputIndex) -> TxIndex {
        let after = self.numbers::<5>(Column::TxFirstOutput).partition_point(|first| first <= output.to_u64());
        TxIndex::of(after - 1)
    }

    /// The position among the blocks of the one that a transaction stands in; `None` for a stub.
    pub(crate) fn block_of(self, tx: TxIndex) -> Option<usize> {
        let first = self.numbers::<4>(Column::BlockFirstTx);
        first.slice(0..first.len() - 1).partition_point(|first| first <= u64::from(tx.to_u32())).checked_sub(1)
    }

    /// The height in force of a transaction; of a stub, the least there is.
    pub(crate) fn height_in_force(self, tx: TxIndex) -> u32 {
        self.block_of(tx).map_or(0, |block| self.height_of_block(block))
    }

    pub(crate) fn height_of_block(self, block: usize) -> u32 {
        self.numbers::<4>(Column::BlockHeight).get_u32(block)
    }

    pub(crate) fn txs_of_block(self, block: usize) -> Range<TxIndex> {
        let first = self.numbers::<4>(Column::BlockFirstTx);
        TxIndex::from_u32(first.get_u32(block))..TxIndex::from_u32(first.get_u32(block + 1))
    }

    pub(crate) fn header(self, block: usize) -> Option<Header> {
        let bytes = self.bytes_of(Column::BlockHeader).as_chunks::<80>().0.get(block)?;
        Some(deserialize(bytes).expect("any 80 bytes are a header"))
    }

    pub(crate) fn blocks(self) -> usize {
        id::at(self.layout.head.blocks)
    }

    /// The last block with its hash, where the headers are here.
    pub(crate) fn tip(self) -> Option<(BlockHeight, BlockHash)> {
        let last = self.blocks().checked_sub(1)?;
        Some((BlockHeight::from_u32(self.height_of_block(last)), self.header(last)?.block_hash()))
    }

    pub(crate) fn position(self, tx: TxIndex) -> Option<u32> {
        let positions = self.numbers::<4>(Column::TxPosition);
        if positions.len() > 0 {
            return Some(positions.get_u32(tx.at())).filter(|position| *position != NO_POSITION);
        }
        let block = self.block_of(tx)?;
        Some(tx.to_u32() - self.txs_of_block(block).start.to_u32())
    }

    pub(crate) fn time(self, tx: TxIndex) -> Option<u32> {
        let times = self.numbers::<4>(Column::TxTime);
        if times.len() > 0 {
            return Some(times.get_u32(tx.at())).filter(|time| *time != NO_TIME);
        }
        Some(self.header(self.block_of(tx)?)?.time)
    }

    pub(crate) fn prevout(self, input: InputIndex) -> Option<OutputIndex> {
        let output = self.numbers::<5>(Column::InputPrevout).get(input.at());
        (output != NO_OUTPUT).then_some(OutputIndex::from_u64(output))
    }

    pub(crate) fn value(self, output: OutputIndex) -> u64 {
        self.numbers::<8>(Column::OutputValue).get(output.at())
    }

    pub(crate) fn spender(self, output: OutputIndex) -> u32 {
        self.numbers::<4>(Column::OutputSpender).get_u32(output.at())
    }

    pub(crate) fn script_type(self, output: OutputIndex) -> Option<ScriptType> {
        ScriptType::from_code(u16::from(self.bytes_of(Column::OutputType)[output.at()]))
    }

    pub(crate) fn address_of(self, output: OutputIndex) -> Option<AddressIndex> {
        let address = self.numbers::<4>(Column::OutputAddress).get_u32(output.at());
        (address != NO_ADDRESS).then_some(AddressIndex::from_u32(address))
    }

    pub(crate) fn script(self, output: OutputIndex) -> Option<&'c Script> {
        let script_type = self.script_type(output)?;
        match self.address_of(output) {
            Some(address) if script_type != ScriptType::P2pk => Some(self.address_script(address)),
            _ => {
                let at = self.numbers::<5>(Column::BareOutput).find(output.to_u64());
                Some(self.bare_script(at.expect("a script without an address of its own is kept")))
            }
        }
    }

    /// A script that is kept, by its position among those.
    pub(crate) fn bare_script(self, at: usize) -> &'c Script {
        let first = self.numbers::<5>(Column::BareFirstByte);
        let range = id::at(first.get(at))..id::at(first.get(at + 1));
        Script::from_bytes(&self.bytes_of(Column::BareBytes)[range])
    }

    pub(crate) fn addresses(self) -> usize {
        id::at(self.layout.head.addresses)
    }

    pub(crate) fn address_script(self, address: AddressIndex) -> &'c Script {
        let lengths = self.bytes_of(Column::AddressLength);
        let stride = id::at(ADDRESS_STRIDE);
        let nearest = address.at() / stride;
        let before = &lengths[nearest * stride..address.at()];
        let start = id::at(self.numbers::<5>(Column::AddressFirstByte).get(nearest))
            + before.iter().map(|length| usize::from(*length)).sum::<usize>();
        let end = start + usize::from(lengths[address.at()]);
        Script::from_bytes(&self.bytes_of(Column::AddressBytes)[start..end])
    }

    /// The outputs that pay an address, ascending.
    pub(crate) fn outputs_to(self, address: AddressIndex) -> impl Iterator<Item = OutputIndex> + Clone + 'c {
        let first = self.numbers::<5>(Column::AddressFirstOutput).get(address.at());
        let again = self.numbers::<4>(Column::AgainAddress);
        let number = u64::from(address.to_u32());
        let range = again.partition_point(|entry| entry < number)..again.partition_point(|entry| entry <= number);
        std::iter::once(first)
            .chain(self.numbers::<5>(Column::AgainOutput).slice(range).iter())
            .map(OutputIndex::from_u64)
    }

    pub(crate) fn is_said_unspent(self, output: OutputIndex) -> bool {
        self.numbers::<5>(Column::SaidUnspent).find(output.to_u64()).is_some()
    }

    pub(crate) fn named_spender(self, output: OutputIndex) -> Option<Txid> {
        let at = self.numbers::<5>(Column::SaidSpent).find(output.to_u64())?;
        Some(Txid::from_byte_array(self.bytes_of(Column::SaidSpender).as_chunks::<32>().0[at]))
    }

    /// The height at which a later coinbase of the same txid made this one unspendable.
    pub(crate) fn overwritten_at(self, tx: TxIndex) -> Option<BlockHeight> {
        let at = self.numbers::<4>(Column::OverwrittenTx).find(u64::from(tx.to_u32()))?;
        Some(BlockHeight::from_u32(self.numbers::<4>(Column::OverwrittenHeight).get_u32(at)))
    }

    pub(crate) fn totals(self) -> Numbers<'c, 8> {
        self.numbers(Column::Totals)
    }

    pub(crate) fn digest(self) -> sha256::Hash {
        let head = &self.layout.head;
        let mut engine = sha256::Hash::engine();
        let proven = self.totals().get(super::counts::PROVEN) == id::number(self.txs());
        if let (Some((from, to)), Some((tip, hash)), true) = (head.complete, self.tip(), proven)
            && (from.to_u32(), to) == (0, tip)
        {
            engine.input(b"fundtrace blocks 1\n");
            engine.input(head.network.to_string().as_bytes());
            engine.input(b"\n");
            engine.input(&tip.to_u32().to_le_bytes());
            engine.input(hash.as_byte_array());
            return sha256::Hash::from_engine(engine);
        }
        engine.input(b"fundtrace input 1\n");
        engine.input(head.network.to_string().as_bytes());
        engine.input(b"\n");
        let unknown = (BlockHeight::from_u32(u32::MAX), BlockHeight::from_u32(u32::MAX));
        let (from, to) = head.complete.unwrap_or(unknown);
        engine.input(&from.to_u32().to_le_bytes());
        engine.input(&to.to_u32().to_le_bytes());
        for at in 0..self.txs() {
            self.digest_tx(TxIndex::of(at), &mut engine);
        }
        sha256::Hash::from_engine(engine)
    }

    fn digest_tx(self, tx: TxIndex, engine: &mut sha256::HashEngine) {
        let view = View::whole(self);
        let cursor = view.tx(tx);
        engine.input(self.txid(tx).as_byte_array());
        let height = cursor.height().map_or(u32::MAX, BlockHeight::to_u32);
        let position = cursor.position().unwrap_or(NO_POSITION);
        for number in [height, position, cursor.time().unwrap_or(NO_TIME)] {
            engine.input(&number.to_le_bytes());
        }
        engine.input(&[u8::from(self.flags(tx) & flag::PROVEN != 0)]);
        engine.input(&id::number(cursor.inputs().len()).to_le_bytes());
        for input in cursor.inputs() {
            let outpoint = input.prevout().map_or(OutPoint::null(), |output| output.outpoint());
            engine.input(outpoint.txid.as_byte_array());
            engine.input(&outpoint.vout.to_le_bytes());
        }
        engine.input(&id::number(cursor.outputs().len()).to_le_bytes());
        for output in cursor.outputs() {
            engine.input(&output.vout().to_le_bytes());
            engine.input(&self.value(output.index()).to_le_bytes());
            let script = output.script().map_or(&[][..], |script| script.as_bytes());
            engine.input(&id::number(script.len()).to_le_bytes());
            engine.input(script);
            match (self.is_said_unspent(output.index()), self.named_spender(output.index())) {
                (true, _) => engine.input(&[1]),
                (_, Some(spender)) => {
                    engine.input(&[2]);
                    engine.input(spender.as_byte_array());
                }
                _ => engine.input(&[0]),
            }
        }
    }
}
