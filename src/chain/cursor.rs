//! Cursors on a view: a transaction, an input, an output.

use std::fmt;

use bitcoin::{Address, Amount, OutPoint, Script, Txid};

use super::columns::{Columns, NO_ADDRESS, NO_TX, UNKNOWN_VALUE, flag};
use super::format::Column;
use super::script::is_unspendable;
use super::spend::Spend;
use super::{ScriptType, View};
use crate::id::{self, AddressIndex, BlockHeight, InputIndex, OutputIndex, TxIndex};

/// A transaction of a view.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy)]
pub struct Tx<'c> {
    pub(super) view: View<'c>,
    pub(super) index: TxIndex,
}

impl<'c> Tx<'c> {
    /// Returns the view that it is looked at through.
    pub fn view(self) -> View<'c> {
        self.view
    }

    /// Returns its position in chain order.
    pub fn index(self) -> TxIndex {
        self.index
    }

    /// Returns the txid.
    pub fn txid(self) -> Txid {
        self.columns().txid(self.index)
    }

    /// Returns the height of its block, if a source gave it.
    pub fn height(self) -> Option<BlockHeight> {
        self.has(flag::HEIGHT).then(|| BlockHeight::from_u32(self.columns().height_in_force(self.index)))
    }

    /// Returns its position in the block, if a source gave it.
    pub fn position(self) -> Option<u32> {
        self.columns().position(self.index)
    }

    /// Returns its block's time in seconds since 1970-01-01 UTC, if a source gave it.
    pub fn time(self) -> Option<u32> {
        self.columns().time(self.index)
    }

    /// True when it creates a block's new coins.
    pub fn is_coinbase(self) -> bool {
        self.has(flag::COINBASE)
    }

    /// True when nobody supplied it: its outputs are those that supplied transactions spend.
    pub fn is_stub(self) -> bool {
        self.columns().is_stub(self.index)
    }

    /// True when its txid is the hash of bytes that were given.
    pub fn is_proven(self) -> bool {
        self.has(flag::PROVEN)
    }

    /// Returns its version, if a source gave it.
    pub fn version(self) -> Option<i32> {
        let version = self.columns().numbers::<4>(Column::TxVersion).get_u32(self.index.at());
        self.has(flag::VERSION).then_some(i32::from_le_bytes(version.to_le_bytes()))
    }

    /// Returns its lock time as it stands in the bytes, if a source gave it.
    pub fn lock_time(self) -> Option<u32> {
        let lock_time = self.columns().numbers::<4>(Column::TxLockTime).get_u32(self.index.at());
        self.has(flag::VERSION).then_some(lock_time)
    }

    /// Returns its weight in weight units (BIP 141); `None` where its witness is unknown.
    pub fn weight(self) -> Option<u32> {
        Some(self.columns().numbers::<4>(Column::TxWeight).get_u32(self.index.at())).filter(|weight| *weight > 0)
    }

    /// Iterates its inputs in order. A stub has none; a coinbase has one that spends nothing.
    pub fn inputs(self) -> impl ExactSizeIterator<Item = Input<'c>> + DoubleEndedIterator {
        let range = self.columns().inputs_of(self.index);
        let (first, count) = (range.start.to_u64(), range.end.at() - range.start.at());
        (0..count).map(move |at| Input { tx: self, index: InputIndex::from_u64(first + id::number(at)) })
    }

    /// Iterates its outputs in order. Of a stub, those that are known.
    pub fn outputs(self) -> impl ExactSizeIterator<Item = Output<'c>> + DoubleEndedIterator {
        let range = self.columns().outputs_of(self.index);
        let (first, count) = (range.start.to_u64(), range.end.at() - range.start.at());
        (0..count).map(move |at| Output {
            view: self.view,
            index: OutputIndex::from_u64(first + id::number(at)),
            tx: self.index,
        })
    }

    /// What [`Input::value`] says of each input, in satoshi; its columns are looked up once.
    #[inline]
    pub(crate) fn input_sats(self) -> impl ExactSizeIterator<Item = Option<u64>> {
        self.of_inputs(Column::InputValue).map(|bytes| known_sat(*bytes))
    }

    /// What [`Input::address_index`] says of each input.
    #[inline]
    pub(crate) fn input_addresses(self) -> impl ExactSizeIterator<Item = Option<AddressIndex>> {
        self.of_inputs(Column::InputAddress).map(|bytes| known_address(*bytes))
    }

    /// What [`Input::script_type`] says of each input.
    #[inline]
    pub(crate) fn input_types(self) -> impl ExactSizeIterator<Item = Option<ScriptType>> {
        self.of_inputs::<1>(Column::InputType).map(|code| ScriptType::from_code(code[0].into()))
    }

    /// What [`Output::value`] says of each output, in satoshi.
    #[inline]
    pub(crate) fn output_sats(self) -> impl ExactSizeIterator<Item = Option<u64>> {
        self.of_outputs(Column::OutputValue).map(|bytes| known_sat(*bytes))
    }

    /// What [`Output::address_index`] says of each output.
    #[inline]
    pub(crate) fn output_addresses(self) -> impl ExactSizeIterator<Item = Option<AddressIndex>> {
        self.of_outputs(Column::OutputAddress).map(|bytes| known_address(*bytes))
    }

    /// What [`Output::script_type`] says of each output.
    #[inline]
    pub(crate) fn output_types(self) -> impl ExactSizeIterator<Item = Option<ScriptType>> {
        self.of_outputs::<1>(Column::OutputType).map(|code| ScriptType::from_code(code[0].into()))
    }

    fn of_inputs<const N: usize>(self, column: Column) -> std::slice::Iter<'c, [u8; N]> {
        let range = self.columns().inputs_of(self.index);
        self.columns().numbers::<N>(column).bytes()[range.start.at()..range.end.at()].iter()
    }

    fn of_outputs<const N: usize>(self, column: Column) -> std::slice::Iter<'c, [u8; N]> {
        let range = self.columns().outputs_of(self.index);
        self.columns().numbers::<N>(column).bytes()[range.start.at()..range.end.at()].iter()
    }

    /// Returns the output at a vout, if there is one that is known.
    pub fn output(self, vout: u32) -> Option<Output<'c>> {
        let range = self.columns().outputs_of(self.index);
        let index = if self.is_stub() {
            let known = self.columns().numbers::<4>(Column::StubVout).slice(range.start.at()..range.end.at());
            OutputIndex::of(range.start.at() + known.find(u64::from(vout))?)
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
        // The builder refuses inputs worth less than the outputs; a store that nobody verified might not.
        self.input_value()?.checked_sub(self.output_value()?)
    }

    fn has(self, flags: u8) -> bool {
        self.columns().flags(self.index) & flags != 0
    }

    fn columns(self) -> Columns<'c> {
        self.view.columns()
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("index", &self.index).field("txid", &self.txid()).finish_non_exhaustive()
    }
}

fn known_sat(bytes: [u8; 8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes)).filter(|sat| *sat != UNKNOWN_VALUE)
}

fn known_address(bytes: [u8; 4]) -> Option<AddressIndex> {
    let address = u32::from_le_bytes(bytes);
    (address != NO_ADDRESS).then_some(AddressIndex::from_u32(address))
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
        self.tx.columns().prevout(self.index).map(|output| self.tx.view.output(output))
    }

    /// The index of the output it spends, without a search for the transaction that made it.
    pub(crate) fn prevout_index(self) -> Option<OutputIndex> {
        self.tx.columns().prevout(self.index)
    }

    /// Returns the value of the output it spends, if known.
    pub fn value(self) -> Option<Amount> {
        let sat = self.tx.columns().numbers::<8>(Column::InputValue).get(self.index.at());
        (sat != UNKNOWN_VALUE).then_some(Amount::from_sat(sat))
    }

    /// Returns the address that the output it spends paid, if known.
    pub fn address_index(self) -> Option<AddressIndex> {
        let address = self.tx.columns().numbers::<4>(Column::InputAddress).get_u32(self.index.at());
        (address != NO_ADDRESS).then_some(AddressIndex::from_u32(address))
    }

    /// Returns the kind of script that it spends, if known.
    pub fn script_type(self) -> Option<ScriptType> {
        let code = self.tx.columns().bytes_of(Column::InputType)[self.index.at()];
        ScriptType::from_code(u16::from(code))
    }

    /// Returns what its sequence, scriptSig and witness show, if a source gave them.
    pub fn spend(self) -> Option<Spend> {
        let bits = self.tx.columns().numbers::<2>(Column::InputSpend).get_u32(self.index.at());
        Spend::from_bits(u16::try_from(bits).ok()?)
    }

    /// Returns the kind of the redeem script, where a P2SH output is spent and its script was revealed.
    pub fn redeem_type(self) -> Option<ScriptType> {
        self.spend()?.last_push().filter(|_| self.script_type() == Some(ScriptType::P2sh))
    }

    /// Returns the kind of the witness script, where a P2WSH output is spent, nested in P2SH or not.
    pub fn witness_script_type(self) -> Option<ScriptType> {
        let nested = self.redeem_type() == Some(ScriptType::P2wsh);
        let shown = self.spend()?.last_item();
        shown.filter(|_| nested || self.script_type() == Some(ScriptType::P2wsh))
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outpoint = self.prevout().map(Output::outpoint);
        f.debug_struct("Input").field("tx", &self.tx.txid()).field("spends", &outpoint).finish_non_exhaustive()
    }
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

/// An output of a transaction.
///
/// # Examples
///
/// See [`View`].
#[derive(Clone, Copy)]
pub struct Output<'c> {
    pub(super) view: View<'c>,
    pub(super) index: OutputIndex,
    pub(super) tx: TxIndex,
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
        let columns = self.view.columns();
        if columns.is_stub(self.tx) {
            return columns.numbers::<4>(Column::StubVout).get_u32(self.index.at());
        }
        let distance = self.index.to_u64() - columns.outputs_of(self.tx).start.to_u64();
        u32::try_from(distance).expect("a transaction has fewer than 2^32 outputs")
    }

    /// Returns its name.
    pub fn outpoint(self) -> OutPoint {
        OutPoint::new(self.tx().txid(), self.vout())
    }

    /// Returns its value; `None` for a stub's output of which no source told it.
    pub fn value(self) -> Option<Amount> {
        Some(self.view.columns().value(self.index)).filter(|sat| *sat != UNKNOWN_VALUE).map(Amount::from_sat)
    }

    /// Returns its script; `None` for a stub's output of which no source told it.
    pub fn script(self) -> Option<&'c Script> {
        self.view.columns().script(self.index)
    }

    /// Returns the kind of its script; `None` where the script is unknown.
    pub fn script_type(self) -> Option<ScriptType> {
        self.view.columns().script_type(self.index)
    }

    /// Returns the address it pays; `None` where the script is unknown or has no address.
    pub fn address_index(self) -> Option<AddressIndex> {
        self.view.columns().address_of(self.index)
    }

    /// Returns the address it pays, written for the chain's network.
    pub fn address(self) -> Option<Address> {
        self.address_index().map(|index| self.view.address(index))
    }

    /// True when no output before it, in chain order, pays its address; `None` where it has no address.
    pub fn is_first_of_address(self) -> Option<bool> {
        let first = self.view.columns().numbers::<5>(Column::AddressFirstOutput);
        Some(first.get(self.address_index()?.at()) == self.index.to_u64())
    }

    /// True when no transaction before its own, in chain order, pays its address; `None` where it has no address.
    ///
    /// Its own transaction may pay the address more than once; then this is true of each such output. Where previous transactions are missing, an output of
    /// such a one counts from the transaction on that spends it, for until then nobody knows of it. So the answer depends on nothing later, and what is new
    /// here may be old on the whole chain.
    ///
    /// # Complexity
    ///
    /// Two reads; only where a missing transaction is the first to pay the address, a search for its other outputs.
    pub fn is_of_new_address(self) -> Option<bool> {
        Some(self.is_new(self.address_index()?, self.view.columns().outputs_of(self.tx).start))
    }

    /// As [`is_of_new_address`](Self::is_of_new_address), for who knows its address and the first output of its transaction.
    #[inline]
    pub(crate) fn is_new(self, address: AddressIndex, start: OutputIndex) -> bool {
        let columns = self.view.columns();
        let first = OutputIndex::from_u64(columns.numbers::<5>(Column::AddressFirstOutput).get(address.at()));
        first >= start || (columns.is_of_stub(first) && !self.is_known_earlier(address, first, start))
    }

    /// True when an output before `start` pays the address and its own transaction or one before shows it.
    #[cold]
    fn is_known_earlier(self, address: AddressIndex, first: OutputIndex, start: OutputIndex) -> bool {
        let columns = self.view.columns();
        let shown = |output: OutputIndex| !columns.is_of_stub(output) || columns.spender(output) <= self.tx.to_u32();
        // Most addresses are paid once or twice, and the first look is the cheap one.
        shown(first) || columns.outputs_to(address).take_while(|output| *output < start).any(shown)
    }

    /// Tells what became of it, as far as the view can know.
    pub fn spent(self) -> Spent {
        let columns = self.view.columns();
        let spender = TxIndex::from_u32(columns.spender(self.index));
        if spender.to_u32() != NO_TX && self.view.sees(spender) {
            return Spent::By(spender);
        }
        if columns.is_said_unspent(self.index) {
            return Spent::Unspent;
        }
        let complete = self.view.complete().is_some_and(|(from, to)| {
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
        let columns = self.view.columns();
        match columns.spender(self.index) {
            NO_TX => columns.named_spender(self.index),
            spender => Some(columns.txid(TxIndex::from_u32(spender))),
        }
    }

    /// True when nothing can ever spend it: an `OP_RETURN`, a script over 10,000 bytes, the genesis block's output, or
    /// a coinbase that a later one of the same txid had overwritten before the view's end (BIP30).
    pub fn is_unspendable(self) -> bool {
        let tx = self.tx();
        let genesis = tx.is_coinbase() && tx.height() == Some(BlockHeight::from_u32(0));
        genesis || self.is_overwritten() || self.has_unspendable_script()
    }

    /// Only scripts of these types can be unspendable, and the types stand in a column of their own.
    pub(crate) fn has_unspendable_script(self) -> bool {
        match self.script_type() {
            Some(ScriptType::OpReturn) => true,
            Some(ScriptType::NonStandard | ScriptType::Multisig) => self.script().is_some_and(is_unspendable),
            _ => false,
        }
    }

    fn is_overwritten(self) -> bool {
        let by = self.view.columns().overwritten_at(self.tx);
        by.is_some_and(|height| self.view.as_of.is_none_or(|as_of| height <= as_of)) && self.spender().is_none()
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
