//! The columns that taint touches, looked up once.
//!
//! Numbers here are positions as the columns have them; the fast engines work on them directly, where cursors would look a column up for
//! every question.

use std::ops::Range;

use super::View;
use super::columns::{NO_ADDRESS, NO_OUTPUT, NO_TX, Numbers, flag};
use super::format::Column;
use super::script::{ScriptType, is_unspendable};
use crate::id::{self, AddressIndex, OutputIndex, TxIndex};

/// What an engine reads of a view.
#[derive(Clone, Copy)]
pub(crate) struct Hot<'c> {
    view: View<'c>,
    first_input: Numbers<'c, 5>,
    first_output: Numbers<'c, 5>,
    prevout: Numbers<'c, 5>,
    input_value: Numbers<'c, 8>,
    value: Numbers<'c, 8>,
    spender: Numbers<'c, 4>,
    flags: &'c [u8],
    output_type: &'c [u8],
    /// Whether some transaction that stands before the view's end might not be in the view.
    gaps: bool,
    /// From here on an output without a spender is unspent, because the chain is complete.
    unspent_from: TxIndex,
    /// The first output of that transaction.
    unspent_outputs_from: OutputIndex,
    /// Whether a source said of some outputs that they are unspent.
    said: bool,
}

impl<'c> Hot<'c> {
    pub(crate) fn of(view: View<'c>) -> Self {
        let columns = view.columns();
        let covers =
            view.complete().filter(|(from, to)| view.height().is_none_or(|height| (*from..=*to).contains(&height)));
        let unspent_from = covers.map_or(TxIndex::from_u32(NO_TX), |(from, _)| {
            let heights = columns.numbers::<4>(Column::BlockHeight);
            let block = heights.partition_point(|height| height < u64::from(from.to_u32()));
            TxIndex::from_u32(columns.numbers::<4>(Column::BlockFirstTx).get_u32(block))
        });
        let first_output = columns.numbers::<5>(Column::TxFirstOutput);
        let unspent_outputs_from = match unspent_from.to_u32() {
            NO_TX => OutputIndex::from_u64(NO_OUTPUT),
            _ => OutputIndex::from_u64(first_output.get(unspent_from.at())),
        };
        Self {
            view,
            first_input: columns.numbers(Column::TxFirstInput),
            first_output,
            prevout: columns.numbers(Column::InputPrevout),
            input_value: columns.numbers(Column::InputValue),
            value: columns.numbers(Column::OutputValue),
            spender: columns.numbers(Column::OutputSpender),
            flags: columns.bytes_of(Column::TxFlags),
            output_type: columns.bytes_of(Column::OutputType),
            gaps: view.counts().heights_unknown > 0,
            unspent_from,
            unspent_outputs_from,
            said: columns.numbers::<5>(Column::SaidUnspent).len() > 0,
        }
    }

    #[inline]
    pub(crate) fn inputs(&self, tx: TxIndex) -> Range<usize> {
        id::at(self.first_input.get(tx.at()))..id::at(self.first_input.get(tx.at() + 1))
    }

    #[inline]
    pub(crate) fn outputs(&self, tx: TxIndex) -> Range<usize> {
        id::at(self.first_output.get(tx.at()))..id::at(self.first_output.get(tx.at() + 1))
    }

    /// The first input after those of a transaction.
    #[inline]
    pub(crate) fn inputs_end(&self, tx: TxIndex) -> usize {
        id::at(self.first_input.get(tx.at() + 1))
    }

    /// Whether every transaction that stands before the view's end is in the view.
    pub(crate) fn is_gapless(&self) -> bool {
        !self.gaps
    }

    /// Whether no transaction of a range is blind but its coinbases, at which no taint arrives.
    pub(crate) fn sees_all(&self, txs: Range<TxIndex>) -> bool {
        let flags = &self.flags[txs.start.at()..txs.end.at()];
        flags.iter().all(|flags| flags & (flag::BLIND | flag::COINBASE) != flag::BLIND)
    }

    /// The first inputs and the first outputs after those of each transaction of a range.
    pub(crate) fn ends_of(&self, txs: Range<TxIndex>) -> (&'c [[u8; 5]], &'c [[u8; 5]]) {
        let after = txs.start.at() + 1..txs.end.at() + 1;
        (&self.first_input.bytes()[after.clone()], &self.first_output.bytes()[after])
    }

    /// What each of some inputs spends; beyond the last output in a coinbase.
    #[inline]
    pub(crate) fn prevouts(&self, inputs: Range<usize>) -> &'c [[u8; 5]] {
        &self.prevout.bytes()[inputs]
    }

    /// As [`input_value`](Self::input_value), of each of some inputs.
    #[inline]
    pub(crate) fn input_values(&self, inputs: Range<usize>) -> &'c [[u8; 8]] {
        &self.input_value.bytes()[inputs]
    }

    /// As [`value`](Self::value), of each of some outputs.
    #[inline]
    pub(crate) fn values(&self, outputs: Range<usize>) -> &'c [[u8; 8]] {
        &self.value.bytes()[outputs]
    }

    /// How many outputs the chain has.
    pub(crate) fn outputs_len(&self) -> usize {
        self.value.len()
    }

    /// What an input spends; `None` in a coinbase.
    #[inline]
    pub(crate) fn prevout(&self, input: usize) -> Option<OutputIndex> {
        let output = self.prevout.get(input);
        (output != NO_OUTPUT).then_some(OutputIndex::from_u64(output))
    }

    /// The value of what an input spends; only where the transaction is not blind.
    #[inline]
    pub(crate) fn input_value(&self, input: usize) -> u64 {
        self.input_value.get(input)
    }

    /// The value of an output, where it is known: of a transaction that is no stub, of a seed, of what a known input spends.
    #[inline]
    pub(crate) fn value(&self, output: usize) -> u64 {
        self.value.get(output)
    }

    /// True when one of some outputs carries data.
    #[inline]
    pub(crate) fn has_data(&self, outputs: Range<usize>) -> bool {
        self.output_type[outputs].contains(&(ScriptType::OpReturn as u8))
    }

    /// True when a transaction creates a block's new coins.
    #[inline]
    pub(crate) fn is_coinbase(&self, tx: TxIndex) -> bool {
        self.flags[tx.at()] & flag::COINBASE != 0
    }

    /// The visible transaction that spends an output.
    #[inline]
    pub(crate) fn spender(&self, output: usize) -> Option<TxIndex> {
        let spender = self.spender.get_u32(output);
        if spender == NO_TX {
            return None;
        }
        let spender = TxIndex::from_u32(spender);
        let hidden = self.view.height().is_some()
            && (spender >= self.view.end() || (self.gaps && self.flags[spender.at()] & flag::HEIGHT == 0));
        (!hidden).then_some(spender)
    }

    /// True when nothing can be shared out at this transaction: some prevout's value is unknown.
    #[inline]
    pub(crate) fn is_blind(&self, tx: TxIndex) -> bool {
        self.flags[tx.at()] & (flag::BLIND | flag::COINBASE) != 0
    }

    /// True when nothing can spend an output because of its script. Its length decides only where the type leaves it open.
    #[inline]
    pub(crate) fn is_unspendable(&self, output: usize) -> bool {
        const RETURN: u8 = ScriptType::OpReturn as u8;
        const OPEN: [u8; 2] = [ScriptType::NonStandard as u8, ScriptType::Multisig as u8];
        let of = self.output_type[output];
        of == RETURN || (OPEN.contains(&of) && self.has_unspendable_script(output))
    }

    #[cold]
    fn has_unspendable_script(&self, output: usize) -> bool {
        self.view.columns().script(OutputIndex::of(output)).is_some_and(is_unspendable)
    }

    /// As [`is_unspent`](Self::is_unspent), in a chain without gaps.
    #[inline]
    pub(crate) fn is_unspent_output(&self, output: OutputIndex) -> bool {
        output >= self.unspent_outputs_from || (self.said && self.view.columns().is_said_unspent(output))
    }

    /// Of an output that no visible transaction spends: whether that is known to be so.
    #[inline]
    pub(crate) fn is_unspent(&self, output: OutputIndex, tx: TxIndex) -> bool {
        let complete = tx >= self.unspent_from && (!self.gaps || self.flags[tx.at()] & flag::HEIGHT != 0);
        complete || (self.said && self.view.columns().is_said_unspent(output))
    }
}

/// Who pays in each transaction: the addresses that its inputs spend from.
#[derive(Clone, Copy)]
pub(crate) struct Payers<'c> {
    view: View<'c>,
    first_input: Numbers<'c, 5>,
    address: &'c [[u8; 4]],
    /// Whether some transaction that stands before the view's end might not be in the view.
    gaps: bool,
}

impl<'c> Payers<'c> {
    pub(crate) fn of(view: View<'c>) -> Self {
        let columns = view.columns();
        Self {
            view,
            first_input: columns.numbers(Column::TxFirstInput),
            address: columns.numbers::<4>(Column::InputAddress).bytes(),
            gaps: view.height().is_some() && view.counts().heights_unknown > 0,
        }
    }

    /// The positions of the supplied transactions before the view's end.
    pub(crate) fn txs(&self) -> Range<usize> {
        let first = id::at(self.view.columns().stubs());
        first..self.view.end().at().max(first)
    }

    /// Calls `each` with every visible transaction of a range, in order, and the known addresses of its inputs, as often as they occur.
    ///
    /// Morally `view.txs().for_each(|tx| each(tx, tx.inputs().filter_map(Input::address_index)))`.
    #[inline]
    pub(crate) fn each(&self, range: Range<usize>, mut each: impl FnMut(TxIndex, &[AddressIndex])) {
        let mut known = Vec::new();
        let mut start = if range.is_empty() { 0 } else { id::at(self.first_input.get(range.start)) };
        for at in range {
            let (tx, end) = (TxIndex::of(at), id::at(self.first_input.get(at + 1)));
            let inputs = &self.address[start..end];
            start = end;
            if self.gaps && !self.view.sees(tx) {
                continue;
            }
            known.clear();
            let numbers = inputs.iter().map(|bytes| u32::from_le_bytes(*bytes));
            known.extend(numbers.filter(|number| *number != NO_ADDRESS).map(AddressIndex::from_u32));
            each(tx, &known);
        }
    }
}
