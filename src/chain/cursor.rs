//! Cursors on a view: a transaction, an input, an output.

use std::fmt;

use bitcoin::{Address, Amount, OutPoint, Script, Txid};

use super::columns::{NO_ADDRESS, NO_OUTPUT, NO_POSITION, NO_SCRIPT, NO_TIME, NO_TX, UNKNOWN_VALUE, flag};
use super::script::is_unspendable;
use super::{Chain, ScriptType, View};
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
